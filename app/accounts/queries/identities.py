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


async def note_use(user_id: int, provider: str, subject: str, email: str, now: datetime) -> bool:
    """When it was last used, and what address it has there now. False when it is not this person's any more."""
    return bool(
        await db.run(
            """
            UPDATE identities SET last_used_at = :now, email = :email
            WHERE user_id = :user_id AND provider = :provider AND subject = :subject
            """,
            user_id=user_id,
            provider=provider,
            subject=subject,
            email=email,
            now=now,
        )
    )


async def delete_identity(user_id: int, provider: str) -> bool:
    return bool(
        await db.run(
            "DELETE FROM identities WHERE user_id = :user_id AND provider = :provider",
            user_id=user_id,
            provider=provider,
        )
    )


async def lock_unproven(user_ids: list[int]) -> list[int]:
    """Those of these accounts whose address nobody has proved, locked in one order. Whoever only points at them does not wait:
    two who buy for one person both hold them so already (`hold_user`).
    """
    rows = await db.many(
        db.Row,
        """
        SELECT id FROM users WHERE id = ANY(CAST(:ids AS bigint[])) AND email_verified_at IS NULL
        ORDER BY id FOR NO KEY UPDATE
        """,
        ids=user_ids,
    )
    return [row.id for row in rows]


async def forget_unproven(user_ids: list[int], now: datetime) -> list[int]:
    """Take away what opens accounts whose address nobody has proved: whoever set it need not be who reads its mail.

    The app of a second step goes where the address was never another one. Where the office changed it, the app is of
    somebody who had proved who they are, and taking it away would open a door. The ids of those who lost something;
    of all that are unproved, sessions, half-done sign-ins and a change of address that was asked for end. The caller
    holds their rows.
    """
    rows = await db.many(
        db.Row,
        """
        WITH unproven AS (SELECT id, public_id, password_hash FROM users
                          WHERE id = ANY(CAST(:ids AS bigint[])) AND email_verified_at IS NULL),
             never AS (SELECT id FROM unproven p WHERE NOT EXISTS (
                           SELECT FROM audit_log l WHERE l.subject_type = 'person' AND l.subject_id = p.public_id
                                                     AND l.action = 'people.email')),
             a AS (DELETE FROM identities WHERE user_id IN (SELECT id FROM unproven) RETURNING user_id),
             b AS (DELETE FROM passkeys WHERE user_id IN (SELECT id FROM unproven) RETURNING user_id),
             c AS (DELETE FROM access_tokens WHERE user_id IN (SELECT id FROM unproven) RETURNING user_id),
             d AS (DELETE FROM mfa_secrets WHERE user_id IN (SELECT id FROM never) RETURNING user_id),
             e AS (DELETE FROM recovery_codes WHERE user_id IN (SELECT id FROM never) RETURNING user_id),
             f AS (DELETE FROM sessions WHERE user_id IN (SELECT id FROM unproven)),
             g AS (DELETE FROM pending_sign_ins WHERE user_id IN (SELECT id FROM unproven)),
             i AS (UPDATE email_changes SET state = 'cancelled', ended_at = :now
                   WHERE user_id IN (SELECT id FROM unproven) AND state = 'open'),
             j AS (UPDATE one_time_tokens SET used_at = :now
                   WHERE user_id IN (SELECT id FROM unproven) AND used_at IS NULL AND purpose IN ('keep_email', 'new_email')),
             h AS (UPDATE users SET password_hash = NULL, strangers_since = :now
                   WHERE id IN (SELECT id FROM unproven WHERE password_hash IS NOT NULL) RETURNING id)
        SELECT user_id AS id FROM a UNION SELECT user_id FROM b UNION SELECT user_id FROM c UNION SELECT user_id FROM d
        UNION SELECT user_id FROM e UNION SELECT id FROM h ORDER BY 1
        """,
        ids=user_ids,
        now=now,
    )
    return [row.id for row in rows]
