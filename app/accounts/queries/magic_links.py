"""SQL of the links that sign in."""

from datetime import datetime

from app.accounts.models import SignInLink
from app.core import db

_COLUMNS = """l.id, l.user_id, u.public_id, u.email, u.email_verified_at, l.browser_hash,
              l.user_agent, l.address, l.onward, l.created_at, l.expires_at, l.used_at"""


async def insert_sign_in_link(
    *,
    token_hash: bytes,
    user_id: int,
    email: str,
    browser_hash: bytes,
    user_agent: str,
    address: str,
    onward: str,
    now: datetime,
    expires_at: datetime,
) -> None:
    await db.run(
        """
        INSERT INTO sign_in_links (token_hash, user_id, email, browser_hash, user_agent, address, onward,
                                   created_at, expires_at)
        VALUES (:token_hash, :user_id, :email, :browser_hash, :user_agent, :address, :onward, :now, :expires_at)
        """,
        token_hash=token_hash,
        user_id=user_id,
        email=email,
        browser_hash=browser_hash,
        user_agent=user_agent,
        address=address,
        onward=onward,
        now=now,
        expires_at=expires_at,
    )


async def sign_in_link_by_token(token_hash: bytes) -> SignInLink | None:
    """None also when the account has another address by now."""
    return await db.one(
        SignInLink,
        f"""
        SELECT {_COLUMNS} FROM sign_in_links l JOIN users u ON u.id = l.user_id
        WHERE l.token_hash = :token_hash AND lower(u.email) = lower(l.email)
        """,  # noqa: S608
        token_hash=token_hash,
    )


async def use_sign_in_link(token_hash: bytes, now: datetime) -> SignInLink | None:
    """The link when it is open, used from here on; None when somebody was first, or it is too old."""
    return await db.one(
        SignInLink,
        f"""
        UPDATE sign_in_links l SET used_at = :now FROM users u
        WHERE l.token_hash = :token_hash AND l.used_at IS NULL AND l.expires_at > :now
          AND u.id = l.user_id AND lower(u.email) = lower(l.email)
        RETURNING {_COLUMNS}
        """,  # noqa: S608
        token_hash=token_hash,
        now=now,
    )


async def use_up_sign_in_links(user_id: int, now: datetime) -> None:
    await db.run(
        "UPDATE sign_in_links SET used_at = :now WHERE user_id = :user_id AND used_at IS NULL",
        user_id=user_id,
        now=now,
    )


async def delete_dead_sign_in_links(before: datetime) -> int:
    return await db.run_in_batches(
        """
        DELETE FROM sign_in_links WHERE id IN (
            SELECT id FROM sign_in_links WHERE expires_at < :before LIMIT :batch)
        """,
        before=before,
    )
