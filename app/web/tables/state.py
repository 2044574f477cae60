"""What the address of a list says: filters, sort and place, cleaned."""

import contextlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from app.core import tokens
from app.web.forms import unreadable
from app.web.tables.declaration import (
    AnyFilter,
    Choice,
    Choices,
    Column,
    Dates,
    Listing,
    Select,
    Toggle,
    choices_of,
    names,
)

_LONGEST = 200


@dataclass(frozen=True, slots=True)
class Cursor:
    """The row that a page starts behind (or, going back, ends before): its sort value and its key."""

    backward: bool
    value: Any
    key: Any


@dataclass(frozen=True, slots=True)
class State:
    """What the address says, as far as it makes sense. `values` holds parameters of set filters, cleaned.

    `about`: of so many rows or thereabouts what is searched for is known to be, where it is common (see `commonness`).
    """

    values: dict[str, str]
    sort: Column
    descending: bool
    sort_name: str
    cursor: Cursor | None
    about: int = 0


def read(listing: Listing, args: Mapping[str, str], choices: Choices | None = None) -> State:
    """The state that `args` ask for. Never raises for what a person or a robot may send: the senseless is ignored."""
    values: dict[str, str] = {}
    for item in listing.filters:
        for name in names(item):
            cleaned = _cleaned(item, args.get(name, ""), choices_of(item, choices))
            if cleaned:
                values[name] = cleaned
    asked = args.get("sort", "")
    column = listing.column(asked.removeprefix("-"))
    if column is None:
        asked = listing.sort
        column = listing.column(asked.removeprefix("-"))
    if column is None:
        raise RuntimeError(f"the list {listing.name} is sorted by {listing.sort}, which is not a sortable column")
    cursor = _read_cursor(listing, asked, args)
    return State(values, column, asked.startswith("-"), asked, cursor)


def _cleaned(item: AnyFilter, text: str, choices: Sequence[Choice]) -> str:
    text = text.strip()[:_LONGEST]
    if not text or unreadable(text):
        return ""
    if isinstance(item, Select):
        return text if any(choice.value == text for choice in choices) else ""
    if isinstance(item, Toggle):
        return "1" if text == "1" else ""
    if isinstance(item, Dates):
        with contextlib.suppress(ValueError):
            day = date.fromisoformat(text)
            return day.isoformat() if 1970 <= day.year <= 2200 else ""
        return ""
    return text


# Cursors are signed: a value of another type than the column's cannot come back.

_WRITE = {datetime: "t", date: "d", Decimal: "n"}
_READ: dict[str, Any] = {"t": datetime.fromisoformat, "d": date.fromisoformat, "n": Decimal, "": lambda value: value}


def sign_cursor(listing: Listing, state: State, row: Any) -> str:
    value = row.list_value
    if value is None and not state.sort.nullable:
        raise RuntimeError(f"the column {state.sort.key} of the list {listing.name} holds NULL: declare it nullable")
    kind = _WRITE.get(type(value), "")
    return tokens.sign([kind, str(value) if kind else value, row.list_key], _purpose(listing, state.sort_name))


def _read_cursor(listing: Listing, sort_name: str, args: Mapping[str, str]) -> Cursor | None:
    for name in ("after", "before"):
        signed = args.get(name, "")
        found = tokens.unsign(signed, _purpose(listing, sort_name)) if signed else None
        if found is not None:
            kind, value, key = found
            return Cursor(name == "before", _READ[kind](value), key)
    return None


def _purpose(listing: Listing, sort_name: str) -> str:
    return f"list:{listing.name}:{sort_name}"
