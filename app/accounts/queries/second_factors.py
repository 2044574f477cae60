"""SQL of second factors and of the sign-ins that wait for one."""

from datetime import datetime

from app.accounts.models import Factors, PendingSignIn
from app.core import db

# What a person has


async def factors_of(user_id: int) -> Factors:
    found = await db.one(
        Factors,
        """
        SELECT EXISTS (SELECT FROM mfa_secrets WHERE user_id = :user_id) AS has_totp,
               (SELECT count(*) FROM passkeys WHERE user_id = :user_id) AS passkeys,
               (SELECT count(*) FROM recovery_codes WHERE user_id = :user_id AND used_at IS NULL) AS recovery_codes
        """,
        user_id=user_id,
    )
    assert found is not None
    return found


# Codes of an authenticator app


async def insert_secret(user_id: int, sealed_secret: bytes, step: int, now: datetime) -> bool:
    """False when the person has one."""
    return bool(
        await db.run(
            """
            INSERT INTO mfa_secrets (user_id, sealed_secret, created_at, last_step)
            VALUES (:user_id, :sealed_secret, :now, :step) ON CONFLICT (user_id) DO NOTHING
            """,
            user_id=user_id,
            sealed_secret=sealed_secret,
            step=step,
            now=now,
        )
    )


async def secret_of(user_id: int) -> bytes | None:
    found: bytes | None = await db.value("SELECT sealed_secret FROM mfa_secrets WHERE user_id = :id", id=user_id)
    return found


async def use_step(user_id: int, step: int) -> bool:
    """False when this half minute's code, or a later one, was used before."""
    return bool(
        await db.run(
            "UPDATE mfa_secrets SET last_step = :step WHERE user_id = :user_id AND last_step < :step",
            user_id=user_id,
            step=step,
        )
    )


async def delete_secret(user_id: int) -> bool:
    return bool(await db.run("DELETE FROM mfa_secrets WHERE user_id = :user_id", user_id=user_id))


# Recovery codes


async def recovery_salt(user_id: int) -> bytes | None:
    found: bytes | None = await db.value("SELECT salt FROM recovery_codes WHERE user_id = :id LIMIT 1", id=user_id)
    return found


async def replace_recovery_codes(user_id: int, hashes: list[bytes], salt: bytes, now: datetime) -> None:
    await db.run("DELETE FROM recovery_codes WHERE user_id = :user_id", user_id=user_id)
    await db.run(
        """
        INSERT INTO recovery_codes (user_id, code_hash, salt, created_at)
        SELECT :user_id, code_hash, :salt, :now FROM unnest(CAST(:hashes AS bytea[])) code_hash
        """,
        user_id=user_id,
        hashes=hashes,
        salt=salt,
        now=now,
    )


async def use_recovery_code(user_id: int, code_hash: bytes, now: datetime) -> bool:
    """False when it is none of the person's, or was used. Of two at once one gets it."""
    return bool(
        await db.run(
            """
            UPDATE recovery_codes SET used_at = :now
            WHERE user_id = :user_id AND code_hash = :code_hash AND used_at IS NULL
            """,
            user_id=user_id,
            code_hash=code_hash,
            now=now,
        )
    )


async def delete_recovery_codes(user_id: int) -> None:
    await db.run("DELETE FROM recovery_codes WHERE user_id = :user_id", user_id=user_id)


# Sign-ins that wait for the second factor


async def insert_pending(
    *,
    token_hash: bytes,
    user_id: int,
    method: str,
    keep: bool | None,
    onward: str,
    password_hash: str | None,
    now: datetime,
    expires_at: datetime,
) -> bool:
    """False when the person was suspended, or the password that was checked has been changed, a moment ago.

    The caller holds the person's row, so that those who begin at the same time are counted one after the other.
    """
    return bool(
        await db.run(
            """
            INSERT INTO pending_sign_ins (token_hash, user_id, method, keep, onward, created_at, expires_at)
            SELECT :token_hash, id, :method, CAST(:keep AS boolean), :onward, :now, CAST(:expires_at AS timestamptz)
            FROM users
            WHERE id = :user_id AND state = 'active'
              AND (CAST(:password_hash AS text) IS NULL OR password_hash = :password_hash)
            """,
            token_hash=token_hash,
            user_id=user_id,
            method=method,
            keep=keep,
            onward=onward,
            password_hash=password_hash,
            now=now,
            expires_at=expires_at,
        )
    )


async def delete_oldest_pending(user_id: int, *, keep: int) -> None:
    """All but the newest so many of a person."""
    await db.run(
        """
        DELETE FROM pending_sign_ins WHERE user_id = :user_id AND id NOT IN (
            SELECT id FROM pending_sign_ins WHERE user_id = :user_id ORDER BY id DESC LIMIT :keep)
        """,
        user_id=user_id,
        keep=keep,
    )


async def pending_by_token(token_hash: bytes, now: datetime) -> PendingSignIn | None:
    return await db.one(
        PendingSignIn,
        """
        SELECT p.id, p.user_id, u.email, u.name, p.method, p.keep, p.onward
        FROM pending_sign_ins p JOIN users u ON u.id = p.user_id
        WHERE p.token_hash = :token_hash AND p.expires_at > :now AND u.state = 'active'
        """,
        token_hash=token_hash,
        now=now,
    )


async def delete_pending(pending_id: int) -> bool:
    """False when it was finished, or thrown away, a moment ago."""
    return bool(await db.run("DELETE FROM pending_sign_ins WHERE id = :id", id=pending_id))


async def delete_dead_pending(now: datetime) -> int:
    return await db.run_in_batches(
        """
        DELETE FROM pending_sign_ins WHERE id IN (
            SELECT id FROM pending_sign_ins WHERE expires_at <= :now LIMIT :batch)
        """,
        now=now,
    )
