"""Writes that another site starts are refused before anything happens, whatever they look like (made from the URL map)."""

import pytest

from app import Lectern
from app.core import db
from app.web.guards import guard_of
from tests import everywhere
from tests.cast import Cast
from tests.everywhere import address, routes

# How a browser sends what another site made it send.
FOREIGN = [
    {"Sec-Fetch-Site": "cross-site"},
    {"Sec-Fetch-Site": "same-site"},
    {"Sec-Fetch-Site": "nonsense"},
    {"Sec-Fetch-Site": ""},
    {"Origin": "https://evil.example"},
    {"Origin": "null"},
    {"Origin": ""},
    {"Origin": "http://localhost@evil.example"},
    {"Referer": "https://evil.example/localhost"},
    {"Referer": "http://localhost.evil.example/"},
    {"Referer": "https://localhost/"},
    {"Referer": "http://[localhost"},
    {"Sec-Fetch-Site": "cross-site", "Origin": "http://localhost", "Referer": "http://localhost/"},
]
# What a form of another site can send without asking first, and what it cannot.
TYPES = ["application/x-www-form-urlencoded", "text/plain", "multipart/form-data; boundary=x", "application/json", ""]
# Machines prove themselves by a signature instead.
MACHINES = {"/webhooks/stripe", "/health/live"}


pytestmark = pytest.mark.usefixtures("unlimited")


async def everything() -> dict[str, str]:
    """All rows of all tables, but for the moment of the last visit."""
    tables = await db.many(db.Row, "SELECT tablename AS name FROM pg_tables WHERE schemaname = 'public'")
    found = {}
    for table in tables:
        if table.name.startswith(("pgqueuer_", "schema_")):
            continue
        found[table.name] = await db.value(
            f"SELECT coalesce(md5(string_agg((to_jsonb(t) - 'last_seen_at')::text, ',' ORDER BY t::text)), '') FROM {table.name} t"
        )
    return found


def test_only_machines_are_let_through_unasked(app: Lectern) -> None:
    found = {
        rule.rule for rule in app.url_map.iter_rules() if guard_of(app.view_functions[rule.endpoint]).kind == "machine"
    }  # type: ignore[union-attr]
    assert found == MACHINES


async def test_every_write_from_elsewhere_is_refused_and_nothing_changes(app: Lectern, cast: Cast) -> None:
    olga = await cast.olga()
    places = await everywhere.one_of_everything(app)
    await olga.browser.post("/cart/items", form={"product": places["slug"]})
    before, asked = await everything(), 0
    for number, rule in enumerate(routes(app, "POST")):
        for turn, headers in enumerate(FOREIGN):
            kind = TYPES[(number + turn) % len(TYPES)]
            answer = await olga.browser.post(
                address(rule.rule, places),
                headers={**headers, "Content-Type": kind},
                data=b"name=Mallory&role=owner&email=m@evil.example&amount=1&product=reading-price",
            )
            expected = 400 if rule.rule in MACHINES else 403
            assert answer.status_code == expected, (rule.rule, headers, answer.status_code)
            asked += 1
    assert asked > 700
    assert await everything() == before


async def test_the_same_writes_from_here_are_let_in(app: Lectern, cast: Cast) -> None:
    """The negative control: it is where they come from that was wrong with them."""
    olga = await cast.olga()
    places = await everywhere.one_of_everything(app)
    before = await everything()
    for headers in (
        {"Sec-Fetch-Site": "same-origin"},
        {"Sec-Fetch-Site": "none"},
        {"Origin": "http://localhost"},
        {"Referer": "http://localhost/x"},
        {},
    ):
        for rule in routes(app, "POST"):
            if rule.rule == "/logout" or "sessions" in rule.rule or rule.rule in MACHINES:
                continue
            await cast.sign_in(olga)
            answer = await olga.browser.post(address(rule.rule, places), headers=headers, form={"name": "Olga O."})
            assert "sent from another site" not in await answer.get_data(as_text=True), rule.rule
    assert await everything() != before


# To see an entry is to have read it, and who took a file of entries along is written down; nothing else changes.
NOTED = {
    "/admin/forms/<public_id>/entries/<entry_id>": {"form_entries"},
    "/admin/forms/<public_id>/entries/file": {"audit_log"},
    "/admin/forms/<public_id>/unfinished/file": {"audit_log"},
}


async def test_reading_an_entry_notes_that_alone(app: Lectern, cast: Cast) -> None:
    olga = await cast.olga()
    places = await everywhere.one_of_everything(app)
    for rule, noted in NOTED.items():
        before = await everything()
        assert (await olga.browser.get(address(rule, places))).status_code == 200, rule
        after = await everything()
        assert {name for name in after if after[name] != before.get(name)} <= {"sessions", "users", *noted}


async def test_reading_changes_nothing(app: Lectern, cast: Cast) -> None:
    """A picture of another site may point at any address with GET, with the cookies (SameSite=Lax lets links do so)."""
    olga = await cast.olga()
    places = await everywhere.one_of_everything(app)
    before = await everything()
    for rule in routes(app, "GET"):
        if rule.rule in NOTED:
            continue
        await olga.browser.get(address(rule.rule, places), headers={"Sec-Fetch-Site": "cross-site"})
        await olga.browser.head(address(rule.rule, places))
    after = await everything()
    assert {name for name in after if after[name] != before.get(name)} <= {"sessions", "users"}
