"""What grows without end is cleared away, a few rows at a time, and nothing that somebody may still need."""

import asyncio
import contextvars
from collections.abc import Callable, Coroutine
from datetime import timedelta
from typing import Any

import pytest

from app import Lectern
from app.core import clock, db, queue, webhooks
from app.ops.jobs import prune_queue, prune_webhooks
from tests.office import a_delivery


async def test_old_deliveries_go_when_they_were_dealt_with(app: Lectern) -> None:
    for number, (state, days) in enumerate(
        [("handled", 91), ("ignored", 200), ("failed", 400), ("received", 400), ("handled", 89)]
    ):
        webhook_id = await a_delivery(state, f"evt_{number}")
        at = clock.now() - timedelta(days=days)
        await db.run("UPDATE webhook_events SET received_at = :at WHERE id = :id", at=at, id=webhook_id)
    await prune_webhooks()
    kept = await db.many(db.Row, "SELECT event_id FROM webhook_events ORDER BY event_id")
    assert [row.event_id for row in kept] == ["evt_2", "evt_3", "evt_4"]


async def test_the_log_of_jobs_forgets_beginnings_first_and_failures_last(app: Lectern) -> None:
    for state, days in [
        ("queued", 2), ("picked", 2), ("queued", 0), ("successful", 8), ("successful", 6), ("exception", 29), ("failed", 31),
    ]:  # fmt: skip
        await db.run(
            """
            INSERT INTO pgqueuer_log (created, job_id, status, priority, entrypoint)
            VALUES (now() - make_interval(days => :days), 1, CAST(CAST(:state AS text) AS pgqueuer_status), 0, 'x')
            """,
            days=days,
            state=state,
        )
    await prune_queue()
    kept = await db.many(db.Row, "SELECT CAST(status AS text) AS state FROM pgqueuer_log ORDER BY 1")
    assert [row.state for row in kept] == ["exception", "queued", "successful"]


async def test_rows_go_in_batches_until_none_is_left(app: Lectern) -> None:
    for number in range(7):
        webhook_id = await a_delivery("handled", f"evt_{number}")
        await db.run("UPDATE webhook_events SET received_at = now() - interval '1 year' WHERE id = :id", id=webhook_id)
    sql = "DELETE FROM webhook_events WHERE id IN (SELECT id FROM webhook_events LIMIT :batch)"
    with db.count_queries() as count:
        assert await db.run_in_batches(sql, batch=3) == 7
    assert count.total == 3
    with pytest.raises(RuntimeError, match="batches"):
        async with db.transaction():
            await db.run_in_batches(sql)


async def test_a_delivery_within_the_time_is_still_known_as_a_double(app: Lectern) -> None:
    await a_delivery("handled", "evt_9")
    assert await webhooks.prune() == 0
    assert not await webhooks.store("stripe", "evt_9", "x", {})
    assert await queue.drain() == 0


async def started(work: Callable[[], Coroutine[Any, Any, int]]) -> "asyncio.Task[int]":
    """Work of its own, outside of this transaction, that waits for a row by now."""
    task = asyncio.get_running_loop().create_task(work(), context=contextvars.Context())
    await asyncio.sleep(0.2)
    return task


async def test_what_is_replayed_while_it_is_cleared_away_stays(app: Lectern) -> None:
    webhook_id = await a_delivery("handled")
    await db.run("UPDATE webhook_events SET received_at = now() - interval '1 year'")

    async def prune() -> int:
        async with db.hold():
            return await webhooks.prune()

    async with db.transaction():
        await db.run("UPDATE webhook_events SET state = 'received' WHERE id = :id", id=webhook_id)
        pruning = await started(prune)
    assert await pruning == 0
    assert await db.value("SELECT state FROM webhook_events") == "received"


async def test_a_failed_job_that_is_tried_again_while_it_is_cleared_away_stays(app: Lectern) -> None:
    await queue.enqueue(prune_queue)
    await db.run("UPDATE pgqueuer SET status = 'failed', updated = now() - interval '1 year'")

    async def prune() -> int:
        async with db.hold():
            await queue.prune()
        return 0

    async with db.transaction():
        assert await queue.requeue(await db.value("SELECT id FROM pgqueuer"))
        pruning = await started(prune)
    await pruning
    assert await db.value("SELECT count(*) FROM pgqueuer WHERE status = 'queued'") == 1


async def test_jobs_that_still_wait_are_not_forgotten_however_old(app: Lectern) -> None:
    await queue.enqueue(prune_queue)
    await db.run("UPDATE pgqueuer SET created = now() - interval '1 year', updated = now() - interval '1 year'")
    await prune_queue()
    assert await db.value("SELECT count(*) FROM pgqueuer") == 1
