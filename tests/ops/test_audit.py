import csv
import io
import re
from datetime import datetime
from pathlib import Path

import asyncpg
import pytest

import app
from app import Lectern
from app.core import audit, db
from app.core.audit import Actor, acting
from app.formbuilder import entries
from app.ops.models import changes
from app.ops.words import ACTS, KINDS
from tests import everywhere
from tests.cast import Cast, Person
from tests.office import seen


async def write(person: Person | None, action: str, subject: str, **changes: object) -> None:
    with acting(Actor(person.id if person else None, "203.0.113.7", "r1")):
        async with db.transaction():
            await audit.record(action, subject, "abc123", **changes)  # type: ignore[arg-type]


async def test_who_what_before_and_after_are_shown(cast: Cast) -> None:
    olga, rob = await cast.olga(), await cast.rob()
    await write(
        rob, "course.publish", "course", before={"title": "Old <b>"}, after={"title": "New"}, summary="A course"
    )
    page = await seen(olga, "/admin/audit")
    for words in ("Rob Rask", "course.publish", "<del>Old &lt;b&gt;</del>", "<ins>New</ins>", "abc123", "203.0.113.7"):
        assert words in page


async def test_it_is_filtered_by_who_what_on_what_and_when(cast: Cast) -> None:
    olga, rob, ann = await cast.olga(), await cast.rob(), await cast.ann()
    await write(rob, "course.publish", "course", summary="one")
    await write(ann, "profile.change", "user", summary="two")
    await write(None, "order.paid", "order", summary="three")
    for query, found in (
        (f"actor={rob.public_id}", ["one"]),
        ("actor=members", ["two"]),
        ("action=order.paid", ["three"]),
        ("subject=user", ["two"]),
        ("q=one", ["one"]),
        ("from=2020-01-01&q=abc123", ["one", "three", "two"]),
        ("to=2020-01-01", []),
    ):
        page = await seen(olga, f"/admin/audit?{query}")
        shown = [word for word in ("one", "three", "two") if f'cell-note">{word}</small>' in page]
        assert shown == found, query


async def test_the_export_holds_the_same_rows_and_is_noted_itself(cast: Cast) -> None:
    olga, rob = await cast.olga(), await cast.rob()
    await write(rob, "course.publish", "course", before={"title": "=1+1"}, after={"title": "New"}, summary="=cmd()")
    await write(None, "order.paid", "order")
    answer = await olga.browser.get("/admin/audit?format=csv&subject=course")
    assert answer.headers["Content-Type"] == "text/csv; charset=utf-8"
    lines = list(csv.reader(io.StringIO((await answer.get_data()).decode("utf-8-sig"))))
    assert len(lines) == 2
    row = dict(zip(lines[0], lines[1], strict=True))
    assert row["Who"] == "Rob Rask"
    assert row["Summary"] == "'=cmd()"
    assert row["Before"] == "title: =1+1"
    assert "audit.export" in await seen(olga, "/admin/audit")


async def test_reading_it_is_not_yet_exporting_it(cast: Cast) -> None:
    await cast.role("auditor", ["admin.enter", "audit.view"])
    kim = await cast.person("Kim Kern", "kim@example.org", role="auditor")
    assert "format=csv" not in await seen(kim, "/admin/audit")
    await seen(kim, "/admin/audit?format=csv", 403)
    assert "format=csv" in await seen(await cast.rob(), "/admin/audit")


async def test_nobody_else_exports_it(cast: Cast) -> None:
    for person in (await cast.sam(), await cast.ines(), await cast.ann()):
        assert (await person.browser.get("/admin/audit?format=csv")).status_code == 403


# --- as whom, from where, with what ---


async def test_who_really_acted_and_as_whom_stand_beside_each_other(cast: Cast) -> None:
    olga, rob, ann = await cast.olga(), await cast.rob(), await cast.ann()
    with acting(
        Actor(rob.id, "203.0.113.7", "r1", acting_as=ann.id, user_agent="Mozilla/5.0 (Macintosh) Firefox/128.0")
    ):
        async with db.transaction():
            await audit.record("profile.change", "person", ann.public_id, summary="as her")
    await write(ann, "profile.change", "person", summary="herself")
    page = await seen(olga, "/admin/audit?as=1")
    assert "as her" in page and "herself" not in page
    for words in ("Rob Rask", "acting as Ann Archer", "Firefox on Mac"):
        assert words in page
    act = await db.value("SELECT id FROM audit_log WHERE acting_as_id IS NOT NULL")
    page = await seen(olga, f"/admin/audit/{act}")
    for words in ("Acting as", "Ann Archer", "Rob Rask", "203.0.113.7", "Firefox on Mac", "r1"):
        assert words in page
    answer = await olga.browser.get("/admin/audit?format=csv&as=1")
    lines = list(csv.reader(io.StringIO((await answer.get_data()).decode("utf-8-sig"))))
    assert dict(zip(lines[0], lines[1], strict=True))["Acting as"] == "Ann Archer"


async def test_a_request_writes_down_its_address_and_its_browser(cast: Cast) -> None:
    olga = await cast.olga()
    headers = {"User-Agent": "Mozilla/5.0 (Windows NT 10.0) Chrome/130.0 " + "x" * 1000}
    await olga.browser.post("/admin/people", form={"name": "Nia", "email": "nia@example.org"}, headers=headers)
    row = await db.one(db.Row, "SELECT * FROM audit_log WHERE action = 'people.add'")
    assert row is not None
    assert (row.actor_id, row.acting_as_id, len(row.user_agent)) == (olga.id, None, 300)
    assert row.address and row.request_id


async def test_it_is_found_by_address_and_by_anybody_who_acted(cast: Cast) -> None:
    olga, ann = await cast.olga(), await cast.ann()
    await write(ann, "profile.change", "person", summary="hers")
    with acting(Actor(None, "198.51.100.4")):
        async with db.transaction():
            await audit.record("order.paid", "order", "x", summary="another")
    for query, shown, hidden in (
        ("address=203.0.113.7", "hers", "another"),
        ("address=198.51", "another", "hers"),
        (f"actor={ann.public_id}", "hers", "another"),
    ):
        page = await seen(olga, f"/admin/audit?{query}")
        assert f'cell-note">{shown}</small>' in page, query
        assert f'cell-note">{hidden}</small>' not in page, query
    assert "Ann Archer" in await seen(olga, f"/admin/audit?actor={ann.public_id}")


# --- the history of a thing ---


async def test_each_thing_shows_its_own_history_to_those_who_may_read_the_log(cast: Cast) -> None:
    olga, sam, ann = await cast.olga(), await cast.sam(), await cast.ann()
    await olga.browser.post(f"/admin/people/{ann.public_id}/suspension", form={"reason": "spam"})
    with acting(Actor(olga.id)):
        async with db.transaction():
            await audit.record("access.grant", "user", ann.public_id, after={"product": "Reading Price"})
            await audit.record("access.grant", "user", "another", after={"product": "Options"})
    path = f"/admin/audit/person/{ann.public_id}"
    assert f'hx-get="{path}"' in await seen(olga, f"/admin/people/{ann.public_id}")
    assert f'hx-get="{path}"' not in await seen(sam, f"/admin/people/{ann.public_id}")
    await seen(sam, path, 403)
    page = await seen(olga, path)
    block = await seen(olga, path, headers={"HX-Request": "true", "HX-Target": "section#history"})
    for text in (page, block):
        for words in (
            "Suspended a person",
            "<del>active</del>",
            "<ins>suspended</ins>",
            "Granted access",
            "Reading Price",
        ):
            assert words in text
        assert "Options" not in text
    assert "<html" in page and "<html" not in block
    assert block.lstrip().startswith('<section class="office-section" id="history"')


async def test_the_page_of_each_thing_asks_for_its_history(app: Lectern, cast: Cast) -> None:
    olga = await cast.olga()
    places = await everywhere.one_of_everything(app)
    course = places["public_id"]
    for path, history in (
        (f"/admin/orders/{places['/orders']}", f"order/{places['/orders']}"),
        (f"/admin/courses/{course}", f"course/{course}"),
        (f"/admin/courses/{course}/lessons/{places['lesson_id']}", f"lesson/{places['lesson_id']}"),
        (f"/admin/courses/{course}/sections/{places['section_id']}", f"section/{places['section_id']}"),
        (f"/admin/courses/{course}/price", f"product/{places['slug']}"),
        (f"/admin/roles/{places['key']}", f"role/{places['key']}"),
        ("/admin/settings", "settings/school"),
        (f"/admin/forms/{places['/forms']}/versions", f"form/{places['/forms']}"),
        ("/admin/connections/a-connection", "form_connection/a-connection"),
    ):
        assert f'hx-get="/admin/audit/{history}"' in await seen(olga, path), path
        await seen(olga, f"/admin/audit/{history}")


async def test_a_long_history_is_turned_over(cast: Cast) -> None:
    olga = await cast.olga()
    for number in range(12):
        await write(olga, "course.edit", "course", summary=str(number), after={"title": f"Title {number}"})
    page = await seen(olga, "/admin/audit/course/abc123")
    assert "Title 11" in page and "Title 1<" not in page
    older = re.search(r'href="([^"]+)" rel="next"', page)
    assert older is not None
    assert "Title 1<" in await seen(olga, older[1].replace("&amp;", "&"))


@pytest.mark.parametrize("path", ["/admin/audit/0", "/admin/audit/99999999999999999999", "/admin/audit/a%00b/c"])
async def test_what_is_not_in_the_log_is_not_found(cast: Cast, path: str) -> None:
    await seen(await cast.olga(), path, 404)


# --- append-only ---


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE audit_log SET summary = '[erased]'",
        "UPDATE audit_log SET address = NULL",
        "UPDATE audit_log SET actor_id = NULL",
        "DELETE FROM audit_log",
        "TRUNCATE audit_log",
        "WITH gone AS (DELETE FROM audit_log RETURNING 1) SELECT count(*) FROM gone",
        "INSERT INTO audit_log (id, action, subject_type, subject_id, created_at) OVERRIDING SYSTEM VALUE"
        " SELECT id, action, subject_type, subject_id, created_at FROM audit_log ON CONFLICT (id) DO UPDATE SET summary = 'x'",
    ],
)
async def test_the_database_changes_and_removes_nothing(cast: Cast, statement: str) -> None:
    await write(await cast.olga(), "course.publish", "course", summary="kept", after={"title": "T"})
    before = await db.value("SELECT json_agg(l)::text FROM audit_log l")
    with pytest.raises(asyncpg.IntegrityConstraintViolationError, match="append-only"):
        await db.run(statement)
    assert await db.value("SELECT json_agg(l)::text FROM audit_log l") == before


@pytest.mark.parametrize(
    "change",
    [
        "actor_id = NULL",
        "action = 'nothing'",
        "subject_id = 'other'",
        "created_at = now()",
        "acting_as_id = 1",
        "address = '192.0.2.1'",
        "user_agent = 'x'",
        "summary = 'another story'",
        "after = NULL",
        """after = '{"title": "U"}'""",
        """after = '{"title": "[erased]", "more": 1}'""",
        """before = '{}'""",
    ],
)
async def test_even_the_exception_only_takes_values_away(cast: Cast, change: str) -> None:
    """Somebody who knows how the exception is switched on can still not write another story."""
    await write(
        await cast.olga(), "course.publish", "course", summary="kept", before={"title": "S"}, after={"title": "T"}
    )
    with pytest.raises(asyncpg.IntegrityConstraintViolationError, match="append-only"):
        async with db.transaction():
            await db.value("SELECT set_config('lectern.audit_shred', 'on', true)")
            await db.run(f"UPDATE audit_log SET {change}")
    async with db.transaction():
        await db.value("SELECT set_config('lectern.audit_shred', 'on', true)")
        with pytest.raises(asyncpg.IntegrityConstraintViolationError):
            await db.run("DELETE FROM audit_log")


async def test_shredding_takes_what_is_personal_and_keeps_the_trail(cast: Cast) -> None:
    olga, ann, bob = await cast.olga(), await cast.ann(), await cast.bob()
    with acting(Actor(olga.id, "203.0.113.1", "r1", user_agent="Olga's browser")):
        async with db.transaction():
            names = {"before": {"name": "Ann Archer", "role": "member"}, "after": {"name": "Ann A.", "role": "support"}}
            await audit.record("people.edit", "person", ann.public_id, **names)  # type: ignore[arg-type]
            await audit.record("mail.retry", "mail", "m1", summary="ANN@example.org")
            await audit.record(
                "order.refund", "order", "o1", after={"to": ["x", "Ann Archer"], "amount": 5, "why": "late"}
            )
            await audit.record("people.edit", "person", bob.public_id, after={"name": "Bob Breuer"})
    with acting(Actor(ann.id, "203.0.113.2", "r2", user_agent="Ann's browser")):
        async with db.transaction():
            await audit.record("password.change", "person", ann.public_id)
    with acting(Actor(olga.id)):
        assert await audit.shred(ann.id, ann.public_id, words=["ann@example.org", "Ann Archer", ""]) == 4
    log = await db.many(db.Row, "SELECT * FROM audit_log WHERE action <> 'settings.change' ORDER BY id")
    assert [(row.action, row.actor_id, row.subject_id) for row in log] == [
        ("people.edit", olga.id, ann.public_id),
        ("mail.retry", olga.id, "m1"),
        ("order.refund", olga.id, "o1"),
        ("people.edit", olga.id, bob.public_id),
        ("password.change", ann.id, ann.public_id),
        ("audit.shred", olga.id, ann.public_id),
    ]
    assert (log[0].before, log[0].after) == (
        {"name": "[erased]", "role": "member"},
        {"name": "[erased]", "role": "support"},
    )
    assert (log[0].address, log[0].user_agent) == ("203.0.113.1", "Olga's browser")
    assert log[1].summary == "[erased]"
    assert log[2].after == {"to": ["x", "[erased]"], "amount": 5, "why": "late"}
    assert log[3].after == {"name": "Bob Breuer"}
    assert (log[4].address, log[4].user_agent) == (None, None)
    assert log[5].after == {"rows": 4}
    assert "nn@example" not in await db.value(
        "SELECT json_agg(l)::text FROM audit_log l WHERE action <> 'settings.change'"
    )
    # The door is shut again behind it, in the same session too.
    with pytest.raises(asyncpg.IntegrityConstraintViolationError):
        await db.run("UPDATE audit_log SET summary = '[erased]'")
    assert await audit.shred(ann.id, ann.public_id, words=["ann@example.org"]) == 0


async def test_in_one_transaction_the_door_is_shut_behind_a_shredding(cast: Cast) -> None:
    ann = await cast.ann()
    await write(ann, "password.change", "person")
    with pytest.raises(asyncpg.IntegrityConstraintViolationError):
        async with db.transaction():
            await audit.shred(ann.id, ann.public_id, words=[])
            await db.run("UPDATE audit_log SET summary = '[erased]'")
    assert await db.value("SELECT count(*) FROM audit_log WHERE action = 'audit.shred'") == 0


def test_of_two_lists_only_what_went_and_what_came_is_shown() -> None:
    before = {"capabilities": ["a", "b"], "is_open": True, "token": "x", "same": []}
    after = {"capabilities": ["b", "c"], "is_open": False, "token": "y", "same": []}
    found = {change.name: (change.before, change.after) for change in changes(before, after)}
    assert found == {"Rights": ("a", "c"), "is open": ("yes", "no"), "token": ("•••", "•••"), "same": ("", "")}


def test_fields_go_by_the_words_that_people_know_and_amounts_are_money() -> None:
    found = changes({"slug": "a", "amount_minor": 24900}, {"slug": "b", "amount_minor": 29950}, currency="EUR")
    assert [(one.name, one.before, one.after) for one in found] == [
        ("Address", "a", "b"),
        ("Amount", "€249", "€299.50"),
    ]
    paid = changes(None, {"amount_minor": 500, "currency": "JPY", "reason": "Ill"}, currency="EUR")
    assert {one.name: one.after for one in paid} == {"Amount": "JP¥500", "Reason": "Ill"}
    # Of an amount whose currency nobody knows, the number is better than nothing.
    assert [one.after for one in changes(None, {"amount_minor": 500})] == ["500"]


def test_every_act_that_is_written_down_has_words() -> None:
    noted = re.compile(r"""(?:audit\.record|_note)\(\s*(?:person, )?"([a-z_]+\.[a-z_]+)\"""")
    source = Path(app.__file__).parent
    acts = {act for path in source.rglob("*.py") for act in noted.findall(path.read_text("utf-8"))}
    assert len(acts) > 50
    acts |= {f"form_entry.{act}" for act in entries.MOVES}
    acts |= {f"form.{state}" for state in ("draft", "open", "closed", "archived")}
    assert acts <= ACTS.keys()


def test_every_kind_of_thing_that_is_acted_on_has_words() -> None:
    noted = re.compile(r"""audit\.record(?:_many)?\(\s*f?"[^"]+",\s*"([a-z_]+)\"""")
    source = Path(app.__file__).parent
    kinds = {kind for path in source.rglob("*.py") for kind in noted.findall(path.read_text("utf-8"))}
    assert len(kinds) > 12
    assert kinds <= KINDS.keys()


def test_a_moment_is_written_as_its_reader_knows_it() -> None:
    after = {"until": "2026-11-28T11:16:46.089082+00:00", "day": "2026-11-28", "note": "2026-11-28T11:16 or so"}
    found = {change.name: change.after for change in changes(None, after, moment=lambda when: f"{when:%H:%M}")}
    assert found == {"Until": "11:16", "day": "2026-11-28", "Note": "2026-11-28T11:16 or so"}
    assert changes({"at": "2026-11-28T11:16:46Z"}, None)[0].before == str(
        datetime.fromisoformat("2026-11-28T11:16:46Z")
    )
