"""A list as CSV: the same filters and sort, all rows, streamed from a cursor, noted in the audit log.

The file begins with a byte order mark, since Excel reads UTF-8 as the local code page without one. Text that a
spreadsheet would run as a formula gets an apostrophe in front (OWASP, CSV injection); numbers are left alone.
"""

import csv
import io
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import aclosing
from datetime import date, datetime
from decimal import Decimal
from typing import Any
from weakref import WeakSet
from zoneinfo import ZoneInfo

from babel.numbers import get_currency_precision
from quart import Response, request

from app.core import audit, clock, db
from app.core.errors import Unavailable
from app.core.i18n import _
from app.core.settings import school
from app.web.tables.declaration import Choices, Listing
from app.web.tables.state import read
from app.web.tables.statements import statement

_BATCH = 200
# Each holds a connection for as long as its reader takes; the pages need the others.
_AT_ONCE = 3


class _Place:
    """One export's place among those at once: taken when it is asked for, free when nobody holds it any more."""


_taken_places: WeakSet[_Place] = WeakSet()
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n")


async def export(
    listing: Listing, *, binds: Mapping[str, Any] | None = None, choices: Choices | None = None
) -> Response:
    """The rows that the address asks for as a file, read while it is sent. Raises Unavailable while many are."""
    place = take_place()
    zone = (await school()).zone
    state = read(listing, request.args, choices)
    sql, filter_binds = statement(listing, state, zone, choices)
    async with db.transaction():
        await audit.record(
            f"{listing.name}.export", "list", listing.name, after={**state.values, "sort": state.sort_name}
        )
    await db.release()
    rows = db.stream(db.Row, sql, **(binds or {}), **filter_binds)
    day = clock.now().astimezone(zone).date().isoformat()
    return answer(_columns(listing), rows, zone, f"{listing.name}-{day}.csv", place)


def answer(
    columns: Sequence[tuple[str, str | Callable[[Any], Any]]],
    rows: AsyncIterator[Any],
    zone: ZoneInfo,
    name: str,
    place: _Place,
) -> Response:
    """Rows as a file of this name; a column is its title and the name of an attribute, or what makes a value of a row;
    `place` comes from `take_place`.
    """
    named = [(title, _getter(value)) for title, value in columns]
    response = Response(_lines(named, rows, zone, place), content_type="text/csv; charset=utf-8")
    response.headers["Content-Disposition"] = f'attachment; filename="{name}"'
    response.headers["Cache-Control"] = "private, no-store"
    response.timeout = None
    return response


def take_place() -> _Place:
    """A place among the files that are read at once. Raises Unavailable when there is none."""
    if len(_taken_places) >= _AT_ONCE:
        raise Unavailable(_("Several lists are being exported just now. Please try again in a minute."), retry_after=60)
    place = _Place()
    _taken_places.add(place)
    return place


def amount(minor: str, currency: str) -> Callable[[Any], Decimal]:
    """For `Listing.export`: the row's minor units `minor` as an amount with the digits of the currency in `currency`."""

    def value(row: Any) -> Decimal:
        return Decimal(getattr(row, minor)).scaleb(-get_currency_precision(getattr(row, currency)))

    return value


def _columns(listing: Listing) -> list[tuple[str, Callable[[Any], Any]]]:
    if listing.export is not None:
        return [(str(label), _getter(value)) for label, value in listing.export]
    return [(str(column.label), _getter(column.key)) for column in listing.columns]


def _getter(value: str | Callable[[Any], Any]) -> Callable[[Any], Any]:
    return value if callable(value) else lambda row: getattr(row, value)


async def _lines(
    columns: Sequence[tuple[str, Callable[[Any], Any]]], rows: AsyncIterator[Any], zone: ZoneInfo, _place: _Place
) -> AsyncIterator[bytes]:
    """The file, some rows at a time. Its place is free when it is through, or was thrown away before it began."""
    buffer = io.StringIO()
    writer = csv.writer(buffer)
    buffer.write("\ufeff")
    writer.writerow([label for label, _value in columns])
    async with aclosing(rows) as open_rows:  # type: ignore[type-var]
        number = 0
        async for row in open_rows:
            writer.writerow([cell(value(row), zone) for _label, value in columns])
            number += 1
            if number % _BATCH == 0:
                yield _taken(buffer)
    yield _taken(buffer)


def _taken(buffer: io.StringIO) -> bytes:
    text = buffer.getvalue()
    buffer.seek(0)
    buffer.truncate()
    return text.encode()


def cell(value: Any, zone: ZoneInfo) -> str:
    """A value as a cell: moments in the school's time zone, text that cannot act as a formula."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return _("yes") if value else _("no")
    if isinstance(value, datetime):
        return value.astimezone(zone).strftime("%Y-%m-%d %H:%M:%S")
    if isinstance(value, int | Decimal | float | date):
        return str(value)
    text = str(value)
    return f"'{text}" if text.startswith(_FORMULA) else text
