"""All SQL of accounts, one statement a function."""

from datetime import datetime

from app.accounts.models import SignedIn
from app.core import db


async def session_by_token(token_hash: bytes, now: datetime, seen_after: datetime) -> SignedIn | None:
    return await db.one(
        SignedIn,
        """
        SELECT u.id, u.public_id, u.email, u.name, u.role, u.state, u.email_verified_at,
               s.id AS session_id, s.public_id AS session_public_id, s.fresh_at, s.last_seen_at, s.expires_at
        FROM sessions s JOIN users u ON u.id = s.user_id
        WHERE s.token_hash = :token_hash AND s.expires_at > :now AND s.last_seen_at > :seen_after
          AND u.state = 'active'
        """,
        token_hash=token_hash,
        now=now,
        seen_after=seen_after,
    )


async def touch_session(session_id: int, now: datetime) -> None:
    await db.run(
        """
        WITH touched AS (UPDATE sessions SET last_seen_at = :now WHERE id = :id RETURNING user_id)
        UPDATE users SET last_seen_at = :now WHERE id = (SELECT user_id FROM touched)
        """,
        id=session_id,
        now=now,
    )


async def insert_session(
    *,
    public_id: str,
    token_hash: bytes,
    user_id: int,
    now: datetime,
    expires_at: datetime,
    address: str,
    user_agent: str,
) -> None:
    await db.run(
        """
        INSERT INTO sessions (public_id, token_hash, user_id, created_at, fresh_at, last_seen_at, expires_at,
                              address, user_agent)
        VALUES (:public_id, :token_hash, :user_id, :now, :now, :now, :expires_at, :address, :user_agent)
        """,
        public_id=public_id,
        token_hash=token_hash,
        user_id=user_id,
        now=now,
        expires_at=expires_at,
        address=address,
        user_agent=user_agent,
    )


async def delete_session(session_id: int) -> None:
    await db.run("DELETE FROM sessions WHERE id = :id", id=session_id)
