"""The database: plain SQL with named binds over one pool.

The only importer of `databases`, which gives the pool. Connections are taken from it and statements sent through
asyncpg itself (`databases` compiles each through SQLAlchemy, which costs more than the query): `:name` becomes `$n`
once per statement text. Write `CAST(:x AS jsonb)`; `::` is left alone.

A request or job holds one connection over its queries (`hold`), taken at its first query and given back
by `release` before it renders or calls outside.
"""

import asyncio
from collections.abc import AsyncIterator, Coroutine, Sequence
from contextlib import asynccontextmanager
from contextvars import ContextVar
from typing import Any, TypeVar

import asyncpg
import databases
import orjson

from app.core import reach
from app.core.counting import QueryCount, count_queries, note_statement, note_table
from app.core.errors import Invalid, Unavailable
from app.core.i18n import _
from app.core.statements import Row, bind, build, is_read
from app.core.turns import Turn, Turns

T = TypeVar("T")
__all__ = ["QueryCount", "Row", "bind", "count_queries", "note_table"]  # of others, beside what is below

_database: databases.Database | None = None
# Five holds of this process may use the database at once; the others wait for their turn. A hold that takes longer than
# 50 ms (it waits for a lock, or reads much) gives its turn to the next one and goes on, so a slow one keeps nobody waiting;
# then only the size of the pool is the limit. Both numbers are measured (docs/performance.md, "Turns").
_turns = Turns(5, longest=0.05)


class Hold:
    """The connection that one request or job keeps, how many statements it sent, and (`known`) what it has looked up."""

    __slots__ = ("connection", "depth", "is_watched", "known", "patience", "pool", "queries", "turn", "watch")

    def __init__(self, *, is_watched: bool = True, patience: float | None = None) -> None:
        self.connection: Any = None  # of asyncpg's pool
        self.pool: Any = None  # that it is of
        self.is_watched = is_watched
        self.patience = patience
        self.watch: reach.Watch | None = None
        self.turn: Turn | None = None
        self.depth = 0
        self.queries = 0
        self.known: dict[str, Any] = {}


_hold: ContextVar[Hold | None] = ContextVar("db_hold", default=None)


async def connect(url: str, *, min_size: int = 1, max_size: int = 10) -> None:
    """Open the pool. Raises OSError or asyncpg's errors when the server cannot be reached; with `min_size` 0 it does
    not look.
    """
    global _database
    reach.configure(url)
    _database = databases.Database(
        url,
        # `databases` reads name and place from the address and drops the rest of it: asyncpg heeds sslmode as well.
        dsn=url,
        min_size=min_size,
        max_size=max_size,
        init=_init_connection,
        # asyncpg's own reset runs five statements at each release; we leave nothing behind on a connection.
        reset=_no_reset,
        command_timeout=30,
    )
    await _database.connect()


async def disconnect() -> None:
    """Close the pool, waiting for connections in use."""
    global _database
    if _database is not None:
        database, _database = _database, None
        await database.disconnect()


async def _init_connection(connection: asyncpg.Connection) -> None:
    # In binary form, since COPY knows no other; its first byte is the version of the format.
    await connection.set_type_codec(
        "jsonb",
        schema="pg_catalog",
        format="binary",
        encoder=lambda value: b"\x01" + orjson.dumps(value, default=str),
        decoder=lambda value: orjson.loads(value[1:]),
    )


async def _no_reset(connection: asyncpg.Connection) -> None:
    return None


@asynccontextmanager
async def hold(*, is_watched: bool = True, patience: float | None = None) -> AsyncIterator[Hold]:
    """Keep one connection for all queries of the block; it is taken at the first and may be `release`d early.

    While it is held, the server is asked every two seconds whether it still answers; when it does not, the connection is
    broken off (`reach.Watch`). Pass `is_watched=False` for work that computes for seconds between its statements: the event
    loop stands still then, and a server that answered in time would look silent. `patience` is how many seconds each
    statement may take; without it, as long as a page's (`command_timeout`).
    """
    kept = Hold(is_watched=is_watched, patience=patience)
    token = _hold.set(kept)
    try:
        yield kept
    finally:
        await _give_back(kept)
        _hold.reset(token)


async def release() -> None:
    """Give the held connection back before slow work. Inside a transaction this is a mistake and raises."""
    kept = _hold.get()
    if kept is None:
        return
    if kept.depth:
        raise RuntimeError("an outside call or a page was begun inside a transaction")
    await _give_back(kept)


def known() -> dict[str, Any]:
    """What this request or job has looked up and may take for granted until it ends; outside of them, nothing."""
    kept = _hold.get()
    return {} if kept is None else kept.known


def in_transaction() -> bool:
    """True inside `transaction()`."""
    kept = _hold.get()
    return kept is not None and kept.depth > 0


async def _give_back(kept: Hold) -> None:
    connection, kept.connection = kept.connection, None
    if kept.watch is not None:
        kept.watch.stop()
        kept.watch = None
    if kept.turn is not None:
        kept.turn.end()
        kept.turn = None
    if connection is not None and connection._con is not None:  # when it broke, the pool has taken it back
        # As the pool's own release, less the task that shields it (25 µs, and two turns of the loop): nothing waits
        # here, since nothing is reset; and a connection that is not clean is ended when this is cancelled.
        connection._con._on_release()
        await connection._holder.release(None)


async def _held(kept: Hold) -> Any:
    if kept.connection is None:
        if _database is None:
            raise RuntimeError("the database is not connected")
        kept.pool = _pool_of(_database)
        kept.turn = await _turn()
        try:
            kept.connection = await _acquired(kept.pool)
        except BaseException:
            kept.turn.end()
            raise
        if kept.is_watched:
            kept.watch = reach.Watch(kept.connection)
    return kept.connection


async def _turn() -> Turn:
    try:
        return await _turns.take(reach.PATIENCE)
    except TimeoutError as error:
        raise Unavailable() from error


def _pool_of(database: databases.Database) -> Any:
    return database._backend._pool


async def _acquired(pool: Any) -> Any:
    """A connection. A server that is just starting is waited for. Raises Unavailable when patience ends."""
    if reach.is_away():
        raise reach.Away()
    loop = asyncio.get_running_loop()
    until = loop.time() + reach.PATIENCE
    stood_still = False
    while True:
        try:
            async with asyncio.timeout_at(until):
                connection = await pool.acquire()
            reach.note_back()
            return connection
        except TimeoutError as error:
            if loop.time() > until + reach.LATE and not stood_still:
                stood_still, until = True, loop.time() + reach.PATIENCE
                continue
            if pool.get_idle_size() or pool.get_size() < pool.get_max_size():  # it was not for want of a free one
                reach.note_away()
                raise reach.Away() from error
            raise Unavailable() from error
        except reach.NOT_THERE as error:
            if loop.time() + 0.1 > until:
                if reach.is_crowded(error):
                    raise Unavailable() from error
                reach.note_away()
                raise reach.Away() from error
            await asyncio.sleep(0.1)


@asynccontextmanager
async def _raw() -> AsyncIterator[asyncpg.Connection]:
    kept = _hold.get()
    if kept is None:
        async with hold() as own:
            yield await _held(own)
    else:
        yield await _held(kept)


@asynccontextmanager
async def transaction(isolation: str | None = None) -> AsyncIterator[None]:
    """All or nothing. Nested, it is a savepoint. Nothing outside the database may be called inside."""
    kept = _hold.get()
    if kept is None:
        async with hold(), transaction(isolation):
            yield
        return
    # asyncpg's own transaction: that of `databases` keeps the connection for ever when BEGIN, COMMIT or ROLLBACK fails.
    begun = await _begun(kept, isolation)
    kept.depth += 1
    try:
        yield
    except BaseException as error:
        kept.depth -= 1
        await _roll_back(begun, error)
        await _let_go_of_lost(error)
        raise
    kept.depth -= 1
    try:
        await begun.commit()
    except Exception as error:
        await _let_go_of_lost(error)
        raise
    except BaseException:
        _break_off(kept)
        raise


async def _begun(kept: Hold, isolation: str | None) -> Any:
    """A transaction that has begun. A connection that turns out to be broken is let go, and another taken."""
    for left in reversed(range(_BROKEN)):
        transaction = (await _held(kept)).transaction(isolation=isolation)
        try:
            await transaction.start()
            return transaction
        except Exception as error:
            if not await _let_go_of_lost(error) or not left:
                raise
        except BaseException:
            _break_off(kept)
            raise
    raise reach.Away()


def _break_off(kept: Hold) -> None:
    """End a connection whose BEGIN or COMMIT was cancelled: whether it came through, nobody knows, so it is not kept.

    Inside another transaction that one is undone, and this with it.
    """
    if not kept.depth and kept.connection is not None:
        reach.end(kept.connection)


async def _roll_back(begun: Any, error: BaseException) -> None:
    """Undo; what the caller is to hear is why, not that a broken connection cannot be told so."""
    try:
        await _undisturbed(begun.rollback())
    except Exception as broken:
        if not (reach.is_lost(broken) or reach.is_lost(error)):
            raise


async def _undisturbed(work: Coroutine[Any, Any, None]) -> None:
    """Do something to its end. Who is cancelled meanwhile hears of it afterwards."""
    task = asyncio.ensure_future(work)
    cancelled: asyncio.CancelledError | None = None
    while not task.done():
        try:
            await asyncio.wait((task,))
        except asyncio.CancelledError as error:
            cancelled = error
    if cancelled is not None:
        if not task.cancelled():
            task.exception()  # seen
        raise cancelled
    task.result()


async def one(into: type[T], sql: str, **binds: Any) -> T | None:
    """The first row as `into` (a dataclass whose fields are the columns, or `Row`), or None."""
    records = await _fetch(sql, binds)
    return build(into, records[:1])[0] if records else None


async def many(into: type[T], sql: str, **binds: Any) -> list[T]:
    """All rows as `into`."""
    return build(into, await _fetch(sql, binds))


async def value(sql: str, **binds: Any) -> Any:
    """The first column of the first row, or None."""
    records = await _fetch(sql, binds)
    return records[0][0] if records else None


async def run(sql: str, **binds: Any) -> int:
    """Run a statement; the number of rows that it changed."""
    statement, arguments = bind(sql, binds)
    _note(statement, arguments)
    status: str = await _ask("execute", statement, arguments, is_read=False)
    tail = status.rsplit(" ", 1)[-1]
    return int(tail) if tail.isdigit() else 0


async def send(statement: str, *arguments: Any) -> list[asyncpg.Record]:
    """Send a statement that somebody else wrote, with `$n` for its arguments; for the queue's own."""
    note_table("?")
    return list(await _ask("fetch", statement, list(arguments), is_read=False))


async def run_in_batches(sql: str, *, batch: int = 5_000, **binds: Any) -> int:
    """Run a statement that changes at most `:batch` rows until it finds fewer; how many rows it changed in all.

    Each run commits by itself, so that clearing away a million rows locks few of them at a time, and one that is
    killed has done its part. Not for use inside a transaction.
    """
    if in_transaction():
        raise RuntimeError("batches inside one transaction would be none")
    changed = batch
    total = 0
    while changed == batch:
        changed = await run(sql, batch=batch, **binds)
        total += changed
    return total


async def script(sql: str) -> None:
    """Run several statements without binds (migrations)."""
    async with _raw() as connection:
        await connection.execute(sql, timeout=3600)


async def copy(table: str, columns: Sequence[str], records: Any) -> None:
    """Bulk-load an iterable of tuples (PostgreSQL's COPY)."""
    async with _raw() as connection:
        await connection.copy_records_to_table(table, columns=list(columns), records=records, timeout=3600)


async def stream(into: type[T], sql: str, *, batch: int = 500, **binds: Any) -> AsyncIterator[T]:
    """Rows through a cursor, `batch` at a time: for exports of any length. Uses a connection of its own."""
    statement, arguments = bind(sql, binds)
    _note(statement, arguments)
    if _database is None:
        raise RuntimeError("the database is not connected")
    async with _pool_of(_database).acquire() as connection, connection.transaction(readonly=True):
        cursor = await connection.cursor(statement, *arguments)
        while records := await cursor.fetch(batch):
            for row in build(into, records):
                yield row


@asynccontextmanager
async def raw() -> AsyncIterator[asyncpg.Connection]:
    """The asyncpg connection that the current hold or transaction uses; for the queue and for LISTEN."""
    note_table("?")
    async with _raw() as connection:
        yield connection


async def _fetch(sql: str, binds: dict[str, Any]) -> list[asyncpg.Record]:
    statement, arguments = bind(sql, binds)
    _note(statement, arguments)
    records: list[asyncpg.Record] = await _ask("fetch", statement, arguments, is_read=is_read(sql))
    return records


# After a restart of the server all connections of the pool may be broken.
_BROKEN = 12


async def _ask(way: str, statement: str, arguments: list[Any], *, is_read: bool) -> Any:
    """Send a statement. When the connection turns out to be broken it is sent again on another one, if that is safe: it only
    reads, or it never left.
    """
    for left in reversed(range(_BROKEN)):
        try:
            kept = _hold.get()
            if kept is None:
                async with hold() as own:
                    return await getattr(await _held(own), way)(statement, *arguments)
            return await getattr(await _held(kept) if kept.connection is None else kept.connection, way)(
                statement, *arguments, timeout=kept.patience
            )
        except asyncpg.CharacterNotInRepertoireError as error:
            raise _unreadable() from error
        except Exception as error:
            may_repeat = await _let_go_of_lost(error) and (is_read or reach.was_never_sent(error))
            if not may_repeat or not left:
                raise
    raise reach.Away()


async def _let_go_of_lost(error: BaseException) -> bool:
    """If this error says that the connection is lost, drop it, so that the next statement takes another one.

    True when asking again makes sense. False for any other error, inside a transaction (it is lost with its connection) and
    while the server is known to be away.
    """
    kept = _hold.get()
    if not reach.is_lost(error) or (kept is not None and kept.depth):
        return False
    if kept is not None:
        if kept.connection is not None:
            reach.end(kept.connection)
        await _give_back(kept)
    return not isinstance(error, reach.Away)


def _unreadable() -> Invalid:
    """A NUL in an address or a form: the text of whoever asked is at fault, not the product."""
    return Invalid(_("This contains characters that cannot be stored."))


def _note(statement: str, arguments: list[Any]) -> None:
    kept = _hold.get()
    if kept is not None:
        kept.queries += 1
    note_statement(statement, arguments)
