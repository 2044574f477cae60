"""Figures of days that are over, written down so that the dashboard need not add them up from all rows each time.

A figure is right or absent. Whatever changes a day (a refund, a role, an account that goes) takes its figures away in
the same transaction, by triggers of migration 0012, and the dashboard adds up from the rows what is absent. So this
job may run late, or never: pages are slower then, not wrong. Nobody waits for its sums: it holds a place for them, adds
up without a lock, and writes what it found if the place is still there.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from datetime import date, timedelta
from functools import partial
from typing import Any

from app.admin import queries
from app.admin.models import LAST_DAYS, choose_period
from app.core import clock, db
from app.core.ids import public_id
from app.core.settings import School, school

# The longest choice of the dashboard, with as many days before it.
KEPT_DAYS = 2 * 366
_DAYS_AT_ONCE = 31
_TRIES = 20


async def write_down() -> int:
    """Write down what is over and absent; how many days. Safe at any time, twice, and killed half-way."""
    settings = await school()
    today = clock.now().astimezone(settings.zone).date()
    first, yesterday = today - timedelta(days=KEPT_DAYS), today - timedelta(days=1)
    await queries.forget_days(first)
    missing = await queries.missing_days(first, yesterday, settings.time_zone, settings.currency)
    written = 0
    for begin in range(0, len(missing), _DAYS_AT_ONCE):
        done = await _write_days(missing[begin : begin + _DAYS_AT_ONCE], settings)
        if done is None:
            break
        written += done
    stretches = _stretches(today)
    await queries.forget_learner_counts(stretches)
    for stretch in stretches:
        await _write_learner_count(*stretch)
    return written


async def _write_days(dates: Sequence[date], settings: School) -> int | None:
    """Write down these days; how many of them did not change meanwhile. None: no place could be had for them."""
    draft = public_id()
    if await _alone(partial(queries.hold_days, dates, settings.time_zone, settings.currency, draft)) is None:
        return None
    added = await queries.add_up(dates, settings.time_zone, settings.currency)
    return await queries.write_days(added, draft)


async def _write_learner_count(first: date, last: date) -> None:
    draft = public_id()
    if await _alone(partial(queries.hold_learner_count, first, last, draft)):
        await queries.write_learner_count(first, last, await queries.count_learners(first, last), draft)


async def rebuild() -> int:
    """Forget every figure and write all of them down again; how many days."""
    await queries.forget_days(None)
    await queries.forget_learner_counts([])
    return await write_down()


def _stretches(today: date) -> list[tuple[date, date]]:
    """The days before each period that the dashboard offers, and last month: all over, so that they may be kept."""
    found = set()
    for name in (*(str(days) for days in LAST_DAYS), "this-month", "last-month"):
        period = choose_period(name, "", "", today)
        found.add((period.before_first, period.before_last))
        if period.last < today:
            found.add((period.first, period.last))
    return sorted(found)


async def _alone(act: Callable[[], Awaitable[Any]]) -> bool | None:
    """Hold a place in a transaction of its own, while no figure is being changed; None when that never was the case,
    else whether there was one to hold.

    Only that is done alone, and takes no time. Whoever changes a figure after it finds the place and takes it away;
    whoever did so before is seen when it is added up.
    """
    for _try in range(_TRIES):
        async with db.transaction():
            if await queries.alone_with_figures():
                return await act() is not False
        await asyncio.sleep(0.05)
    return None
