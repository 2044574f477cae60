"""The worker process: runs jobs and schedules until it is asked to stop.

It outlives its database. What the queue itself asks of PostgreSQL is asked again until it is answered, so a job that
ended while the server was away is still marked as ended; and when nothing is heard any more, everything is opened anew.
A job whose worker was killed is taken up by another (or the next) one when its heartbeat is `ABANDONED` old.
"""

import asyncio
import contextlib
import signal
from collections.abc import Awaitable, Callable, Coroutine
from datetime import timedelta
from typing import Any

import asyncpg
import structlog
from pgqueuer import PgQueuer
from pgqueuer.adapters.drivers.asyncpg import AsyncpgPoolDriver
from pgqueuer.domain.models import Schedule as DueSchedule
from pgqueuer.ports.driver import NotifyCallback

from app.core import db, queue, reach
from app.core.errors import Unavailable

log = structlog.get_logger()

ABANDONED = timedelta(seconds=20)
# A statement of the queue that takes longer is asked again on another connection.
_LONGEST = 10.0
# Seconds between two tries to put a schedule's job into the queue while the database is away.
_SCHEDULE_PAUSE = 0.5
# Once it was asked to stop, the worker waits so long for a database that is away.
_FAREWELL = 5.0


async def run(database_url: str, *, concurrency: int) -> None:
    """Work until SIGTERM or SIGINT; jobs under way finish first. Needs `db.connect` and the jobs imported."""
    stopping = asyncio.Event()
    for signum in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(signum, stopping.set)
    while not stopping.is_set():
        try:
            await _work(database_url, concurrency, stopping)
        except Exception as error:
            log.warning("the worker opens everything anew", error=type(error).__name__, why=str(error)[:200])
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(stopping.wait(), 1)


async def _work(database_url: str, concurrency: int, stopping: asyncio.Event) -> None:
    """Work until told to stop, or until the database's notices are not heard any more: then it raises."""
    pool = await asyncpg.create_pool(database_url, min_size=0, max_size=4)
    try:
        pgq = PgQueuer(connection=PatientDriver(pool, stopping))
        for kind in queue.registry.values():
            pgq.entrypoint(kind.name, concurrency_limit=kind.concurrency, on_failure="hold")(queue.perform)
        for schedule in queue.schedules:
            pgq.schedule(f"every:{schedule.job}", schedule.cron)(_enqueuer(schedule.job, stopping))
        told = asyncio.create_task(_pass_on(stopping, pgq.shutdown))
        log.info("worker ready", jobs=len(queue.registry), schedules=len(queue.schedules))
        try:
            await pgq.run(
                dequeue_timeout=timedelta(seconds=5),
                batch_size=max(1, concurrency // 2),
                max_concurrent_tasks=max(2, concurrency),
                heartbeat_timeout=ABANDONED,
                shutdown_on_listener_failure=True,
            )
        finally:
            told.cancel()
    finally:
        pool.terminate()


async def _pass_on(asked: asyncio.Event, shutdown: asyncio.Event) -> None:
    await asked.wait()
    shutdown.set()


class PatientDriver(AsyncpgPoolDriver):
    """PgQueuer's driver, asking again while the database is away. Every statement of the queue may run twice."""

    def __init__(self, pool: "asyncpg.Pool", stopping: asyncio.Event) -> None:
        super().__init__(pool)
        self._stopping = stopping
        self._listening = asyncio.Event()
        self._give_up_at: float | None = None

    async def fetch(self, query: str, *args: object) -> list[dict[str, object]]:
        return [dict(row) for row in await self._patiently(lambda connection: connection.fetch(query, *args))]

    async def execute(self, query: str, *args: object) -> str:
        return str(await self._patiently(lambda connection: connection.execute(query, *args)))

    async def add_listener(self, channel: str, callback: NotifyCallback) -> None:
        await super().add_listener(channel, callback)
        self._listening.set()

    async def notify(self, channel: str, payload: str) -> None:
        # PgQueuer asks whether it hears itself before it listens, and would wait for that in vain.
        await self._listening.wait()
        await self.execute("SELECT pg_notify($1, $2)", channel, payload)

    async def _patiently(self, ask: Callable[["asyncpg.Connection"], Awaitable[Any]]) -> Any:
        was_away = False
        while True:
            try:
                return await self._once(ask)
            except Exception as error:
                if not (reach.is_lost(error) or isinstance(error, reach.NOT_THERE)) or self._is_over():
                    raise
                if not was_away:
                    log.warning("the queue waits for its database", error=type(error).__name__)
                was_away = True
                await asyncio.sleep(0.25)

    async def _once(self, ask: Callable[["asyncpg.Connection"], Awaitable[Any]]) -> Any:
        async with asyncio.timeout(_LONGEST):
            connection = await self._pool.acquire()
            try:
                return await ask(connection)
            except BaseException:
                # Waiting for the answer to a cancel would take as long again.
                reach.end(connection)
                raise
            finally:
                await self._pool.release(connection)

    def _is_over(self) -> bool:
        """Whether it was asked to stop, and the database has stayed away since."""
        if not self._stopping.is_set():
            return False
        now = asyncio.get_running_loop().time()
        if self._give_up_at is None:
            self._give_up_at = now + _FAREWELL
        return now > self._give_up_at


def _enqueuer(name: str, stopping: asyncio.Event) -> Callable[[DueSchedule], Coroutine[Any, Any, None]]:
    async def enqueue(schedule: DueSchedule) -> None:
        # PgQueuer has moved on to the next hour, so this one would be left out. While it waits it is not added twice.
        while True:
            try:
                async with db.hold():
                    await queue.enqueue_named([(name, {})], once="schedule")
                return
            except Exception as error:
                if (not isinstance(error, Unavailable) and not reach.is_lost(error)) or stopping.is_set():
                    raise
            await asyncio.sleep(_SCHEDULE_PAUSE)

    return enqueue
