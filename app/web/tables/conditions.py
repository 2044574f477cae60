"""The filters that are set, as parts of a WHERE, and how the rows of each are found."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from app.web.tables.declaration import Choice, Choices, Dates, Listing, Search, Select, choices_of, names
from app.web.tables.state import State
from app.web.tables.words import begin_words, is_short, letters_of


@dataclass(frozen=True, slots=True)
class Condition:
    """A part of the WHERE: whether it always holds for the list, is about its dates, has an index that finds its rows;
    and of which table of the list it is, with its alias, and a SELECT of these rows, where finding them first is best.
    `search`: these come in no order; `names`: very many may have what is searched for; `certain`: a part of it that is
    cheap to ask, where the whole is not.
    """

    sql: str
    table: str = ""
    rows: str = ""
    always: bool = False
    dates: bool = False
    indexed: bool = False
    rare: bool = False
    search: bool = False
    names: bool = False
    certain: str = ""


# Of so few days the rows lie together, and are fewer than those that a name of very many finds all over the table.
_FEW_DAYS = timedelta(days=3)
# A condition, and the values of its binds.
_Bound = tuple[Condition, dict[str, Any]]


def conditions_of(
    listing: Listing, state: State, zone: ZoneInfo, choices: Choices | None
) -> tuple[list[Condition], dict[str, Any]]:
    """What always holds and what the set filters ask, and the binds of all, those of their `rows` among them."""
    table = " ".join(listing.source.split()[:2])
    found: list[_Bound] = [(Condition(f"({listing.where})", always=True), {})] if listing.where else []
    for item in listing.filters:
        if isinstance(item, Dates):
            found += _of_dates(item, state, table, zone)
        elif text := state.values.get(item.name):
            if isinstance(item, Search):
                found += _of_search(item, text, table)
            elif isinstance(item, Select):
                chosen = next(choice for choice in choices_of(item, choices) if choice.value == text)
                found.append((_of_choice(item, chosen, table), {}))
            else:
                found.append((Condition(f"({item.where})", indexed=item.indexed), {}))
    conditions = _found_together([condition for condition, _binds in found])
    return conditions, {name: value for _condition, binds in found for name, value in binds.items()}


def chosen(listing: Listing, state: State, choices: Choices | None) -> list[Choice]:
    """The values of Selects that are set."""
    return [
        choice
        for item in listing.filters
        for choice in choices_of(item, choices)
        if choice.value == state.values.get(item.name)
    ]


def _of_search(item: Search, text: str, table: str) -> Iterator[_Bound]:
    bind = f"filter_{item.name}"
    if not item.words:
        for n, word in enumerate(text.split()[:6]):
            ways = " OR ".join(f"{expression} ILIKE :{bind}_{n}" for expression in item.expressions)
            yield Condition(f"({ways})"), {f"{bind}_{n}": f"%{_unwild(word)}%"}
        return
    binds: dict[str, Any] = {bind: begin_words(text)}
    matches = found_by = f"{item.words} @@ CAST(:{bind} AS tsquery)"
    if item.of_names and is_short(text):
        found_by = f"word_beginnings({item.words}) @> CAST(:{bind}_letters AS text[])"
        binds[f"{bind}_letters"] = letters_of(text)
    yield Condition(matches, table, _all_of_row(table, found_by), search=True, names=item.of_names), binds


def _of_choice(item: Select, choice: Choice, table: str) -> Condition:
    if choice.where:
        rows = choice.rows or (_all_of_row(table, choice.where) if choice.rare else "")
        return Condition(f"({choice.where})", table, rows, indexed=choice.indexed, rare=choice.rare)
    # Written out, so that the planner knows how many rows have it and which partial index they are in.
    return Condition(f"{item.expression} = {_literal(choice.value)}", indexed=choice.indexed)


def _of_dates(item: Dates, state: State, table: str, zone: ZoneInfo) -> Iterator[_Bound]:
    first, last = (state.values.get(name) for name in names(item))
    if item.where:
        if first or last:
            days = {"first": first or "1970-01-01", "last": last or "2200-12-31"}
            where = f"({_on_days(item.where, days)})"
            if item.within:
                certain = f"({_on_days(item.certain, days)})"
                yield Condition(f"({_on_days(item.within, days)})", dates=True), {}
                yield Condition(f"({certain} OR {where})", certain=certain), {}
            else:
                yield Condition(where, dates=True), {}
        return
    # Written out too: for any two moments the planner would think of a two-hundredth of the table.
    is_few = bool(first and last and date.fromisoformat(last) - date.fromisoformat(first) < _FEW_DAYS)
    if first:
        begin = _midnight(date.fromisoformat(first), zone)
        yield Condition(f"{item.expression} >= TIMESTAMPTZ {_literal(begin)}", table, dates=True, rare=is_few), {}
    if last:
        end = _midnight(date.fromisoformat(last) + timedelta(days=1), zone)
        yield Condition(f"{item.expression} < TIMESTAMPTZ {_literal(end)}", table, dates=True, rare=is_few), {}


def _on_days(where: str, days: dict[str, str]) -> str:
    return re.sub(r":(first|last)\b", lambda bind: f"DATE {_literal(days[bind[1]])}", where)


def _found_together(conditions: list[Condition]) -> list[Condition]:
    """Several searches in one table find rows together: which of them finds the fewest is what PostgreSQL knows."""
    searches = [condition for condition in conditions if condition.search]
    if len(searches) < 2 or len({condition.table for condition in searches}) > 1:
        return conditions
    rows = f"{searches[0].rows} AND {all_of(condition.sql for condition in searches[1:])}"
    return [replace(one, rows=rows) if one.search else one for one in conditions]


def all_of(conditions: Iterable[str]) -> str:
    """All of these, or "true"."""
    return " AND ".join(conditions) or "true"


def _all_of_row(table: str, where: str) -> str:
    return f"SELECT {table.split()[1]}.* FROM {table} WHERE {where}"  # noqa: S608 (fragments of a declaration)


def _literal(value: str) -> str:
    return "'" + value.replace("'", "''") + "'"


def _unwild(word: str) -> str:
    return word.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")


def _midnight(day: date, zone: ZoneInfo) -> str:
    return datetime.combine(day, time(), zone).astimezone(UTC).isoformat()
