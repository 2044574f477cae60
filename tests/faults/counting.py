"""Jobs that count themselves, and several workers that race for them.

`python -m tests.faults.counting` is a worker of the product whose only job writes a row each time that it runs.
"""

from __future__ import annotations

import asyncio
import sys
import time
from datetime import timedelta

import asyncpg

from app.config import Config
from app.core import db, queue, worker
from tests.faults import unguarded
from tests.faults.stack import Process, Stack


@queue.job(attempts=3)
async def count(number: int) -> None:
    """Leave a mark."""
    await db.run("INSERT INTO counted (number) VALUES (:number)", number=number)


async def race(stack: Stack, jobs: int, workers: int) -> float:
    """Let so many workers do so many jobs; the seconds that took."""
    await db.script("CREATE TABLE counted (number integer NOT NULL)")
    for process in stack.workers:
        await asyncio.to_thread(process.kill)
    name = queue.job_name(count)
    for first in range(0, jobs, 1000):
        numbers = range(first, min(first + 1000, jobs))
        await queue.enqueue_named([(name, {"number": number}) for number in numbers])
    racers = [Process(f"racer-{n}", ["tests.faults.counting"], stack.web.env, stack.folder) for n in range(workers)]
    began = time.monotonic()
    for process in racers:
        process.start()
    for _look in range(4500):
        if not await db.value("SELECT count(*) FROM pgqueuer"):
            break
        await asyncio.sleep(0.2)
    took = time.monotonic() - began
    for process in racers:
        await asyncio.to_thread(process.stop)
    return took


async def outcome(jobs: int) -> tuple[int, int]:
    """How many were lost, and how many were done more than once."""
    done = await db.value("SELECT count(DISTINCT number) FROM counted")
    double = await db.value("SELECT count(*) FROM (SELECT 1 FROM counted GROUP BY number HAVING count(*) > 1) twice")
    return jobs - done, double


async def main() -> None:
    unguarded.take_away()
    config = Config.from_env()
    await db.connect(config.database_url.reveal())
    try:
        await worker.run(config.database_url_unpooled.reveal(), concurrency=config.worker_concurrency)
    finally:
        await db.disconnect()


if __name__ == "__main__":
    # As it is known to the one who enqueued.
    count.__module__ = "tests.faults.counting"
    queue.registry[queue.job_name(count)] = queue.JobKind(queue.job_name(count), count, 3, timedelta(seconds=10), 0)
    try:
        asyncio.run(main())
    except asyncpg.PostgresError as error:
        sys.exit(str(error))
