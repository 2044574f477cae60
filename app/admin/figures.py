"""Figures of days that are over, written down so that the dashboard need not add them up from all rows each time.

A figure is right or absent. Whatever changes a day (a refund, a role, an account that goes) takes its figures away in
the same transaction, by triggers of migration 0012, and the dashboard adds up from the rows what is absent. So this
job may run late, or never: pages are slower then, not wrong.
"""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import date, timedelta
from functools import partial
from typing import TypeVar

from app.admin import queries
from app.admin.models import LAST_DAYS, choose_period
from app.core import clock, db
from app.core.settings import school

T = TypeVar("T")

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
    written = 0
    while missing := await queries.missing_days(first, yesterday, settings.time_zone, settings.currency):
        newest = missing[0]
        oldest = max(newest - timedelta(days=_DAYS_AT_ONCE - 1), missing[-1])
        done = await _alone(partial(queries.write_days, oldest, newest, settings.time_zone, settings.currency))
        if not done:
            break
        written += done
    stretches = _stretches(today)
    await queries.forget_learner_counts(stretches)
    for begin, end in stretches:
        await _alone(partial(queries.write_learner_count, begin, end))
    return written


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


async def _alone(act: Callable[[], Awaitable[T]]) -> T | None:
    """Do it in a transaction of its own while no figure is being changed; None when that never was the case."""
    for _try in range(_TRIES):
        async with db.transaction():
            if await queries.alone_with_figures():
                return await act()
        await asyncio.sleep(0.05)
    return None
