import asyncio
import os
import sys
from pathlib import Path

import asyncpg

from app import Lectern
from app.core import db, migrations
from app.web.tables import begin_words

ROOT = Path(__file__).resolve().parents[2]


async def migrate(url: str) -> asyncio.subprocess.Process:
    environment = {"PATH": os.environ["PATH"], "LECTERN_ENV": "test", "DATABASE_URL": url}
    command = (sys.executable, "-m", "app", "migrate")
    return await asyncio.create_subprocess_exec(
        *command, cwd=ROOT, env=environment, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )


async def said(process: asyncio.subprocess.Process) -> list[str]:
    """What it applied, once it has ended well."""
    output, errors = await asyncio.wait_for(process.communicate(), 60)
    assert process.returncode == 0, errors.decode()
    return output.decode().split("\n")[:-1]


INVALID = "SELECT c.relname FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid WHERE NOT i.indisvalid"


async def test_two_that_migrate_at_once_do_not_stand_in_each_others_way(fresh: str) -> None:
    """One waits for the other without a snapshot, for which an index that is built aside would wait in turn."""
    both = [await migrate(fresh), await migrate(fresh)]
    applied = await asyncio.gather(*(said(process) for process in both))
    everything = [f"applied {migration.name}" for migration in migrations.load()]
    assert sorted(applied) == [[], everything]


_WRITE = """
    INSERT INTO audit_log (action, subject_type, subject_id, created_at) VALUES ('a.test', 'test', '1', now())
"""


async def test_an_index_that_a_killed_run_left_half_built_is_built_again(fresh: str) -> None:
    await said(await migrate(fresh))
    connection, other = await asyncpg.connect(fresh), await asyncpg.connect(fresh)
    try:
        indexes = await connection.fetch("SELECT indexname FROM pg_indexes WHERE tablename = 'audit_log' ORDER BY 1")
        await connection.execute("DROP INDEX audit_log_address; DELETE FROM schema_migrations WHERE version = 22")
        begun = other.transaction()
        await begun.start()
        await other.execute(_WRITE)  # the build waits for whoever writes
        killed = await migrate(fresh)
        for _look in range(1200):
            if await connection.fetch(INVALID):
                break
            await asyncio.sleep(0.05)
        killed.kill()
        await killed.wait()
        await connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE 'CREATE INDEX CONC%'"
        )
        await begun.rollback()
        assert [row["relname"] for row in await connection.fetch(INVALID)] == ["audit_log_address"]
        assert await said(await migrate(fresh)) == ["applied 0022_audit_indexes"]
        assert await connection.fetch(INVALID) == []
        assert (
            await connection.fetch("SELECT indexname FROM pg_indexes WHERE tablename = 'audit_log' ORDER BY 1")
            == indexes
        )
    finally:
        await other.close()
        await connection.close()


def test_a_bare_file_is_run_statement_by_statement() -> None:
    sql = "-- no transaction\n-- why; it is so\nCREATE INDEX a\n    ON x (y);\n\nDROP INDEX b;\n"
    assert migrations.statements(sql) == ["CREATE INDEX a\n    ON x (y)", "DROP INDEX b"]


async def test_words_are_found_by_how_they_begin_whatever_is_typed(app: Lectern) -> None:

    written = "Tom O'Brien-Smith tom.ob@Example.org 1010"
    for typed, found in {
        "tom": True, "BRIEN": True, "o'brien": True, "smi": True, "tom.ob@exam": True, "example.org": True, "101": True,
        "tom smith": True, "mith": False, "tom jones": False, "':*": False, "\\": False, "a & !b": False, "'": False,
    }.items():  # fmt: skip
        is_found = await db.value(
            "SELECT search_words(:written) @@ CAST(:query AS tsquery)", written=written, query=begin_words(typed)
        )
        assert is_found is found, typed
