"""Today: the figures of a period beside the one before, what needs a person, and the latest orders."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import lru_cache
from typing import Any
from urllib.parse import urlencode

from babel.numbers import get_currency_precision, get_currency_symbol

from app.admin import queries
from app.admin.models import DEFAULT, LAST_DAYS, Day, Measure, Period, Step, Totals, Waiting, choose_period
from app.core import clock, i18n
from app.core.i18n import _, ngettext
from app.core.money import format_money
from app.core.settings import School, school
from app.web import plots

# Up to this many days a plot has a point a day, then a point a week.
_DAILY = 92

# To count so many people takes milliseconds, and that they have become a few more within a minute is no news.
_VERY_MANY, _KEPT_FOR = 5_000, timedelta(minutes=1)
_learners: dict[tuple[date, date], tuple[datetime, int]] = {}

# A list of the office and what it is filtered by, besides the days.
_RowsLink = tuple[str, dict[str, str]]


@dataclass(frozen=True, slots=True)
class Today:
    """Everything that the page shows besides what waits."""

    title: str
    period: Period
    measures: tuple[Measure, ...]
    totals: Totals
    orders: list[Any]
    steps: list[Step]


async def today(name: str, first: str, last: str, *, can_see_orders: bool, has_payments: bool) -> Today:
    """The dashboard for the period that the address names."""
    settings, now = await school(), clock.now()
    period = choose_period(name, first, last, now.astimezone(settings.zone).date())
    _start, middle, end = period.bounds(settings.zone)
    where = (settings.time_zone, settings.currency)
    known = _known_learners(period, now)
    totals = await queries.totals(
        period.before_first, period.first, period.last, middle, end, now, *where, learners=known
    )
    if known is None and totals.learners >= _VERY_MANY:
        if len(_learners) > 100:
            _learners.clear()
        _learners[period.first, period.last] = (now, totals.learners)
    days = await queries.days(totals.written, period.before_first, period.last, *where)
    orders = await queries.latest_orders(8) if can_see_orders else []
    return Today(
        title=i18n.format_day(now.astimezone(settings.zone), "EEEE, d MMMM"),
        period=period,
        measures=_measures(
            tuple(days),
            (totals.learners, totals.learners_before),
            period,
            settings.currency,
            now.astimezone(settings.zone).date(),
            i18n.locale(),
        ),
        totals=totals,
        orders=orders,
        steps=[] if totals.has_sale else _steps(settings, totals, has_payments=has_payments),
    )


def _known_learners(period: Period, now: datetime) -> int | None:
    counted_at, learners = _learners.get((period.first, period.last), (None, 0))
    return learners if counted_at is not None and timedelta() <= now - counted_at < _KEPT_FOR else None


# The same days give the same figures in the same language, and most visits find them as the one before did: 1 ms.
@lru_cache(maxsize=32)
def _measures(
    days: tuple[Day, ...], learners: tuple[int, int], period: Period, currency: str, on_date: date, locale: str
) -> tuple[Measure, ...]:
    before = [day for day in days if day.on_date < period.first]
    now = [day for day in days if day.on_date >= period.first]
    paid: _RowsLink = ("/admin/orders", {"state": "sold"})
    joined: _RowsLink = ("/admin/people", {"role": "member"})
    active: _RowsLink = ("/admin/learners", {})

    def whole_money(value: float) -> str:
        return _whole_money(value, currency)

    def measure(
        key: str, label: str, get: Callable[[Day], int], link: _RowsLink, show: plots.Show, note: str, exact: Any = None
    ) -> Measure:
        current, past = exact or (sum(map(get, now)), sum(map(get, before)))
        points, labels = _points(now, get, average=key == "learners")
        earlier, _labels = _points(before, get, average=key == "learners")
        say = money if key == "revenue" else _number
        return Measure(
            key=key,
            label=label,
            now=say(current),
            before=say(past),
            change=_change(current, past),
            tone="good" if current > past > 0 else "",
            url=_link(link, period.first, period.last),
            before_url=_link(link, period.before_first, period.before_last),
            spark=plots.spark(points) if len(points) > 1 else "",
            plot=plots.line(
                points,
                labels,
                before=earlier,
                show=show,
                heads=(_("Day") if len(now) <= _DAILY else _("Week from"), label, _("The period before")),
                last_label=_("today") if now and len(now) <= _DAILY and now[-1].on_date == on_date else None,
            ),
            says=_(
                "%(label)s: %(now)s; in the period before: %(before)s.", label=label, now=say(current), before=say(past)
            ),
            note=note,
        )

    def money(minor: float) -> str:
        return format_money(int(minor), currency)

    return (
        measure("revenue", _("Revenue"), lambda day: day.revenue, paid, whole_money, _("less refunds")),
        measure("orders", _("Orders paid"), lambda day: day.orders, paid, _number, ""),
        measure("members", _("New members"), lambda day: day.members, joined, _number, ""),
        measure(
            "learners",
            _("Active learners"),
            lambda day: day.learners,
            active,
            _number,
            _("the line counts people a day"),
            learners,
        ),
    )


def _points(days: Sequence[Day], get: Callable[[Day], int], *, average: bool) -> tuple[list[float], list[str]]:
    """One point a day, or a week when there are many; counts of people are averaged, since they do not add up."""
    size = 1 if len(days) <= _DAILY else 7
    points, labels = [], []
    for begin in range(0, len(days), size):
        part = days[begin : begin + size]
        total = sum(map(get, part))
        points.append(round(total / len(part), 1) if average else float(total))
        labels.append(i18n.format_day(part[0].on_date, "d MMM"))
    return points, labels


def _link(link: _RowsLink, first: date, last: date) -> str:
    path, fixed = link
    return f"{path}?{urlencode({**fixed, 'from': first.isoformat(), 'to': last.isoformat()})}"


def _number(value: float) -> str:
    return i18n.format_number(value)


def _whole_money(minor: float, currency: str) -> str:
    """A label of an axis: no cents, unless the axis is about cents."""
    digits = get_currency_precision(currency)
    amount = minor / 10**digits
    if amount == math.floor(amount):
        return format_money(int(minor), currency)
    return f"{get_currency_symbol(currency, i18n.format_locale())}{amount:.{digits}f}"


def _change(now: int, before: int) -> str:
    if now == before:
        return _("the same")
    if not before:
        return _("new")
    share = (now - before) / before
    return ("+" if share > 0 else "−") + i18n.format_share(abs(share))


def _steps(settings: School, totals: Totals, *, has_payments: bool) -> list[Step]:
    return [
        Step(
            _("Name the school"),
            _("A name, a colour, a currency. All of it can change later."),
            "/admin/settings",
            settings.name != School().name,
        ),
        Step(
            _("Make a course"),
            _("A title and one lesson are enough to begin."),
            "/admin/courses/new",
            totals.has_course,
        ),
        Step(_("Set a price"), _("Or 0, and it is free."), "/admin/courses", totals.has_price),
        Step(
            _("Connect Stripe"),
            _("Courses with a price can be paid for.")
            if has_payments
            else _(
                "Set STRIPE_SECRET and its companions in the environment; without them only free courses can be had."
            ),
            "/admin/settings#services",
            has_payments,
        ),
        Step(
            _("Publish the course"),
            _("From then on it stands in the catalogue."),
            "/admin/courses",
            totals.has_published,
        ),
    ]


@dataclass(frozen=True, slots=True)
class Due:
    """Something that waits for a person: what, where, why it matters."""

    what: str
    why: str
    url: str
    act: str


def due(waiting: Waiting, totals: Totals, can: Callable[[str], bool]) -> list[Due]:
    """What needs a person, in the order to do it."""
    found: list[Due] = []
    if can("orders.view"):
        _add(
            found,
            waiting.flagged,
            ngettext(
                "%(num)s payment does not fit its order", "%(num)s payments do not fit their orders", waiting.flagged
            ),
            _("Another amount or currency arrived than was asked for. Nothing was opened."),
            "/admin/orders?state=flagged",
            _("Look at it"),
        )
        _add(
            found,
            waiting.refunds,
            ngettext("%(num)s refund has not gone through", "%(num)s refunds have not gone through", waiting.refunds),
            _("It failed, or Stripe has not confirmed it for a day."),
            "/admin/orders?state=refunding",
            _("Look at it"),
        )
    if can("jobs.view"):
        webhooks = waiting.failed_webhooks + waiting.stuck_webhooks
        _add(
            found,
            webhooks,
            ngettext(
                "%(num)s delivery of Stripe was not handled", "%(num)s deliveries of Stripe were not handled", webhooks
            ),
            _("A payment may be waiting in it."),
            f"/admin/webhooks?state={'failed' if waiting.failed_webhooks else 'received'}",
            _("Read and replay"),
        )
        _add(
            found,
            waiting.failed_jobs,
            ngettext("%(num)s job gave up", "%(num)s jobs gave up", waiting.failed_jobs),
            _("It was tried several times. It waits here until somebody tries it again or throws it away."),
            "/admin/jobs?state=failed",
            _("See why"),
        )
        _add(
            found,
            waiting.failed_mails,
            ngettext("%(num)s mail could not be sent", "%(num)s mails could not be sent", waiting.failed_mails),
            _("Somebody is waiting for it."),
            "/admin/mails?state=failed",
            _("See why"),
        )
    if can("connections.edit"):
        _add(
            found,
            waiting.held_deliveries,
            ngettext(
                "%(num)s entry of a form was not handed on",
                "%(num)s entries of forms were not handed on",
                waiting.held_deliveries,
            ),
            _("The service refused it. It is kept until somebody looks, and can be sent again."),
            "/admin/connections?held=on",
            _("See why"),
        )
    if can("people.view"):
        _add(
            found,
            totals.unconfirmed_buyers,
            ngettext(
                "%(num)s buyer has not confirmed the address",
                "%(num)s buyers have not confirmed their address",
                totals.unconfirmed_buyers,
            ),
            _("Paid more than a day ago. The address may be mistyped."),
            "/admin/people?state=unverified",
            _("See who"),
        )
    return found


def _add(found: list[Due], count: int, what: str, why: str, url: str, act: str) -> None:
    if count:
        found.append(Due(what, why, url, act))


@dataclass(frozen=True, slots=True)
class PeriodLink:
    """A period that can be chosen."""

    label: str
    url: str
    current: bool


def period_links(current: Period) -> list[PeriodLink]:
    """The periods to choose from; any other is typed as two dates."""
    named = [(str(days), ngettext("%(num)s day", "%(num)s days", days)) for days in LAST_DAYS]
    named += [("this-month", _("This month")), ("last-month", _("Last month"))]
    return [
        PeriodLink(label, "/admin" if name == DEFAULT else f"/admin?period={name}", name == current.name)
        for name, label in named
    ]
