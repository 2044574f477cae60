from dataclasses import dataclass
from datetime import timedelta

import asyncpg
import pytest
from pgqueuer.domain.models import Job

from app import Lectern
from app.config import Config
from app.core import db, events, queue

seen: list[int] = []


@queue.job(attempts=3, first_delay=timedelta(seconds=1))
async def note(number: int) -> None:
    seen.append(number)
    if number == 13:
        raise ValueError("an unlucky number")


@dataclass(frozen=True)
class Rang:
    bell_id: int


@events.on(Rang)
async def hear(event: Rang) -> None:
    seen.append(event.bell_id)


@pytest.fixture(autouse=True)
def forget() -> None:
    seen.clear()


async def test_a_job_becomes_real_only_when_the_transaction_commits(app: Lectern) -> None:
    with pytest.raises(RuntimeError, match="changed my mind"):
        async with db.transaction():
            await queue.enqueue(note, number=1)
            raise RuntimeError("changed my mind")
    async with db.transaction():
        await queue.enqueue(note, number=2)
    await queue.drain()
    assert seen == [2]


async def test_a_failing_job_is_tried_as_often_as_it_says_and_then_held(app: Lectern) -> None:
    await queue.enqueue(note, number=13)
    assert await queue.drain(ignore_delays=True) == 3
    assert seen == [13, 13, 13]
    row = await db.one(db.Row, "SELECT id, status::text AS status, attempts FROM pgqueuer")
    assert row is not None
    assert row.status == "failed"
    assert await queue.requeue(row.id)
    assert await queue.drain(ignore_delays=True) == 3


async def test_a_job_named_once_is_not_added_twice(app: Lectern) -> None:
    await queue.enqueue(note, number=5, once="five")
    await queue.enqueue(note, number=5, once="five")
    await queue.drain()
    assert seen == [5]
    await queue.enqueue(note, number=5, once="five")
    await queue.drain()
    assert seen == [5, 5]


async def test_subscribers_hear_an_event_after_the_commit(app: Lectern) -> None:
    async with db.transaction():
        await events.publish(Rang(bell_id=7))
    await queue.drain()
    assert seen == [7]


async def test_publishing_outside_a_transaction_is_refused(app: Lectern) -> None:
    with pytest.raises(RuntimeError, match="outside a transaction"):
        await events.publish(Rang(bell_id=7))


async def test_a_worker_reads_what_was_enqueued(app: Lectern, config: Config) -> None:
    """The worker has connections of its own, without our codecs: it must understand every row."""
    await queue.enqueue(note, number=8)
    connection = await asyncpg.connect(config.database_url.reveal())
    try:
        rows = await connection.fetch("SELECT * FROM pgqueuer")
        (waiting,) = [Job.model_validate(dict(row)) for row in rows]
    finally:
        await connection.close()
    assert waiting.entrypoint == queue.job_name(note)
    assert waiting.headers is None
