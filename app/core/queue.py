"""Jobs on PostgreSQL (PgQueuer), enqueued inside the caller's transaction.

    @job(attempts=3)
    async def deliver_mail(mail_id: int) -> None: ...

    await queue.enqueue(deliver_mail, mail_id=7)      # becomes real only when the transaction commits

Jobs carry ids, re-read state and are safe to run twice: a worker killed half-way leaves its job to
another. A job that fails for good stays in the queue as `failed`, with its traceback in the log table.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID

import orjson
import structlog
from pgqueuer.adapters.drivers.asyncpg import AsyncpgDriver
from pgqueuer.adapters.persistence.qb import QueryQueueBuilder
from pgqueuer.adapters.persistence.queries import Queries
from pgqueuer.domain.errors import RetryRequested
from pgqueuer.domain.models import Job, TracebackRecord
from pgqueuer.domain.types import QueueEntrypoint, QueueManagerId
from pgqueuer.ports.repository import EntrypointExecutionParameter

from app.core import clock, db, reach

log = structlog.get_logger()

JobFunction = Callable[..., Awaitable[None]]


@dataclass(frozen=True, slots=True)
class JobKind:
    """A registered job: its name in the queue, its function and how often it is tried."""

    name: str
    function: JobFunction
    attempts: int
    first_delay: timedelta
    concurrency: int


@dataclass(frozen=True, slots=True)
class Schedule:
    """A job that the worker enqueues at the times of a cron expression (UTC)."""

    job: str
    cron: str


_ENQUEUE = QueryQueueBuilder().build_enqueue_query("skip")

registry: dict[str, JobKind] = {}
schedules: list[Schedule] = []


def job(
    *, attempts: int = 5, first_delay: timedelta = timedelta(seconds=10), concurrency: int = 0
) -> Callable[[JobFunction], JobFunction]:
    """Register a coroutine function as a job.

    It is tried `attempts` times, waiting `first_delay`, then twice as long each time, a quarter of an hour at most.
    `concurrency` limits how many run at once over all workers (0: no limit).
    """

    def register(function: JobFunction) -> JobFunction:
        name = job_name(function)
        if name in registry and registry[name].function is not function:
            raise RuntimeError(f"two jobs are called {name}")
        registry[name] = JobKind(name, function, attempts, first_delay, concurrency)
        return function

    return register


def every(cron: str) -> Callable[[JobFunction], JobFunction]:
    """Run a job (registered with `@job` below this line) at the times of a cron expression, once over all workers."""

    def register(function: JobFunction) -> JobFunction:
        schedules.append(Schedule(job_name(function), cron))
        return function

    return register


def job_name(function: JobFunction) -> str:
    """`app.learning.jobs.enrol_buyer` is `learning.enrol_buyer` in the queue."""
    parts = function.__module__.removeprefix("app.").split(".")
    return f"{parts[0]}.{function.__name__}"


async def enqueue(
    function: JobFunction,
    *,
    after: timedelta | None = None,
    once: str | None = None,
    **arguments: Any,
) -> None:
    """Put a job into the queue, as part of the current transaction if there is one.

    `once` names it: while a job of that name waits or runs, another is not added.
    """
    name = job_name(function)
    if name not in registry:
        raise RuntimeError(f"{name} is not a job")
    await enqueue_named([(name, arguments)], after=after, once=once)


async def enqueue_named(
    jobs: list[tuple[str, dict[str, Any]]], *, after: timedelta | None = None, once: str | None = None
) -> None:
    """Put several jobs into the queue in one statement."""
    if not jobs:
        return
    # PgQueuer's own statement. Its `enqueue` would hand JSON as text to our connections, whose codec writes objects.
    await db.send(
        _ENQUEUE,
        [0] * len(jobs),
        [name for name, _ in jobs],
        [orjson.dumps(arguments) for _, arguments in jobs],
        [after or timedelta(0)] * len(jobs),
        [f"{name}:{once}" if once else None for name, _ in jobs],
        [None] * len(jobs),
    )


async def perform(pg_job: Job) -> None:
    """Run one job. Raises RetryRequested while tries are left, else what the function raised."""
    kind = registry[pg_job.entrypoint]
    arguments = orjson.loads(pg_job.payload or b"{}")
    with structlog.contextvars.bound_contextvars(job=kind.name, job_id=pg_job.id, attempt=pg_job.attempts + 1):
        try:
            async with _company.alone() if await _is_suspect(pg_job) else _company.together() as is_alone:
                await _carry_out(pg_job, kind, arguments, is_alone=is_alone)
        except Killer:
            log.error("job held: its workers died of it")
            raise
        except PutOff:
            log.warning("job put off: its workers died while it ran")
            raise
        except Exception as error:
            why = f"{type(error).__name__}: {error}"
            if reach.is_lost(error) and pg_job.attempts < kind.attempts + _LOST_TRIES:
                log.warning("job lost its database", error=type(error).__name__)
                raise DatabaseLost(_LOST_DELAY, why) from error
            failures = await _failures(pg_job)
            last = failures + 1 >= kind.attempts
            log.warning("job failed", error=type(error).__name__, final=last, exc_info=last)
            if last:
                raise
            delay = min(kind.first_delay * 2 ** min(failures, 20), LONGEST_DELAY)
            raise RetryRequested(delay, why) from error


# A database that went away under a job is not the job's failure: it is tried again soon, and so often more.
_LOST_TRIES = 20
_LOST_DELAY = timedelta(seconds=2)
LONGEST_DELAY = timedelta(minutes=15)
# Whose worker died so often while it had the job is a suspect: the job runs alone from then on, so that those which only
# stood beside a killer (a worker takes several at once) are told from it.
_SUSPECT_AFTER = 2
# A job that was begun alone so often, and whose worker died each time, is put off once, in case something else ends the
# workers just then; after as many more deaths it is not begun again.
_LONE_DEATHS = 3
_PUT_OFF = timedelta(minutes=5)
_YOUNG = timedelta(seconds=15)


class NotToBlame(RetryRequested):
    """The job is to be tried again, and this try does not count. The queue's log keeps the names of its classes."""


class DatabaseLost(NotToBlame):
    """The database went away under the job."""


class PutOff(NotToBlame):
    """The job is not begun just now."""


async def _failures(pg_job: Job) -> int:
    """How often the job itself failed before this try."""
    if not pg_job.attempts:
        return 0
    try:
        async with db.hold():
            lost = await db.value(
                """
                SELECT count(*) FROM pgqueuer_log WHERE job_id = :id AND status = 'queued'
                AND traceback ->> 'exception_type' IN ('DatabaseLost', 'PutOff') AND created > coalesce(
                    (SELECT max(created) FROM pgqueuer_log WHERE job_id = :id AND status = 'failed'), '-infinity')
                """,
                id=pg_job.id,
            )
    except Exception as error:
        if reach.is_lost(error) and pg_job.attempts < registry[pg_job.entrypoint].attempts + _LOST_TRIES:
            raise DatabaseLost(_LOST_DELAY, f"{type(error).__name__}: {error}") from error
        raise
    return int(pg_job.attempts - lost)


class Killer(Exception):
    """Whoever ran this job died of it, several times."""


async def _is_suspect(pg_job: Job) -> bool:
    """Whether workers that had this job died again and again."""
    if clock.now() - pg_job.created < _YOUNG:  # nobody can have been found dead over it
        return False
    async with db.hold():
        begun = await db.value(
            """
            SELECT count(*) FROM pgqueuer_log WHERE job_id = :id AND status = 'picked' AND created > coalesce(
                (SELECT max(created) FROM pgqueuer_log WHERE job_id = :id AND status = 'failed'), '-infinity')
            """,
            id=pg_job.id,
        )
    return bool(begun - pg_job.attempts - 1 >= _SUSPECT_AFTER)


async def _carry_out(pg_job: Job, kind: JobKind, arguments: dict[str, Any], *, is_alone: bool) -> None:
    """Run the job's function; alone, with a note that stays when the process dies of it."""
    async with db.hold():
        if not is_alone:
            await kind.function(**arguments)
            return
        await _refuse_a_killer(pg_job.id)
        try:
            await kind.function(**arguments)
        finally:
            await _forget_lone_runs(pg_job.id)


async def _refuse_a_killer(job_id: int) -> None:
    """Raise Killer for a job that ends the process it runs in (no memory, say), so that the others get their turn."""
    found = await db.one(db.Row, "SELECT begun, was_put_off FROM lone_runs WHERE job_id = :id", id=job_id)
    if found is not None and found.begun >= 2 * _LONE_DEATHS:
        await _forget_lone_runs(job_id)
        raise Killer(f"its worker died {_SUSPECT_AFTER + found.begun} times while it ran")
    if found is not None and found.begun >= _LONE_DEATHS and not found.was_put_off:
        await db.run("UPDATE lone_runs SET was_put_off = true WHERE job_id = :id", id=job_id)
        raise PutOff(_PUT_OFF, f"its worker died {_SUSPECT_AFTER + found.begun} times while it ran")
    await db.run(
        """
        INSERT INTO lone_runs (job_id, begun) VALUES (:id, 1)
        ON CONFLICT (job_id) DO UPDATE SET begun = lone_runs.begun + 1
        """,
        id=job_id,
    )


async def _forget_lone_runs(job_id: int) -> None:
    await db.run("DELETE FROM lone_runs WHERE job_id = :id", id=job_id)


class _Company:
    """The jobs that run in this process: many together, or one alone."""

    # So long a suspect waits for the others; then it runs beside them, and a death is not laid at its door.
    PATIENCE = 15.0

    def __init__(self) -> None:
        self._running = 0
        self._lone: asyncio.Event | None = None  # set when the one that runs alone, or waits for it, is through
        self._gone = asyncio.Event()  # set when the last of the others is through

    @asynccontextmanager
    async def together(self) -> AsyncIterator[bool]:
        """Run beside the others, once nobody is alone or about to be."""
        while self._lone is not None:
            await self._lone.wait()
        self._running += 1
        try:
            yield False
        finally:
            self._running -= 1
            if not self._running:
                self._gone.set()

    @asynccontextmanager
    async def alone(self) -> AsyncIterator[bool]:
        """Run while no other job does; False when the others took too long."""
        while self._lone is not None:
            await self._lone.wait()
        lone = self._lone = asyncio.Event()
        try:
            self._gone = asyncio.Event()
            if self._running:
                with suppress(TimeoutError):
                    await asyncio.wait_for(self._gone.wait(), self.PATIENCE)
            yield not self._running
        finally:
            self._lone = None
            lone.set()


_company = _Company()


async def drain(*, ignore_delays: bool = False, limit: int = 10_000) -> int:
    """Run what waits in the queue here and now, in order; how many runs were made. For tests and the command line."""
    runs = 0
    entrypoints = {QueueEntrypoint(name): EntrypointExecutionParameter(concurrency_limit=0) for name in registry}
    worker = QueueManagerId(_DRAIN_WORKER)
    while runs < limit:
        if ignore_delays:
            await db.run("UPDATE pgqueuer SET execute_after = now() WHERE status = 'queued'")
        async with db.hold(), db.raw() as connection:
            jobs = await Queries(AsyncpgDriver(connection)).dequeue(
                batch_size=50,
                entrypoints=entrypoints,
                queue_manager_id=worker,
                global_concurrency_limit=None,
                heartbeat_timeout=timedelta(minutes=10),
            )
        if not jobs:
            break
        for pg_job in sorted(jobs, key=lambda waiting: waiting.id):
            await _drain_one(pg_job)
            runs += 1
    return runs


async def _drain_one(pg_job: Job) -> None:
    outcome: Any
    try:
        await perform(pg_job)
        outcome = (pg_job, "successful", None)
    except RetryRequested as retry:
        record = TracebackRecord.from_exception(exc=retry, job_id=pg_job.id, additional_context={})
        async with db.hold(), db.raw() as connection:
            await Queries(AsyncpgDriver(connection)).retry_job(pg_job, retry.delay, record)
        await _unquote_tracebacks()
        return
    except Exception as error:
        outcome = (
            pg_job,
            "failed",
            TracebackRecord.from_exception(exc=error, job_id=pg_job.id, additional_context={}),
        )
    async with db.hold(), db.raw() as connection:
        await Queries(AsyncpgDriver(connection)).log_jobs([outcome])
    await _unquote_tracebacks()


async def _unquote_tracebacks() -> None:
    """PgQueuer hands JSON as text to our connections, whose codec makes a string of it; the worker's own do not."""
    await db.run(
        "UPDATE pgqueuer_log SET traceback = CAST(traceback #>> '{}' AS jsonb) WHERE jsonb_typeof(traceback) = 'string'"
    )


_DRAIN_WORKER = UUID(int=1)


async def requeue(job_id: int) -> bool:
    """Give a failed job its tries again; False when it is not failed (any more), or the same work waits already."""
    return bool(
        await db.run(
            """
            UPDATE pgqueuer SET status = 'queued', attempts = 0, execute_after = now(), updated = now()
            WHERE id = :id AND status = 'failed' AND NOT EXISTS (
                SELECT 1 FROM pgqueuer other
                WHERE other.dedupe_key = pgqueuer.dedupe_key AND other.status IN ('queued', 'picked'))
            """,
            id=job_id,
        )
    )


async def is_under_way(function: JobFunction, once: str) -> bool:
    """Whether the job that was enqueued under this name waits or runs; False when it is done, failed for good or gone."""
    found = await db.value(
        "SELECT EXISTS (SELECT FROM pgqueuer WHERE dedupe_key = :key AND status IN ('queued', 'picked'))",
        key=f"{job_name(function)}:{once}",
    )
    return bool(found)


async def discard(job_id: int) -> tuple[str, str] | None:
    """Take a failed job out of the queue; its log stays. Its name and arguments, for `restore`, or None if not failed."""
    found = await db.one(
        db.Row,
        """
        DELETE FROM pgqueuer WHERE id = :id AND status = 'failed'
        RETURNING entrypoint, convert_from(coalesce(payload, '{}'), 'UTF8') AS arguments
        """,
        id=job_id,
    )
    return (found.entrypoint, found.arguments) if found else None


async def restore(job_id: int, name: str, arguments: str) -> bool:
    """Put a discarded job back, still failed; False when it is there."""
    return bool(
        await db.run(
            """
            INSERT INTO pgqueuer (id, priority, status, entrypoint, payload)
            VALUES (:id, 0, 'failed', :name, convert_to(:arguments, 'UTF8')) ON CONFLICT (id) DO NOTHING
            """,
            id=job_id,
            name=name,
            arguments=arguments,
        )
    )


async def forget_failed(function: JobFunction, argument: str, value: int) -> None:
    """Discard failed jobs that would do again what was just enqueued anew."""
    await db.run(
        """
        DELETE FROM pgqueuer WHERE status = 'failed' AND entrypoint = :name
        AND CAST(convert_from(payload, 'UTF8') AS jsonb) -> CAST(:argument AS text) = to_jsonb(CAST(:value AS bigint))
        """,
        name=job_name(function),
        argument=argument,
        value=value,
    )


async def prune() -> None:
    """Forget the beginnings of jobs after a day, done jobs after 7 days and failed ones after 30.

    The log has three rows a job, and only the last one is ever listed.
    """
    for states, days in (
        ("'queued', 'picked'", 1),
        ("'successful'", 7),
        ("'exception', 'canceled', 'deleted', 'failed'", 30),
    ):
        await db.run_in_batches(
            f"""
            DELETE FROM pgqueuer_log WHERE id IN (
                SELECT id FROM pgqueuer_log WHERE status IN ({states}) AND created < now() - interval '{days} days'
                LIMIT :batch)
            """  # noqa: S608 (constants)
        )
    await db.run_in_batches(
        """
        DELETE FROM pgqueuer WHERE id IN (
            SELECT id FROM pgqueuer WHERE status = 'failed' AND updated < now() - interval '30 days' LIMIT :batch)
        """
    )
    await db.run_in_batches(
        """
        DELETE FROM pgqueuer_statistics WHERE id IN (
            SELECT id FROM pgqueuer_statistics WHERE created < now() - interval '30 days' LIMIT :batch)
        """
    )
