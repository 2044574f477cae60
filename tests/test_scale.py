"""However long a list is, a page of it touches so many rows and no more: in each order, with each filter, with every two
of them together. Rows are counted by PostgreSQL (EXPLAIN ANALYZE), so nothing here looks at a clock. What an index
passes by itself, without a look at the row, is not counted: twenty of these cost what one row does.
"""

import contextlib
import re
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl
from zoneinfo import ZoneInfo

import orjson
import pytest
from quart.typing import TestClientProtocol

from app import Lectern
from app.accounts.queries.lists import tag_choices
from app.admin import figures
from app.commerce.queries.lists import product_choices
from app.core import clock, db
from app.ops.queries import actor_choices
from app.web.tables import Choice, Select
from app.web.tables.conditions import chosen
from app.web.tables.state import read
from app.web.tables.statements import met_soon, statement
from tests import everywhere
from tests.bench import scale
from tests.cast import Cast
from tests.school import a_course
from tests.test_queries import rows

# The large school has 12,000 members and 24,000 rows of most else.
MOST = 9_000

# Tables of this size are read whole with good reason; larger ones are not, so that is made to look dear.
_LARGE = " ".join(f"SET LOCAL enable_{way} = off;" for way in ("seqscan", "hashjoin", "mergejoin"))


async def touched(sql: str, binds: dict[str, Any], mode: str) -> int:
    """How many rows the statement read, those that it then left out among them."""
    bound, arguments = db.bind(sql, binds)
    async with db.transaction(), db.raw() as connection:
        await connection.execute(f"SET LOCAL plan_cache_mode = {mode}; {_LARGE}")
        # As a connection does that has sent the statement before: with its values, EXPLAIN alone never asks for any.
        await connection.execute(f"PREPARE page AS {bound}")
        values = ", ".join(_literal(value) for value in arguments)
        page = f"page ({values})" if values else "page"
        plan = await connection.fetchval(f"EXPLAIN (ANALYZE, TIMING OFF, FORMAT JSON) EXECUTE {page}")
        await connection.execute("DEALLOCATE page")
    return _rows(orjson.loads(plan)[0]["Plan"])


async def touched_by_page(browser: TestClientProtocol, path: str) -> int:
    """How many rows the statements of a page read, that write nothing."""
    await browser.get(path)  # the first visit may note that somebody was there
    with db.count_queries() as sent:
        await browser.get(path)
    rows = 0
    for statement_, arguments in zip(sent.statements, sent.arguments, strict=True):
        if not re.match(r"\s*(SELECT|WITH|\()", statement_) or re.search(r"\b(INSERT|UPDATE|DELETE)\b", statement_):
            continue
        async with db.transaction(), db.raw() as connection:
            await connection.execute(_LARGE)
            plan = await connection.fetchval(f"EXPLAIN (ANALYZE, TIMING OFF, FORMAT JSON) {statement_}", *arguments)
        rows += _rows(orjson.loads(plan)[0]["Plan"])
    return rows


@contextlib.asynccontextmanager
async def without(index: str) -> AsyncIterator[None]:
    """For a while the index is not there."""
    made_by = await db.value("SELECT pg_get_indexdef(CAST(:name AS regclass))", name=index)
    await db.script(f"DROP INDEX {index}")
    try:
        yield
    finally:
        await db.script(made_by)


def _literal(value: Any) -> str:
    text = "{" + ",".join(value) + "}" if isinstance(value, list) else str(value)
    return "'" + text.replace("'", "''") + "'"


def _rows(node: dict[str, Any]) -> int:
    below = sum(_rows(child) for child in node.get("Plans", ()))
    if "Relation Name" not in node and "Index Name" not in node:
        return below
    left_out = node.get("Rows Removed by Filter", 0) + node.get("Rows Removed by Index Recheck", 0)
    return below + int((node["Actual Rows"] + left_out) * node["Actual Loops"])


def _statements(address: scale.Address, names: dict[str, str], *, about: int = 0) -> list[tuple[str, dict[str, Any]]]:
    path, _, query = address.path.format(**names).partition("?")
    listing, asked = scale.LISTS[path], dict(parse_qsl(query))
    choices = {
        item.name: [Choice(asked[item.name], "")]
        for item in listing.filters
        if isinstance(item, Select) and not item.choices and item.name in asked
    }
    if "tag" in asked:
        choices["tag"] = tag_choices([_Tag(asked["tag"], names)])  # type: ignore[list-item]
    if "actor" in asked:
        choices["actor"] = actor_choices([(asked["actor"], names["owner_id"], "Olga")])
    if "product" in asked:
        choices["product"] = product_choices([_Product(names)])
    state, zone, limit = read(listing, asked, choices), ZoneInfo("UTC"), listing.page_size + 1
    if not any(choice.has_words for choice in chosen(listing, state, choices)):
        state = replace(state, about=about)
    soon = met_soon(listing, state, zone, choices, limit=limit)
    return [statement(listing, state, zone, choices, limit=limit)] + ([soon] if soon else [])


class _Tag:
    name = "Press"

    def __init__(self, key: str, names: dict[str, str]) -> None:
        self.key, self.id = key, int(names[f"id of {key}"])


class _Product:
    title = "A course"

    def __init__(self, names: dict[str, str]) -> None:
        self.public_id, self.id = names["product"], int(names["product_id"])


async def enlarge() -> None:
    """Make the school large, with what it sells so far."""
    # Rows that tests before this one have deleted would be counted where an index still knows them.
    await db.script("VACUUM")
    await db.script(Path(__file__).with_name("large.sql").read_text("utf-8"))


@pytest.fixture
async def names(cast: Cast) -> dict[str, str]:
    olga, course = await cast.olga(), await a_course()
    product = await db.value("SELECT public_id FROM products WHERE id = :id", id=course.product_id)
    await enlarge()
    today = clock.now().date()
    tags = await db.many(db.Row, "SELECT public_id, id FROM tags")
    days = {name: (today.fromordinal(today.toordinal() - ago)).isoformat() for name, ago in
            {"today": 0, "yesterday": 1, "month_ago": 30}.items()}  # fmt: skip
    found = {"owner": olga.public_id, "product": product, "product_id": str(course.product_id)}
    found |= {"surname": "kern5", "rarer": "dahl7"}
    found |= {"owner_id": str(olga.id), "tag": "press", "most": "most"} | {
        f"id of {tag.public_id}": str(tag.id) for tag in tags
    }
    return found | days | {"email": "p77@example.org"}


async def test_no_kind_of_page_touches_more_rows_than_its_bound(app: Lectern, cast: Cast) -> None:
    """Every address that there is, once, as it stands without filters."""
    ann, olga = await cast.ann(), await cast.olga()
    places = await everywhere.one_of_everything(app, instructor_id=olga.id)
    await db.run("UPDATE orders SET user_id = :ann WHERE public_id = :id", ann=ann.id, id=places["/orders"])
    await db.run("UPDATE tags SET name = name || ' of before'")
    await enlarge()
    await figures.write_down()
    pages = {rule: everywhere.address(rule, places) for rule in rows()}
    found = {
        rule: await touched_by_page((olga if rule.startswith("/admin") else ann).browser, path)
        for rule, path in pages.items()
    }
    assert not {rule: count for rule, count in found.items() if count > MOST}


async def test_no_page_of_a_list_touches_more_rows_than_its_bound(names: dict[str, str]) -> None:
    pages = [
        address
        for path, listing in scale.LISTS.items()
        for address in scale.of_list(path, listing)
        if address.page == 1 and "format=csv" not in address.path
    ]
    assert len(pages) > 700
    beyond = []
    for address in pages:
        for mode in ("force_custom_plan", "force_generic_plan") if "&" not in address.path else ("force_custom_plan",):
            # One after the other, where the first does not find the page.
            rows = sum([await touched(*sent, mode) for sent in _statements(address, names)])
            if rows > MOST:
                beyond.append(f"{rows:,} {address.path} ({mode})")
    # A word that one in eleven has, and that is known.
    for address in pages:
        if "{surname}" in address.path and address.path.startswith(("/admin/orders", "/admin/people?")):
            common = _statements(address, names | {"surname": "kern"}, about=1_100)
            rows = sum([await touched(*sent, "force_generic_plan") for sent in common])
            if rows > MOST:
                beyond.append(f"{rows:,} {address.path} (a common word)")
    assert not beyond, "\n".join(sorted(beyond))

    # What the indexes are for: without them the same pages are beyond.
    for index, path in {
        "users_unverified_newest": "/admin/people?state=unverified",
        "orders_by_word": "/admin/orders?q={email}",
        "users_merged_newest": "/admin/people?state=merged",
        "users_newest_seen": "/admin/people",
        "erasures_by_due": "/admin/privacy?sort=due",
    }.items():
        (sent,) = _statements(scale.Address(path, "owner"), names)
        async with without(index):
            assert await touched(*sent, "force_custom_plan") > MOST, index
    # A common name among few orders: in their own index of words only what has both is touched.
    for state in ("failed", "refunded", "given_up"):
        path = f"/admin/orders?q=kern&state={state}"
        (sent,) = _statements(scale.Address(path, "owner"), names, about=1_100)
        with_index = await touched(*sent, "force_generic_plan")
        async with without(f"orders_{state}_by_word"):
            assert await touched(*sent, "force_generic_plan") > 2 * with_index, state
