"""Jobs on PostgreSQL (PgQueuer), enqueued inside the caller's transaction.

    @job(attempts=3)
    async def deliver_mail(mail_id: int) -> None: ...

    await queue.enqueue(deliver_mail, mail_id=7)      # becomes real only when the transaction commits

Jobs carry ids, re-read state and are safe to run twice: a worker killed half-way leaves its job to
another. A job that fails for good stays in the queue as `failed`, with its traceback in the log table.
"""

from datetime import timedelta
from typing import Any

import orjson
from pgqueuer.adapters.persistence.qb import QueryQueueBuilder

from app.core import db
from app.core.queue.draining import drain
from app.core.queue.failed import (
    Discarded,
    discard,
    forget_failed,
    forget_undone,
    is_under_way,
    prune,
    requeue,
    restore,
)
from app.core.queue.kinds import JobFunction, JobKind, Schedule, configure, every, job, job_name, registry, schedules
from app.core.queue.running import LONGEST_DELAY, perform

__all__ = [
    "LONGEST_DELAY",
    "Discarded",
    "JobFunction",
    "JobKind",
    "Schedule",
    "configure",
    "discard",
    "drain",
    "enqueue",
    "enqueue_named",
    "every",
    "forget_failed",
    "forget_undone",
    "is_under_way",
    "job",
    "job_name",
    "perform",
    "prune",
    "registry",
    "requeue",
    "restore",
    "schedules",
]

_ENQUEUE = QueryQueueBuilder().build_enqueue_query("skip")


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
