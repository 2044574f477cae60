import asyncio
import csv
import gc
import io
import tracemalloc
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from urllib.parse import parse_qsl, urlsplit
from zoneinfo import ZoneInfo

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from app import Lectern
from app.core import db
from app.core.errors import Unavailable
from app.core.settings import save_school
from app.web import tables
from app.web.tables import Choice, Column, Dates, Empty, Listing, Search, Select, Toggle
from app.web.tables.export import cell
from app.web.tables.state import read
from app.web.tables.statements import statement

UTC_ZONE = ZoneInfo("UTC")
DAY = datetime(2026, 11, 20, 12, tzinfo=UTC)

PEOPLE = Listing(
    name="people",
    select="p.id, p.name, p.score, p.price, p.seen, p.state",
    source="""(SELECT * FROM unnest(
                  CAST(:ids AS bigint[]), CAST(:names AS text[]), CAST(:scores AS bigint[]),
                  CAST(:prices AS numeric[]), CAST(:seen AS timestamptz[]), CAST(:states AS text[])
              ) AS u (id, name, score, price, seen, state)) p""",
    key="p.id",
    columns=[
        Column("id", "Number", sort="p.id"),
        Column("name", "Name", sort="p.name"),
        Column("score", "Score", sort="p.score", align="end", nullable=True, descending_first=True),
        Column("price", "Price", sort="p.price", nullable=True),
        Column("seen", "Seen", sort="p.seen", nullable=True),
        Column("state", "State"),
    ],
    filters=[
        Search("q", "Name", ["p.name", "p.state"]),
        Select("state", "Any state", "p.state", [Choice("on", "On"), Choice("any_off", "Off", "p.state <> 'on'")]),
        Dates("seen", "Seen", "p.seen"),
        Toggle("scored", "With a score", "p.score IS NOT NULL"),
    ],
    sort="name",
    empty=Empty("Nobody yet", "People stand here.", "/somewhere", "Go"),
    page_size=3,
)

Person = tuple[str, int | None, Decimal | None, datetime | None, str]
people = st.lists(
    st.tuples(
        st.sampled_from(["", "Ann", "ann", "Bob", "Ö", "=1+1"]),
        st.none() | st.integers(-2, 2),
        st.none() | st.decimals(-1, 1, places=2),
        st.none() | st.integers(0, 3).map(lambda n: DAY + timedelta(hours=n, microseconds=n)),
        st.sampled_from(["on", "off"]),
    ),
    max_size=14,
)
sorts = st.sampled_from(["id", "name", "score", "price", "seen"]).flatmap(lambda key: st.sampled_from([key, "-" + key]))
in_a_running_app = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


def binds(rows: list[Person]) -> dict[str, Any]:
    columns = [list(column) for column in zip(*rows, strict=True)] or [[] for _ in range(5)]
    names = ("names", "scores", "prices", "seen", "states")
    return {"ids": list(range(1, len(rows) + 1)), **dict(zip(names, columns, strict=True))}


def query(url: str) -> dict[str, str]:
    return dict(parse_qsl(urlsplit(url).query))


@given(rows=people, sort=sorts)
@in_a_running_app
async def test_walking_to_the_end_and_back_meets_every_row_once(app: Lectern, rows: list[Person], sort: str) -> None:
    table = await tables.load(PEOPLE, "/people", {"sort": sort}, binds=binds(rows))
    pages = [[row.id for row in table.rows]]
    while table.next_url:
        table = await tables.load(PEOPLE, "/people", query(table.next_url), binds=binds(rows))
        pages.append([row.id for row in table.rows])
    walked = [row for page in pages for row in page]
    assert sorted(walked) == list(range(1, len(rows) + 1))
    assert all(len(page) == PEOPLE.page_size for page in pages[:-1])

    sql, _none = statement(PEOPLE, read(PEOPLE, {"sort": sort}), UTC_ZONE)
    assert walked == [row.id for row in await db.many(db.Row, sql, **binds(rows))]

    back = [pages[-1]]
    while table.prev_url:
        table = await tables.load(PEOPLE, "/people", query(table.prev_url), binds=binds(rows))
        assert table.next_url
        back.insert(0, [row.id for row in table.rows])
    assert back == pages


@given(rows=people, sort=sorts, scored=st.booleans(), state=st.sampled_from(["", "on", "any_off"]))
@in_a_running_app
async def test_filters_show_just_the_rows_they_name(
    app: Lectern, rows: list[Person], sort: str, scored: bool, state: str
) -> None:
    asked = {"sort": sort, "scored": "1" if scored else "", "state": state}
    table = await tables.load(replace(PEOPLE, page_size=50), "/people", asked, binds=binds(rows))
    wanted = {
        number
        for number, (_name, score, _price, _seen, where) in enumerate(rows, start=1)
        if (score is not None or not scored) and (not state or (where == "on") == (state == "on"))
    }
    assert {row.id for row in table.rows} == wanted
    assert table.counted == (str(len(wanted)) if wanted else "")
    assert table.is_filtered == (scored or bool(state))


junk = st.text(max_size=40) | st.sampled_from(
    ["name; DROP TABLE users", "p.name", "-", "--", "1=1) OR (1=1", "' OR ''='", "%", "\\", "\x00", "\ud800", ":ids",
     "9999-12-31", "0001-01-01", "2026-02-30", "2026-11-20", "true", "W10=", "eyJ9.a.b"]
)  # fmt: skip
names = st.sampled_from(["sort", "after", "before", "q", "state", "from", "to", "scored", "format", "name", "DROP"])


@given(asked=st.dictionaries(names, junk))
@in_a_running_app
async def test_whatever_stands_in_the_address_gives_a_page(app: Lectern, asked: dict[str, str]) -> None:
    rows: list[Person] = [("Ann", 1, None, DAY, "on"), ("Bob", None, Decimal(1), None, "off")]
    table = await tables.load(PEOPLE, "/people", asked, binds=binds(rows))
    assert len(table.rows) <= 2


@pytest.mark.parametrize("day", ["9999-12-31", "0001-01-01", "1969-12-31", "2201-01-01"])
def test_days_that_nobody_means_are_no_filter(day: str) -> None:
    assert read(PEOPLE, {"from": day, "to": day}).values == {}


@given(asked=st.dictionaries(names, junk), marked=st.dictionaries(names, junk.map(lambda text: f"{text}ZZ{text}")))
def test_nothing_from_the_address_becomes_sql(asked: dict[str, str], marked: dict[str, str]) -> None:
    sql, _binds = statement(PEOPLE, read(PEOPLE, {**asked, **marked}), UTC_ZONE)
    assert "ZZ" not in sql


async def test_a_cursor_of_another_sort_or_list_starts_from_the_top(app: Lectern) -> None:
    rows: list[Person] = [(f"N{n}", n, None, None, "on") for n in range(9)]
    first = await tables.load(PEOPLE, "/people", {}, binds=binds(rows))
    after = query(first.next_url or "")["after"]
    assert [row.id for row in (await tables.load(PEOPLE, "/p", {"after": after}, binds=binds(rows))).rows] == [4, 5, 6]
    for listing, asked in (
        (PEOPLE, {"after": after, "sort": "-name"}),
        (replace(PEOPLE, name="others"), {"after": after}),
        (PEOPLE, {"after": after[:-2] + "xx"}),
    ):
        table = await tables.load(listing, "/people", asked, binds=binds(rows))
        assert table.prev_url is None
        assert len(table.rows) == 3


async def test_a_place_behind_the_last_row_shows_the_beginning(app: Lectern) -> None:
    rows: list[Person] = [(f"N{n}", n, None, None, "on") for n in range(5)]
    first = await tables.load(PEOPLE, "/people", {}, binds=binds(rows))
    table = await tables.load(PEOPLE, "/people", query(first.next_url or ""), binds=binds(rows[:2]))
    assert [row.id for row in table.rows] == [1, 2]
    assert table.prev_url is None


async def test_a_page_costs_one_query(app: Lectern) -> None:
    rows: list[Person] = [(f"N{n}", n, None, None, "on") for n in range(9)]
    await tables.load(PEOPLE, "/people", {}, binds=binds(rows))
    with db.count_queries() as count:
        await tables.load(PEOPLE, "/people", {"q": "N", "sort": "-score"}, binds=binds(rows))
    assert count.total == 1


async def test_changing_the_sort_keeps_the_filters_and_forgets_the_place(app: Lectern) -> None:
    rows: list[Person] = [(f"N{n}", n, None, None, "on") for n in range(9)]
    first = await tables.load(PEOPLE, "/people", {"state": "on"}, binds=binds(rows))
    second = await tables.load(PEOPLE, "/people", query(first.next_url or ""), binds=binds(rows))
    heads = {head.key: head for head in second.columns}
    assert heads["score"].sort_url == "/people?state=on&sort=-score"
    assert heads["name"].sort_url == "/people?state=on&sort=-name"
    assert heads["name"].sort_state == "ascending"
    assert heads["state"].sort_url is None
    assert second.chips[0].label == "On"
    assert second.chips[0].clear_url == "/people"
    assert second.export_url == "/people?state=on&format=csv"
    assert second.sentence == "3 of 9"


async def test_days_are_those_of_the_school(app: Lectern) -> None:
    await save_school(time_zone="America/New_York")
    late = datetime(2026, 11, 21, 4, 30, tzinfo=UTC)  # still the 20th in New York
    rows: list[Person] = [("Ann", 1, None, late, "on"), ("Bob", 1, None, late + timedelta(hours=1), "on")]
    asked = {"from": "2026-11-20", "to": "2026-11-20"}
    table = await tables.load(PEOPLE, "/people", asked, binds=binds(rows))
    assert [row.name for row in table.rows] == ["Ann"]
    assert [chip.label for chip in table.chips] == ["From 20 November 2026", "Until 20 November 2026"]


async def test_a_condition_of_its_own_gets_both_days(app: Lectern) -> None:
    dates = Dates("seen", "Seen", where="CAST(p.seen AS date) BETWEEN :first AND :last")
    listing = replace(PEOPLE, filters=[dates])
    rows: list[Person] = [("Ann", 1, None, DAY, "on"), ("Bob", 1, None, DAY + timedelta(days=3), "on")]
    for asked, found in (
        ({}, ["Ann", "Bob"]),
        ({"from": "2026-11-21"}, ["Bob"]),
        ({"to": "2026-11-21"}, ["Ann"]),
        ({"from": "2026-11-21", "to": "2026-11-22"}, []),
    ):
        table = await tables.load(listing, "/people", asked, binds=binds(rows))
        assert [row.name for row in table.rows] == found


async def test_wildcards_in_a_search_are_letters(app: Lectern) -> None:
    rows: list[Person] = [("100%", 1, None, None, "on"), ("100", 1, None, None, "on"), ("a_b", 1, None, None, "on")]
    for text, found in (("%", ["100%"]), ("_", ["a_b"]), ("100 on", ["100", "100%"]), ("\\", [])):
        table = await tables.load(PEOPLE, "/people", {"q": text}, binds=binds(rows))
        assert sorted(row.name for row in table.rows) == found


async def test_a_null_in_a_column_that_promised_none_is_told(app: Lectern) -> None:
    columns = [Column("score", "Score", sort="p.score")]
    listing = replace(PEOPLE, columns=columns, sort="-score", page_size=1)
    rows: list[Person] = [("A", None, None, None, "on"), ("B", None, None, None, "on")]
    with pytest.raises(RuntimeError, match="declare it nullable"):
        await tables.load(listing, "/people", {}, binds=binds(rows))


async def exported(app: Lectern, address: str, rows: list[Person], listing: Listing = PEOPLE) -> tuple[Any, bytes]:
    async with app.test_request_context(address):
        answer = await tables.show(listing, "never drawn", binds=binds(rows))
        body = answer.response
        async with body as chunks:  # type: ignore[attr-defined]
            return answer, b"".join([chunk async for chunk in _bytes(chunks)])


async def _bytes(chunks: Any) -> AsyncIterator[bytes]:
    async for chunk in chunks:
        yield chunk if isinstance(chunk, bytes) else chunk.encode()


async def test_the_export_holds_all_rows_of_the_filter_in_the_order_shown(app: Lectern) -> None:
    rows: list[Person] = [(f"N{n:04}", n, Decimal("1.50"), DAY, "on" if n % 2 else "off") for n in range(1201)]
    answer, body = await exported(app, "/people?format=csv&state=on&sort=-score", rows)
    assert answer.content_type == "text/csv; charset=utf-8"
    assert answer.headers["Cache-Control"] == "private, no-store"
    assert answer.headers["Content-Disposition"].startswith('attachment; filename="people-')
    assert body.startswith(b"\xef\xbb\xbf")
    lines = list(csv.reader(io.StringIO(body.decode("utf-8-sig"))))
    assert lines[0] == ["Number", "Name", "Score", "Price", "Seen", "State"]
    assert len(lines) == 1 + 600
    assert lines[1] == ["1200", "N1199", "1199", "1.50", "2026-11-20 12:00:00", "on"]
    noted = await db.one(db.Row, "SELECT action, subject_id, after FROM audit_log WHERE action = 'people.export'")
    assert noted is not None
    assert noted.after == {"state": "on", "sort": "-score"}


async def test_an_export_can_choose_its_own_columns(app: Lectern) -> None:
    export = [("Who", lambda row: row.name.upper()), ("Points", "score")]
    _answer, body = await exported(
        app, "/people?format=csv", [("Ann", -2, None, None, "on")], replace(PEOPLE, export=export)
    )
    assert body.decode("utf-8-sig").splitlines() == ["Who,Points", "ANN,-2"]


@given(text=st.text(min_size=1))
def test_no_text_in_a_cell_can_act_as_a_formula(text: str) -> None:
    assert cell("=" + text, UTC_ZONE)[0] == "'"
    assert cell(text, UTC_ZONE)[0] not in "=+-@\t\r\n"


def test_numbers_stay_numbers_in_a_cell() -> None:
    assert cell(Decimal("-12.50"), UTC_ZONE) == "-12.50"
    assert cell(-3, UTC_ZONE) == "-3"


async def ask_for_an_export(app: Lectern) -> Any:
    async with app.test_request_context("/people?format=csv"):
        try:
            return await tables.export(NUMBERS)
        except Unavailable:
            return None


async def test_exports_leave_connections_for_the_pages(app: Lectern) -> None:
    """However many come at once, three are read; one that was sent, or whose answer was thrown away, makes room."""
    asked = await asyncio.gather(*(ask_for_an_export(app) for _n in range(8)))
    under_way = [answer for answer in asked if answer is not None]
    del asked
    assert len(under_way) == 3
    async with under_way[0].response as body:
        async for _piece in body:
            assert await ask_for_an_export(app) is None
    under_way[0] = await ask_for_an_export(app)
    assert under_way[0] is not None
    under_way.clear()
    gc.collect()
    assert len([one for one in await asyncio.gather(*(ask_for_an_export(app) for _n in range(8))) if one]) == 3


NUMBERS = Listing(
    name="numbers",
    select="n",
    source="generate_series(1, 1000) n",
    key="n",
    columns=[Column("n", "Number", sort="n")],
    sort="n",
)


async def test_the_memory_of_an_export_does_not_grow_with_its_rows(app: Lectern) -> None:
    """A hundred thousand rows, piece by piece; gathered instead, they would show: the negative control."""
    listing = Listing(
        name="numbers",
        select="n, 'A name of some length ' || n AS name, repeat('x', 50) AS filling",
        source="generate_series(1, 100000) n",
        key="n",
        columns=[Column("n", "Number", sort="n"), Column("name", "Name"), Column("filling", "x")],
        sort="n",
    )

    async def most(gather: bool) -> tuple[int, int]:
        async with app.test_request_context("/?format=csv"):
            response = await tables.export(listing)
            kept, rows = [], 0
            tracemalloc.start()
            try:
                async with response.response as body:
                    async for piece in body:
                        rows += piece.count(b"\n")
                        if gather:
                            kept.append(piece)
                return rows, tracemalloc.get_traced_memory()[1]
            finally:
                tracemalloc.stop()

    rows, most_bytes = await most(gather=False)
    assert rows == 100_001
    assert most_bytes < 2_000_000
    assert (await most(gather=True))[1] > 6_000_000
