from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

from hypothesis import given
from hypothesis import strategies as st

from app.admin.models import choose_period

TODAY = date(2026, 11, 20)


def test_thirty_days_end_today_and_follow_thirty_others() -> None:
    period = choose_period("", "", "", TODAY)
    assert (period.first, period.last, period.days) == (date(2026, 10, 22), TODAY, 30)
    assert (period.before_first, period.before_last) == (date(2026, 9, 22), date(2026, 10, 21))


def test_this_month_is_compared_with_the_month_before() -> None:
    period = choose_period("this-month", "", "", TODAY)
    assert (period.first, period.last, period.before_first) == (date(2026, 11, 1), TODAY, date(2026, 10, 1))


def test_last_month_is_whole() -> None:
    period = choose_period("last-month", "", "", date(2026, 3, 31))
    assert (period.first, period.last, period.before_first) == (date(2026, 2, 1), date(2026, 2, 28), date(2026, 1, 1))


def test_two_dates_are_a_period_of_their_own() -> None:
    period = choose_period("7", "2026-11-01", "2026-11-10", TODAY)
    assert (period.name, period.days, period.before_first) == ("custom", 10, date(2026, 10, 22))


def test_days_begin_at_midnight_of_the_school() -> None:
    period = choose_period("", "2026-10-25", "2026-10-25", TODAY)  # summer time ends: a day of 25 hours
    _start, middle, end = period.bounds(ZoneInfo("Europe/Berlin"))
    assert middle == datetime(2026, 10, 24, 22, tzinfo=UTC)
    assert end - middle == timedelta(hours=25)


@given(st.text(max_size=12), st.text(max_size=12) | st.dates().map(str), st.text(max_size=12) | st.dates().map(str))
def test_whatever_stands_in_the_address_gives_a_period(name: str, first: str, last: str) -> None:
    period = choose_period(name, first, last, TODAY)
    assert period.before_first < period.first <= period.last <= TODAY
    assert period.days <= 3 * 366 + 1
    start, middle, end = period.bounds(ZoneInfo("Pacific/Auckland"))
    assert start < middle < end
