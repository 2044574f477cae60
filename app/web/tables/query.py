"""From the address to a statement: cleaned state, conditions, order, keyset place."""

import contextlib
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
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


@dataclass(frozen=True, slots=True)
class Condition:
    """A part of the WHERE: whether it always holds for the list, is about its dates, has an index that finds its rows;
    and of which table of the list it is, with its alias, and a SELECT of these rows, where finding them first is best.
    `search`: these come in no order.
    """

    sql: str
    table: str = ""
    rows: str = ""
    always: bool = False
    dates: bool = False
    indexed: bool = False
    rare: bool = False
    search: bool = False


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
    filtered = _all(condition.sql for condition in conditions)
    backward = limit is not None and state.cursor is not None and state.cursor.backward
    order = _order(listing, state, backward=backward)
    if limit is None:
        return f"SELECT {listing.select} FROM {listing.source} WHERE {filtered} ORDER BY {order}", binds  # noqa: S608
    place = ""
    if state.cursor is not None:
        place, place_binds = _place(listing, state, state.cursor)
        binds |= place_binds
        place = f" AND {place}"
    found = _found_first(listing, state, conditions)
    if found is None:
        # What an index finds is looked at, in the list's own order, for which its index is made, and at most so much.
        first, rest = _split(conditions)
        sql = f"""
            WITH {_counted(rest, f"{listing.source} WHERE {first} ORDER BY {_own_order(listing)} LIMIT {COUNT_LIMIT + 1}")}
            {_page(listing, state, filtered, place, order, limit)}
        """
        return sql, binds
    # With an order and a limit the planner likes to walk along the order until enough rows match, which for a rare word
    # is all of them. So what the index finds decides: few rows are taken from it, many are met soon on the walk. But
    # a word has much to do with the order of names, where many may be met late: then the first that are found are sorted.
    second = _found_second(conditions, found)
    others = _all(condition.sql for condition in conditions if second or condition not in found)
    few = replace(listing, source=listing.source.replace(found[0].table, f"matched {found[0].table.split()[1]}"))
    counted = _counted(others, few.source, "matched")
    from_few = _page(few, state, others, place, order, limit)
    is_more = "(SELECT is_more FROM counted)"
    if second:
        # None of the first thousand may fit, and still some of the others.
        is_more += " AND NOT EXISTS (SELECT 1 FROM from_few)"
    # In a form that the words' index does not know, and that is thought to hold for many rows, as it does here: a plan for
    # any word would bring all together from the index, and sort them.
    walked = _all(f"CASE WHEN {one.sql} THEN true ELSE false END" if one.search else one.sql for one in conditions)
    on_walk = _page(listing, state, walked, place, order, limit, is_more)
    if second:
        counted += f", from_few AS MATERIALIZED ({from_few})"
        pages = f"SELECT * FROM from_few UNION ALL ({on_walk})"  # noqa: S608
    elif cut_short(listing, state, choices):
        pages = from_few
    else:
        from_few = _page(few, state, others, place, order, limit, "(SELECT NOT is_more FROM counted)")
        pages = f"({from_few}) UNION ALL ({on_walk})"
    matched = f"matched AS MATERIALIZED ({found[0].rows or _rows_of(found)} LIMIT {COUNT_LIMIT + 1})"
    if second:
        matched = f"""searched AS MATERIALIZED ({found[0].rows} LIMIT {COUNT_LIMIT + 1}), matched AS MATERIALIZED (
            SELECT * FROM searched WHERE (SELECT count(*) FROM searched) <= {COUNT_LIMIT} UNION ALL
            SELECT * FROM ({second.rows} LIMIT {COUNT_LIMIT + 1}) first_of_others
            WHERE (SELECT count(*) FROM searched) > {COUNT_LIMIT})"""  # noqa: S608
    return f"WITH {matched}, {counted} {pages}", binds


def matching(
    listing: Listing, state: State, zone: ZoneInfo, choices: Choices | None = None
) -> tuple[str, dict[str, Any]]:
    """A SELECT of the keys of all rows that the filters find, and its binds without those of `listing.where`."""
    conditions, binds = _conditions(listing, state, zone, choices)
    filtered = _all(condition.sql for condition in conditions)
    return f"SELECT {listing.key} AS id FROM {listing.source} WHERE {filtered}", binds  # noqa: S608


def cut_short(listing: Listing, state: State, choices: Choices | None) -> bool:
    """Whether only the first rows that are found are sorted, when very many are: in all orders but the list's own, and
    in any where a search goes together with something else that is found first.
    """
    searched = any(isinstance(item, Search) and item.words and item.name in state.values for item in listing.filters)
    chosen = [
        choice
        for item in listing.filters
        for choice in choices_of(item, choices)
        if choice.rows and choice.value == state.values.get(item.name)
    ]
    if _is_own_order(listing, state):
        return searched and bool(chosen) and not any(choice.rare for choice in chosen)
    return searched or bool(chosen)


def _is_own_order(listing: Listing, state: State) -> bool:
    own = listing.column(listing.sort.removeprefix("-"))
    return own is not None and own.sort == state.sort.sort


def _found_first(listing: Listing, state: State, conditions: Sequence[Condition]) -> list[Condition] | None:
    """Conditions whose rows are found before all else: of a search or of another table; in another order of the dates."""
    by_rows = sorted((condition for condition in conditions if condition.rows), key=lambda one: not one.rare)
    if by_rows:
        return by_rows[:1]
    dates = [condition for condition in conditions if condition.dates and condition.table]
    return None if not dates or _is_own_order(listing, state) else dates


def _found_second(conditions: Sequence[Condition], found: Sequence[Condition]) -> Condition | None:
    """What else finds rows, in an order of its own: where a search finds very many, both would be met late on a walk."""
    if not found[0].search:
        return None
    return next((one for one in conditions if one.rows and not one.search and one.table == found[0].table), None)


def _rows_of(dates: Sequence[Condition]) -> str:
    alias = dates[0].table.split()[1]
    return f"SELECT {alias}.* FROM {dates[0].table} WHERE {_all(one.sql for one in dates)}"  # noqa: S608


def _matches(search: Search) -> str:
    return f"{search.words} @@ CAST(:filter_{search.name} AS tsquery)"


def _split(conditions: Sequence[Condition]) -> tuple[str, str]:
    """Those that one index can serve, and the others."""
    chosen = next((condition for condition in conditions if condition.indexed and not condition.dates), None)
    first = [condition for condition in conditions if condition is chosen or condition.dates or condition.always]
    return _all(condition.sql for condition in first), _all(one.sql for one in conditions if one not in first)


def _counted(rest: str, candidates: str, all_candidates: str = "candidates") -> str:
    """How many of the candidates fit the rest of the conditions, and whether there are more than are looked at."""
    return f"""candidates AS MATERIALIZED (SELECT ({rest}) AS fits FROM {candidates}),
        counted AS MATERIALIZED (
            SELECT (SELECT count(*) FROM candidates WHERE fits) AS total,
                   (SELECT count(*) FROM {all_candidates}) > {COUNT_LIMIT} AS is_more)"""  # noqa: S608


def _page(
    listing: Listing, state: State, filtered: str, place: str, order: str, limit: int, asked: str = "true"
) -> str:
    """`asked` holds for none or all of the rows, and when it does not, none is looked at."""
    picked = f"{listing.pick} AS list_pick, " if listing.pick else ""
    return f"""
        SELECT {listing.select}, {picked}{state.sort.sort} AS list_value, {listing.key} AS list_key,
               (SELECT total FROM counted) AS list_total, (SELECT is_more FROM counted) AS list_is_more
        FROM {listing.source}
        WHERE {asked} AND {filtered}{place}
        ORDER BY {order}
        LIMIT {int(limit)}
    """  # noqa: S608


def _all(conditions: Iterable[str]) -> str:
    return " AND ".join(conditions) or "true"


def _conditions(
    listing: Listing, state: State, zone: ZoneInfo, choices: Choices | None
) -> tuple[list[Condition], dict[str, Any]]:
    found = [Condition(f"({listing.where})", always=True)] if listing.where else []
    binds: dict[str, Any] = {}
    table = " ".join(listing.source.split()[:2])
    for item in listing.filters:
        if isinstance(item, Dates) and item.where:
            if item.from_name in state.values or item.to_name in state.values:
                found.append(Condition(f"({_between(item, state)})", dates=True))
            continue
        for name in names(item):
            text = state.values.get(name)
            if text is None:
                continue
            bind = f"filter_{name}"
            if isinstance(item, Search) and item.words:
                of = item.words_of or table
                rows = f"SELECT {of.split()[1]}.* FROM {of} WHERE {_matches(item)}"  # noqa: S608
                found.append(Condition(_matches(item), of, rows, search=True))
                binds[bind] = begin_words(text)
            elif isinstance(item, Search):
                for n, word in enumerate(text.split()[:6]):
                    ways = " OR ".join(f"{expression} ILIKE :{bind}_{n}" for expression in item.expressions)
                    found.append(Condition(f"({ways})"))
                    binds[f"{bind}_{n}"] = f"%{_unwild(word)}%"
            elif isinstance(item, Select):
                choice = next(choice for choice in choices_of(item, choices) if choice.value == text)
                if choice.where:
                    found.append(
                        Condition(f"({choice.where})", table, choice.rows, indexed=choice.indexed, rare=choice.rare)
                    )
                    continue
                if not item.where:
                    # Written out, so that the planner knows how many rows have it and which partial index they are in.
                    found.append(Condition(f"{item.expression} = {_literal(choice.value)}", indexed=choice.indexed))
                    continue
                found.append(Condition(item.where.replace(":value", f":{bind}"), indexed=choice.indexed))
                binds[bind] = text
            elif isinstance(item, Toggle):
                found.append(Condition(f"({item.where})", indexed=item.indexed))
            else:
                # Written out too: for any two moments the planner would think of a two-hundredth of the table.
                day, sign = date.fromisoformat(text), ">="
                if name == item.to_name:
                    day, sign = day + timedelta(days=1), "<"
                moment = _literal(_midnight(day, zone).isoformat())
                found.append(Condition(f"{item.expression} {sign} TIMESTAMPTZ {moment}", table, dates=True))
    return found, binds


def _literal(value: str) -> str:
    return "'" + value.replace("'", "''") + "'"


def _between(item: Dates, state: State) -> str:
    first = _literal(state.values.get(item.from_name, "1970-01-01"))
    last = _literal(state.values.get(item.to_name, "2200-12-31"))
    return re.sub(r":last\b", f"DATE {last}", re.sub(r":first\b", f"DATE {first}", item.where))


def begin_words(text: str) -> str:
    """A tsquery for `search_words(…)`: every word of `text` must begin one of the row's."""
    words = text.lower().split()[:6]
    return " & ".join("'" + word[:_LONGEST].replace("\\", "\\\\").replace("'", "''") + "':*" for word in words)


def _unwild(word: str) -> str:
    return word.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")


def _midnight(day: date, zone: ZoneInfo) -> datetime:
    return datetime.combine(day, time(), zone).astimezone(UTC)


def _own_order(listing: Listing) -> str:
    own = read(listing, {})
    return _order(listing, own, backward=False)


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
