"""Emptying all tables between two tests."""

from __future__ import annotations

import asyncpg

# Deletes only where there are rows: far cheaper than TRUNCATE of everything. Each statement stands in the function, so that
# it is planned once.
_MAKE = """
DO $make$ BEGIN
    EXECUTE 'CREATE OR REPLACE FUNCTION empty_all_tables() RETURNS void LANGUAGE plpgsql AS $$ BEGIN ' || (
        SELECT string_agg(format('IF EXISTS (SELECT 1 FROM %I) THEN DELETE FROM %I; END IF;', tablename, tablename), ' ')
        FROM pg_tables WHERE schemaname = 'public' AND tablename NOT IN ('schema_migrations', 'pgqueuer_schedules')) || '
        END $$';
END $make$;
"""


class Emptier:
    """Empties the tables that are there at the first time, over a connection of its own.

    On it the append-only trigger of the audit log and the foreign keys rest. To let them rest for a moment on one of the
    application's would throw away all that was planned on that one.
    """

    def __init__(self, url: str) -> None:
        self._url = url
        self._connection: asyncpg.Connection | None = None

    async def empty(self) -> None:
        """Leave no row in any table."""
        if self._connection is None or self._connection.is_closed():
            self._connection = await asyncpg.connect(self._url)
            await self._connection.execute("SET session_replication_role = replica")
            await self._connection.execute(_MAKE)
        await self._connection.fetch("SELECT empty_all_tables()")

    async def close(self) -> None:
        """Leave the database."""
        if self._connection is not None:
            await self._connection.close()
