"""Figures that are written down are those that the rows add up to, whatever changed in between."""

import asyncio
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import asyncpg
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


async def shown_days(first: date, last: date, zone: str) -> list[Day]:
    """The days as the dashboard has them: those that are written down, and the others from the rows."""
    now = clock.now()
    totals = await queries.totals(first, first, last, now, now, now, zone, "USD")
    return await queries.days(totals.written, first, last, zone, "USD")


async def drift() -> list[Day]:
    """Days of which the dashboard says something else than the rows."""
    first = today() - timedelta(days=60)
    shown = await shown_days(first, today(), ZONE)
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
        found = await queries.totals(before, begin, end, start, now, now, ZONE, "USD")
        return found.learners, found.learners_before

    week_before = first - timedelta(days=10)
    live = await counts(week_before, first, today())
    assert live == (1, 2)
    assert await counts(week_before, first, today() - timedelta(days=2)) == (1, 2)
    async with db.transaction():
        await queries.hold_learner_count(week_before, first - timedelta(days=1), "d")
    assert await counts(week_before, first, today()) == live  # a place that is held says nothing
    found = await queries.count_learners(week_before, first - timedelta(days=1))
    assert await queries.write_learner_count(week_before, first - timedelta(days=1), found, "d")
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


@pytest.mark.parametrize(
    ("zone", "day"),
    [
        ("America/Havana", date(2026, 11, 1)),  # 1:00 is midnight again
        ("Atlantic/Azores", date(2026, 10, 25)),
        ("America/Havana", date(2026, 3, 8)),  # there is no midnight
        ("Africa/Cairo", date(2026, 4, 24)),
        ("Africa/Cairo", date(2026, 10, 30)),  # midnight is 23:00 again
        ("Pacific/Auckland", date(2026, 9, 27)),
    ],
)
async def test_where_clocks_change_at_midnight_each_order_is_in_one_day(zone: str, day: date) -> None:
    await save_school(time_zone=zone, currency="USD")
    noon = datetime(day.year, day.month, day.day, 12, tzinfo=UTC) - timedelta(days=2)
    moments = [noon + timedelta(minutes=30 * step) for step in range(4 * 48)]
    for number, moment in enumerate(moments):
        await an_order(total=1 << (number % 30), currency="USD", at=moment)
    first, last = day - timedelta(days=3), day + timedelta(days=3)

    async def shown() -> dict[date, tuple[int, int]]:
        found = await shown_days(first, last, zone)
        return {one.on_date: (one.orders, one.revenue) for one in found}

    by_clock: dict[date, list[int]] = {first + timedelta(days=n): [0, 0] for n in range(7)}
    for number, moment in enumerate(moments):
        sums = by_clock[moment.astimezone(ZoneInfo(zone)).date()]
        sums[0], sums[1] = sums[0] + 1, sums[1] + (1 << (number % 30))
    expected = {on_date: (sums[0], sums[1]) for on_date, sums in by_clock.items()}
    assert await shown() == expected
    with clock.shifted(datetime(2027, 1, 1, tzinfo=UTC) - clock.now()):
        await figures.write_down()
        assert await shown() == expected
        # Whatever changes at any half hour takes away the figures of its day, and of no other.
        for moment in moments[40:120]:
            await db.run("UPDATE orders SET refunded_minor = 1 WHERE paid_at = :at", at=moment)
            gone = await queries.missing_days(first, last, zone, "USD")
            assert gone == [moment.astimezone(ZoneInfo(zone)).date()], moment
            await figures.write_down()


async def test_a_payment_does_not_wait_while_people_are_counted(cast: Cast, monkeypatch: pytest.MonkeyPatch) -> None:
    await a_busy_month(cast)
    count, add_up, paid = queries.count_learners, queries.add_up, []

    async def pay() -> None:
        async with db.hold(), db.transaction():
            await db.run("SET LOCAL lock_timeout = '300ms'")
            await db.run("UPDATE orders SET refunded_minor = refunded_minor + 1 WHERE total_minor = 1012")
            await db.run("INSERT INTO learner_days SELECT current_date - 33, id FROM users ON CONFLICT DO NOTHING")
            paid.append(1)

    async def slow_count(first: date, last: date) -> int:
        found = await count(first, last)
        if first <= today() - timedelta(days=35) and not paid:
            await asyncio.create_task(pay())
        return found

    async def slow_sum(*arguments: Any) -> list[Day]:
        found = await add_up(*arguments)
        await asyncio.create_task(pay())
        return found

    monkeypatch.setattr(queries, "count_learners", slow_count)
    await figures.write_down()
    assert paid
    assert await drift() == []
    async with db.transaction():
        await db.script("DELETE FROM day_figures")
    monkeypatch.setattr(queries, "add_up", slow_sum)
    # What changed while it was added up is not written down.
    assert 0 < await figures.write_down() < figures.KEPT_DAYS
    monkeypatch.setattr(queries, "add_up", add_up)
    assert await drift() == []


async def test_with_the_lock_held_over_the_count_a_payment_would_wait(cast: Cast) -> None:
    await a_busy_month(cast)

    async def pay() -> None:
        async with db.hold(), db.transaction():
            await db.run("SET LOCAL lock_timeout = '300ms'")
            await db.run("UPDATE orders SET refunded_minor = refunded_minor + 1 WHERE total_minor = 1012")

    async with db.hold(), db.transaction():
        assert await queries.alone_with_figures()
        with pytest.raises(asyncpg.LockNotAvailableError):
            await asyncio.create_task(pay())


async def test_a_place_that_somebody_else_holds_now_is_not_written_to(cast: Cast) -> None:
    day = [today() - timedelta(days=3)]
    await queries.hold_days(day, ZONE, "USD", "first")
    added = await queries.add_up(day, ZONE, "USD")
    await queries.hold_days(day, ZONE, "USD", "second")
    assert await queries.write_days(added, "first") == 0
    assert await queries.missing_days(day[0], day[0], ZONE, "USD") == day
    assert await queries.write_days(added, "second") == 1
    assert await queries.missing_days(day[0], day[0], ZONE, "USD") == []
