"""The generated year is the same from the same seed, and could have happened."""

from collections import Counter
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from random import Random

import pytest

from app.demo.history import DemoHistory, Enrolment, generate, stream
from app.demo.people import Addresses, names, plain
from app.demo.rhythm import Curve, day_rate
from app.demo.school import load_school
from app.demo.study import Syllabus

SCHOOL = load_school()
UNTIL = datetime(2026, 11, 20, 20, 0, tzinfo=UTC)


def year(seed: int = 1, **options: int) -> DemoHistory:
    return generate(seed, school=SCHOOL, until=UNTIL, **options)


def place(enrolment: Enrolment) -> tuple[int, str]:
    return enrolment.member, enrolment.course


@pytest.fixture(scope="module")
def history() -> DemoHistory:
    return year()


@pytest.fixture(scope="module")
def large() -> DemoHistory:
    return year(members=6_000, orders=12_000)


def test_the_same_seed_gives_the_same_year_and_another_seed_another(history: DemoHistory) -> None:
    assert year() == history
    assert year(seed=2) != history


def test_the_size_of_the_parts_does_not_change_what_is_in_them(history: DemoHistory) -> None:
    for chunk in (1, 17, 200):
        parts = list(stream(1, school=SCHOOL, until=UNTIL, members=200, chunk=chunk))
        assert [member for part in parts for member in part.members] == history.members
        assert [order for part in parts for order in part.orders] == history.orders
        enrolments = [enrolment for part in parts for enrolment in part.enrolments]
        assert sorted(enrolments, key=place) == sorted(history.enrolments, key=place)


def test_there_are_as_many_members_and_orders_as_were_asked_for(history: DemoHistory) -> None:
    assert [member.number for member in history.members] == list(range(1, 201))
    assert [order.number for order in history.orders] == list(range(1, 401))


def test_addresses_are_unique_and_can_never_receive_mail(large: DemoHistory) -> None:
    addresses = [member.email for member in large.members]
    assert len(set(addresses)) == len(addresses)
    assert {address.partition("@")[2] for address in addresses} == {"example.org", "example.com", "example.net"}
    assert all(address.isascii() and " " not in address for address in addresses)


def test_everybody_whom_the_pages_mention_is_a_member(history: DemoHistory) -> None:
    known = {member.name for member in history.members}
    assert {person.name for person in names()[0]} <= known
    assert {voice.name for voice in SCHOOL.home.voices} <= known
    assert "Suharti" in known
    assert max(len(name) for name in known) > 60


def test_names_become_plain_addresses() -> None:
    assert plain("Łukasz Wójcik") == "lukasz.wojcik"
    assert plain("Siobhán O’Brien") == "siobhan.obrien"
    assert plain("Elif Çelik") == "elif.celik"
    assert plain("Þórunn Jónsdóttir") == "thorunn.jonsdottir"
    assert plain("Suharti") == "suharti"


def test_the_same_name_twice_gets_two_addresses() -> None:
    addresses = Addresses()
    assert addresses.give("Tom Hartley", 0.0) == "tom.hartley@example.org"
    assert addresses.give("Tom Hartley", 0.0) == "tom.hartley2@example.org"


def test_parts_refer_only_to_what_came_before() -> None:
    members, orders = set(), set()
    for part in stream(3, school=SCHOOL, until=UNTIL, members=500, chunk=40):
        members |= {member.number for member in part.members}
        orders |= {order.number for order in part.orders}
        assert {order.member for order in part.orders} <= members
        assert {enrolment.member for enrolment in part.enrolments} <= members
        assert {enrolment.order for enrolment in part.enrolments} - {None} <= orders


def test_nobody_orders_before_joining_or_after_now(history: DemoHistory) -> None:
    joined = {member.number: member.joined_at for member in history.members}
    for order in history.orders:
        assert joined[order.member] <= order.placed_at <= UNTIL
        assert order.placed_at > UNTIL - timedelta(days=366)
    assert all(before.placed_at <= after.placed_at for before, after in pairwise(history.orders))
    assert UNTIL - min(joined.values()) > timedelta(days=365)


def test_nobody_pays_for_a_course_twice(large: DemoHistory) -> None:
    paid = [(order.member, line.course) for order in large.orders if order.paid_at for line in order.lines]
    assert len(set(paid)) == len(paid)
    enrolled = [(enrolment.member, enrolment.course) for enrolment in large.enrolments]
    assert len(set(enrolled)) == len(enrolled)


def test_nobody_puts_a_course_that_she_has_into_the_cart(large: DemoHistory) -> None:
    had: dict[int, set[str]] = {}
    for order in large.orders:
        courses = {line.course for line in order.lines}
        assert len(courses) == len(order.lines) <= 3
        assert not courses & had.setdefault(order.member, set())
        if order.paid_at:
            had[order.member] |= courses


def test_orders_cost_what_the_courses_cost(history: DemoHistory) -> None:
    prices = {course.slug: course.price for course in SCHOOL.courses}
    for order in history.orders:
        assert [line.price for line in order.lines] == [prices[line.course] for line in order.lines]
        assert order.total == sum(line.price for line in order.lines) > 0


def test_states_are_believable_and_their_times_agree(history: DemoHistory) -> None:
    states = Counter(order.state for order in history.orders)
    assert set(states) == {"paid", "refunded", "failed", "expired", "pending"}
    assert states["paid"] > 320
    for order in history.orders:
        assert (order.paid_at is not None) == (order.state in ("paid", "refunded"))
        assert (order.closed_at is not None) == (order.state in ("refunded", "failed", "expired"))
        assert (order.failure is not None) == (order.state == "failed")
        for moment in (order.paid_at, order.closed_at):
            assert moment is None or order.placed_at < moment <= UNTIL
        if order.state == "pending":
            assert UNTIL - order.placed_at < timedelta(days=1)


def test_refunds_come_within_the_thirty_days_that_are_promised(large: DemoHistory) -> None:
    for order in large.orders:
        if order.state == "refunded" and order.closed_at and order.paid_at:
            assert order.closed_at - order.paid_at < timedelta(days=SCHOOL.refund_days)


def test_every_paid_line_is_an_enrolment_and_nothing_else_but_free_courses(history: DemoHistory) -> None:
    bought = {(order.number, line.course) for order in history.orders if order.paid_at for line in order.lines}
    paid = {(enrolment.order, enrolment.course) for enrolment in history.enrolments if enrolment.order}
    assert paid == bought
    free = [enrolment for enrolment in history.enrolments if enrolment.order is None]
    assert free
    assert all(SCHOOL.course(enrolment.course).is_free for enrolment in free)


def test_a_refund_ends_the_enrolment(history: DemoHistory) -> None:
    orders = {order.number: order for order in history.orders}
    for enrolment in history.enrolments:
        if enrolment.order:
            order = orders[enrolment.order]
            assert enrolment.ended_at == (order.closed_at if order.state == "refunded" else None)


def test_lessons_are_completed_in_order_while_the_course_is_open(large: DemoHistory) -> None:
    lessons = {course.slug: [lesson.slug for lesson in course.lessons] for course in SCHOOL.courses}
    for enrolment in large.enrolments:
        progress = enrolment.progress
        done = [completion.lesson for completion in progress.completed]
        assert done == lessons[enrolment.course][: len(done)]
        times = [enrolment.enrolled_at, *(completion.completed_at for completion in progress.completed)]
        assert times == sorted(times)
        assert times[-1] <= (enrolment.ended_at or UNTIL)
        assert (progress.finished_at is not None) == (done == lessons[enrolment.course])
        if progress.last_seen_at:
            assert times[-1] <= progress.last_seen_at <= (enrolment.ended_at or UNTIL)


def test_the_lesson_that_lies_open_is_the_next_one(large: DemoHistory) -> None:
    stopped = 0
    for enrolment in large.enrolments:
        progress = enrolment.progress
        if progress.lesson is None:
            assert progress.position == 0
            continue
        slug, seconds, is_video = Syllabus.of(SCHOOL.course(enrolment.course)).lessons[len(progress.completed)]
        assert progress.lesson == slug
        assert 0 <= progress.position < seconds
        assert is_video or progress.position == 0
        stopped += progress.position > 0
    assert stopped > 20


def test_some_finish_many_are_in_the_middle_and_some_never_begin(large: DemoHistory) -> None:
    share = Counter(
        "finished" if enrolment.progress.finished_at else "begun" if enrolment.progress.completed else "not begun"
        for enrolment in large.enrolments
    )
    whole = sum(share.values())
    assert 0.2 < share["finished"] / whole < 0.45
    assert 0.2 < share["begun"] / whole < 0.6
    assert 0.1 < share["not begun"] / whole < 0.4


def test_sundays_and_evenings_are_busy_and_nights_are_not(large: DemoHistory) -> None:
    days = Counter(order.placed_at.weekday() for order in large.orders)
    assert max(days, key=days.__getitem__) == 6
    hours = Counter(order.placed_at.hour for order in large.orders)
    assert sum(hours[hour] for hour in (16, 17, 18, 19)) > 6 * sum(hours[hour] for hour in (0, 1, 2, 23))


def test_summer_is_quiet_and_the_autumn_letter_is_answered(large: DemoHistory) -> None:
    days = Counter(order.placed_at.date() for order in large.orders)
    months = Counter(order.placed_at.month for order in large.orders if order.placed_at.year == 2026)
    assert months[8] < 0.75 * months[6]
    assert months[8] < 0.6 * months[10]
    letter = [days[datetime(2026, 11, 14 + day, tzinfo=UTC).date()] for day in range(2)]
    ordinary = [days[datetime(2026, 11, 1 + day, tzinfo=UTC).date()] for day in range(12)]
    assert sum(letter) / 2 > 1.7 * sum(ordinary) / 12


def test_the_school_grows() -> None:
    since = UNTIL - timedelta(days=730)
    moments = list(Curve(since, UNTIL, SCHOOL.time_zone).moments(Random(1), 8_000))
    middle = (UNTIL - timedelta(days=365)).timestamp()
    assert 1.5 < sum(moment >= middle for moment in moments) / sum(moment < middle for moment in moments) < 2.0
    today = UNTIL.date()
    assert day_rate(today, today) > day_rate(today - timedelta(days=364), today)


def test_nobody_buys_a_course_before_it_is_out(large: DemoHistory) -> None:
    for course in SCHOOL.courses:
        out = UNTIL - timedelta(days=course.age_days + 1)
        placed = [order.placed_at for order in large.orders if course.slug in {line.course for line in order.lines}]
        assert min(placed, default=UNTIL) >= out


def test_moments_ascend_and_stay_inside() -> None:
    since = UNTIL - timedelta(days=30)
    moments = list(Curve(since, UNTIL, "Europe/Tallinn").moments(Random(1), 5_000))
    assert moments == sorted(moments)
    assert since.timestamp() - 3600 < moments[0]
    assert moments[-1] < UNTIL.timestamp()


def test_a_curve_of_no_time_is_refused() -> None:
    with pytest.raises(ValueError, match="hour"):
        Curve(UNTIL, UNTIL, "UTC")


def test_a_school_of_one_and_a_day_in_any_season_work() -> None:
    alone = generate(1, school=SCHOOL, until=datetime(2025, 3, 1, tzinfo=UTC), members=1, orders=2)
    assert [order.member for order in alone.orders] == [1, 1]
    assert generate(1, school=SCHOOL, until=UNTIL, members=3, orders=0).orders == []


def test_what_cannot_be_is_refused_with_a_reason() -> None:
    with pytest.raises(ValueError, match="too many"):
        year(members=10, orders=100)
    with pytest.raises(ValueError, match="aware"):
        generate(1, school=SCHOOL, until=datetime(2026, 1, 1))  # noqa: DTZ001 - it is what is refused
    with pytest.raises(ValueError, match="too many"):
        year(members=0, orders=0)
