"""When things happen in the demo school: weekdays, evenings, launches, a summer trough, the autumn letter.

A `Curve` is a rate for each hour of a stretch of time. Moments are drawn from it in ascending order, one
after another, so that a million of them need no more memory than ten.
"""

from array import array
from bisect import bisect_left
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from itertools import accumulate
from math import exp, log
from random import Random
from zoneinfo import ZoneInfo

# Monday first. The letter goes out on Sunday morning, and people decide on Sunday and Monday evening.
WEEKDAYS = (1.15, 1.0, 1.02, 0.95, 0.72, 0.78, 1.38)

# By the hour, in the school's own time zone: breakfast, lunch, and above all the evening.
HOURS = (
    *(0.25, 0.12, 0.06, 0.04, 0.05, 0.15, 0.45, 0.85),
    *(1.0, 1.0, 1.0, 1.05, 1.35, 1.25, 1.0, 0.95),
    *(1.05, 1.25, 1.6, 2.1, 2.5, 2.35, 1.5, 0.7),
)

# January to December. People resolve in January, are away in summer, and come back in September.
MONTHS = (1.3, 1.08, 1.12, 1.0, 0.98, 0.9, 0.48, 0.42, 1.1, 1.15, 1.2, 0.85)

# (month, day, height, days until it has halved): new editions, and letters that people answered.
PEAKS = (
    (1, 5, 0.9, 3.0),
    (9, 22, 1.8, 2.0),
    (11, 14, 2.6, 1.2),
)
LAUNCH = (2.2, 2.0)  # height and half-life of the days after a course came out
PEAK_DAYS = 21

GROWTH = 1.7  # the rate a year later over the rate now


def day_rate(day: date, until: date, launches: tuple[date, ...] = ()) -> float:
    """How busy `day` is, where an ordinary day just before `until` is about 1."""
    years = (until - day).days / 365
    middle = MONTHS[day.month - 1]
    # Months flow into one another: half of the way to the neighbour that is nearer.
    neighbour = MONTHS[(day.month - 2) % 12] if day.day < 15 else MONTHS[day.month % 12]
    season = middle + (neighbour - middle) * abs(day.day - 15) / 30
    if (day.month, day.day) in {(12, 24), (12, 25), (12, 26), (12, 31)}:
        season *= 0.4
    return float(GROWTH**-years * WEEKDAYS[day.weekday()] * season * (1 + _peaks(day, launches)))


def _peaks(day: date, launches: tuple[date, ...]) -> float:
    dated = [(date(day.year, month, first), height, half) for month, first, height, half in PEAKS]
    dated += [(launch, *LAUNCH) for launch in launches]
    return sum(
        height * exp(-log(2) * (day - first).days / half)
        for first, height, half in dated
        if 0 <= (day - first).days < PEAK_DAYS
    )


class Curve:
    """The rate of something for each hour from `since` to `until`, both aware."""

    __slots__ = ("_cumulative", "_start")

    def __init__(self, since: datetime, until: datetime, zone: str, launches: tuple[date, ...] = ()) -> None:
        local = ZoneInfo(zone)
        first = since.astimezone(UTC).replace(minute=0, second=0, microsecond=0)
        hours = int((until - first) / timedelta(hours=1))
        if hours < 1:
            raise ValueError("a curve needs at least one hour")
        last = until.astimezone(local).date()
        days: dict[date, float] = {}
        rates = array("d")
        for hour in range(hours):
            moment = (first + timedelta(hours=hour)).astimezone(local)
            day = moment.date()
            if day not in days:
                days[day] = day_rate(day, last, launches)
            rates.append(days[day] * HOURS[moment.hour])
        self._start = first.timestamp()
        self._cumulative = array("d", accumulate(rates))

    def moments(self, rng: Random, count: int) -> Iterator[float]:
        """`count` moments as seconds since 1970, ascending, drawn in proportion to the rate.

        The k-th smallest of n uniform numbers follows from the one before it, so none are kept.
        """
        cumulative, draw = self._cumulative, rng.random
        total, left = cumulative[-1], 1.0
        for remaining in range(count, 0, -1):
            left *= (1.0 - draw()) ** (1.0 / remaining)
            target = (1.0 - left) * total
            hour = min(bisect_left(cumulative, target), len(cumulative) - 1)
            before = cumulative[hour - 1] if hour else 0.0
            share = (target - before) / (cumulative[hour] - before)
            yield self._start + 3600.0 * (hour + min(share, 0.999999))
