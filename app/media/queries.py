"""All SQL of media, one statement a function."""

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
