"""A database that goes away, is silent, or breaks off, seen from inside one process."""

import asyncio
import time
from collections.abc import AsyncIterator

import asyncpg
import pytest
from pgqueuer.domain.models import Schedule

from app import Lectern
from app.config import Config
from app.core import clock, db, queue, reach, worker
from app.core.errors import Unavailable
from tests.faults.proxy import Proxy


class Speaker:
    """A server that greets in PostgreSQL's language and then says what it is told to, or nothing."""

    def __init__(self, answer: bytes) -> None:
        self.answer = answer
        self._server: asyncio.Server | None = None

    async def __aenter__(self) -> str:
        self._server = await asyncio.start_server(self._speak, "127.0.0.1", 0)
        return f"postgresql://lectern@127.0.0.1:{self._server.sockets[0].getsockname()[1]}/lectern?sslmode=disable"

    async def __aexit__(self, *_error: object) -> None:
        assert self._server is not None
        self._server.close()

    async def _speak(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if (await reader.read(1000))[4:8] == (80877103).to_bytes(4, "big"):  # would like to speak TLS
            writer.write(b"N")
            await reader.read(1000)
        writer.write(self.answer)
        while await reader.read(1000):
            pass
        writer.close()


def message(kind: bytes, body: bytes) -> bytes:
    return kind + (len(body) + 4).to_bytes(4, "big") + body


def refusal(code: str, text: str) -> bytes:
    fields = (("S", "FATAL"), ("V", "FATAL"), ("C", code), ("M", text))
    return message(b"E", b"".join(f"{name}{said}\0".encode() for name, said in fields) + b"\0")


WELCOME = (
    message(b"R", bytes(4))
    + message(b"S", b"server_version\x0017.0\0")
    + message(b"S", b"client_encoding\0UTF8\0")
    + message(b"K", bytes(8))
    + message(b"Z", b"I")
)


@pytest.fixture
async def elsewhere(app: Lectern, config: Config) -> AsyncIterator[None]:
    """The pool may be led astray for the time of a test."""
    await db.disconnect()
    try:
        yield
    finally:
        await db.disconnect()
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


async def test_a_server_that_stays_away_is_not_waited_for_by_everybody(
    line: Proxy, hurried: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reach, "PAUSE", 60)
    line.be("refuse")
    with pytest.raises(Unavailable) as away:
        await db.value("SELECT 1")
    assert away.value.retry_after
    monkeypatch.setattr(reach, "PATIENCE", 60)
    async with asyncio.timeout(20):
        with pytest.raises(Unavailable):
            await db.value("SELECT 1")


async def test_a_silent_server_is_found_out_and_the_pool_stays_whole(line: Proxy, hurried: None) -> None:
    assert await db.value("SELECT 1") == 1
    line.be("blackhole")
    async with asyncio.timeout(15):  # a statement may take 30 seconds
        answers = await asyncio.gather(*(_in_transaction() for _n in range(6)), return_exceptions=True)
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


DUE = Schedule(
    id=1,
    expression="* * * * *",
    entrypoint="rest",
    heartbeat=clock.now(),
    created=clock.now(),
    updated=clock.now(),
    next_run=clock.now(),
    status="picked",
)


@queue.job()
async def rest() -> None:
    """Nothing."""


async def test_a_job_is_enqueued_though_its_connection_broke_while_it_was_idle(line: Proxy) -> None:
    async with db.hold():
        assert await db.value("SELECT 1") == 1
        line.reset_all()
        await asyncio.sleep(0.1)
        await queue.enqueue(rest)
    assert await db.value("SELECT count(*) FROM pgqueuer") == 1


@pytest.mark.parametrize("trouble", ["refuse", "cut"])
async def test_a_schedule_whose_hour_strikes_while_the_database_is_away_runs_when_it_is_back(
    line: Proxy, hurried: None, trouble: str
) -> None:
    """Once: PgQueuer has moved on to the next hour."""
    assert await db.value("SELECT 1") == 1
    if trouble == "refuse":
        line.be("refuse")
        line.reset_all()
        asyncio.get_running_loop().call_later(1.5, line.be)
    else:
        line.reset_all()
    await worker._enqueuer(queue.job_name(rest), asyncio.Event())(DUE)
    assert await db.value("SELECT count(*) FROM pgqueuer") == 1


async def test_a_schedule_does_not_hold_up_a_worker_that_is_asked_to_stop(line: Proxy, hurried: None) -> None:
    line.be("refuse")
    stopping = asyncio.Event()
    enqueuing = asyncio.create_task(worker._enqueuer(queue.job_name(rest), stopping)(DUE))
    await asyncio.sleep(0.3)
    assert not enqueuing.done()
    stopping.set()
    with pytest.raises(reach.Away):
        await asyncio.wait_for(enqueuing, 3)


# --- what is no silence ---


async def test_a_process_that_was_busy_itself_does_not_take_the_server_for_silent(
    line: Proxy, hurried: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The loop stands still for longer than the server has to answer, again and again."""
    # Time enough for a fresh connection while other tests keep both cores busy.
    monkeypatch.setattr(reach, "PROBE", 0.5)

    async def think() -> None:
        for _time in range(4):
            time.sleep(0.6)  # noqa: ASYNC251 - this is the point
            await asyncio.sleep(0.01)

    thinking: asyncio.Task[None] | None = None

    async def begin() -> None:
        nonlocal thinking
        await asyncio.sleep(0.19)
        thinking = asyncio.create_task(think())

    beginning = asyncio.create_task(begin())
    assert await db.value("SELECT 7 FROM pg_sleep(3)") == 7
    assert not reach.is_away()
    await beginning
    assert thinking is not None
    await thinking


async def test_a_process_that_stood_still_while_it_took_a_connection_tries_again(line: Proxy, hurried: None) -> None:
    async def think() -> None:
        time.sleep(0.8)  # noqa: ASYNC251 - this is the point

    thinking = asyncio.create_task(think())
    assert await db.value("SELECT 1") == 1
    await thinking


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(WELCOME, id="a full pooler lets one in and then lets one wait"),
        pytest.param(refusal("08P01", "no more connections allowed (max_client_conn)"), id="a full pooler"),
        pytest.param(refusal("53300", "sorry, too many clients already"), id="a full server"),
        pytest.param(refusal("28P01", "password authentication failed"), id="another password"),
        pytest.param(refusal("3D000", "database does not exist"), id="no such database"),
    ],
)
async def test_a_server_that_says_anything_is_not_silent(app: Lectern, hurried: None, answer: bytes) -> None:
    before = reach._url
    try:
        async with Speaker(answer) as url:
            reach.configure(url)
            assert await reach.answers()
    finally:
        reach.configure(before)


@pytest.mark.parametrize("answer", [b"", refusal("57P03", "the database system is starting up")])
async def test_one_that_says_nothing_or_is_just_starting_is(app: Lectern, hurried: None, answer: bytes) -> None:
    before = reach._url
    try:
        async with Speaker(answer) as url:
            reach.configure(url)
            assert not await reach.answers()
    finally:
        reach.configure(before)


async def test_a_full_server_is_not_an_away_one(elsewhere: None, hurried: None) -> None:
    async with Speaker(refusal("53300", "sorry, too many clients already")) as url:
        await db.connect(url, min_size=0, max_size=2)
        with pytest.raises(Unavailable) as full:
            await db.value("SELECT 1")
        assert not isinstance(full.value, reach.Away)
        assert not reach.is_away()


async def test_an_address_that_asks_for_tls_sends_nothing_without_it(elsewhere: None, hurried: None) -> None:
    async with Speaker(WELCOME) as url:  # which speaks no TLS
        with pytest.raises(ConnectionError, match="SSL"):
            await db.connect(url.replace("sslmode=disable", "sslmode=require"), min_size=1, max_size=2)


async def test_whatever_the_look_meets_the_next_one_finds_a_silent_server(
    line: Proxy, hurried: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    connect, looks = asyncpg.connect, 0

    async def strange(*args: object, **options: object) -> object:
        nonlocal looks
        looks += 1
        if looks < 3:
            raise (ValueError("something of ours"), asyncpg.UndefinedTableError("something of theirs"))[looks - 1]
        return await connect(*args, **options)

    monkeypatch.setattr(reach.asyncpg, "connect", strange)
    assert await db.value("SELECT 1") == 1
    asyncio.get_running_loop().call_later(0.3, line.be, "blackhole")
    async with asyncio.timeout(15):
        with pytest.raises(Exception) as lost:  # noqa: PT011 - several kinds
            await db.run("SELECT pg_sleep(20)")
    assert reach.is_lost(lost.value)
    assert looks >= 3


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
