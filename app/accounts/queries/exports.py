"""SQL of files in which people get everything about them."""

from datetime import datetime

from app.accounts.models import PersonalExport
from app.core import db

_EXPORT = "id, public_id, user_id, state, storage_key, size_bytes, created_at, expires_at"


async def insert_export(user_id: int, public_id: str, now: datetime, *, but_since: datetime) -> int | None:
    """None when one was asked for since then. The caller holds the person's row."""
    found: int | None = await db.value(
        """
        INSERT INTO personal_exports (public_id, user_id, created_at)
        SELECT :public_id, :user_id, :now
        WHERE NOT EXISTS (SELECT 1 FROM personal_exports WHERE user_id = :user_id AND created_at > :but_since)
        RETURNING id
        """,
        public_id=public_id,
        user_id=user_id,
        now=now,
        but_since=but_since,
    )
    return found


async def export_by_id(export_id: int) -> PersonalExport | None:
    return await db.one(
        PersonalExport,
        f"SELECT {_EXPORT} FROM personal_exports WHERE id = :id",  # noqa: S608
        id=export_id,
    )


async def export_of(user_id: int, public_id: str, now: datetime) -> PersonalExport | None:
    """Only the person's own, ready and not too old."""
    return await db.one(
        PersonalExport,
        f"""
        SELECT {_EXPORT} FROM personal_exports
        WHERE user_id = :user_id AND public_id = :public_id AND state = 'ready' AND expires_at > :now
        """,  # noqa: S608
        user_id=user_id,
        public_id=public_id,
        now=now,
    )


async def last_export(user_id: int) -> PersonalExport | None:
    return await db.one(
        PersonalExport,
        f"SELECT {_EXPORT} FROM personal_exports WHERE user_id = :user_id ORDER BY created_at DESC, id DESC LIMIT 1",  # noqa: S608
        user_id=user_id,
    )


async def reserve_key(export_id: int, key: str) -> str | None:
    """The key that an earlier run reserved, or ""; None when the export is ready, or gone."""
    found: str | None = await db.value(
        """
        UPDATE personal_exports e SET storage_key = :key
        FROM (SELECT id, storage_key FROM personal_exports WHERE id = :id AND state = 'asked' FOR UPDATE) before
        WHERE e.id = before.id RETURNING coalesce(before.storage_key, '')
        """,
        id=export_id,
        key=key,
    )
    return found


async def mark_ready(export_id: int, *, key: str, size: int, now: datetime, expires_at: datetime) -> bool:
    """False when another run reserved another key since, or the export is gone."""
    return bool(
        await db.run(
            """
            UPDATE personal_exports SET state = 'ready', size_bytes = :size, ready_at = :now, expires_at = :expires_at
            WHERE id = :id AND state = 'asked' AND storage_key = :key
            """,
            id=export_id,
            key=key,
            size=size,
            now=now,
            expires_at=expires_at,
        )
    )


async def old_exports(now: datetime, asked_before: datetime) -> list[PersonalExport]:
    return await db.many(
        PersonalExport,
        f"""
        SELECT {_EXPORT} FROM personal_exports
        WHERE expires_at <= :now OR (state = 'asked' AND created_at < :asked_before) ORDER BY id LIMIT 500
        """,  # noqa: S608
        now=now,
        asked_before=asked_before,
    )


async def exports_of(user_id: int) -> list[PersonalExport]:
    return await db.many(
        PersonalExport,
        f"SELECT {_EXPORT} FROM personal_exports WHERE user_id = :user_id",  # noqa: S608
        user_id=user_id,
    )


async def delete_export(export_id: int) -> None:
    await db.run("DELETE FROM personal_exports WHERE id = :id", id=export_id)


async def is_kept(storage_key: str) -> bool:
    found: bool = await db.value(
        "SELECT EXISTS (SELECT 1 FROM personal_exports WHERE storage_key = :key)", key=storage_key
    )
    return found
