"""SQL of one-time links in mails."""

from datetime import datetime

from app.accounts.models import Link
from app.core import db


async def insert_link(
    *, token_hash: bytes, purpose: str, user_id: int, email: str, now: datetime, expires_at: datetime
) -> int:
    made: int = await db.value(
        """
        INSERT INTO one_time_tokens (token_hash, purpose, user_id, email, created_at, expires_at)
        VALUES (:token_hash, :purpose, :user_id, :email, :now, :expires_at) RETURNING id
        """,
        token_hash=token_hash,
        purpose=purpose,
        user_id=user_id,
        email=email,
        now=now,
        expires_at=expires_at,
    )
    return made


async def link_by_token(token_hash: bytes, purposes: list[str]) -> Link | None:
    return await db.one(
        Link,
        """
        SELECT id, purpose, user_id, email, expires_at, used_at FROM one_time_tokens
        WHERE token_hash = :token_hash AND purpose = ANY(CAST(:purposes AS text[]))
        """,
        token_hash=token_hash,
        purposes=purposes,
    )


async def use_link(token_hash: bytes, purposes: list[str], now: datetime) -> Link | None:
    """The link when it is open, used from here on; None when somebody was first, or it is too old or of another kind."""
    return await db.one(
        Link,
        """
        UPDATE one_time_tokens SET used_at = :now
        WHERE token_hash = :token_hash AND purpose = ANY(CAST(:purposes AS text[]))
          AND used_at IS NULL AND expires_at > :now
        RETURNING id, purpose, user_id, email, expires_at, used_at
        """,
        token_hash=token_hash,
        purposes=purposes,
        now=now,
    )


async def use_up_links(user_id: int, purposes: list[str], now: datetime) -> None:
    await db.run(
        """
        UPDATE one_time_tokens SET used_at = :now
        WHERE user_id = :user_id AND purpose = ANY(CAST(:purposes AS text[])) AND used_at IS NULL
        """,
        user_id=user_id,
        purposes=purposes,
        now=now,
    )


async def delete_dead_links(before: datetime) -> int:
    return await db.run_in_batches(
        """
        DELETE FROM one_time_tokens WHERE id IN (
            SELECT id FROM one_time_tokens WHERE expires_at < :before OR used_at < :before LIMIT :batch)
        """,
        before=before,
    )
