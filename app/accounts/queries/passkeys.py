"""SQL of passkeys and of the challenges that were answered."""

from datetime import datetime

from app.accounts.models import KnownPasskey, Passkey
from app.core import db

_COLUMNS = "id, public_id, name, credential_id, transports, is_backed_up, created_at, last_used_at"


async def of_person(user_id: int) -> list[Passkey]:
    return await db.many(
        Passkey,
        f"SELECT {_COLUMNS} FROM passkeys WHERE user_id = :user_id ORDER BY created_at, id",  # noqa: S608
        user_id=user_id,
    )


async def of_person_by_public_id(user_id: int, public_id: str) -> Passkey | None:
    return await db.one(
        Passkey,
        f"SELECT {_COLUMNS} FROM passkeys WHERE user_id = :user_id AND public_id = :public_id",  # noqa: S608
        user_id=user_id,
        public_id=public_id,
    )


async def by_credential_id(credential_id: bytes) -> KnownPasskey | None:
    return await db.one(
        KnownPasskey,
        """
        SELECT p.id, p.name, p.user_id, p.credential_id, p.public_key, p.user_handle, p.is_backup_eligible,
               u.public_id AS owner_public_id, u.email AS owner_email, u.name AS owner_name, u.state AS owner_state
        FROM passkeys p JOIN users u ON u.id = p.user_id
        WHERE p.credential_id = :credential_id
        """,
        credential_id=credential_id,
    )


async def insert(
    *,
    public_id: str,
    user_id: int,
    name: str,
    credential_id: bytes,
    public_key: bytes,
    sign_count: int,
    aaguid: str,
    user_handle: bytes,
    transports: list[str],
    is_backup_eligible: bool,
    is_backed_up: bool,
    now: datetime,
) -> bool:
    """False when this passkey is known already, whoever's it is."""
    return bool(
        await db.run(
            """
            INSERT INTO passkeys (public_id, user_id, name, credential_id, public_key, sign_count, aaguid, user_handle,
                                  transports, is_backup_eligible, is_backed_up, created_at)
            VALUES (:public_id, :user_id, :name, :credential_id, :public_key, :sign_count, CAST(:aaguid AS uuid),
                    :user_handle, CAST(:transports AS text[]), :is_backup_eligible, :is_backed_up, :now)
            ON CONFLICT (credential_id) DO NOTHING
            """,
            public_id=public_id,
            user_id=user_id,
            name=name,
            credential_id=credential_id,
            public_key=public_key,
            sign_count=sign_count,
            aaguid=aaguid,
            user_handle=user_handle,
            transports=transports,
            is_backup_eligible=is_backup_eligible,
            is_backed_up=is_backed_up,
            now=now,
        )
    )


async def note_use(passkey_id: int, sign_count: int, is_backed_up: bool, now: datetime) -> bool:
    """False when the counter did not rise (devices that do not count always say 0), or the passkey is gone.

    Of two at once with the same counter one gets it.
    """
    return bool(
        await db.run(
            """
            UPDATE passkeys SET sign_count = :sign_count, is_backed_up = :is_backed_up, last_used_at = :now
            WHERE id = :id AND (sign_count < :sign_count OR (sign_count = 0 AND CAST(:sign_count AS bigint) = 0))
            """,
            id=passkey_id,
            sign_count=sign_count,
            is_backed_up=is_backed_up,
            now=now,
        )
    )


async def exists(passkey_id: int) -> bool:
    return bool(await db.value("SELECT EXISTS (SELECT FROM passkeys WHERE id = :id)", id=passkey_id))


async def rename(user_id: int, public_id: str, name: str) -> bool:
    """False when it is somebody else's, or called so already."""
    return bool(
        await db.run(
            "UPDATE passkeys SET name = :name WHERE user_id = :user_id AND public_id = :public_id AND name <> :name",
            user_id=user_id,
            public_id=public_id,
            name=name,
        )
    )


async def delete(user_id: int, public_id: str) -> str | None:
    """Its name, or None when it is somebody else's or gone."""
    name: str | None = await db.value(
        "DELETE FROM passkeys WHERE user_id = :user_id AND public_id = :public_id RETURNING name",
        user_id=user_id,
        public_id=public_id,
    )
    return name


async def delete_all_of(user_id: int) -> None:
    await db.run("DELETE FROM passkeys WHERE user_id = :user_id", user_id=user_id)


async def has_identity(user_id: int) -> bool:
    """Whether the person can sign in with an account elsewhere."""
    return bool(await db.value("SELECT EXISTS (SELECT FROM identities WHERE user_id = :id)", id=user_id))


# Challenges


async def use_challenge(challenge_hash: bytes, expires_at: datetime) -> bool:
    """False when it was used before. Of two at once one gets it."""
    return bool(
        await db.run(
            """
            INSERT INTO used_challenges (challenge_hash, expires_at) VALUES (:challenge_hash, :expires_at)
            ON CONFLICT (challenge_hash) DO NOTHING
            """,
            challenge_hash=challenge_hash,
            expires_at=expires_at,
        )
    )


async def delete_dead_challenges(now: datetime) -> int:
    return await db.run_in_batches(
        """
        DELETE FROM used_challenges WHERE challenge_hash IN (
            SELECT challenge_hash FROM used_challenges WHERE expires_at <= :now LIMIT :batch)
        """,
        now=now,
    )


async def delete_added_since(user_id: int, since: datetime) -> None:
    await db.run("DELETE FROM passkeys WHERE user_id = :id AND created_at >= :since", id=user_id, since=since)
