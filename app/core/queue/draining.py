"""Running what waits, here and now: for tests and the command line."""

from datetime import timedelta
from typing import Any
from uuid import UUID

from pgqueuer.adapters.drivers.asyncpg import AsyncpgDriver
from pgqueuer.adapters.persistence.queries import Queries
from pgqueuer.domain.errors import RetryRequested
from pgqueuer.domain.models import Job, TracebackRecord
from pgqueuer.domain.types import QueueEntrypoint, QueueManagerId
from pgqueuer.ports.repository import EntrypointExecutionParameter

from app.core import db
from app.core.queue.kinds import registry
from app.core.queue.running import perform


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
