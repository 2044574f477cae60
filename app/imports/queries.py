"""All SQL of imports, one statement a function."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from app.core import db
from app.core.i18n import lazy
from app.imports.models import Import, Sheet, Verdict
from app.web import tables

_COLUMNS = """i.id, i.public_id, i.kind, i.state, i.file_name, i.storage_key, i.size_bytes, i.encoding, i.delimiter, i.header,
    i.samples, i.row_count, i.mapping, i.options, i.attempt, i.last_row, i.counts, i.refusals, i.error, i.created_by,
    u.name AS created_by_name, i.created_at, i.moved_at, i.finished_at, i.cleared_at"""
_FROM = "FROM imports i LEFT JOIN users u ON u.id = i.created_by"

PEOPLE_IMPORTS = tables.Listing(
    name="imports",
    select="""i.file_name AS file, i.state, i.row_count AS rows, i.counts, i.created_at AS brought, u.name AS by,
              '/admin/people/imports/' || i.public_id AS url""",
    source="imports i LEFT JOIN users u ON u.id = i.created_by",
    key="i.id",
    where="i.kind = 'people' AND i.state <> 'storing'",
    columns=[
        tables.Column("file", lazy("File")),
        tables.Column("state", lazy("State")),
        tables.Column("rows", lazy("Rows"), align="end"),
        tables.Column("by", lazy("By"), priority="mid"),
        tables.Column("brought", lazy("Brought"), sort="i.created_at", descending_first=True, priority="mid"),
    ],
    sort="-brought",
    empty=tables.Empty(lazy("No import yet"), lazy("A list of people from elsewhere becomes accounts here.")),
)


async def insert(
    *,
    public_id: str,
    kind: str,
    file_name: str,
    storage_key: str,
    size_bytes: int,
    sheet: Sheet,
    mapping: list[str],
    created_by: int,
    now: datetime,
) -> int:
    """A row in the state `storing`, which nobody sees yet; its key."""
    made: int = await db.value(
        """
        INSERT INTO imports (public_id, kind, state, file_name, storage_key, size_bytes, encoding, delimiter, header,
                             samples, row_count, mapping, created_by, created_at, moved_at)
        VALUES (:public_id, :kind, 'storing', :file_name, :storage_key, :size_bytes, :encoding, :delimiter,
                CAST(:header AS text[]), CAST(:samples AS jsonb), :row_count, CAST(:mapping AS text[]), :created_by,
                :now, :now)
        RETURNING id
        """,
        public_id=public_id,
        kind=kind,
        file_name=file_name,
        storage_key=storage_key,
        size_bytes=size_bytes,
        encoding=sheet.encoding,
        delimiter=sheet.delimiter,
        header=sheet.header,
        samples=sheet.samples,
        row_count=sheet.row_count,
        mapping=mapping,
        created_by=created_by,
        now=now,
    )
    return made


async def mark_stored(import_id: int) -> None:
    await db.run("UPDATE imports SET state = 'ready' WHERE id = :id AND state = 'storing'", id=import_id)


async def delete(import_id: int) -> None:
    await db.run("DELETE FROM imports WHERE id = :id", id=import_id)


async def by_public_id(kind: str, public_id: str) -> Import | None:
    return await db.one(
        Import,
        f"SELECT {_COLUMNS} {_FROM} WHERE i.kind = :kind AND i.public_id = :id AND i.state <> 'storing'",
        kind=kind,
        id=public_id,
    )


async def by_id(import_id: int, *, lock: bool = False) -> Import | None:
    return await db.one(
        Import, f"SELECT {_COLUMNS} {_FROM} WHERE i.id = :id {'FOR UPDATE OF i' if lock else ''}", id=import_id
    )


async def begin_check(
    import_id: int, attempt: int, *, mapping: list[str], options: dict[str, Any], now: datetime
) -> int | None:
    """The number of the trial that begins; None when the import has moved on since `attempt`."""
    found: int | None = await db.value(
        """
        UPDATE imports SET state = 'checking', attempt = attempt + 1, mapping = CAST(:mapping AS text[]),
            options = CAST(:options AS jsonb), last_row = 0, counts = '{}', refusals = '[]', error = '', moved_at = :now
        WHERE id = :id AND attempt = :attempt AND state IN ('ready', 'checking', 'checked') AND cleared_at IS NULL
        RETURNING attempt
        """,
        id=import_id,
        attempt=attempt,
        mapping=mapping,
        options=options,
        now=now,
    )
    return found


async def note_check(
    import_id: int, attempt: int, *, state: str, last_row: int, counts: Any, refusals: Any, now: datetime
) -> bool:
    """False when this trial is not the present one any more."""
    return bool(
        await db.run(
            """
            UPDATE imports SET state = :state, last_row = :last_row, counts = CAST(:counts AS jsonb),
                refusals = CAST(:refusals AS jsonb), moved_at = :now
            WHERE id = :id AND attempt = :attempt AND state = 'checking'
            """,
            id=import_id,
            attempt=attempt,
            state=state,
            last_row=last_row,
            counts=counts,
            refusals=refusals,
            now=now,
        )
    )


async def begin_run(import_id: int, attempt: int, now: datetime) -> bool:
    """False when it was begun before, or is not what was tried."""
    return bool(
        await db.run(
            """
            UPDATE imports SET state = 'running', last_row = 0, counts = '{}', refusals = '[]', moved_at = :now
            WHERE id = :id AND attempt = :attempt AND state = 'checked' AND cleared_at IS NULL
            """,
            id=import_id,
            attempt=attempt,
            now=now,
        )
    )


async def set_runner(import_id: int, user_id: int) -> None:
    await db.run("UPDATE imports SET created_by = :user_id WHERE id = :id", id=import_id, user_id=user_id)


async def advance(import_id: int, *, last_row: int, counts: Any, refusals: Any, now: datetime) -> None:
    await db.run(
        """
        UPDATE imports SET last_row = :last_row, counts = CAST(:counts AS jsonb), refusals = CAST(:refusals AS jsonb),
            moved_at = :now
        WHERE id = :id
        """,
        id=import_id,
        last_row=last_row,
        counts=counts,
        refusals=refusals,
        now=now,
    )


async def insert_outcomes(import_id: int, verdicts: Sequence[Verdict]) -> None:
    await db.run(
        """
        INSERT INTO import_outcomes (import_id, row_number, outcome, reason)
        SELECT :id, row_number, outcome, reason
        FROM unnest(CAST(:rows AS int[]), CAST(:outcomes AS text[]), CAST(:reasons AS text[]))
             AS said (row_number, outcome, reason)
        """,
        id=import_id,
        rows=[verdict.number for verdict in verdicts],
        outcomes=[verdict.outcome for verdict in verdicts],
        reasons=[verdict.reason for verdict in verdicts],
    )


async def end(import_id: int, old: list[str], new: str, *, error: str = "", now: datetime) -> bool:
    """False when it was not in one of the states `old`."""
    return bool(
        await db.run(
            """
            UPDATE imports SET state = :new, error = :error, finished_at = :now, moved_at = :now
            WHERE id = :id AND state = ANY(CAST(:old AS text[]))
            """,
            id=import_id,
            old=old,
            new=new,
            error=error,
            now=now,
        )
    )


async def outcomes(import_id: int, *, after: int, limit: int) -> list[db.Row]:
    """What came of each row behind the row `after`, in the order of the file."""
    return await db.many(
        db.Row,
        """
        SELECT row_number, outcome, reason FROM import_outcomes
        WHERE import_id = :id AND row_number > :after ORDER BY row_number LIMIT :limit
        """,
        id=import_id,
        after=after,
        limit=limit,
    )


async def mapping_for(kind: str, columns_key: bytes) -> dict[str, str] | None:
    found: dict[str, str] | None = await db.value(
        "SELECT mapping FROM import_mappings WHERE kind = :kind AND columns_key = :key", kind=kind, key=columns_key
    )
    return found


async def keep_mapping(kind: str, columns_key: bytes, mapping: dict[str, str], now: datetime) -> None:
    await db.run(
        """
        INSERT INTO import_mappings (kind, columns_key, mapping, used_at)
        VALUES (:kind, :key, CAST(:mapping AS jsonb), :now)
        ON CONFLICT (kind, columns_key) DO UPDATE SET mapping = excluded.mapping, used_at = excluded.used_at
        """,
        kind=kind,
        key=columns_key,
        mapping=mapping,
        now=now,
    )


async def to_clear(before: datetime, stale: datetime) -> list[db.Row]:
    """Imports whose time is over, and those whose file never arrived."""
    return await db.many(
        db.Row,
        """
        SELECT id, storage_key, state FROM imports
        WHERE cleared_at IS NULL AND (created_at < :before OR (state = 'storing' AND created_at < :stale))
        ORDER BY id LIMIT 200
        """,
        before=before,
        stale=stale,
    )


async def clear(import_id: int, now: datetime) -> None:
    """Forget what is personal in an import; that it was, when and with which counts stays."""
    await db.run(
        """
        WITH gone AS (DELETE FROM import_outcomes WHERE import_id = :id)
        UPDATE imports SET cleared_at = :now, samples = '[]', refusals = '[]',
            state = CASE WHEN state IN ('done', 'cancelled', 'failed') THEN state ELSE 'cancelled' END
        WHERE id = :id
        """,
        id=import_id,
        now=now,
    )
