"""The worker process: runs jobs and schedules until it is asked to stop."""

import asyncio
import signal
from collections.abc import Callable, Coroutine
from datetime import timedelta
from typing import Any

import asyncpg
import structlog
from pgqueuer import PgQueuer
from pgqueuer.domain.models import Schedule as DueSchedule

from app.core import db, queue

log = structlog.get_logger()


async def run(database_url: str, *, concurrency: int) -> None:
    """Work until SIGTERM or SIGINT; jobs under way finish first. Needs `db.connect` and the jobs imported."""
    pool = await asyncpg.create_pool(database_url, min_size=2, max_size=4)
    try:
        pgq = PgQueuer.from_asyncpg_pool(pool)
        for kind in queue.registry.values():
            pgq.entrypoint(kind.name, concurrency_limit=kind.concurrency, on_failure="hold")(queue.perform)
        for schedule in queue.schedules:
            pgq.schedule(f"every:{schedule.job}", schedule.cron)(_enqueuer(schedule.job))
        for signum in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(signum, pgq.shutdown.set)
        log.info("worker ready", jobs=len(queue.registry), schedules=len(queue.schedules))
        await pgq.run(
            dequeue_timeout=timedelta(seconds=5),
            batch_size=max(1, concurrency // 2),
            max_concurrent_tasks=max(2, concurrency),
        )
    finally:
        await pool.close()


def _enqueuer(name: str) -> Callable[[DueSchedule], Coroutine[Any, Any, None]]:
    async def enqueue(schedule: DueSchedule) -> None:
        async with db.hold():
            await queue.enqueue_named([(name, {})], once="schedule")

    return enqueue
