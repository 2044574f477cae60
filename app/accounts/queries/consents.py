"""SQL of what people agreed to."""

from datetime import datetime

from app.accounts.models import Consent
from app.core import db


async def insert_consent(
    *,
    user_id: int | None,
    kind: str,
    wording: int,
    is_given: bool,
    origin: str,
    address: str | None,
    now: datetime,
) -> None:
    await db.run(
        """
        INSERT INTO consents (user_id, kind, wording, is_given, origin, address, created_at)
        VALUES (:user_id, :kind, :wording, :is_given, :origin, :address, :now)
        """,
        user_id=user_id,
        kind=kind,
        wording=wording,
        is_given=is_given,
        origin=origin,
        address=address,
        now=now,
    )


async def adopt_consents(origin: str, user_id: int) -> int:
    """What a guest agreed to belongs to the account that the order made."""
    return await db.run(
        "UPDATE consents SET user_id = :user_id WHERE origin = :origin AND user_id IS NULL",
        origin=origin,
        user_id=user_id,
    )


async def move_consents(gone_id: int, kept_id: int) -> int:
    return await db.run("UPDATE consents SET user_id = :kept WHERE user_id = :gone", gone=gone_id, kept=kept_id)


async def has_consent_of(origin: str, kind: str) -> bool:
    found: bool = await db.value(
        "SELECT EXISTS (SELECT 1 FROM consents WHERE origin = :origin AND kind = :kind)", origin=origin, kind=kind
    )
    return found


async def consents_of(user_id: int, limit: int = 200) -> list[Consent]:
    return await db.many(
        Consent,
        """
        SELECT kind, wording, is_given, origin, address, created_at FROM consents
        WHERE user_id = :user_id ORDER BY id DESC LIMIT :limit
        """,
        user_id=user_id,
        limit=limit,
    )


async def delete_stray_consents(before: datetime) -> int:
    """Those of guests whose order came to nothing."""
    # The condition stands outside too: one that an account adopts meanwhile is looked at again, and stays.
    return await db.run_in_batches(
        """
        DELETE FROM consents WHERE user_id IS NULL AND id IN (
            SELECT id FROM consents WHERE user_id IS NULL AND created_at < :before LIMIT :batch)
        """,
        before=before,
    )
