"""SQL of access tokens."""

from datetime import datetime

from app.accounts.models import AccessToken, TokenBearer
from app.core import db

_COLUMNS = "public_id, name, ending, scopes, created_at, expires_at, last_used_at, last_address"


async def insert_token(
    *,
    public_id: str,
    user_id: int,
    name: str,
    token_hash: bytes,
    ending: str,
    scopes: list[str],
    second_factor: bool,
    now: datetime,
    expires_at: datetime,
    most: int,
) -> bool:
    """False when this form has made its token, or the person has `most`. The caller holds the person's row, so that two
    forms at once are counted one after the other.
    """
    return bool(
        await db.run(
            """
            INSERT INTO access_tokens (public_id, user_id, name, token_hash, ending, scopes, second_factor, created_at,
                                       expires_at)
            SELECT :public_id, u.id, :name, :token_hash, :ending, CAST(:scopes AS text[]), CAST(:second_factor AS boolean),
                   CAST(:now AS timestamptz), CAST(:expires_at AS timestamptz)
            FROM users u
            WHERE u.id = :user_id AND u.state = 'active' AND u.email_verified_at IS NOT NULL
              AND (SELECT count(*) FROM access_tokens t WHERE t.user_id = u.id AND t.expires_at > :now) < :most
            ON CONFLICT (public_id) DO NOTHING
            """,
            public_id=public_id,
            user_id=user_id,
            name=name,
            token_hash=token_hash,
            ending=ending,
            scopes=scopes,
            second_factor=second_factor,
            now=now,
            expires_at=expires_at,
            most=most,
        )
    )


async def is_made(public_id: str, user_id: int) -> bool:
    return bool(
        await db.value(
            "SELECT EXISTS (SELECT FROM access_tokens WHERE public_id = :public_id AND user_id = :user_id)",
            public_id=public_id,
            user_id=user_id,
        )
    )


async def tokens_of(user_id: int) -> list[AccessToken]:
    return await db.many(
        AccessToken,
        f"SELECT {_COLUMNS} FROM access_tokens WHERE user_id = :user_id ORDER BY created_at DESC, id DESC LIMIT 100",  # noqa: S608
        user_id=user_id,
    )


async def bearer(token_hash: bytes, now: datetime) -> TokenBearer | None:
    """The active person of a token that is good now."""
    return await db.one(
        TokenBearer,
        """
        SELECT u.id, u.public_id, u.email, u.name, u.role, u.state, u.email_verified_at, u.time_zone, u.created_at,
               r.capabilities AS granted, t.id AS token_id, t.public_id AS token_public_id, t.scopes, t.second_factor,
               t.expires_at, t.last_used_at
        FROM access_tokens t JOIN users u ON u.id = t.user_id LEFT JOIN roles r ON r.key = u.role
        WHERE t.token_hash = :token_hash AND t.expires_at > :now AND u.state = 'active'
        """,
        token_hash=token_hash,
        now=now,
    )


async def touch(token_id: int, now: datetime, before: datetime, address: str) -> None:
    """Note a use, unless one was noted after `before`."""
    await db.run(
        """
        UPDATE access_tokens SET last_used_at = :now, last_address = :address
        WHERE id = :id AND (last_used_at IS NULL OR last_used_at <= :before)
        """,
        id=token_id,
        now=now,
        before=before,
        address=address,
    )


async def delete_token_of(user_id: int, public_id: str) -> AccessToken | None:
    return await db.one(
        AccessToken,
        f"DELETE FROM access_tokens WHERE user_id = :user_id AND public_id = :public_id RETURNING {_COLUMNS}",  # noqa: S608
        user_id=user_id,
        public_id=public_id,
    )


async def forget_second_factor(user_id: int) -> None:
    """What was made with a second step counts as made without one: the person has none any more."""
    await db.run("UPDATE access_tokens SET second_factor = false WHERE user_id = :id AND second_factor", id=user_id)


async def delete_tokens_of(user_id: int) -> int:
    return await db.run("DELETE FROM access_tokens WHERE user_id = :user_id", user_id=user_id)


async def delete_dead_tokens(before: datetime) -> int:
    return await db.run_in_batches(
        """
        DELETE FROM access_tokens WHERE id IN (
            SELECT id FROM access_tokens WHERE expires_at <= :before LIMIT :batch)
        """,
        before=before,
    )
