"""SQL about the files that came with answers, one statement a function."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from app.core import db
from app.formbuilder.models import EntryFile

_COLUMNS = (
    "f.id, f.public_id, f.field_id, f.entry_id, f.storage_key, f.file_name, f.content_type, f.size_bytes, f.checksum"
)


async def insert(values: dict[str, Any]) -> None:
    await db.run(
        """
        INSERT INTO form_entry_files (public_id, form_id, field_id, storage_key, file_name, content_type, size_bytes,
                                      checksum, created_at)
        VALUES (:public_id, :form_id, :field_id, :storage_key, :file_name, :content_type, :size_bytes, :checksum,
                :created_at)
        """,
        **values,
    )


async def bind(form_id: int, field_id: str, entry_id: int, public_ids: Sequence[str]) -> int:
    """How many of them are the entry's now."""
    return await db.run(
        """
        UPDATE form_entry_files SET entry_id = :entry_id
        WHERE form_id = :form_id AND field_id = :field_id AND public_id = ANY(CAST(:ids AS text[]))
          AND (entry_id IS NULL OR entry_id = :entry_id)
        """,
        form_id=form_id,
        field_id=field_id,
        entry_id=entry_id,
        ids=list(public_ids),
    )


async def unbind(entry_id: int) -> int:
    """The files of an entry belong to none any more; how many."""
    return await db.run("UPDATE form_entry_files SET entry_id = NULL WHERE entry_id = :id", id=entry_id)


async def file_of_form(form_id: int, public_id: str) -> EntryFile | None:
    return await db.one(
        EntryFile,
        f"SELECT {_COLUMNS} FROM form_entry_files f"  # noqa: S608 (a constant)
        " WHERE f.form_id = :form_id AND f.public_id = :public_id AND f.entry_id IS NOT NULL",
        form_id=form_id,
        public_id=public_id,
    )


async def of_entry(entry_id: int) -> list[EntryFile]:
    """The files that came with an entry."""
    return await db.many(
        EntryFile,
        f"SELECT {_COLUMNS} FROM form_entry_files f WHERE f.entry_id = :id ORDER BY f.id",  # noqa: S608 (a constant)
        id=entry_id,
    )


async def by_name(public_id: str) -> EntryFile | None:
    return await db.one(
        EntryFile,
        f"SELECT {_COLUMNS} FROM form_entry_files f WHERE f.public_id = :id",  # noqa: S608 (a constant)
        id=public_id,
    )


async def loose(before: datetime) -> list[EntryFile]:
    """Files of no entry that came before then, and that no draft speaks of."""
    return await db.many(
        EntryFile,
        f"""
        SELECT {_COLUMNS} FROM form_entry_files f WHERE f.entry_id IS NULL AND f.created_at < :before
          AND NOT EXISTS (SELECT 1 FROM form_drafts d WHERE d.form_id = f.form_id
                          AND strpos(CAST(d.posted AS text), f.public_id) > 0)
        ORDER BY f.id LIMIT 1000
        """,  # noqa: S608 (a constant)
        before=before,
    )


async def delete(file_id: int) -> None:
    await db.run("DELETE FROM form_entry_files WHERE id = :id AND entry_id IS NULL", id=file_id)
