"""From what is asked for to a statement: what is counted, what is found first, what is walked along."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any
from zoneinfo import ZoneInfo

from app.web.tables.conditions import Condition, all_of, chosen, conditions_of
from app.web.tables.declaration import Choices, Listing, Search
from app.web.tables.order import is_own_order, order_of, own_order, place_and_order, renamed
from app.web.tables.state import State
from app.web.tables.words import is_short

# Counting on costs more than the page itself, and nobody reads the difference.
COUNT_LIMIT = 1_000
# Along the list, so many rows are looked at for a word of one or two letters, and for one that is known to be common.
_WALK = 2_000
_LONG_WALK = 6_000
# Of what such words find, so many are sorted where not all are.
_FEW = 250
# Of what else is found first, so many are taken where all are: beyond, the walk along the list is shorter. It passes 4,000
# of 200,000 rows.
FOUND = 2_000


@dataclass(frozen=True, slots=True)
class _Asked:
    """A page that is asked for, in SQL: its conditions, behind which place ("true": from the beginning), in what order,
    how many rows.
    """

    listing: Listing
    state: State
    conditions: Sequence[Condition]
    place: str
    order: str
    limit: int


def statement(
    listing: Listing, state: State, zone: ZoneInfo, choices: Choices | None = None, *, limit: int | None = None
) -> tuple[str, dict[str, Any]]:
    """The SELECT and its binds, without those of `listing.where`; `limit` None is the whole list (the export)."""
    conditions, binds = conditions_of(listing, state, zone, choices)
    if limit is None:
        filtered = all_of(condition.sql for condition in conditions)
        order = order_of(listing, state, backward=False)
        return _with_binds(f"SELECT {listing.select} FROM {listing.source} WHERE {filtered} ORDER BY {order}", binds)  # noqa: S608 (fragments of a declaration)
    place, order, place_binds = place_and_order(listing, state)
    asked = _Asked(listing, state, conditions, place, order, limit)
    found = _found_first(listing, state, conditions)
    sql = _from_found(asked, found, is_cut=cut_short(listing, state, choices)) if found else _along_the_list(asked)
    return _with_binds(sql, binds | place_binds)


def met_soon(
    listing: Listing, state: State, zone: ZoneInfo, choices: Choices | None = None, *, limit: int
) -> tuple[str, dict[str, Any]] | None:
    """For a search of one or two letters among names, or of what is known to be common: a SELECT like that of `statement`
    that reads no index of words but some rows along the order. None for any other search.

    There is always a row. Its `list_is_enough` says whether the page was met; if not, `statement` has it. A row whose
    `list_key` is NULL stands for none.
    """
    if not state.about and not _is_short(listing, state, of_names=True):
        return None
    conditions, binds = conditions_of(listing, state, zone, choices)
    if any(one.rows and not one.search for one in conditions):
        return None
    if not is_own_order(listing, state):
        # Names have much to do with these words: they may be met late along their order.
        if state.sort.of_names or any(one.dates for one in conditions):
            return None
        if state.about and any(not one.search and not one.always for one in conditions):
            return None
        conditions = [replace(one, indexed=False) for one in conditions]
    first, rest = _split(conditions)
    place, order, place_binds = place_and_order(listing, state)
    asked = _Asked(listing, state, conditions, place, order, limit)
    source = _needed(listing.source, [rest, first, place, order, own_order(listing)])
    fits = f"({rest}) AS fits FROM {source} WHERE {first}"
    most = _LONG_WALK if state.about else _WALK
    # The first page counts itself. Behind it, what is near the list's beginning tells how many there are.
    is_more, total = f"is_more OR (SELECT count(*) FROM near) = {most}", "(SELECT count(*) FROM near WHERE fits)"  # noqa: S608 (constants)
    if state.cursor is None:
        is_more, total = "is_more", "(SELECT count(*) FROM picked)"
    # PostgreSQL walks only as far as somebody reads: up to a whole page, or to the end. To keep what is passed would cost
    # more than to pass it once more where no page is met.
    sql = f"""
        WITH walk AS NOT MATERIALIZED (SELECT {listing.key} AS row_key, {fits} AND {place} ORDER BY {order} LIMIT {most}),
        picked AS MATERIALIZED (SELECT row_key FROM walk WHERE fits LIMIT {limit}),
        met AS MATERIALIZED (SELECT count(*) = {limit} AS is_more FROM picked),
        near AS MATERIALIZED (SELECT {fits} ORDER BY {own_order(listing)} LIMIT {most}),
        counted AS MATERIALIZED (
            SELECT {is_more} AS is_more, CASE WHEN is_more THEN {limit - 1} ELSE {total} END AS total FROM met)
        SELECT page.*, list_is_enough
        FROM (SELECT is_more OR (SELECT count(*) FROM walk) < {most} AS list_is_enough FROM met) asked
        LEFT JOIN ({_page(asked, _picked(listing))}) page ON list_is_enough
        ORDER BY {place_and_order(*renamed(listing, state, "list_value", "list_key"))[1]}
    """  # noqa: S608 (fragments of a declaration)
    return _with_binds(sql, binds | place_binds)


def matching(
    listing: Listing, state: State, zone: ZoneInfo, choices: Choices | None = None
) -> tuple[str, dict[str, Any]]:
    """A SELECT of the keys of all rows that the filters find, and its binds without those of `listing.where`."""
    conditions, binds = conditions_of(listing, state, zone, choices)
    filtered = all_of(condition.sql for condition in conditions)
    return _with_binds(f"SELECT {listing.key} AS id FROM {listing.source} WHERE {filtered}", binds)  # noqa: S608 (fragments of a declaration)


def cut_short(listing: Listing, state: State, choices: Choices | None) -> bool:
    """Whether only the first rows that are found are sorted, when very many are: in all orders but the list's own, and
    in any where a search goes together with something else that is found first.
    """
    searched = any(isinstance(item, Search) and item.words and item.name in state.values for item in listing.filters)
    by_rows = [choice for choice in chosen(listing, state, choices) if choice.rows]
    if is_own_order(listing, state):
        return searched and bool(by_rows) and not any(choice.rare for choice in by_rows)
    return searched or bool(by_rows)


def _along_the_list(asked: _Asked) -> str:
    """What an index finds is looked at, in the list's own order, for which its index is made, and at most so much."""
    listing = asked.listing
    first, rest = _split(asked.conditions)
    filtered, own = all_of(condition.sql for condition in asked.conditions), own_order(listing)
    fits = f"SELECT ({rest}) AS fits FROM {_needed(listing.source, [rest, first, own])} WHERE {first}"  # noqa: S608 (fragments of a declaration)
    looked_at = f"ORDER BY {own} LIMIT {COUNT_LIMIT + 1}"
    candidates = f"{fits} {looked_at}"
    if certain := next((one.certain for one in asked.conditions if one.certain), ""):
        # Where these alone are more than are counted, PostgreSQL does not come to the others.
        both = (f"({fits} AND {which} {looked_at})" for which in (certain, f"NOT {certain}"))
        candidates = f"{' UNION ALL '.join(both)} LIMIT {COUNT_LIMIT + 1}"
    return f"""
        WITH candidates AS MATERIALIZED ({candidates}),
        {_counted(COUNT_LIMIT)}
        {_page(asked, f"{filtered} AND {asked.place}")}
    """


def _from_found(asked: _Asked, found: Sequence[Condition], *, is_cut: bool) -> str:
    """With an order and a limit the planner likes to walk along the order until enough rows match, which for a rare word
    is all of them. So what the index finds decides: few rows are taken from it, many are met soon on the walk. But a word
    has much to do with the order of names, where many may be met late: then the first that are found are sorted.
    """
    listing, state, conditions = asked.listing, asked.state, asked.conditions
    second = _found_second(conditions, found)
    if found[0].names and not second and not _is_short(listing, state):
        # Where both have an index, PostgreSQL knows best which of them finds fewer; of a log it knows what was so days ago.
        found = [*found, *(one for one in conditions if one.indexed and not one.rows and not one.dates)]
    others = all_of(condition.sql for condition in conditions if condition not in found and condition is not second)
    looked_at = [others, listing.key, state.sort.sort]
    if second:
        few = _both_found(asked, found, second, [*looked_at, *(condition.sql for condition in conditions)])
    else:
        few = _found_alone(asked, found, looked_at, is_cut=is_cut)
    place, order, _binds = place_and_order(*renamed(listing, state, "row_value", "row_key"))
    # In a form that the words' index does not know, and that is thought to hold for many rows, as it does here: a plan for
    # any word would bring all together from the index, and sort them.
    walked = all_of(f"CASE WHEN {one.sql} THEN true ELSE false END" if one.search else one.sql for one in conditions)
    # An index of words brings rows as they lie, the oldest first: where only the newest are kept, each row displaces another.
    # To sort all of them is quicker; a CTE is read in the order in which it was written.
    sorted_by = f"ORDER BY {order}" if is_own_order(listing, state) else ""
    is_many, is_part = "(SELECT is_more FROM counted)", second is not None or is_cut
    if is_part:
        # None of the first thousand may fit, and still some of the others.
        is_many += " AND NOT EXISTS (SELECT 1 FROM of_few)"
    return f"""
        WITH {few.steps}
        candidates AS MATERIALIZED (
            SELECT {listing.key} AS row_key, {few.value} AS row_value, ({others}) AS fits FROM {few.source} {sorted_by}),
        {few.counted},
        of_few AS MATERIALIZED (
            SELECT row_key FROM candidates
            WHERE fits AND {place}{"" if is_part else " AND (SELECT NOT is_more FROM counted)"}
            {"" if sorted_by else f"ORDER BY {order}"} LIMIT {asked.limit}),
        picked AS MATERIALIZED (
            SELECT * FROM of_few
            UNION ALL (SELECT {listing.key} FROM {_needed(listing.source, [walked, asked.place, asked.order])}
                       WHERE {is_many} AND {walked} AND {asked.place} ORDER BY {asked.order} LIMIT {asked.limit}))
        {_page(asked, _picked(listing))}
    """  # noqa: S608 (fragments of a declaration)


@dataclass(frozen=True, slots=True)
class _Few:
    """What is found first, in SQL: the steps to it, each with its comma, where it is read from, what its rows are sorted by,
    how they are counted.
    """

    steps: str
    source: str
    value: str
    counted: str


def _found_alone(asked: _Asked, found: Sequence[Condition], looked_at: Sequence[str], *, is_cut: bool) -> _Few:
    """What one search, or one other condition, finds."""
    table, alias, value = found[0].table, found[0].table.split()[1], asked.state.sort.sort
    source = _needed(asked.listing.source, looked_at)
    most = _how_many(asked.listing, asked.state, found, all_count=not is_cut)
    rows, steps = _narrowed(found[0].rows or _rows_of(found), alias, [*looked_at, source]), ""
    if also := [one.sql for one in found if one.indexed and not one.rows]:
        # As if all were wanted: for some of them PostgreSQL might choose the index that it thinks to meet them soon along.
        # It reads no further than is asked for all the same.
        steps = f"both_found AS MATERIALIZED ({all_of([rows, *also])}),"
        rows = f"SELECT {alias}.* FROM both_found {alias}"  # noqa: S608 (fragments of a declaration)
    rows = f"{rows} LIMIT {most + 1}"
    is_worked_out = not is_cut and not re.fullmatch(rf"{alias}\.\w+", value)
    if source == table and not is_worked_out:
        # Nothing else is looked at, so one reading does.
        return _Few(steps, f"({rows}) {alias}", value, _counted(most))
    if is_worked_out:
        # That takes a while, and where all are walked to it is not asked for.
        value = f"CASE WHEN (SELECT count(*) <= {most} FROM matched) THEN {value} END"  # noqa: S608 (fragments of a declaration)
    counted = _counted(most, of="matched")
    return _Few(f"{steps} matched AS MATERIALIZED ({rows}),", _matched(source, table), value, counted)


def _both_found(asked: _Asked, found: Sequence[Condition], second: Condition, looked_at: Iterable[str]) -> _Few:
    """Of a search that finds very many, those rows that something else finds."""
    table, alias = found[0].table, found[0].table.split()[1]
    source, most = asked.listing.source, _how_many(asked.listing, asked.state, found, all_count=False)
    looked_at = [*looked_at, source]
    searched = all_of(condition.sql for condition in found)
    steps = f"""
        searched AS MATERIALIZED ({_first_rows(found[0].rows, alias, looked_at, most)}),
        many AS MATERIALIZED (SELECT count(*) > {most} AS found FROM searched),
        others AS MATERIALIZED (
            SELECT * FROM ({_first_rows(second.rows, alias, looked_at, COUNT_LIMIT)}) {alias}
            WHERE (SELECT found FROM many)),
        matched AS MATERIALIZED (
            SELECT * FROM searched {alias} WHERE (SELECT NOT found FROM many) AND {second.sql}
            UNION ALL SELECT * FROM others {alias} WHERE {searched}),"""  # noqa: S608 (fragments of a declaration)
    counted = _counted(COUNT_LIMIT, of="others")
    return _Few(steps, _matched(source, table), asked.state.sort.sort, counted)


def _first_rows(rows: str, alias: str, looked_at: Iterable[str], number: int) -> str:
    """One row more than is asked for, which tells of others."""
    return f"{_narrowed(rows, alias, looked_at)} LIMIT {number + 1}"


def _narrowed(rows: str, alias: str, looked_at: Iterable[str]) -> str:
    """No more of a row is taken along than is looked at."""
    return rows.replace(f"{alias}.*", _columns_of(alias, looked_at), 1)


def _matched(source: str, table: str) -> str:
    return source.replace(table, f"matched {table.split()[1]}")


def _how_many(listing: Listing, state: State, found: Sequence[Condition], *, all_count: bool) -> int:
    """So many rows are found first; where `all_count`, more than these are walked to."""
    if all_count:
        return FOUND if found[0].search or found[0].dates else COUNT_LIMIT
    is_common = _is_short(listing, state) or state.about
    return _FEW if is_common and all(one.search for one in found) else COUNT_LIMIT


def _found_first(listing: Listing, state: State, conditions: Sequence[Condition]) -> list[Condition] | None:
    """Conditions whose rows are found before all else: of a search or of another table; in another order of the dates.

    Where a name is searched for within a few days, those of the days: they lie together. Not in another order, where only
    some of them would be sorted if there are very many.
    """
    by_rows = [condition for condition in conditions if condition.rows]
    by_rows.sort(key=lambda one: (not one.rare, one.search and state.about > 0))
    dates = [condition for condition in conditions if condition.dates and condition.table]
    is_own, is_name = is_own_order(listing, state), all(condition.names for condition in by_rows)
    if by_rows and not (is_own and is_name and any(date.rare for date in dates)):
        return [one for one in by_rows if one.rows == by_rows[0].rows]
    return None if not dates or (is_own and not by_rows) else dates


def _found_second(conditions: Sequence[Condition], found: Sequence[Condition]) -> Condition | None:
    """What else finds rows, in an order of its own: where a search finds very many, both would be met late on a walk."""
    if not found[0].search:
        return None
    return next((one for one in conditions if one.rows and not one.search and one.table == found[0].table), None)


def _rows_of(dates: Sequence[Condition]) -> str:
    alias = dates[0].table.split()[1]
    return f"SELECT {alias}.* FROM {dates[0].table} WHERE {all_of(one.sql for one in dates)}"  # noqa: S608 (fragments of a declaration)


def _is_short(listing: Listing, state: State, *, of_names: bool = False) -> bool:
    """Whether words of one or two letters are searched for, and nothing longer; where asked for, among names."""
    searches = [item for item in listing.filters if isinstance(item, Search) and item.name in state.values]
    if not searches or (of_names and not all(item.of_names for item in searches)):
        return False
    return all(is_short(state.values[item.name]) for item in searches)


def _split(conditions: Sequence[Condition]) -> tuple[str, str]:
    """Those that one index can serve, and the others."""
    chosen = next((condition for condition in conditions if condition.indexed and not condition.dates), None)
    first = [condition for condition in conditions if condition is chosen or condition.dates or condition.always]
    return all_of(condition.sql for condition in first), all_of(one.sql for one in conditions if one not in first)


def _counted(most: int, *, of: str = "candidates") -> str:
    """How many of the candidates fit the rest of the conditions, and whether there are more `of` these rows than are looked at."""
    is_more = f"count(*) > {most}" if of == "candidates" else f"(SELECT count(*) > {most} FROM {of})"  # noqa: S608 (fragments of a declaration)
    return f"""counted AS MATERIALIZED (
        SELECT least(count(*) FILTER (WHERE fits), {most}) AS total, {is_more} AS is_more FROM candidates)"""  # noqa: S608 (fragments of a declaration)


def _page(asked: _Asked, filtered: str) -> str:
    listing = asked.listing
    picked = f"{listing.pick} AS list_pick, " if listing.pick else ""
    return f"""
        SELECT {listing.select}, {picked}{asked.state.sort.sort} AS list_value, {listing.key} AS list_key,
               (SELECT total FROM counted) AS list_total, (SELECT is_more FROM counted) AS list_is_more
        FROM {listing.source}
        WHERE {filtered}
        ORDER BY {asked.order}
        LIMIT {asked.limit}
    """  # noqa: S608 (fragments of a declaration)


def _picked(listing: Listing) -> str:
    return f"{listing.key} = ANY (ARRAY(SELECT row_key FROM picked))"  # noqa: S608 (fragments of a declaration)


def _needed(source: str, fragments: Iterable[str]) -> str:
    """The list's own table where these name nothing else: a join brings what is shown, and leaves no row out."""
    joined = re.findall(r"\bJOIN\s+\w+\s+(\w+)", source)
    text = " ".join(fragments)
    is_needed = any(re.search(rf"\b{alias}\.", text) for alias in joined)
    return " ".join(source.split()[:2]) if joined and not is_needed else source


def _columns_of(alias: str, fragments: Iterable[str]) -> str:
    """The columns of a table that these name, to take no more along than is looked at."""
    found = {column for fragment in fragments for column in re.findall(rf"\b{alias}\.(\w+)", fragment)}
    return ", ".join(f"{alias}.{column}" for column in sorted(found))


def _with_binds(sql: str, binds: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    """The statement with those binds that it names: how rows are found first, and how they are told, may need others."""
    return sql, {name: value for name, value in binds.items() if re.search(rf":{name}\b", sql)}
