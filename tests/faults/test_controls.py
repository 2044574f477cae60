"""The negative controls that fit into one process: with the protection the good outcome, without it the bad one.

Those that need the whole school (`bin/faults --prove controls`) are in controls.py.
"""

import asyncio
import time
from datetime import timedelta
from uuid import uuid4

import asyncpg
import pytest
from pgqueuer.domain.types import QueueEntrypoint, QueueManagerId
from pgqueuer.ports.repository import EntrypointExecutionParameter

from app import Lectern
from app.config import Config
from app.core import cache, db, queue
from app.core.queue import draining
from tests.cast import Cast, Person
from tests.commerce.shop import Shop
from tests.commerce.test_refunds import a_sale
from tests.core.conftest import line as database_line
from tests.core.test_cache import line as redis_line
from tests.faults import unguarded
from tests.faults.proxy import Proxy

__all__ = ["database_line", "redis_line"]


# --- row 16: the queue ---


async def taken_twice(config: Config) -> set[int]:
    """Two workers reach for the same jobs, the second while the first has not committed; what both got."""
    for number in range(20):
        await queue.enqueue_named([("core.deliver_mail", {"mail_id": number})])
    first, second = [await asyncpg.connect(config.database_url.reveal()) for _worker in range(2)]
    entrypoints = {QueueEntrypoint("core.deliver_mail"): EntrypointExecutionParameter(concurrency_limit=0)}

    async def reach(connection: asyncpg.Connection) -> set[int]:
        jobs = await draining.Queries(draining.AsyncpgDriver(connection)).dequeue(
            batch_size=10,
            entrypoints=entrypoints,
            queue_manager_id=QueueManagerId(uuid4()),
            global_concurrency_limit=None,
            heartbeat_timeout=timedelta(minutes=1),
        )
        assert len(jobs) == 10
        return {int(job.id) for job in jobs}

    try:
        async with first.transaction():
            mine = await reach(first)
            other = asyncio.create_task(reach(second))
            await until_it_waits_or_is_done(other, second.get_server_pid())
        return mine & await other
    finally:
        await first.close()
        await second.close()


async def until_it_waits_or_is_done(task: asyncio.Task[set[int]], pid: int) -> None:
    waits = "SELECT wait_event_type = 'Lock' FROM pg_stat_activity WHERE pid = :pid"
    for _look in range(1000):
        if task.done() or await db.value(waits, pid=pid):
            return
        await asyncio.sleep(0.01)


async def test_two_workers_never_take_the_same_job(app: Lectern, config: Config) -> None:
    assert await taken_twice(config) == set()


async def test_without_the_lock_both_would(app: Lectern, config: Config, monkeypatch: pytest.MonkeyPatch) -> None:
    unguarded.the_lock_of_the_queue(monkeypatch.setattr)
    assert len(await taken_twice(config)) == 10


# --- row 17: PostgreSQL restarts ---


async def page_that_loses_its_database(ann: Person, line: Proxy, monkeypatch: pytest.MonkeyPatch) -> int:
    """The connection breaks before the second statement of a page; the status of the answer."""
    note, sent = db._note, 0

    def noted(statement: str, arguments: list[object]) -> None:
        nonlocal sent
        sent += 1
        if sent == 2:
            line.reset_all()
        note(statement, arguments)

    with monkeypatch.context() as patch:
        patch.setattr(db, "_note", noted)
        answer = await ann.browser.get("/learn")
    assert sent > 1
    return answer.status_code


async def test_a_page_that_loses_its_database_half_way_is_shown(
    cast: Cast, database_line: Proxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert await page_that_loses_its_database(await cast.ann(), database_line, monkeypatch) == 200


async def test_without_repeats_it_would_fail(cast: Cast, database_line: Proxy, monkeypatch: pytest.MonkeyPatch) -> None:
    unguarded.repeats(monkeypatch.setattr)
    assert await page_that_loses_its_database(await cast.ann(), database_line, monkeypatch) == 503


# --- row 19: Redis is away ---


async def signing_in(app: Lectern) -> int:
    """The status of a sign-in with a wrong password: its tries are counted in Redis."""
    form = {"email": "nobody@example.org", "password": "wrong", "next": ""}
    return (await app.test_client().post("/login", form=form)).status_code


async def test_signing_in_goes_on_while_redis_is_away(app: Lectern, redis_line: Proxy) -> None:
    redis_line.be("refuse")
    assert await signing_in(app) == 422


async def test_without_limits_in_the_process_it_would_fail(
    app: Lectern, redis_line: Proxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    unguarded.life_without_redis(monkeypatch.setattr)
    redis_line.be("refuse")
    assert await signing_in(app) == 500


async def test_without_the_memory_of_it_everybody_would_wait_for_a_silent_redis(
    redis_line: Proxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What test_cache shows with it: only the first waits."""
    unguarded.memory_of_redis(monkeypatch.setattr)
    monkeypatch.setattr(cache, "_TIMEOUT", 0.1)
    await cache.close()
    cache.configure(f"redis://127.0.0.1:{redis_line.port}/0")
    redis_line.be("blackhole")
    for _time in range(2):
        began = time.monotonic()
        assert await cache.call(lambda client: client.get("x")) is None
        assert time.monotonic() - began >= 0.09  # a timer may be a little early


# --- row 7: the inbox ---


async def stripe_was_asked_first(shop: Shop, cast: Cast) -> bool:
    """News about which Stripe must be asked; whether it had been when the news was acknowledged."""
    order, _course = await a_sale(shop, await cast.ann())
    charge = {"id": "ch_1", "object": "charge", "payment_intent": order.stripe_payment_intent_id}
    event = {"id": "evt_1", "object": "event", "type": "charge.refunded", "data": {"object": charge}}
    shop.stripe.requests.clear()
    assert await shop.deliver(event) == 200
    asked = bool(shop.stripe.requests)
    await queue.drain()
    assert [path for _method, path, _form in shop.stripe.requests] == ["/v1/refunds"]
    assert await db.value("SELECT state FROM webhook_events WHERE event_id = 'evt_1'") == "handled"
    return asked


async def test_a_webhook_is_acknowledged_before_anything_is_done_about_it(shop: Shop, cast: Cast) -> None:
    assert not await stripe_was_asked_first(shop, cast)


async def test_an_inbox_that_works_first_would_let_stripe_wait(
    shop: Shop, cast: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    """How long, `bin/faults --prove webhooks,webhooks-without-inbox` says."""
    unguarded.the_inbox(monkeypatch.setattr)
    assert await stripe_was_asked_first(shop, cast)
