"""Numbered, forward-only migrations: `migrations/0001_name.sql`, each in one transaction under an advisory lock.

A file whose first line is `-- no transaction` runs bare, one statement after the other (for CREATE INDEX
CONCURRENTLY); each must say IF NOT EXISTS, since a run that was killed begins again. An index that a killed run left
half built is taken away first. A merged file is never edited: its checksum is kept, and a changed one stops the boot.
"""

import asyncio
import hashlib
import re
from dataclasses import dataclass
from pathlib import Path

import structlog

from app.core import db

log = structlog.get_logger()

FOLDER = Path(__file__).resolve().parents[2] / "migrations"
_NAME = re.compile(r"(\d{4})_[a-z0-9_]+\.sql")
# Any constant: it only has to be ours alone in this database.
_LOCK = 5_230_114
_PAUSE = 0.25  # seconds


@dataclass(frozen=True, slots=True)
class Migration:
    """One file of the folder."""

    version: int
    name: str
    sql: str
    checksum: str


class MigrationError(Exception):
    """The folder and the database disagree; the message says how."""


def load(folder: Path = FOLDER) -> list[Migration]:
    """The migrations in order. Raises MigrationError on a bad name or a doubled number."""
    found: list[Migration] = []
    for path in sorted(folder.glob("*.sql")):
        match = _NAME.fullmatch(path.name)
        if match is None:
            raise MigrationError(f"{path.name} is not named like 0001_name.sql")
        sql = path.read_text("utf-8")
        found.append(Migration(int(match[1]), path.stem, sql, hashlib.sha256(sql.encode()).hexdigest()))
    if len({migration.version for migration in found}) != len(found):
        raise MigrationError("two migrations have the same number")
    return found


async def apply(folder: Path = FOLDER) -> list[str]:
    """Bring the database up to date; the names of what ran. Safe to start twice at once and after a kill."""
    migrations = load(folder)
    ran: list[str] = []
    async with db.hold():
        await _lock()
        try:
            await db.script(
                "CREATE TABLE IF NOT EXISTS schema_migrations (version integer PRIMARY KEY, name text NOT NULL,"
                " checksum text NOT NULL, applied_at timestamptz NOT NULL DEFAULT now())"
            )
            done = {
                row.version: row for row in await db.many(db.Row, "SELECT version, checksum FROM schema_migrations")
            }
            for migration in migrations:
                applied = done.get(migration.version)
                if applied is None:
                    await _run(migration)
                    ran.append(migration.name)
                elif applied.checksum != migration.checksum:
                    raise MigrationError(f"{migration.name} was changed after it was applied")
        finally:
            await db.value("SELECT pg_advisory_unlock(:key)", key=_LOCK)
    return ran


async def _lock() -> None:
    """Wait until nobody else migrates. Asking again holds no snapshot in between: CREATE INDEX CONCURRENTLY of the one
    that has the lock waits for all snapshots, so it and a `pg_advisory_lock` would wait for each other.
    """
    has_said = False
    while not await db.value("SELECT pg_try_advisory_lock(:key)", key=_LOCK):
        if not has_said:
            log.info("somebody else migrates; this waits")
            has_said = True
        await asyncio.sleep(_PAUSE)


async def pending(folder: Path = FOLDER) -> list[str]:
    """The names of migrations that have not run yet."""
    if await db.value("SELECT to_regclass('schema_migrations') IS NULL"):
        return [migration.name for migration in load(folder)]
    done = {row.version for row in await db.many(db.Row, "SELECT version FROM schema_migrations")}
    return [migration.name for migration in load(folder) if migration.version not in done]


async def _run(migration: Migration) -> None:
    if migration.sql.startswith("-- no transaction"):
        await _drop_half_built()
        for statement in statements(migration.sql):
            await db.script(statement)
        await _record(migration)
        return
    async with db.transaction():
        await db.script("SET LOCAL lock_timeout = '4s'")
        await db.script(migration.sql)
        await _record(migration)


def statements(sql: str) -> list[str]:
    """The statements of a file, each ended by a semicolon at the end of a line, without its comments."""
    lines = [line for line in sql.splitlines() if line.strip() and not line.lstrip().startswith("--")]
    return [found for part in "\n".join(lines).split(";\n") if (found := part.strip(" \n;"))]


async def _drop_half_built() -> None:
    rows = await db.many(
        db.Row,
        """
        SELECT quote_ident(c.relname) AS name FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid
        WHERE NOT i.indisvalid AND c.relnamespace = CAST(current_schema() AS regnamespace)
        """,
    )
    for row in rows:
        await db.script(f"DROP INDEX CONCURRENTLY IF EXISTS {row.name}")


async def _record(migration: Migration) -> None:
    await db.run(
        "INSERT INTO schema_migrations (version, name, checksum) VALUES (:version, :name, :checksum)",
        version=migration.version,
        name=migration.name,
        checksum=migration.checksum,
    )
