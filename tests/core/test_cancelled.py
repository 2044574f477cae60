"""Work that is broken off (a visitor hangs up, a process is asked to stop) leaves its connection as it found it."""

import asyncio
import logging

import pytest

from app.core import db
from tests.faults.proxy import Proxy

# Each answer of the server takes so long: BEGIN, two statements and COMMIT follow each other at this pace.
PACE = 0.04


async def work(times: int = 1) -> None:
    async with db.hold():
        await db.value("SELECT 1")
        for _time in range(times):
            async with db.transaction():
                await db.run("INSERT INTO settings (name, value) VALUES ('a', '1') ON CONFLICT (name) DO NOTHING")
                async with db.transaction():
                    await db.value("SELECT 2")


async def states() -> list[str]:
    """What the server says of the connections of the pool, besides the one that asks."""
    rows = await db.many(
        db.Row,
        """
        SELECT state, query FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()
        AND state LIKE 'idle in transaction%'
        """,
    )
    return [f"{row.state}: {row.query}" for row in rows]


async def check_the_pool(caplog: pytest.LogCaptureFixture) -> None:
    assert db._database is not None
    pool = db._database._backend._pool
    for _look in range(20):
        if all(holder._in_use is None for holder in pool._holders):
            break
        await asyncio.sleep(0.05)  # asyncpg takes it back in a task of its own
    assert all(holder._in_use is None for holder in pool._holders)
    assert pool.get_size() <= pool.get_max_size()
    for _look in range(20):
        found = await states()
        if not found:
            break
        await asyncio.sleep(0.05)  # a connection that was broken off is found out by the server in a moment
    assert found == []
    await asyncio.gather(*(work() for _time in range(4)))
    said = [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING]
    # asyncpg's own word on a connection that was broken off while it was being made.
    assert [each for each in said if "unexpected connection_lost() call" not in each] == []


@pytest.mark.parametrize("cancels", [1, 3])
async def test_a_transaction_that_is_broken_off_leaves_nothing_open(
    line: Proxy,
    caplog: pytest.LogCaptureFixture,
    cancels: int,
) -> None:
    """At BEGIN, at a statement, at a savepoint, at COMMIT, wherever in between; and again while it is tidied up."""
    broken_off = 0
    for moment in range(16):
        await asyncio.gather(work(), work())
        line.be("latency", seconds=PACE)
        working = asyncio.create_task(work(2))
        await asyncio.sleep(PACE * moment * 0.8)
        for _time in range(cancels):
            working.cancel()
            await asyncio.sleep(0.005)
        await asyncio.wait((working,))
        broken_off += working.cancelled()
        line.be()
        await check_the_pool(caplog)
    assert broken_off > 10
