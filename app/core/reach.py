"""Whether PostgreSQL can be reached: what a lost connection looks like, and what to do about one that fell silent.

A server that restarts is waited for; one that is away is not asked anew by every request; one that neither answers
nor refuses (a cut cable, a host that is gone) is found out by asking it something on a fresh connection, and then the
connections that wait for it are ended. asyncpg's own time limit would wait twice: for the answer, then for the cancel.
"""

import asyncio
import contextlib
import errno
import time
from typing import Any

import asyncpg
import structlog

from app.core.errors import Unavailable

log = structlog.get_logger()

# Seconds. A request waits so long for a connection, then says 503.
PATIENCE = 4.0
# When a timer fires this much too late, this process itself stood still (a long computation, no processor time), and the
# server is not to blame for the time that went by.
LATE = 0.15
# A connection that is held longer than SILENCE is looked after: a fresh one is opened, and the server has PROBE to let it in.
SILENCE = 2.0
PROBE = 1.5
# After the server was found away, requests are refused at once for this long, instead of each waiting for it again.
PAUSE = 0.5
RETRY_AFTER = 5

_LOST = (
    asyncpg.PostgresConnectionError,
    asyncpg.CannotConnectNowError,
    asyncpg.AdminShutdownError,
    asyncpg.CrashShutdownError,
    ConnectionError,
)
# What connecting raises while a server is not there (yet).
NOT_THERE = (*_LOST, asyncpg.TooManyConnectionsError, OSError)

_url = ""
_away_until = 0.0
_probe: "asyncio.Task[bool] | None" = None
_looking: set["asyncio.Task[Any]"] = set()


class Away(Unavailable):
    """The database cannot be reached for the moment."""

    def __init__(self) -> None:
        super().__init__(retry_after=RETRY_AFTER)


def configure(url: str) -> None:
    """Say where the server is; called when the pool is opened."""
    global _url, _away_until
    _url, _away_until = url, 0.0


def is_lost(error: BaseException) -> bool:
    """Whether an error says that the connection broke, not that the statement was wrong."""
    return isinstance(error, (*_LOST, Away)) or was_never_sent(error)


def is_crowded(error: BaseException) -> bool:
    """Whether an error says that the server has no room for another connection; it is there, then."""
    return isinstance(error, asyncpg.TooManyConnectionsError)


def was_never_sent(error: BaseException) -> bool:
    """Whether a connection turned out to be broken before the statement left: any statement may be asked again."""
    if isinstance(error, asyncpg.InternalClientError):
        # The server's farewell lies unread in an idle connection.
        return "cannot switch to state" in str(error)
    # The pool takes a connection back by itself when it breaks.
    said = str(error) if isinstance(error, asyncpg.InterfaceError) else ""
    return "connection is closed" in said or "pool is clos" in said or "released back to the pool" in said


def is_full(error: BaseException) -> bool:
    """Whether an error says that a disk is full: ours, or the database's."""
    if isinstance(error, asyncpg.DiskFullError):
        return True
    return isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


def is_away() -> bool:
    """Whether the server was found away just now."""
    return time.monotonic() < _away_until


def note_away() -> None:
    """The server cannot be reached."""
    global _away_until
    if not is_away():
        log.warning("the database is away")
    _away_until = time.monotonic() + PAUSE


def end(connection: Any) -> None:
    """Break a connection off at this side, without waiting for the other."""
    with contextlib.suppress(asyncpg.InterfaceError):  # the pool was quicker
        connection.terminate()


def note_back() -> None:
    """The server answered."""
    global _away_until
    _away_until = 0.0


class Watch:
    """Looks after one held connection: ends it when the server it waits for has fallen silent."""

    __slots__ = ("_connection", "_timer")

    def __init__(self, connection: Any) -> None:
        self._connection = connection
        self._timer = asyncio.get_running_loop().call_later(SILENCE, self._look)

    def stop(self) -> None:
        """The connection is given back."""
        self._timer.cancel()
        self._connection = None

    def _look(self) -> None:
        task = asyncio.get_running_loop().create_task(self._end_if_silent())
        _looking.add(task)
        task.add_done_callback(_looking.discard)

    async def _end_if_silent(self) -> None:
        try:
            answered = await answers()
        except Exception:  # whatever it is, a later look may succeed
            log.exception("the database could not be looked after")
            answered = True
        if self._connection is None:
            return
        if answered:
            self._timer = asyncio.get_running_loop().call_later(SILENCE, self._look)
        else:
            note_away()
            end(self._connection)


async def answers() -> bool:
    """Whether the server answers a fresh connection; however many ask at once, one looks."""
    global _probe
    if _probe is None or _probe.done():
        _probe = asyncio.get_running_loop().create_task(_ask())
    return await asyncio.shield(_probe)


async def _ask() -> bool:
    """Whether a fresh connection is let in. It asks nothing: behind a full pooler it would wait for its turn."""
    knocking = asyncio.create_task(_knock())
    if not await _done_within(knocking, PROBE):
        knocking.cancel()
        _looking.add(knocking)  # nobody waits for its end
        knocking.add_done_callback(_looking.discard)
        return False
    return knocking.result()


async def _knock() -> bool:
    try:
        connection = await asyncpg.connect(_url)
    except (asyncpg.CannotConnectNowError, asyncpg.AdminShutdownError, asyncpg.CrashShutdownError):
        return False
    except asyncpg.PostgresError as error:
        # A refusal is an answer: the server's own words have a severity, a lost connection that asyncpg reports has none.
        return getattr(error, "severity", None) is not None or not isinstance(error, _LOST)
    except (asyncpg.InterfaceError, asyncpg.InternalClientError, OSError):
        return False
    connection.terminate()
    return True


_TICK = 0.05


async def _done_within(task: "asyncio.Task[Any]", seconds: float) -> bool:
    """Wait for a task so long, not counting the time in which this process itself stood still."""
    loop, left = asyncio.get_running_loop(), seconds
    while left > 0:
        began = loop.time()
        await asyncio.wait((task,), timeout=min(_TICK, left))
        if task.done():
            return True
        left -= min(loop.time() - began, 2 * _TICK)
    return False
