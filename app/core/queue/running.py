"""Running one job: tried again later, put off, or held when its workers die of it."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from datetime import timedelta
from typing import Any

import orjson
import structlog
from pgqueuer.domain.errors import RetryRequested
from pgqueuer.domain.models import Job

from app.core import clock, db, reach
from app.core.queue.kinds import JobKind, registry

log = structlog.get_logger()


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


# When the database goes away under a job, that is not the job's failure: it is tried again after two seconds, and such tries
# are not counted among its attempts, up to this many.
_LOST_TRIES = 20
_LOST_DELAY = timedelta(seconds=2)
LONGEST_DELAY = timedelta(minutes=15)
# A job may kill its worker (it needs too much memory, say). A worker runs several jobs at once, so when one dies any of them
# may have done it. A job that has seen so many workers die is a suspect: from then on it runs alone, which shows whether it
# was the one or only stood beside it.
_SUSPECT_AFTER = 2
# A suspect whose worker died so often while it ran alone is put off once for five minutes, in case something else is killing
# the workers just now. If as many workers die of it again after that, it is held as failed.
_LONE_DEATHS = 3
_PUT_OFF = timedelta(minutes=5)
# A dead worker is noticed only after a while, so a job that is younger than this cannot be a suspect yet.
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
    if clock.now() - pg_job.created < _YOUNG:
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

    # Seconds that a suspect waits for the others to end. Then it runs beside them, and if the worker dies nothing is proved.
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
