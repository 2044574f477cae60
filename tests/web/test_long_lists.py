"""A word that very many have together with a tag that very many have: both would be met late on a walk along the list."""

from datetime import UTC, timedelta
from itertools import product
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from app import Lectern
from app.accounts.queries.lists import PEOPLE, tag_choices
from app.core import clock, db
from app.web import tables
from app.web.tables import conditions, statements
from app.web.tables import state as states


@pytest.fixture
async def school(app: Lectern, monkeypatch: pytest.MonkeyPatch) -> None:
    """Twenty people: every other one an Anna, of whom the first two are Hartleys; the first eight and the last have a tag."""
    monkeypatch.setattr(statements, "COUNT_LIMIT", 3)
    monkeypatch.setattr(statements, "FOUND", 3)
    monkeypatch.setattr(statements, "_FEW", 3)
    monkeypatch.setattr(conditions, "_FEW_DAYS", timedelta(days=10))
    await db.script("""
        INSERT INTO users (public_id, email, name, role, state, created_at)
        SELECT 'u' || n, 'p' || n || '@example.org',
               CASE WHEN n % 2 = 1 THEN 'Anna ' ELSE 'Ben ' END || CASE WHEN n < 4 THEN 'Hartley' ELSE 'Dahl' END,
               'member', 'active', now() - (100 - n) * interval '1 day'
        FROM generate_series(1, 20) n ORDER BY n;
        INSERT INTO tags (public_id, name, created_at) VALUES ('press', 'Press', now()), ('bens', 'Bens', now());
        INSERT INTO user_tags (user_id, tag_id)
        SELECT u.id, t.id FROM users u, tags t, CAST(substr(u.public_id, 2) AS int) n
        WHERE t.public_id = 'press' AND n <= 8 OR t.public_id = 'bens' AND (n % 2 = 0 OR n = 1);
    """)


async def found(**asked: str) -> tuple[list[str], bool, bool]:
    """The people of the list's page, whether there were very many, and whether the list says that it looked at some."""
    rows, _whole, is_cut = await asked_for(asked, limit=41)
    return [row.list_pick for row in rows], bool(rows and rows[0].list_is_more), is_cut


async def asked_for(asked: dict[str, str], *, limit: int) -> tuple[list[Any], list[str], bool]:
    """The rows of the list's page, the people of the whole list as a file has them, and whether the page looks at some."""
    tags = await db.many(db.Row, "SELECT id, public_id AS key, name FROM tags")
    choices = {"tag": tag_choices(tags)}
    state = states.read(PEOPLE, asked, choices)
    sql, binds = statements.statement(PEOPLE, state, ZoneInfo("UTC"), choices, limit=limit)
    whole, whole_binds = statements.statement(PEOPLE, state, ZoneInfo("UTC"), choices)
    people = [row.url.rpartition("/")[2] for row in await db.many(db.Row, whole, **whole_binds)]
    return await db.many(db.Row, sql, **binds), people, statements.cut_short(PEOPLE, state, choices)


async def test_a_word_of_very_many_is_looked_for_among_the_newest_of_a_tag_and_the_list_says_so(school: None) -> None:
    # The newest four of the tag are 5 to 8.
    assert await found(q="anna", tag="press") == (["u7", "u5"], True, True)
    assert (await found(q="anna", tag="press", sort="joined"))[0] == ["u5", "u7"]


async def test_a_word_of_few_is_found_wherever_it_stands(school: None) -> None:
    people, is_more, _ = await found(q="hartley", tag="press")
    assert (people, is_more) == (["u3", "u2", "u1"], False)
    people, is_more, _ = await found(q="p1@example.org", tag="bens")
    assert (people, is_more) == (["u1"], False)
    assert (await found(q="nobody", tag="press"))[0] == []


async def test_where_none_of_the_newest_fits_the_others_are_asked(school: None) -> None:
    # Ten Bens came after the one Anna of their tag.
    assert (await found(q="anna", tag="bens"))[0] == ["u1"]


def days(first: int, last: int) -> dict[str, str]:
    """The days on which these of the twenty came."""
    today = clock.now().astimezone(UTC).date()
    return {"from": f"{today - timedelta(days=100 - first)}", "to": f"{today - timedelta(days=100 - last)}"}


async def test_of_a_few_days_all_are_looked_at_however_many_have_the_name(school: None) -> None:
    assert await found(q="anna", **days(8, 10)) == (["u9"], False, False)
    # Of more than are looked at, and beside something else, as ever.
    assert await found(q="anna", **days(6, 15)) == (["u15", "u13", "u11", "u9", "u7"], True, False)
    assert await found(q="anna", tag="press", **days(6, 8)) == (["u7"], True, True)


async def test_where_none_of_the_first_found_fits_all_are_looked_at_and_the_list_says_so(school: None) -> None:
    async def said(**asked: str) -> tuple[list[str], str]:
        table = await tables.load(PEOPLE, "/admin/people", asked)
        return [row.list_pick for row in table.rows], table.sentence

    assert (await said(q="anna", sort="name"))[1] == "4 of the first 4 found"
    # The first of ten Annas that are found came earlier.
    assert await said(q="anna", sort="name", **days(9, 10)) == (["u9"], "1 in all")
    assert await said(q="anna", sort="name", **days(14, 19)) == (["u15", "u17", "u19"], "3 in all")


async def test_a_page_begins_where_the_one_before_ended(school: None) -> None:
    assert await found(q="anna") == ([f"u{n}" for n in range(19, 0, -2)], True, False)


SEARCHES = ["", "anna", "an", "hartley", "anna dahl", "p1@example.org", "nobody"]
OTHERS = [{}, {"tag": "press"}, {"tag": "bens"}, {"state": "active"}, {"state": "suspended"}, {"from": "2000-01-01"}]
SORTS = ["", "joined", "name", "-email", "-seen"]


@pytest.mark.parametrize("limit", [2, 41])
async def test_a_page_is_the_beginning_of_the_whole_list(school: None, limit: int) -> None:
    cut = 0
    several = [days(8, 10), days(6, 15), days(1, 15), {"tag": "bens", **days(6, 15)}, {"role": "team"}]
    for q, other, sort in product(SEARCHES, OTHERS + several, SORTS):
        asked = {"q": q, "sort": sort, **other}
        rows, whole, is_cut = await asked_for(asked, limit=limit)
        people = [row.list_pick for row in rows]
        if rows and rows[0].list_is_more and is_cut:
            # Some of it, in its order.
            cut += 1
            assert people == sorted(people, key=whole.index), asked
        else:
            assert people == whole[:limit], asked
        if rows and not rows[0].list_is_more:
            assert rows[0].list_total == len(whole), asked
    assert cut
