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


async def loose(before: datetime, most: int) -> list[EntryFile]:
    """Files of no entry that came before then, and that no draft speaks of. Drafts are read once, for the tokens in them
    (fields/attached.py): to look through all of them for each file takes minutes when there are some thousand.
    """
    return await db.many(
        EntryFile,
        f"""
        WITH kept AS MATERIALIZED (
            SELECT DISTINCT split_part(token, '.', 1) AS public_id
            FROM form_drafts d CROSS JOIN LATERAL jsonb_each(d.posted) p
            CROSS JOIN LATERAL jsonb_array_elements_text(CASE jsonb_typeof(p.value) WHEN 'array' THEN p.value ELSE '[]' END) token
            WHERE p.key LIKE '%.kept' AND d.form_id IN (
                SELECT l.form_id FROM form_entry_files l WHERE l.entry_id IS NULL AND l.created_at < :before))
        SELECT {_COLUMNS} FROM form_entry_files f WHERE f.entry_id IS NULL AND f.created_at < :before
          AND NOT EXISTS (SELECT 1 FROM kept k WHERE k.public_id = f.public_id)
        ORDER BY f.id LIMIT :most
        """,  # noqa: S608 (a constant)
        before=before,
        most=most,
    )


async def claim(file_id: int) -> bool:
    """Take a file that belongs to no entry out of reach of entries to come; False when one has it by now."""
    return bool(
        await db.run("UPDATE form_entry_files SET form_id = NULL WHERE id = :id AND entry_id IS NULL", id=file_id)
    )


async def delete(file_id: int) -> None:
    await db.run("DELETE FROM form_entry_files WHERE id = :id AND entry_id IS NULL", id=file_id)
