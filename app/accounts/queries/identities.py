"""SQL of accounts elsewhere that people sign in with."""

from datetime import datetime

from app.accounts.models import ConnectedIdentity
from app.core import db


async def identity_by_subject(provider: str, subject: str) -> ConnectedIdentity | None:
    return await _one("i.provider = :provider AND i.subject = :subject", provider=provider, subject=subject)


async def identity_of(user_id: int, provider: str) -> ConnectedIdentity | None:
    return await _one("i.user_id = :user_id AND i.provider = :provider", user_id=user_id, provider=provider)


async def _one(where: str, **binds: object) -> ConnectedIdentity | None:
    return await db.one(
        ConnectedIdentity,
        f"""
        SELECT i.user_id, u.public_id, u.name, u.state, i.provider, i.subject, i.email,
               i.created_at, i.last_used_at
        FROM identities i JOIN users u ON u.id = i.user_id WHERE {where}
        """,  # noqa: S608
        **binds,
    )


async def insert_identity(user_id: int, provider: str, subject: str, email: str, now: datetime) -> bool:
    """False when this identity belongs to somebody, or the person has one of this provider."""
    return bool(
        await db.run(
            """
            INSERT INTO identities (user_id, provider, subject, email, created_at, last_used_at)
            VALUES (:user_id, :provider, :subject, :email, :now, :now) ON CONFLICT DO NOTHING
            """,
            user_id=user_id,
            provider=provider,
            subject=subject,
            email=email,
            now=now,
        )
    )


async def note_use(provider: str, subject: str, email: str, now: datetime) -> None:
    """When it was last used, and what address it has there now."""
    await db.run(
        """
        UPDATE identities SET last_used_at = :now, email = :email
        WHERE provider = :provider AND subject = :subject
        """,
        provider=provider,
        subject=subject,
        email=email,
        now=now,
    )


async def delete_identity(user_id: int, provider: str) -> bool:
    return bool(
        await db.run(
            "DELETE FROM identities WHERE user_id = :user_id AND provider = :provider",
            user_id=user_id,
            provider=provider,
        )
    )


async def forget_unproven(user_id: int) -> bool:
    """Take away what opens an account whose address nobody has proved: whoever set it need not be who reads its mail.

    The app of a second step stays: taking it away would open a door. False when there was nothing to take.
    """
    return bool(
        await db.value(
            """
            WITH unproven AS (SELECT id FROM users WHERE id = :id AND email_verified_at IS NULL FOR UPDATE),
                 a AS (DELETE FROM identities WHERE user_id IN (SELECT id FROM unproven) RETURNING 1),
                 b AS (DELETE FROM passkeys WHERE user_id IN (SELECT id FROM unproven) RETURNING 1),
                 t AS (DELETE FROM access_tokens WHERE user_id IN (SELECT id FROM unproven) RETURNING 1),
                 c AS (UPDATE users SET password_hash = NULL
                       WHERE id IN (SELECT id FROM unproven) AND password_hash IS NOT NULL RETURNING 1)
            SELECT (SELECT count(*) FROM a) + (SELECT count(*) FROM b) + (SELECT count(*) FROM c)
                 + (SELECT count(*) FROM t)
            """,
            id=user_id,
        )
    )
