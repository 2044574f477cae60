"""From the address to a statement: cleaned state, conditions, order, keyset place."""

import contextlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from app.core import tokens
from app.web.forms import unreadable
from app.web.tables.declaration import (
    AnyFilter,
    Choice,
    Choices,
    Column,
    Dates,
    Listing,
    Search,
    Select,
    Toggle,
    choices_of,
    names,
)

# Counting on costs more than the page itself, and nobody reads the difference.
COUNT_LIMIT = 1_000
_LONGEST = 200


@dataclass(frozen=True, slots=True)
class Cursor:
    """The row that a page starts behind (or, going back, ends before): its sort value and its key."""

    backward: bool
    value: Any
    key: Any


@dataclass(frozen=True, slots=True)
class State:
    """What the address says, as far as it makes sense. `values` holds parameters of set filters, cleaned."""

    values: dict[str, str]
    sort: Column
    descending: bool
    sort_name: str
    cursor: Cursor | None


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


def statement(
    listing: Listing, state: State, zone: ZoneInfo, choices: Choices | None = None, *, limit: int | None = None
) -> tuple[str, dict[str, Any]]:
    """The SELECT and its binds, without those of `listing.where`; `limit` None is the whole list (the export)."""
    conditions, binds = _conditions(listing, state, zone, choices)
    filtered = " AND ".join(conditions) or "true"
    backward = limit is not None and state.cursor is not None and state.cursor.backward
    order = _order(listing, state, backward=backward)
    if limit is None:
        return f"SELECT {listing.select} FROM {listing.source} WHERE {filtered} ORDER BY {order}", binds  # noqa: S608
    place = ""
    if state.cursor is not None:
        place, place_binds = _place(listing, state, state.cursor)
        binds |= place_binds
        place = f" AND {place}"
    search = next((i for i in listing.filters if isinstance(i, Search) and i.words and i.name in state.values), None)
    if search is None:
        return _page(listing, state, filtered, place, order, limit), binds
    # With an order and a limit the planner likes to walk along the order until enough rows match, which for a rare word
    # is all of them. So what the index finds decides: few rows are taken from it, many are met soon on the walk.
    few = [f"{listing.key} IN (SELECT id FROM matched)" if c == _matches(search) else c for c in conditions]  # noqa: S608
    taken = f"(SELECT count(*) FROM matched) <= {COUNT_LIMIT} AND {' AND '.join(few)}"  # noqa: S608
    walked = f"(SELECT count(*) FROM matched) > {COUNT_LIMIT} AND {filtered}"  # noqa: S608
    sql = f"""
        WITH matched AS MATERIALIZED (
            SELECT {search.words_key or listing.key} AS id FROM {search.words_of or listing.source}
            WHERE {_matches(search)} LIMIT {COUNT_LIMIT + 1})
        ({_page(listing, state, taken, place, order, limit)})
        UNION ALL
        ({_page(listing, state, walked, place, order, limit)})
    """  # noqa: S608
    return sql, binds


def _matches(search: Search) -> str:
    return f"search_words({search.words}) @@ CAST(:filter_{search.name} AS tsquery)"


def _page(listing: Listing, state: State, filtered: str, place: str, order: str, limit: int) -> str:
    return f"""
        SELECT {listing.select}, {state.sort.sort} AS list_value, {listing.key} AS list_key,
               (SELECT count(*) FROM (SELECT 1 FROM {listing.source} WHERE {filtered}
                                      LIMIT {COUNT_LIMIT + 1}) AS counted) AS list_total
        FROM {listing.source}
        WHERE {filtered}{place}
        ORDER BY {order}
        LIMIT {int(limit)}
    """  # noqa: S608


def _conditions(
    listing: Listing, state: State, zone: ZoneInfo, choices: Choices | None
) -> tuple[list[str], dict[str, Any]]:
    found = [f"({listing.where})"] if listing.where else []
    binds: dict[str, Any] = {}
    for item in listing.filters:
        if isinstance(item, Dates) and item.where:
            between = _between(item, state)
            if between:
                found.append(f"({item.where})")
                binds |= between
            continue
        for name in names(item):
            text = state.values.get(name)
            if text is None:
                continue
            bind = f"filter_{name}"
            if isinstance(item, Search) and item.words:
                found.append(_matches(item))
                binds[bind] = begin_words(text)
            elif isinstance(item, Search):
                for n, word in enumerate(text.split()[:6]):
                    found.append("(" + " OR ".join(f"{e} ILIKE :{bind}_{n}" for e in item.expressions) + ")")
                    binds[f"{bind}_{n}"] = f"%{_unwild(word)}%"
            elif isinstance(item, Select):
                choice = next(choice for choice in choices_of(item, choices) if choice.value == text)
                if choice.where:
                    found.append(f"({choice.where})")
                    continue
                compare = item.where.replace(":value", f":{bind}") if item.where else f"{item.expression} = :{bind}"
                found.append(compare)
                binds[bind] = text
            elif isinstance(item, Toggle):
                found.append(f"({item.where})")
            elif name == item.from_name:
                found.append(f"{item.expression} >= :{bind}")
                binds[bind] = _midnight(date.fromisoformat(text), zone)
            else:
                found.append(f"{item.expression} < :{bind}")
                binds[bind] = _midnight(date.fromisoformat(text) + timedelta(days=1), zone)
    return found, binds


def _between(item: Dates, state: State) -> dict[str, Any]:
    first, last = state.values.get(item.from_name), state.values.get(item.to_name)
    if not first and not last:
        return {}
    return {"first": date.fromisoformat(first or "1970-01-01"), "last": date.fromisoformat(last or "2200-12-31")}


def begin_words(text: str) -> str:
    """A tsquery for `search_words(…)`: every word of `text` must begin one of the row's."""
    words = text.lower().split()[:6]
    return " & ".join("'" + word[:_LONGEST].replace("\\", "\\\\").replace("'", "''") + "':*" for word in words)


def _unwild(word: str) -> str:
    return word.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")


def _midnight(day: date, zone: ZoneInfo) -> datetime:
    return datetime.combine(day, time(), zone).astimezone(UTC)


def _order(listing: Listing, state: State, *, backward: bool) -> str:
    way = "DESC" if state.descending != backward else "ASC"
    # A plain order is what a plain index has; only expressions with NULLs say where those go.
    nulls = f" NULLS {'FIRST' if backward else 'LAST'}" if state.sort.nullable else ""
    return f"{state.sort.sort} {way}{nulls}, {listing.key} {way}"


def _place(listing: Listing, state: State, cursor: Cursor) -> tuple[str, dict[str, Any]]:
    """Rows behind the cursor in the direction of travel."""
    value, key = state.sort.sort, listing.key
    sign = "<" if state.descending != cursor.backward else ">"
    if cursor.value is None:
        same = f"({value} IS NULL AND {key} {sign} :cursor_key)"
        place = f"({value} IS NOT NULL OR {same})" if cursor.backward else same
        return place, {"cursor_key": cursor.key}
    binds = {"cursor_value": cursor.value, "cursor_key": cursor.key}
    place = f"({value}, {key}) {sign} (:cursor_value, :cursor_key)"
    if state.sort.nullable and not cursor.backward:
        place = f"({place} OR {value} IS NULL)"
    return place, binds


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
