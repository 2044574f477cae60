"""A worker that dies at every step of every job of a sale: each effect happens once all the same."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from pgqueuer.domain.types import QueueEntrypoint, QueueManagerId
from pgqueuer.ports.repository import EntrypointExecutionParameter

from app.core import db, mail, queue
from app.core.ids import public_id
from app.core.queue import draining, running
from tests.commerce.shop import Shop
from tests.faults import invariants
from tests.faults.people import Told
from tests.faults.sale import books_of, pay_for, post_of
from tests.school import a_course


class Died(BaseException):
    """The process is gone: nothing after this point runs, and PostgreSQL rolls back what was not committed."""


@contextmanager
def dies_at(step: int, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Die before the `step`-th statement that a job sends, or before its end is written down."""
    left = step
    note, log_jobs = db._note, draining.Queries.log_jobs

    def count() -> None:
        nonlocal left
        left -= 1
        if left == 0:
            raise Died

    def noted(statement: str, arguments: list[Any]) -> None:
        count()
        note(statement, arguments)

    async def logged(self: Any, entries: Any) -> None:
        count()
        await log_jobs(self, entries)

    with monkeypatch.context() as patch:
        patch.setattr(db, "_note", noted)
        patch.setattr(draining.Queries, "log_jobs", logged)
        yield


async def one_job(step: int, monkeypatch: pytest.MonkeyPatch) -> bool:
    """Take the oldest waiting job and die at one of its steps; True when it came to its end before."""
    await db.run("UPDATE pgqueuer SET execute_after = now() - interval '1 second' WHERE status = 'queued'")
    # A worker that died is found out by its heartbeat.
    await db.run("UPDATE pgqueuer SET heartbeat = now() - interval '1 hour' WHERE status = 'picked'")
    entrypoints = {QueueEntrypoint(name): EntrypointExecutionParameter(concurrency_limit=0) for name in queue.registry}
    async with db.hold(), db.raw() as connection:
        (job,) = await draining.Queries(draining.AsyncpgDriver(connection)).dequeue(
            batch_size=1,
            entrypoints=entrypoints,
            queue_manager_id=QueueManagerId(uuid4()),
            global_concurrency_limit=None,
            heartbeat_timeout=timedelta(minutes=1),
        )
    try:
        with dies_at(step, monkeypatch):
            await draining._drain_one(job)
    except Died:
        return False
    return True


async def kill_at_every_step(monkeypatch: pytest.MonkeyPatch) -> int:
    """Run what waits, killing each job at its first step, then at its second …; the number of deaths."""
    monkeypatch.setattr(running, "_LONE_DEATHS", 10_000)
    deaths, step = 0, 1
    while await db.value("SELECT count(*) FROM pgqueuer WHERE status <> 'failed'"):
        if await one_job(step, monkeypatch):
            step = 1
        else:
            deaths, step = deaths + 1, step + 1
        assert deaths < 2000, "no end is in sight"
    return deaths


async def a_paid_sale(shop: Shop) -> Told:
    """A course that was paid, with Stripe's deliveries stored and not yet handled."""
    course = await a_course()
    session = await pay_for(shop, course.slug, "gus@example.org")
    for event in await shop.events():
        assert await shop.deliver(event) == 200
    return Told(paid={session: ("gus@example.org", course.slug)})


async def test_a_job_that_dies_at_every_step_has_its_effect_once(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    told = await a_paid_sale(shop)
    deaths = await kill_at_every_step(monkeypatch)
    assert deaths > 40
    assert await invariants.every(await books_of(shop), await post_of(), told) == []
    templates = await db.many(db.Row, "SELECT template, count(*) AS n FROM mails GROUP BY template")
    assert {row.template: row.n for row in templates} == {
        "commerce/order_confirmation": 1,
        "commerce/owner_new_order": 1,
        "learning/enrolment": 1,
        "accounts/welcome": 1,
    }


async def test_without_facts_the_same_deaths_would_mail_twice(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    """The negative control: each mail tells a fact of its own, as if facts were not unique."""
    send = mail.send

    async def forgetful(*arguments: Any, fact: str) -> bool:
        return await send(*arguments, fact=f"{fact}:{public_id()}")

    monkeypatch.setattr(mail, "send", forgetful)
    await a_paid_sale(shop)
    await kill_at_every_step(monkeypatch)
    assert await db.value("SELECT count(*) FROM mails WHERE template = 'commerce/order_confirmation'") > 1
