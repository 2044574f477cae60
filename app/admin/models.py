"""What the dashboard shows, as plain data, and the pure rules of its periods."""

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from app.core import clock

LAST_DAYS = (7, 30, 90, 365)
DEFAULT = "30"
_LONGEST_DAYS = 3 * 366


@dataclass(frozen=True, slots=True)
class Waiting:
    """How many things wait for a person, each kind."""

    failed_jobs: int = 0
    waiting_jobs: int = 0
    failed_mails: int = 0
    failed_webhooks: int = 0
    stuck_webhooks: int = 0
    refunds: int = 0
    flagged: int = 0
    held_deliveries: int = 0


@dataclass(frozen=True, slots=True)
class Period:
    """Days from `first` to `last`, both included, and as many days (or the month) before them."""

    name: str
    first: date
    last: date
    before_first: date

    @property
    def before_last(self) -> date:
        return self.first - timedelta(days=1)

    @property
    def days(self) -> int:
        return (self.last - self.first).days + 1

    def bounds(self, zone: ZoneInfo) -> tuple[datetime, datetime, datetime]:
        """The moments at which the period before, the period and what comes after it begin."""
        days = (self.before_first, self.first, self.last + timedelta(days=1))
        start, middle, end = (clock.day_start(day, zone) for day in days)
        return start, middle, end


def choose_period(name: str, first: str, last: str, today: date) -> Period:
    """The period that the address asks for; what makes no sense is the last 30 days."""
    if first or last:
        chosen = _custom(first, last, today)
        if chosen is not None:
            return chosen
    if name == "this-month":
        begin = today.replace(day=1)
        return Period(name, begin, today, _month_before(begin))
    if name == "last-month":
        end = today.replace(day=1) - timedelta(days=1)
        begin = end.replace(day=1)
        return Period(name, begin, end, _month_before(begin))
    days = int(name) if name in {str(number) for number in LAST_DAYS} else int(DEFAULT)
    begin = today - timedelta(days=days - 1)
    return Period(str(days), begin, today, begin - timedelta(days=days))


def _custom(first: str, last: str, today: date) -> Period | None:
    try:
        end = min(date.fromisoformat(last), today) if last else today
        begin = date.fromisoformat(first) if first else end - timedelta(days=29)
    except (ValueError, OverflowError):
        return None
    if begin > end or end.year < 1980:
        return None
    begin = max(begin, end - timedelta(days=_LONGEST_DAYS))
    return Period("custom", begin, end, begin - ((end - begin) + timedelta(days=1)))


def _month_before(begin: date) -> date:
    return (begin - timedelta(days=1)).replace(day=1)


class Day(NamedTuple):
    """One day of the figures. `revenue` in minor units of the school's currency, less what was paid back.

    A tuple, since each visit makes sixty and looks for what was drawn of them: 130 → 30 µs.
    """

    on_date: date
    revenue: int
    orders: int
    members: int
    learners: int


@dataclass(frozen=True, slots=True)
class Totals:
    """What cannot be added up from days (people who learned), the machine, and how far a new school has come."""

    learners: int
    learners_before: int
    other_currencies: list[str]
    unconfirmed_buyers: int
    mails_sent: int
    last_webhook_at: datetime | None
    has_course: bool
    has_price: bool
    has_published: bool
    has_sale: bool
    # The days whose figures are written down, as rows: most often all but the last.
    written: list[Any]


@dataclass(frozen=True, slots=True, eq=False)
class Measure:
    """A line of the figures with its plot. Told apart by identity: comparing plots would take longer than drawing."""

    key: str
    label: str
    now: str
    before: str
    change: str
    tone: str
    url: str
    before_url: str
    spark: str
    plot: Any
    says: str
    note: str


@dataclass(frozen=True, slots=True)
class Step:
    """A step of a new school: what, where, done."""

    label: str
    text: str
    url: str
    done: bool
