"""What a search by few letters finds, in a list of names that is longer than what is looked at."""

from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest

from app import Lectern
from app.accounts.queries import PEOPLE
from app.accounts.queries.lists import tag_choices
from app.admin.queries import found
from app.core import db
from app.web import tables
from app.web.tables import commonness, statements
from app.web.tables.words import begin_words

# Of 3,000 people every fifth is an Anna, the newest first; two of the oldest are called Xu, and ten have a tag.
PEOPLE_MADE = """
    INSERT INTO users (public_id, email, name, role, state, created_at, last_seen_at)
    SELECT 'u' || n, 'p' || n || '@example.org',
           CASE WHEN n > 2998 THEN 'Xu ' ELSE (ARRAY['Anna', 'Ben', 'Cleo', 'Dora', 'Emil'])[1 + n % 5] || ' ' END || n,
           'member', CASE WHEN n % 100 = 5 THEN 'suspended' ELSE 'active' END, now() - n * interval '1 hour',
           now() - (n * 7919 % 3001) * interval '1 minute'
    FROM generate_series(1, 3000) n;
    INSERT INTO tags (public_id, name, created_at) VALUES ('few', 'Few', now()), ('most', 'Most', now());
    INSERT INTO user_tags (user_id, tag_id)
    SELECT u.id, t.id FROM users u, tags t
    WHERE u.role = 'member' AND (t.public_id = 'most' OR CAST(substr(u.public_id, 2) AS int) % 300 = 5);
"""


@pytest.fixture
async def choices(app: Lectern) -> tables.Choices:
    await db.script(PEOPLE_MADE)
    tags = await db.many(db.Row, "SELECT id, public_id AS key, name FROM tags")
    return {"tag": tag_choices(tags)}


async def column(sql: str, **binds: Any) -> list[Any]:
    async with db.raw() as connection:
        bound, arguments = db.bind(sql, binds)
        return [row[0] for row in await connection.fetch(bound, *arguments)]


async def everybody(text: str, condition: str = "true", order: str = "u.created_at DESC, u.id DESC") -> list[str]:
    """All that a search must find, without any of the ways to find it."""
    return await column(
        f"SELECT '/admin/people/' || u.public_id FROM users u WHERE u.words @@ CAST(:words AS tsquery) AND {condition} ORDER BY {order}",
        words=begin_words(text),
    )


async def walked(asked: Mapping[str, str], choices: tables.Choices, pages: int = 100) -> tuple[list[str], list[Any]]:
    """The rows of all pages, and the pages."""
    args, met, seen = dict(asked), [], []
    for _ in range(pages):
        table = await tables.load(PEOPLE, "/admin/people", args, choices=choices)
        seen.append(table)
        met += [row.url for row in table.rows]
        if table.next_url is None:
            break
        args = dict(parse_qsl(urlsplit(table.next_url).query))
    return met, seen


@pytest.mark.parametrize(
    ("sort", "order"),
    [
        ("", "u.created_at DESC, u.id DESC"),
        ("joined", "u.created_at, u.id"),
        ("-seen", "u.last_seen_at DESC NULLS LAST, u.id DESC"),
    ],
)
async def test_the_pages_of_few_letters_hold_everybody_once(choices: tables.Choices, sort: str, order: str) -> None:
    for text in ("a", "an", "AN", "x", "xu", "zz", "an 3", "ben", "an anna"):
        met, seen = await walked({"q": text, "sort": sort}, choices)
        assert met == await everybody(text, order=order), text
        assert all(bool(table.counted) == bool(table.rows) for table in seen), text


FILTERS: list[tuple[dict[str, str], str]] = [
    ({"state": "suspended"}, "u.state = 'suspended'"),
    ({"role": "owner"}, "u.role = 'owner'"),
    ({"from": "2001-01-01", "to": "2001-01-02"}, "false"),
    ({"second_step": "on"}, "false"),
    ({"second_step": "off"}, "true"),
    (
        {"tag": "few"},
        "EXISTS (SELECT 1 FROM user_tags x JOIN tags t ON t.id = x.tag_id WHERE x.user_id = u.id AND t.public_id = 'few')",
    ),
]


async def test_few_letters_and_a_filter_find_everybody_once(choices: tables.Choices) -> None:
    for asked, condition in FILTERS:
        for text in ("a", "an", "xu", "zz"):
            met, _seen = await walked({"q": text, **asked}, choices)
            assert met == await everybody(text, condition), (asked, text)


async def test_going_back_shows_the_same_pages(choices: tables.Choices) -> None:
    for sort in ("", "-seen", "name"):
        _met, seen = await walked({"q": "an", "sort": sort}, choices, pages=3)
        back = dict(parse_qsl(urlsplit(seen[2].prev_url or "").query))
        table = await tables.load(PEOPLE, "/admin/people", back, choices=choices)
        assert [row.url for row in table.rows] == [row.url for row in seen[1].rows]


async def test_in_the_order_of_names_the_first_that_are_found_are_sorted_and_the_list_says_so(
    choices: tables.Choices,
) -> None:
    every = set(await everybody("an"))
    met, seen = await walked({"q": "an", "sort": "name"}, choices)
    assert len(met) == len(set(met)) and set(met) <= every
    names = [row.name for table in seen for row in table.rows]
    assert names == await column(
        "SELECT name FROM users WHERE name = ANY(:names) ORDER BY lower(name), id", names=names
    )
    assert seen[0].sentence == "40 of the first 250 found"
    # Few enough for all to be sorted.
    assert (await walked({"q": "xu", "sort": "name"}, choices))[0] == await everybody("xu", order="lower(u.name), u.id")


async def test_how_many_there_are_is_said_as_far_as_it_is_known(choices: tables.Choices) -> None:
    async def said(**asked: str) -> str:
        return (await tables.load(PEOPLE, "/admin/people", asked, choices=choices)).sentence

    assert (await said(q="an")).startswith("40 of more than 40")
    assert (await said(q="xu")).startswith("2 in all")
    assert (await said(q="an", tag="most")).startswith("40 of the first ")
    assert (await said(q="an", tag="few")).startswith("10 in all")
    assert await said(q="zz") == ""


async def test_most_pages_of_few_letters_cost_one_query(choices: tables.Choices) -> None:
    await tables.load(PEOPLE, "/admin/people", {}, choices=choices)
    await commonness.statistics("users", "words")
    for asked, queries in (({"q": "an"}, 1), ({"q": "an", "sort": "name"}, 1), ({"q": "zz"}, 2)):
        with db.count_queries() as count:
            await tables.load(PEOPLE, "/admin/people", asked, choices=choices)
        assert count.total == queries, asked


async def test_of_a_word_and_a_filter_that_has_an_index_all_are_counted(
    choices: tables.Choices, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(statements, "FOUND", 50)
    monkeypatch.setattr(statements, "COUNT_LIMIT", 50)
    # Six hundred have the name, thirty of them are suspended.
    for sort in ("", "joined", "name", "-seen"):
        asked = {"q": "anna", "state": "suspended", "sort": sort}
        table = await tables.load(PEOPLE, "/admin/people", asked, choices=choices)
        assert table.sentence.startswith("30 in all"), sort


@pytest.fixture
def common(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever is searched for is known to be common; and so it is not of some, however wrong that may be."""

    async def known(table: str, column: str) -> commonness.Statistics:
        return commonness.Statistics(3000, ["anna", "ben", "example", "xu"], [0.9, 0.9, 0.9, 0.9])

    monkeypatch.setattr(commonness, "statistics", known)


@pytest.mark.parametrize("walk", [6_000, 100])
async def test_the_pages_of_a_common_word_hold_everybody_once(
    common: None, choices: tables.Choices, monkeypatch: pytest.MonkeyPatch, walk: int
) -> None:
    monkeypatch.setattr(statements, "_LONG_WALK", walk)
    for text in ("anna", "ben", "ann", "xu", "anna ben"):
        # In another order than the list's own the first that are found are sorted where the page is not met.
        for sort in ("", "joined", "-seen")[: 3 if walk > 3_000 else 2]:
            order = {"": "u.created_at DESC, u.id DESC", "joined": "u.created_at, u.id"}
            met, _seen = await walked({"q": text, "sort": sort}, choices)
            assert met == await everybody(text, order=order.get(sort, "u.last_seen_at DESC NULLS LAST, u.id DESC")), (
                text,
                sort,
            )
        for asked, condition in FILTERS:
            met, _seen = await walked({"q": text, **asked}, choices)
            assert met == await everybody(text, condition), (asked, text)


async def test_of_a_common_word_the_list_says_about_how_many_have_it(
    common: None, choices: tables.Choices, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def said(**asked: str) -> str:
        return (await tables.load(PEOPLE, "/admin/people", asked, choices=choices)).sentence

    assert (await said(q="anna")).startswith("40 of about 2,700")
    assert (await said(q="anna", state="active")).startswith("40 of more than 40")
    counted = [
        (await tables.load(PEOPLE, "/admin/people", asked, choices=choices)).counted
        for asked in ({"q": "anna"}, {"q": "anna", "state": "active"}, {"q": "xu"}, {"q": "zz"})
    ]
    assert counted == ["about 2,700", "more than 40", "2", ""]
    assert (await said(q="anna", sort="name")) == "40 of the first 250 found"
    # All are known that there are.
    assert (await said(q="xu")).startswith("2 in all")
    monkeypatch.setattr(statements, "_FEW", 10)
    assert await said(q="anna", sort="name") == "11 of the first 11 found"
    assert await said(q="anna", state="suspended", sort="name") == "30 in all"


async def test_a_common_word_costs_one_query(common: None, choices: tables.Choices) -> None:
    await tables.load(PEOPLE, "/admin/people", {}, choices=choices)
    for asked in (
        {"q": "anna"},
        {"q": "anna", "sort": "-seen"},
        {"q": "anna", "sort": "name"},
        {"q": "anna", "tag": "most"},
    ):
        with db.count_queries() as count:
            await tables.load(PEOPLE, "/admin/people", asked, choices=choices)
        assert count.total == 1, asked


async def test_a_page_of_a_common_word_reads_no_index_of_words(common: None, choices: tables.Choices) -> None:
    await db.script("ANALYZE users")
    for asked in ({"q": "anna"}, {"q": "anna", "state": "suspended"}, {"q": "anna", "tag": "most"}):
        with db.count_queries() as count:
            await tables.load(PEOPLE, "/admin/people", asked, choices=choices)
        async with db.raw() as connection:
            plan = await connection.fetch(f"EXPLAIN {count.statements[0]}", *count.arguments[0])
        assert "users_by_" not in "".join(line[0] for line in plan), asked


async def test_going_to_orders_of_a_common_word_finds_the_newest(common: None, choices: tables.Choices) -> None:
    await db.script("""
        INSERT INTO orders (public_id, email, name, state, currency, subtotal_minor, tax_minor, total_minor, quote_key, created_at)
        SELECT 'o' || n, 'p' || n || '@example.org',
               CASE WHEN n > 1498 THEN 'Xu' WHEN n % 2 = 0 THEN 'Anna' ELSE 'Ben' END, 'paid', 'EUR', 100, 0, 100,
               'q' || n, now() - n * interval '1 hour' FROM generate_series(1, 1500) n
    """)
    rows = await found("anna", orders=True, people=False, courses=False, limit=3)
    assert [row.ref for row in rows] == ["o2", "o4", "o6"]
    # It was common, long ago.
    rows = await found("xu chen", orders=True, people=False, courses=False, limit=3)
    assert rows == []
    rows = await found("xu example", orders=True, people=False, courses=False, limit=3)
    assert [row.ref for row in rows] == ["o1499", "o1500"]
    assert await found("anna", orders=False, people=False, courses=False, limit=3) == []


async def test_going_to_somebody_by_two_letters_finds_whole_names_however_old(choices: tables.Choices) -> None:
    rows = await found("xu", orders=False, people=True, courses=False, limit=8)
    assert sorted(row.label for row in rows) == ["Xu 2999", "Xu 3000"]
    newest = await found("an", orders=False, people=True, courses=False, limit=8)
    assert len(newest) == 8 and all(row.label.startswith("Anna ") for row in newest)
    assert await found("an", orders=False, people=False, courses=False, limit=8) == []
