"""A database that goes away, is silent, or breaks off, seen from inside one process."""

import asyncio
import time
from collections.abc import AsyncIterator

import asyncpg
import pytest

from app import Lectern
from app.config import Config
from app.core import db, reach
from app.core.errors import Unavailable
from tests.faults.proxy import Proxy
from tests.servers import Servers


@pytest.fixture
async def line(app: Lectern, config: Config, running: Servers) -> AsyncIterator[Proxy]:
    """The pool, two connections wide, goes through a proxy for the time of a test."""
    folder = running.database_url.partition("host=")[2].replace("%2F", "/")
    proxy = Proxy(f"{folder}/.s.PGSQL.5432").start()
    await db.disconnect()
    await db.connect(f"postgresql://lectern@127.0.0.1:{proxy.port}/lectern", min_size=0, max_size=2)
    try:
        yield proxy
    finally:
        proxy.be()
        await db.disconnect()
        proxy.stop()
        await db.connect(config.database_url.reveal(), max_size=config.database_pool_size)


@pytest.fixture
def hurried(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, seconds in (("PATIENCE", 0.6), ("SILENCE", 0.2), ("PROBE", 0.2), ("PAUSE", 0.1)):
        monkeypatch.setattr(reach, name, seconds)


async def test_a_read_that_loses_its_connection_is_asked_again(line: Proxy) -> None:
    async with db.hold():
        assert await db.value("SELECT 1") == 1
        line.reset_all()
        assert await db.value("SELECT 2") == 2


async def test_a_write_that_loses_its_connection_is_not_repeated_unasked(line: Proxy) -> None:
    async with db.hold():
        assert await db.value("SELECT 1") == 1
        line.reset_all()
        with pytest.raises(Exception) as lost:  # noqa: PT011 - several kinds
            await db.run("INSERT INTO settings (name, value) VALUES ('a', '1')")
        assert reach.is_lost(lost.value)
        assert await db.value("SELECT 3") == 3


async def test_a_server_that_starts_again_is_waited_for(line: Proxy, hurried: None) -> None:
    line.be("refuse")
    asyncio.get_running_loop().call_later(0.3, line.be)
    assert await db.value("SELECT 1") == 1


async def test_a_server_that_stays_away_is_not_waited_for_by_everybody(line: Proxy, hurried: None) -> None:
    line.be("refuse")
    with pytest.raises(Unavailable) as away:
        await db.value("SELECT 1")
    assert away.value.retry_after
    began = time.monotonic()
    with pytest.raises(Unavailable):
        await db.value("SELECT 1")
    assert time.monotonic() - began < 0.1


async def test_a_silent_server_is_found_out_and_the_pool_stays_whole(line: Proxy, hurried: None) -> None:
    assert await db.value("SELECT 1") == 1
    line.be("blackhole")
    began = time.monotonic()
    answers = await asyncio.gather(*(_in_transaction() for _n in range(6)), return_exceptions=True)
    assert time.monotonic() - began < 2
    assert all(reach.is_lost(one) or isinstance(one, Unavailable) for one in answers if isinstance(one, BaseException))
    assert all(isinstance(one, BaseException) for one in answers)
    line.be()
    await asyncio.sleep(0.2)
    assert await asyncio.gather(*(_in_transaction() for _n in range(6))) == [1] * 6


async def test_a_slow_statement_on_a_living_server_is_left_alone(line: Proxy, hurried: None) -> None:
    assert await db.value("SELECT 7 FROM pg_sleep(0.8)") == 7


async def test_transactions_that_break_give_their_connection_back(line: Proxy) -> None:
    for _time in range(5):
        with pytest.raises((asyncpg.PostgresError, asyncpg.InterfaceError, OSError)):
            async with db.transaction():
                await db.value("SELECT 1")
                line.reset_all()
                await db.value("SELECT 2")
    assert await _in_transaction() == 1


async def test_transactions_of_databases_would_have_kept_it(line: Proxy) -> None:
    """The negative control: why `db.transaction` goes straight to asyncpg."""
    assert db._database is not None
    database = db._database
    pool = database._backend._pool
    for _time in range(2):
        connection = database.connection()
        await connection.__aenter__()
        with pytest.raises((asyncpg.PostgresError, asyncpg.InterfaceError, OSError)):
            async with connection.transaction():
                line.reset_all()
                await connection.raw_connection.fetch("SELECT 1")
        await connection.__aexit__()
    assert any(holder._in_use is not None for holder in pool._holders) or connection._connection_counter > 0


async def _in_transaction() -> int:
    async with db.hold(), db.transaction():
        found: int = await db.value("SELECT 1")
        return found


async def test_work_that_reckons_for_long_keeps_its_connection_though_nobody_heard_the_server(
    app: Lectern, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = 0

    async def silent() -> bool:
        nonlocal asked
        asked += 1
        return False

    monkeypatch.setattr(reach, "SILENCE", 0.01)
    monkeypatch.setattr(reach, "answers", silent)
    async with db.hold(is_watched=False):
        assert await db.value("SELECT 1") == 1
        await asyncio.sleep(0.1)
        assert await db.value("SELECT 2") == 2
    assert asked == 0
