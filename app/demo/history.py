"""A believable year of the demo school: members, orders, enrolments and learning, all from one seed.

`generate` returns everything at once and suits a school that people look at. `stream` yields the same in
parts whose rows refer only to rows of that part or of earlier ones, and suits a school of a million.
Memory grows by ten bytes a member. Nothing is written anywhere.
"""

from array import array
from collections.abc import Iterator
from datetime import datetime, timedelta
from itertools import accumulate
from random import Random
from typing import NamedTuple

from app.demo.people import Addresses, people
from app.demo.rhythm import PEAK_DAYS, Curve
from app.demo.school import DemoCourse, DemoSchool
from app.demo.study import DAY, Progress, Syllabus, moment, study

ORDERED_OVER = timedelta(days=365)
JOINED_OVER = timedelta(days=450)
CHECKOUT_LIVES = DAY  # Stripe's default for a Checkout Session

NEVER_BUYS = 0x8000  # the highest bit beside one bit for each course that a member has had
BUYERS = 0.84  # the share of members who may buy at all
ORDERS_A_MEMBER = 2.2  # more than this, and most members would own everything

BRANDS = ("visa", "visa", "visa", "mastercard", "mastercard", "amex")
FAILURES = ("card_declined", "card_declined", "insufficient_funds", "expired_card", "authentication_required")


class Member(NamedTuple):
    """A member. `number` counts from 1 in order of joining; others refer to it."""

    number: int
    name: str
    email: str
    country: str
    joined_at: datetime


class Line(NamedTuple):
    """One course in an order, with the price in minor units."""

    course: str
    price: int


class Order(NamedTuple):
    """An order. `number` counts from 1 in order of time. `total` is in minor units of `currency`.

    `state` is paid, refunded, failed, expired or pending. `paid_at` is set for paid and refunded;
    `closed_at` is when it was refunded, failed or expired. `failure` is Stripe's decline code.
    """

    number: int
    member: int
    state: str
    lines: tuple[Line, ...]
    total: int
    currency: str
    placed_at: datetime
    paid_at: datetime | None
    closed_at: datetime | None
    card_brand: str | None
    card_last4: str | None
    failure: str | None


class Enrolment(NamedTuple):
    """A member in a course. `order` is the number of the order that paid for it, None for a free course.

    `ended_at` is when a refund closed it. No member is enrolled twice in one course.
    """

    member: int
    course: str
    order: int | None
    enrolled_at: datetime
    ended_at: datetime | None
    progress: Progress


class DemoHistory(NamedTuple):
    """Rows in the order in which they may be written."""

    members: list[Member]
    orders: list[Order]
    enrolments: list[Enrolment]


def generate(seed: int, *, school: DemoSchool, until: datetime, members: int = 200, orders: int = 400) -> DemoHistory:
    """A whole year before `until`, at once. The same arguments give the same history, always."""
    whole = DemoHistory([], [], [])
    for part in stream(seed, school=school, until=until, members=members, orders=orders):
        whole.members.extend(part.members)
        whole.orders.extend(part.orders)
        whole.enrolments.extend(part.enrolments)
    return whole


def stream(
    seed: int,
    *,
    school: DemoSchool,
    until: datetime,
    members: int = 200,
    orders: int | None = None,
    chunk: int = 5_000,
) -> Iterator[DemoHistory]:
    """The same year in parts of `chunk` members; the size of a part does not change what is in them.

    `orders` defaults to two a member. Raises ValueError for a naive `until`, for no members, and for more
    orders than the members could place without buying a course twice.
    """
    if until.tzinfo is None:
        raise ValueError("until must be aware")
    orders = 2 * members if orders is None else orders
    if members < 1 or orders > members * ORDERS_A_MEMBER:
        raise ValueError(f"{orders} orders are too many for {members} members")
    return _Year(seed, school, until, members, orders).parts(chunk)


class _Season(NamedTuple):
    """What can be bought on one day: a bit for each course that is out, and how much each is asked for."""

    out: int
    weights: tuple[float, ...]


class _Year:
    """The state of one run: what each member has had, and the generators of chance."""

    def __init__(self, seed: int, school: DemoSchool, until: datetime, members: int, orders: int) -> None:
        self._courses = [course for course in school.courses if not course.is_free]
        self._free = [course for course in school.courses if course.is_free]
        self._syllabus = {course.slug: Syllabus.of(course) for course in school.courses}
        self._lines = [Line(course.slug, course.price) for course in self._courses]
        self._currency = school.currency
        self._until = until.timestamp()
        self._count = members
        launches = tuple((until - timedelta(days=course.age_days)).date() for course in self._courses)
        curve = (until, school.time_zone, launches)
        names = ("people", "joins", "orders", "free", "study")
        self._chance = {name: Random(f"{seed}:{name}") for name in names}  # noqa: S311 - no secret depends on it
        self._joins = Curve(until - JOINED_OVER, *curve).moments(self._chance["joins"], members)
        self._orders = Curve(until - ORDERED_OVER, *curve).moments(self._chance["orders"], orders)
        self._first_join = (until - JOINED_OVER).timestamp()
        self._had = array("H")  # a bit for each course that the member has had, or NEVER_BUYS
        self._joined = array("d")
        self._present = 0  # how many had joined at the moment of the current order
        self._new_buyers = min(0.95, 0.9 * BUYERS * members / orders) if orders else 0.0
        self._number, self._total = 0, orders
        self._retry: tuple[int, tuple[int, ...]] | None = None
        self._choices: dict[tuple[_Season, int], tuple[list[int], list[float]]] = {}
        self._seasons: dict[int, _Season] = {}

    def parts(self, chunk: int) -> Iterator[DemoHistory]:
        addresses = Addresses()
        persons = people(self._chance["people"], self._count)
        joins = iter(self._joins)
        joining: float | None = next(joins)
        if joining is not None:
            joining = self._first_join  # somebody is always first, on the first day
        ordering = next(self._orders, None)
        while joining is not None:
            part = DemoHistory([], [], [])
            while joining is not None and len(part.members) < chunk:
                index, person = len(self._joined), next(persons)
                draw = self._chance["people"].random
                address = addresses.give(person.name, draw())
                self._joined.append(joining)
                self._had.append(0 if draw() < BUYERS else NEVER_BUYS)
                part.members.append(Member(index + 1, person.name, address, person.country, moment(joining)))
                part.enrolments.extend(self._free_enrolments(index + 1, joining))
                joining = next(joins, None)
            while ordering is not None and (joining is None or ordering < joining):
                order = self._order(ordering)
                part.orders.append(order)
                part.enrolments.extend(self._paid_enrolments(order))
                ordering = next(self._orders, None)
            yield part

    def _free_enrolments(self, member: int, joined: float) -> Iterator[Enrolment]:
        chance = self._chance["free"]
        for course in self._free:
            if chance.random() > 0.46:
                continue
            delay = 900.0 if chance.random() < 0.6 else DAY * chance.expovariate(1 / 40)
            begin = max(joined, self._until - course.age_days * DAY) + delay
            if begin < self._until:
                progress = study(chance, self._syllabus[course.slug], begin, self._until)
                yield Enrolment(member, course.slug, None, moment(begin), None, progress)

    def _paid_enrolments(self, order: Order) -> Iterator[Enrolment]:
        if order.paid_at is None:
            return
        chance = self._chance["study"]
        begin = order.paid_at.timestamp()
        ended = order.closed_at
        end = ended.timestamp() if ended else self._until
        for line in order.lines:
            progress = study(chance, self._syllabus[line.course], begin, end, gave_up=ended is not None)
            yield Enrolment(order.member, line.course, order.number, order.paid_at, ended, progress)

    def _order(self, placed: float) -> Order:
        joined, chance = self._joined, self._chance["orders"]
        self._number += 1
        is_last = self._number == self._total
        if is_last:  # somebody is always at the till
            placed = max(placed, self._until - 6 * 3600 * chance.random() - 1)
        while self._present < len(joined) and joined[self._present] <= placed:
            self._present += 1
        member, chosen = self._retry or self._choose(placed, chance)
        self._retry = None
        state, paid, closed, failure = ("pending", None, None, None) if is_last else self._outcome(placed, chance)
        if failure is not None and chance.random() < 0.6:
            self._retry = member, chosen  # the next order is the same one again, with another card
        if paid is not None:
            for course in chosen:
                self._had[member] |= 1 << course
        lines = tuple(self._lines[course] for course in chosen)
        has_card = state in ("paid", "refunded", "failed")
        return Order(
            number=self._number,
            member=member + 1,
            state=state,
            lines=lines,
            total=sum(line.price for line in lines),
            currency=self._currency,
            placed_at=moment(placed),
            paid_at=None if paid is None else moment(paid),
            closed_at=None if closed is None else moment(closed),
            card_brand=BRANDS[int(chance.random() * len(BRANDS))] if has_card else None,
            card_last4=f"{int(chance.random() * 10_000):04d}" if has_card else None,
            failure=failure,
        )

    def _outcome(self, placed: float, chance: Random) -> tuple[str, float | None, float | None, str | None]:
        """State, when paid, when closed, and why it failed."""
        draw = chance.random()
        soon = placed + 25.0 + 200.0 * chance.random()
        if draw < 0.05 and soon < self._until:
            return "failed", None, soon, FAILURES[int(chance.random() * len(FAILURES))]
        if draw < 0.095 or soon >= self._until:
            expires = placed + CHECKOUT_LIVES
            return ("expired", None, expires, None) if expires < self._until else ("pending", None, None, None)
        if draw < 0.14:
            refunded = soon + min(29.0, 0.2 + chance.expovariate(1 / 6)) * DAY
            if refunded < self._until:
                return "refunded", soon, refunded, None
        return "paid", soon, None, None

    def _choose(self, placed: float, chance: Random) -> tuple[int, tuple[int, ...]]:
        """A member, and the courses that she puts into the cart: none that she has had."""
        season = self._season(placed)
        member = self._buyer(season, chance)
        wanted = chance.random()
        count = 1 if wanted < 0.85 else 2 if wanted < 0.96 else 3
        had = self._had[member]
        chosen: list[int] = []
        while len(chosen) < count and season.out & ~had:
            courses, weights = self._choice(season, had)
            course = chance.choices(courses, cum_weights=weights)[0]
            chosen.append(course)
            had |= 1 << course
        return member, tuple(sorted(chosen))

    def _buyer(self, season: _Season, chance: Random) -> int:
        draw, present, had = chance.random, self._present, self._had
        lately = max(2.0, 0.004 * self._count)
        for _ in range(24):
            if draw() < self._new_buyers:  # somebody who joined a little while ago and has bought nothing yet
                newest = present - 1 - int(chance.expovariate(1 / lately))
                for member in range(newest, max(-1, newest - 60), -1):
                    if had[member] == 0:
                        return member
            else:  # somebody who comes back
                member = int(draw() * present)
                if 0 < had[member] < NEVER_BUYS and season.out & ~had[member]:
                    return member
        start = int(draw() * present)
        for step in range(present):
            member = (start + step) % present
            if season.out & ~had[member] and had[member] != NEVER_BUYS:
                return member
        return self._reluctant(season, start)

    def _reluctant(self, season: _Season, start: int) -> int:
        """One of those who meant not to buy; only in a school so small that nobody else is left."""
        for step in range(self._present):
            member = (start + step) % self._present
            if season.out & ~self._had[member]:
                return member
        raise ValueError("every member has every course; ask for fewer orders")

    def _season(self, placed: float) -> _Season:
        age = int((self._until - placed) // DAY)
        if age not in self._seasons:
            out, weights = 0, []
            for bit, course in enumerate(self._courses):
                is_out = course.age_days >= age
                out |= is_out << bit
                weights.append(_demand(course, bit) * (4.0 if 0 <= course.age_days - age < PEAK_DAYS else 1.0))
            everything = (1 << len(self._courses)) - 1
            self._seasons[age] = _Season(out or everything, tuple(weights))
        return self._seasons[age]

    def _choice(self, season: _Season, had: int) -> tuple[list[int], list[float]]:
        key = season, had
        if key not in self._choices:
            courses = [bit for bit in range(len(self._courses)) if season.out & ~had & (1 << bit)]
            self._choices[key] = courses, list(accumulate(season.weights[bit] for bit in courses))
        return self._choices[key]


def _demand(course: DemoCourse, place: int) -> float:
    """Beginners' courses are asked for most, then those that stand first in the catalogue."""
    return {"beginner": 5.0, "intermediate": 3.0, "advanced": 2.2}[course.level] / (1 + 0.25 * place)
