"""Figures that are written down are those that the rows add up to, whatever changed in between."""

import asyncio
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from app import Lectern
from app.admin import figures, queries
from app.admin.models import Day
from app.core import clock, db
from app.core.settings import save_school
from tests.cast import Cast
from tests.office import an_order

ZONE = "Pacific/Auckland"


@pytest.fixture(autouse=True)
async def school_far_away(app: Lectern, clean: None) -> None:
    await save_school(time_zone=ZONE, currency="USD")


def today() -> date:
    return clock.now().astimezone(ZoneInfo(ZONE)).date()


async def from_rows(first: date, last: date) -> list[Day]:
    """The same as the dashboard's, added up here in another way: one row after the other."""
    zone, found = ZoneInfo(ZONE), {}
    for n in range((last - first).days + 1):
        found[first + timedelta(days=n)] = [0, 0, 0, 0]
    for order in await db.many(
        db.Row, "SELECT paid_at, total_minor, refunded_minor, currency FROM orders WHERE paid_at IS NOT NULL"
    ):
        day = found.get(order.paid_at.astimezone(zone).date())
        if day:
            day[0] += (order.total_minor - order.refunded_minor) if order.currency == "USD" else 0
            day[1] += 1
    for user in await db.many(db.Row, "SELECT created_at FROM users WHERE role = 'member'"):
        day = found.get(user.created_at.astimezone(zone).date())
        if day:
            day[2] += 1
    for learned in await db.many(db.Row, "SELECT on_date FROM learner_days"):
        if learned.on_date in found:
            found[learned.on_date][3] += 1
    return [Day(on_date, *sums) for on_date, sums in found.items()]


async def drift() -> list[Day]:
    """Days of which the dashboard says something else than the rows."""
    first = today() - timedelta(days=60)
    shown = await queries.days(first, today(), ZONE, "USD")
    rows = await from_rows(first, today())
    assert [day.on_date for day in shown] == [day.on_date for day in rows]
    return [day for day, row in zip(shown, rows, strict=True) if day != row]


async def a_busy_month(cast: Cast) -> None:
    ann = await cast.ann()
    now = clock.now()
    for days in (0, 1, 1, 2, 12, 30, 41):
        at = now - timedelta(days=days)
        await an_order(total=1000 + days, currency="USD", at=at)
        await db.run("INSERT INTO learner_days VALUES (:day, :id) ON CONFLICT DO NOTHING", day=at.date(), id=ann.id)
    await an_order(total=999, currency="EUR", at=now - timedelta(days=2))


CHANGES = {
    "a refund": "UPDATE orders SET refunded_minor = 500, state = 'partially_refunded' WHERE total_minor = 1012",
    "a payment that came late": "UPDATE orders SET paid_at = paid_at - interval '9 days' WHERE total_minor = 1030",
    "an order that goes": "DELETE FROM orders WHERE total_minor = 1041",
    "another currency": "UPDATE orders SET currency = 'EUR' WHERE total_minor = 1002",
    "a role": "UPDATE users SET role = 'support'",
    "an account made long ago": """
        INSERT INTO users (public_id, email, name, created_at) VALUES ('x', 'x@example.org', 'X', now() - interval '9 days')
        """,
    "a person who goes": "DELETE FROM users",
    "a day of learning that was found later": """
        INSERT INTO learner_days SELECT CAST(now() - interval '20 days' AS date), id FROM users
        """,
}


@pytest.mark.parametrize("change", CHANGES)
async def test_whatever_changes_a_day_that_was_written_down_is_seen_at_once(cast: Cast, change: str) -> None:
    await a_busy_month(cast)
    await db.run("UPDATE users SET created_at = created_at - interval '5 days'")
    assert await figures.write_down() > 60
    assert await drift() == []
    assert await db.run(CHANGES[change])
    assert await drift() == []
    await figures.write_down()
    assert await drift() == []


async def test_without_the_triggers_a_refund_would_not_be_seen(cast: Cast) -> None:
    await a_busy_month(cast)
    await figures.write_down()
    async with db.transaction():
        await db.script("ALTER TABLE orders DISABLE TRIGGER orders_day_of_update")
        await db.run(CHANGES["a refund"])
        await db.script("ALTER TABLE orders ENABLE TRIGGER orders_day_of_update")
    assert [day.orders for day in await drift()] == [1]
    await figures.rebuild()
    assert await drift() == []


async def test_today_is_never_written_down_and_twice_writes_nothing(cast: Cast) -> None:
    await a_busy_month(cast)
    assert await figures.write_down() == figures.KEPT_DAYS
    assert await figures.write_down() == 0
    assert await db.value("SELECT max(on_date) FROM day_figures") == today() - timedelta(days=1)


async def test_nothing_is_written_down_while_a_change_is_under_way(cast: Cast) -> None:
    await a_busy_month(cast)
    changed, written = asyncio.Event(), asyncio.Event()

    async def change() -> None:
        async with db.hold(), db.transaction():
            await db.run(CHANGES["a refund"])
            changed.set()
            await written.wait()

    async def write() -> int:
        async with db.hold():
            return await figures.write_down()

    under_way = asyncio.create_task(change())
    await changed.wait()
    assert await asyncio.create_task(write()) == 0
    written.set()
    await under_way
    assert await figures.write_down() == figures.KEPT_DAYS
    assert await drift() == []


async def test_without_the_lock_a_change_under_way_would_be_lost(cast: Cast, monkeypatch: pytest.MonkeyPatch) -> None:
    await a_busy_month(cast)

    async def at_once() -> bool:
        return True

    monkeypatch.setattr(queries, "alone_with_figures", at_once)
    changed, written = asyncio.Event(), asyncio.Event()

    async def change() -> None:
        async with db.hold(), db.transaction():
            await db.run(CHANGES["a refund"])
            changed.set()
            await written.wait()

    under_way = asyncio.create_task(change())
    await changed.wait()
    await figures.write_down()
    written.set()
    await under_way
    assert len(await drift()) == 1


async def test_people_who_learned_count_once_however_they_are_found(cast: Cast) -> None:
    ann, bob, now = await cast.ann(), await cast.bob(), clock.now()
    first = today() - timedelta(days=9)
    days = [(ann.id, 1), (ann.id, 3), (ann.id, 15), (bob.id, 12), (bob.id, 11)]
    for user_id, ago in days:
        await db.run("INSERT INTO learner_days VALUES (:day, :id)", day=today() - timedelta(days=ago), id=user_id)

    async def counts(before: date, begin: date, end: date) -> tuple[int, int]:
        start = datetime.combine(begin, datetime.min.time(), UTC)
        found = await queries.totals(before, begin, end, start, now, now, "USD")
        return found.learners, found.learners_before

    week_before = first - timedelta(days=10)
    live = await counts(week_before, first, today())
    assert live == (1, 2)
    assert await counts(week_before, first, today() - timedelta(days=2)) == (1, 2)
    async with db.transaction():
        await queries.write_learner_count(week_before, first - timedelta(days=1))
    assert await counts(week_before, first, today()) == live
    await db.run("DELETE FROM learner_days WHERE user_id = :id", id=bob.id)
    assert await counts(week_before, first, today()) == (1, 1)
    assert await db.value("SELECT count(*) FROM learners") == 1


async def test_learners_are_listed_with_their_days_and_their_last_one(cast: Cast) -> None:
    ann = await cast.ann()
    for ago in (9, 4, 7):
        await db.run("INSERT INTO learner_days VALUES (:day, :id)", day=today() - timedelta(days=ago), id=ann.id)
    kept = await db.one(db.Row, "SELECT last_on, days FROM learners")
    assert kept is not None
    assert (kept.last_on, kept.days) == (today() - timedelta(days=4), 3)
    await db.run("DELETE FROM learner_days WHERE on_date = :day", day=today() - timedelta(days=4))
    kept = await db.one(db.Row, "SELECT last_on, days FROM learners")
    assert kept is not None
    assert (kept.last_on, kept.days) == (today() - timedelta(days=7), 2)
