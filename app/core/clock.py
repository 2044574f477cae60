"""The only source of "now", so that tests can move time."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

_offset = timedelta(0)


def now() -> datetime:
    """The current moment, aware, in UTC."""
    return datetime.now(UTC) + _offset


@contextmanager
def shifted(by: timedelta) -> Iterator[None]:
    """Let the whole process live `by` later (or earlier) inside the block; for tests and previews."""
    global _offset
    before, _offset = _offset, _offset + by
    try:
        yield
    finally:
        _offset = before


def day_start(day: date, zone: ZoneInfo) -> datetime:
    """The moment, in UTC, at which a day begins somewhere. A day lasts until the next one begins, so that each moment is
    in one day, also where clocks are put back over midnight (it begins at the first of two midnights) or forward over it.
    """
    return datetime.combine(day, time(), zone).astimezone(UTC)
