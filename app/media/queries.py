"""All SQL of media, one statement a function."""

from datetime import datetime

from app.core import db
from app.media.models import Upload

_COLUMNS = """id, public_id, owner_id, kind, storage_key, file_name, content_type, size_bytes, checksum,
              width, height, duration_seconds, is_public, created_at"""


async def upload(upload_id: int) -> Upload | None:
    return await db.one(Upload, f"SELECT {_COLUMNS} FROM uploads WHERE id = :id AND state = 'stored'", id=upload_id)  # noqa: S608


async def upload_by_public_id(public_id: str) -> Upload | None:
    return await db.one(
        Upload,
        f"SELECT {_COLUMNS} FROM uploads WHERE public_id = :public_id AND state = 'stored'",  # noqa: S608
        public_id=public_id,
    )


async def uploads(upload_ids: list[int]) -> list[Upload]:
    return await db.many(
        Upload,
        f"SELECT {_COLUMNS} FROM uploads WHERE id = ANY(CAST(:ids AS bigint[])) AND state = 'stored'",  # noqa: S608
        ids=upload_ids,
    )


async def insert_upload(
    *,
    public_id: str,
    owner_id: int | None,
    kind: str,
    storage_key: str,
    file_name: str,
    content_type: str,
    size_bytes: int,
    checksum: str,
    width: int | None,
    height: int | None,
    duration_seconds: int | None,
    is_public: bool,
    now: datetime,
) -> int:
    """A row in the state `storing`, which nobody sees yet; its key."""
    upload_id: int = await db.value(
        """
        INSERT INTO uploads (public_id, owner_id, kind, storage_key, file_name, content_type, size_bytes, checksum,
                             width, height, duration_seconds, is_public, state, created_at)
        VALUES (:public_id, :owner_id, :kind, :storage_key, :file_name, :content_type, :size_bytes, :checksum,
                :width, :height, :duration_seconds, :is_public, 'storing', :now)
        RETURNING id
        """,
        public_id=public_id,
        owner_id=owner_id,
        kind=kind,
        storage_key=storage_key,
        file_name=file_name,
        content_type=content_type,
        size_bytes=size_bytes,
        checksum=checksum,
        width=width,
        height=height,
        duration_seconds=duration_seconds,
        is_public=is_public,
        now=now,
    )
    return upload_id


async def mark_stored(upload_id: int) -> bool:
    return bool(await db.run("UPDATE uploads SET state = 'stored' WHERE id = :id AND state = 'storing'", id=upload_id))


async def mark_storing(upload_id: int) -> None:
    await db.run("UPDATE uploads SET state = 'storing' WHERE id = :id", id=upload_id)


async def is_stored(upload_id: int) -> bool:
    """Whether it is, once whoever changes it at this moment is through."""
    return bool(await db.value("SELECT state = 'stored' FROM uploads WHERE id = :id FOR UPDATE", id=upload_id))


async def lock_upload(upload_id: int) -> bool:
    return bool(await db.value("SELECT true FROM uploads WHERE id = :id FOR UPDATE", id=upload_id))


async def delete_upload(upload_id: int) -> str | None:
    """The storage key of the row that is gone now."""
    key: str | None = await db.value("DELETE FROM uploads WHERE id = :id RETURNING storage_key", id=upload_id)
    return key


async def is_kept(storage_key: str) -> bool:
    return bool(await db.value("SELECT EXISTS (SELECT 1 FROM uploads WHERE storage_key = :key)", key=storage_key))


async def stale_uploads(before: datetime) -> list[tuple[int, str]]:
    rows = await db.many(
        db.Row,
        "SELECT id, storage_key FROM uploads WHERE state = 'storing' AND created_at < :before ORDER BY id",
        before=before,
    )
    return [(row.id, row.storage_key) for row in rows]


async def uploads_of(owner_id: int) -> list[Upload]:
    return await db.many(
        Upload,
        f"SELECT {_COLUMNS} FROM uploads WHERE owner_id = :id AND state = 'stored' ORDER BY id",  # noqa: S608
        id=owner_id,
    )


async def disown_uploads(owner_id: int) -> int:
    return await db.run("UPDATE uploads SET owner_id = NULL WHERE owner_id = :id", id=owner_id)
