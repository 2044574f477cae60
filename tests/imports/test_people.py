"""People from a file: tried, run once, told about, and by nobody who may not."""

from __future__ import annotations

import asyncio
import csv
import io
from datetime import timedelta
from typing import Any

import pytest

from app import Lectern
from app.access import entitlements
from app.accounts import bulk, tags, users
from app.core import clock, db, queue
from app.imports import jobs, queries, work
from app.imports.models import BATCH
from app.imports.people import People
from app.media import shelf
from tests.accounts.conftest import Mailbox
from tests.cast import Cast, Person
from tests.imports.conftest import AT, bring, brought, names, run, state, tried
from tests.imports.test_workbook import book
from tests.meeting import until_it_waits
from tests.school import a_course

LIST = "Vorname;Nachname;E-Mail\nAda;Lovelace;ada@example.org\nGrace;Hopper;grace@example.org\n"


def many(count: int, start: int = 0) -> str:
    return "Email,Name\n" + "".join(f"p{n}@example.org,Person {n}\n" for n in range(start, start + count))


async def result(by: Person, where: str) -> list[dict[str, str]]:
    answer = await by.browser.get(f"{where}/result.csv")
    assert answer.status_code == 200
    return list(csv.DictReader(io.StringIO((await answer.get_data()).decode("utf-8-sig"))))


async def product_of(slug: str = "reading-price") -> Any:
    await a_course(slug)
    return await db.one(db.Row, "SELECT id, public_id, title, course_id FROM products LIMIT 1")


# From the file to the accounts


async def test_a_list_becomes_accounts(cast: Cast) -> None:
    olga = await cast.olga()
    where = await brought(olga, LIST, "Förderer.csv")
    page = await (await olga.browser.get(where)).get_data(as_text=True)
    assert "Förderer.csv" in page
    assert "separated by semicolons" in page
    assert "grace@example.org" in page
    page = await tried(olga, where)
    assert "Import 2 people" in page
    assert await names() == {}
    page = await run(olga, where)
    assert "What happened" in page
    assert await names() == {"ada@example.org": "Ada Lovelace", "grace@example.org": "Grace Hopper"}
    assert (await state(where)).counts == {"new": 2}
    assert {row.role for row in await db.many(db.Row, "SELECT role FROM users WHERE email LIKE '%example.org'")} == {
        "member"
    }


async def test_a_workbook_becomes_accounts(cast: Cast) -> None:
    olga = await cast.olga()
    rows = [["Email", "Name"], ["ada@example.org", "Ada Lovelace"], [], ["nonsense", "Who, exactly"]]
    where = await brought(olga, book(*rows), "Förderer.xlsx")
    page = await (await olga.browser.get(where)).get_data(as_text=True)
    assert "Förderer.xlsx" in page and "separated by commas" not in page
    assert "Import 1 person" in await tried(olga, where)
    await run(olga, where)
    assert await names() == {"ada@example.org": "Ada Lovelace"}
    told = await (await olga.browser.get(f"{where}/result.csv")).get_data(as_text=True)
    assert 'nonsense,"Who, exactly",4,refused' in told  # its row as the spreadsheet numbers it


async def test_a_trial_changes_nothing_and_tells_the_same_as_the_run(cast: Cast) -> None:
    olga, ann = await cast.olga(), await cast.ann()
    where = await brought(
        olga,
        "Email,Name\nann@example.org,Anna\nnew@example.org,\nnonsense,X\nNEW@example.org,Again\n,Nobody\n"
        "b@example.org,see www.bad.example\nc@example.org,"
        + "x" * 101
        + "\nd@example.org,D,more\nolga@meridian.example,O\n",
    )
    page = await tried(olga, where, existing="update")
    expected = {"new": 1, "changed": 2, "refused": 6}
    assert (await state(where)).counts == expected
    assert await db.value("SELECT count(*) FROM users") == 2
    for words in (
        "not an email address",
        "further up",
        "no address",
        "one line of words",
        "100 characters",
        "more cells",
    ):
        assert words in page
    await run(olga, where)
    assert (await state(where)).counts == expected
    assert await names() == {ann.email: "Anna", "new@example.org": "New"}


@pytest.mark.parametrize(
    ("existing", "name", "opened"), [("skip", "Ann Archer", 0), ("keep", "Ann Archer", 1), ("update", "Anna", 1)]
)
async def test_who_has_an_account_is_treated_as_was_chosen(cast: Cast, existing: str, name: str, opened: int) -> None:
    olga, ann = await cast.olga(), await cast.ann()
    product = await product_of()
    where = await brought(olga, "Email,Name\nANN@example.org,Anna\nnew@example.org,New\n")
    await tried(olga, where, existing=existing, product=product.public_id)
    await run(olga, where)
    assert (await names())[ann.email] == name
    assert len(await entitlements.causes_of(ann.id)) == opened
    new = await db.value("SELECT id FROM users WHERE email = 'new@example.org'")
    assert await entitlements.allows(new, product.course_id)


async def test_whose_access_ends_some_day_is_given_it_for_good(cast: Cast) -> None:
    olga, ann = await cast.olga(), await cast.ann()
    product = await product_of()
    async with db.transaction():
        soon = clock.now() + timedelta(days=7)
        await entitlements.grant(ann.id, product.id, source="manual", source_ref="manual:1", ends_at=soon)
    where = await brought(olga, "Email\nann@example.org\n")
    await tried(olga, where, existing="keep", product=product.public_id)
    await run(olga, where)
    assert (await state(where)).counts == {"changed": 1}
    assert await entitlements.owned(ann.id, [product.id]) == {product.id}


async def test_access_is_given_once_whoever_has_it_keeps_one_cause(cast: Cast) -> None:
    olga, ann = await cast.olga(), await cast.ann()
    product = await product_of()
    for _ in range(2):
        where = await brought(olga, "Email\nann@example.org\n")
        await tried(olga, where, existing="keep", product=product.public_id)
        await run(olga, where)
    causes = await entitlements.causes_of(ann.id)
    assert [(cause.source, cause.note, cause.granted_by_name) for cause in causes] == [
        ("import", "list.csv", "Olga Oster")
    ]
    assert (await state(where)).counts == {"unchanged": 1}
    assert await db.value("SELECT count(*) FROM enrolments WHERE user_id = :id", id=ann.id) == 1


async def test_tags_are_given_to_all_and_by_row_and_made_when_missing(cast: Cast) -> None:
    olga, ann = await cast.olga(), await cast.ann()
    await db.run("INSERT INTO tags (public_id, name, created_at) VALUES ('g', 'Gold', now())")
    await db.run("INSERT INTO user_tags (user_id, tag_id) SELECT :id, id FROM tags", id=ann.id)
    content = f"Email,Tags\nann@example.org,gold\nnew@example.org,Silver; GOLD\nlong@example.org,{'x' * 41}\n"
    where = await brought(olga, content)
    await tried(olga, where, existing="keep")
    assert (await state(where)).counts == {"unchanged": 1, "new": 1, "refused": 1}
    await tried(olga, where, existing="keep", tag="Spring 2026")
    assert (await state(where)).counts == {"changed": 1, "new": 1, "refused": 1}
    assert await db.value("SELECT count(*) FROM tags") == 1
    await run(olga, where)
    rows = await db.many(
        db.Row,
        """
        SELECT u.email, string_agg(t.name, ',' ORDER BY t.name) AS tags
        FROM user_tags ut JOIN users u ON u.id = ut.user_id JOIN tags t ON t.id = ut.tag_id GROUP BY u.email ORDER BY 1
        """,
    )
    assert [(row.email, row.tags) for row in rows] == [
        ("ann@example.org", "Gold,Spring 2026"),
        ("new@example.org", "Gold,Silver,Spring 2026"),
    ]
    assert await db.value("SELECT count(*) FROM audit_log WHERE action = 'people.tag'") == 4


async def test_tagging_asks_for_the_right_to_tag(cast: Cast) -> None:
    key = await cast.role("registrar", ["admin.enter", "people.view", "people.edit", "people.import"])
    pia = await cast.person("Pia", "pia@meridian.example", role=key)
    where = await brought(pia, "Email,Tags\na@example.org,Gold\n")
    assert "Tag everybody" not in await (await pia.browser.get(where)).get_data(as_text=True)
    sent = {"column-000": "email", "existing": "skip", "product": ""}
    assert (await pia.browser.post(f"{where}/trials", form={**sent, "column-001": "tags"})).status_code == 422
    assert (
        await pia.browser.post(f"{where}/trials", form={**sent, "column-001": "", "tag": "Gold"})
    ).status_code == 403


async def test_mails_go_out_only_when_they_were_asked_for(cast: Cast, mailbox: Mailbox) -> None:
    olga = await cast.olga()
    product = await product_of()
    where = await brought(olga, "Email\nquiet@example.org\n")
    await tried(olga, where, product=product.public_id)
    await run(olga, where)
    assert await mailbox.all("quiet@example.org") == []
    assert await db.value("SELECT count(*) FROM enrolments") == 1
    where = await brought(olga, "Email\nloud@example.org\n")
    await tried(olga, where, product=product.public_id, invite="y")
    await run(olga, where)
    subjects = sorted(mail["Subject"] for mail in await mailbox.all("loud@example.org"))
    assert len(subjects) == 2
    assert "Welcome to Meridian" in subjects


async def test_a_password_that_proved_nothing_is_forgotten_before_something_is_given(cast: Cast) -> None:
    olga = await cast.olga()
    squatter = await cast.person("Squatter", "ada@example.org", verified=False)
    await db.run("UPDATE users SET password_hash = 'x' WHERE id = :id", id=squatter.id)
    product = await product_of()
    where = await brought(olga, LIST)
    await tried(olga, where, existing="keep", product=product.public_id)
    await run(olga, where)
    assert await db.value("SELECT password_hash IS NULL FROM users WHERE id = :id", id=squatter.id)
    assert await db.value("SELECT count(*) FROM sessions WHERE user_id = :id", id=squatter.id) == 0


async def test_unreadable_characters_are_refused_and_not_stored(cast: Cast) -> None:
    olga = await cast.olga()
    where = await brought(
        olga, "Email,Name\na@example.org,Zoë Ö\nb@example.org,B".encode() + b"\xe9b\nc@example.org,C\x00c\n"
    )
    await tried(olga, where)
    await run(olga, where)
    assert await names() == {"a@example.org": "Zoë Ö"}
    assert [(row["Outcome"], row["Reason"][:15]) for row in await result(olga, where)] == [
        ("new", ""),
        ("refused", "Some characters"),
        ("refused", "Some characters"),
    ]


async def test_the_result_has_each_row_with_its_outcome_and_no_formula(cast: Cast) -> None:
    olga = await cast.olga()
    where = await brought(olga, '=1+1,Email,Name\n=cmd(),a@example.org,"A\nB"\n+49,nonsense,-x\n@x,,\n')
    await tried(olga, where)
    await run(olga, where)
    rows = await result(olga, where)
    assert [list(row.values()) for row in rows] == [
        ["'=cmd()", "a@example.org", "A\nB", "2", "new", ""],
        ["'+49", "nonsense", "'-x", "3", "refused", "This is not an email address."],
        ["'@x", "", "", "4", "refused", "There is no address."],
    ]
    assert list(rows[0]) == ["'=1+1", "Email", "Name", "Row", "Outcome", "Reason"]
    assert await names() == {"a@example.org": "A B"}


async def test_what_we_exported_can_be_imported_again(cast: Cast) -> None:
    olga = await cast.olga()
    ann = await cast.person("=Ann", "ann@example.org")
    exported = await (await olga.browser.get("/admin/people?role=member&format=csv")).get_data()
    where = await brought(olga, exported)
    await tried(olga, where, existing="update")
    assert (await state(where)).counts == {"unchanged": 1}
    assert (await names())[ann.email] == "=Ann"


# What is remembered and asked


async def test_the_columns_are_remembered_for_files_with_the_same_columns_in_any_order(cast: Cast) -> None:
    olga, rob = await cast.olga(), await cast.rob()
    where = await brought(olga, "Wer,Wohin,Was\nAda,ada@example.org,x\n")
    await tried(olga, where, **{"column-000": "first_name", "column-002": "last_name"})
    again = await brought(rob, "Was,Wer,Wohin\nx,Bob,bob@example.org\n")
    mapping = await db.value("SELECT mapping FROM imports WHERE public_id = :id", id=again.rpartition("/")[2])
    assert mapping == ["last_name", "first_name", "email"]


@pytest.mark.parametrize(
    ("form", "said"),
    [
        ({"column-000": ""}, "Say which column"),
        ({"column-001": "email"}, "cannot both be"),
        ({"column-001": "role"}, "Not a valid choice"),
        ({"existing": "destroy"}, "Not a valid choice"),
        ({"product": "nothing"}, "Not a valid choice"),
    ],
)
async def test_a_plan_that_makes_no_sense_is_refused(cast: Cast, form: dict[str, str], said: str) -> None:
    olga = await cast.olga()
    where = await brought(olga, "Email,Name\na@example.org,A\n")
    sent = {"column-000": "email", "column-001": "name", "existing": "skip", "product": "", **form}
    answer = await olga.browser.post(f"{where}/trials", form=sent)
    assert answer.status_code == 422
    assert said in await answer.get_data(as_text=True)
    assert (await state(where)).state == "ready"


@pytest.mark.parametrize("content", [b"", b"Email\n", b"PK\x03\x04", b"x" * (21 * 1024 * 1024)])
async def test_a_bad_file_is_refused_beside_its_field(cast: Cast, content: bytes) -> None:
    olga = await cast.olga()
    answer = await bring(olga, content)
    assert answer.status_code in (413, 422)
    assert await db.value("SELECT count(*) FROM imports") == 0


# Who may


async def test_nobody_above_oneself_is_touched(cast: Cast) -> None:
    olga, rob = await cast.olga(), await cast.rob()
    where = await brought(rob, "Email,Name\nolga@meridian.example,Olga the Fallen\nann@example.org,Ann\n")
    await tried(rob, where, existing="update")
    await run(rob, where)
    assert [row["Reason"][:21] for row in await result(rob, where)] == ["This person may do mo", ""]
    assert await db.value("SELECT name FROM users WHERE id = :id", id=olga.id) == "Olga Oster"


async def test_giving_access_asks_for_the_right_to_give_it(cast: Cast) -> None:
    product = await product_of()
    key = await cast.role("registrar", ["admin.enter", "people.view", "people.edit", "people.import"])
    pia = await cast.person("Pia", "pia@meridian.example", role=key)
    where = await brought(pia, LIST)
    assert "Let everybody use" not in await (await pia.browser.get(where)).get_data(as_text=True)
    sent = {"column-002": "email", "existing": "skip", "product": product.public_id}
    assert (await pia.browser.post(f"{where}/trials", form=sent)).status_code == 422
    # Somebody who may has planned it; that does not lend the right.
    olga = await cast.olga()
    await tried(olga, where, product=product.public_id)
    assert (await pia.browser.post(f"{where}/run", form={"attempt": "1"})).status_code == 403


@pytest.mark.parametrize("change", ["role = 'member'", "state = 'suspended'"])
async def test_a_run_stops_when_whoever_began_it_may_not_any_more(cast: Cast, change: str) -> None:
    rob, olga = await cast.rob(), await cast.olga()
    where = await brought(rob, many(3))
    await tried(rob, where)
    await run(rob, where, drain=False)
    await db.run(f"UPDATE users SET {change} WHERE id = :id", id=rob.id)
    await queue.drain()
    assert [(row.state, row.error, row.counts) for row in [await state(where)]] == [("failed", "rights", {})]
    assert "may not import any more" in await (await olga.browser.get(where)).get_data(as_text=True)
    assert await db.value("SELECT count(*) FROM users WHERE email LIKE 'p%@example.org'") == 0


async def test_a_run_asks_for_a_fresh_sign_in(cast: Cast) -> None:
    olga = await cast.olga()
    where = await brought(olga, LIST)
    await tried(olga, where)
    await cast.sign_in(olga, fresh=False)
    answer = await olga.browser.post(f"{where}/run", form={"attempt": "1"})
    assert "/login" in answer.headers.get("Location", "") or answer.status_code == 401
    assert (await state(where)).state == "checked"


# Once, whatever happens


async def test_starting_twice_starts_once_and_only_what_was_tried(cast: Cast) -> None:
    olga = await cast.olga()
    where = await brought(olga, LIST)
    assert (await olga.browser.post(f"{where}/run", form={"attempt": "0"})).status_code == 409
    await tried(olga, where)
    await tried(olga, where, existing="update")
    assert (await olga.browser.post(f"{where}/run", form={"attempt": "1"})).status_code == 409
    answers = await asyncio.gather(*(olga.browser.post(f"{where}/run", form={"attempt": "2"}) for _ in range(2)))
    assert [answer.status_code for answer in answers] == [303, 303]
    await queue.drain()
    assert await db.value("SELECT count(*) FROM audit_log WHERE action = 'import.start'") == 1
    assert len(await names()) == 2


async def test_a_run_that_was_killed_goes_on_where_it_stood(cast: Cast, monkeypatch: pytest.MonkeyPatch) -> None:
    olga = await cast.olga()
    product = await product_of()
    where = await brought(olga, many(2 * BATCH + 10))
    await tried(olga, where, product=product.public_id)
    await run(olga, where, drain=False)
    found = await state(where)
    advance, calls = queries.advance, 0

    class Killed(BaseException):
        pass

    async def dying(*args: Any, **named: Any) -> None:
        nonlocal calls
        calls += 1
        await advance(*args, **named)
        if calls == 2:
            raise Killed

    monkeypatch.setattr(queries, "advance", dying)
    with pytest.raises(Killed):
        await work.run_import(found.id)
    # The second batch was written and not committed: nothing of it is there.
    assert await db.value("SELECT count(*) FROM users WHERE email LIKE 'p%'") == BATCH
    assert (await state(where)).counts == {"new": BATCH}
    await queue.drain()
    assert (await state(where)).state == "done"
    assert (await state(where)).counts == {"new": 2 * BATCH + 10}
    assert await db.value("SELECT count(*) FROM entitlements") == 2 * BATCH + 10
    rows = await result(olga, where)
    assert [row["Email"] for row in rows] == [f"p{n}@example.org" for n in range(2 * BATCH + 10)]


async def test_two_workers_at_one_import_do_each_row_once(cast: Cast) -> None:
    olga = await cast.olga()
    product = await product_of()
    where = await brought(olga, many(3 * BATCH))
    await tried(olga, where, product=product.public_id)
    await run(olga, where, drain=False)
    found = await state(where)
    await asyncio.gather(work.run_import(found.id), work.run_import(found.id))
    assert (await state(where)).counts == {"new": 3 * BATCH}
    assert await db.value("SELECT count(*) FROM import_outcomes") == 3 * BATCH
    assert await db.value("SELECT count(*) FROM entitlements") == 3 * BATCH


async def test_without_its_place_an_import_would_be_done_twice(cast: Cast, monkeypatch: pytest.MonkeyPatch) -> None:
    """The negative control of the two tests above: when the place is not written, the second run is noticed."""
    olga = await cast.olga()
    where = await brought(olga, many(3))
    await tried(olga, where)
    await run(olga, where, drain=False)
    found = await state(where)

    async def forgetful(*_args: Any, **_named: Any) -> None:
        return None

    monkeypatch.setattr(queries, "advance", forgetful)
    monkeypatch.setattr(work, "_conclude", forgetful)
    await work.run_import(found.id)
    with pytest.raises(Exception, match="import_outcomes_pkey"):
        await work.run_import(found.id)


async def test_two_imports_of_the_same_people_at_once_make_each_once(cast: Cast) -> None:
    olga, rob = await cast.olga(), await cast.rob()
    product = await product_of()
    wheres = []
    for person, content in (
        (olga, many(BATCH)),
        (rob, "Email,Name\n" + "".join(reversed(many(BATCH).splitlines(True)[1:]))),
    ):
        where = await brought(person, content)
        await tried(person, where, existing="keep", product=product.public_id)
        await run(person, where, drain=False)
        wheres.append(await state(where))
    await asyncio.gather(*(work.run_import(found.id) for found in wheres))
    counts = [row.counts for row in await db.many(db.Row, "SELECT counts FROM imports ORDER BY id")]
    assert sum(count.get("new", 0) for count in counts) == BATCH
    assert await db.value("SELECT count(*) FROM users WHERE email LIKE 'p%'") == BATCH
    assert await db.value("SELECT count(*) FROM entitlements") == BATCH


async def test_an_import_and_who_merges_its_tags_do_not_wait_for_each_other(
    cast: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    olga = await cast.olga()
    old, new = await tags.create("Old"), await tags.create("New")
    await cast.person("Ada", "ada@example.org")
    ada = await users.find_by_email("ada@example.org")
    assert ada is not None
    await tags.add(ada, "Old")
    where = await brought(olga, LIST)
    await tried(olga, where, existing="update", tag="New")
    await run(olga, where, drain=False)
    rename, merging = bulk.rename, []

    async def merge() -> None:
        async with db.hold():
            await tags.merge(old.public_id, new.public_id)

    async def rename_while_tags_are_merged(*people: Any) -> None:
        merging.append(asyncio.create_task(merge()))
        await until_it_waits(merging[0])
        await rename(*people)

    monkeypatch.setattr(bulk, "rename", rename_while_tags_are_merged)
    await work.run_import((await state(where)).id)
    await asyncio.gather(*merging)
    assert [tag.name for tag in await tags.every()] == ["New"]
    assert (await state(where)).counts["new"] == 1


async def test_an_import_is_stopped_between_two_batches(cast: Cast, monkeypatch: pytest.MonkeyPatch) -> None:
    olga = await cast.olga()
    where = await brought(olga, many(2 * BATCH))
    await tried(olga, where)
    await run(olga, where, drain=False)
    found = await state(where)
    carry_out = People.carry_out
    stops: list[asyncio.Task[None]] = []

    async def interrupted(self: People, *args: Any, **named: Any) -> Any:
        verdicts = await carry_out(self, *args, **named)
        stops.append(asyncio.create_task(_cancel(olga, where)))
        return verdicts

    monkeypatch.setattr(People, "carry_out", interrupted)
    batch = next(work.batches(io.BytesIO(many(2 * BATCH).encode()), await _whole(found.id)))
    assert await work.carry_out(found.id, batch)
    await stops[0]
    await queue.drain()
    assert (await state(where)).counts == {"new": BATCH}
    page = await (await olga.browser.get(where)).get_data(as_text=True)
    assert "It was stopped" in page
    assert len(await result(olga, where)) == BATCH


async def _whole(import_id: int) -> Any:
    found = await queries.by_id(import_id)
    assert found is not None
    return found


async def _cancel(by: Person, where: str) -> None:
    await by.browser.post(f"{where}/cancellation")


async def test_what_is_under_way_or_over_is_not_tried_anew(cast: Cast) -> None:
    olga = await cast.olga()
    where = await brought(olga, LIST)
    await tried(olga, where)
    await run(olga, where, drain=False)
    found = await state(where)
    now = {"mapping": ["first_name", "last_name", "email"], "options": {}, "now": clock.now()}
    assert await queries.begin_check(found.id, 1, **now) is None
    await queue.drain()
    for over in ("done", "cancelled", "failed"):
        await db.run("UPDATE imports SET state = :state", state=over)
        assert await queries.begin_check(found.id, 1, **now) is None
    await db.run("UPDATE imports SET state = 'checked'")
    assert await queries.begin_check(found.id, 0, **now) is None, "somebody else has tried it since"
    assert await queries.begin_check(found.id, 1, **now) == 2


async def test_an_older_trial_does_not_write_into_a_newer_one(cast: Cast) -> None:
    olga = await cast.olga()
    where = await brought(olga, LIST)
    await tried(olga, where, drain=False)
    await tried_again(olga, where)
    found = await state(where)
    await work.check_import(found.id, 1)
    assert (await state(where)).state == "checking"
    await queue.drain()
    assert (await state(where)).state == "checked"


async def tried_again(by: Person, where: str) -> None:
    sent = {
        "column-000": "first_name",
        "column-001": "last_name",
        "column-002": "email",
        "existing": "skip",
        "product": "",
    }
    assert (await by.browser.post(f"{where}/trials", form=sent)).status_code == 303


# While it is under way, and afterwards


async def test_the_page_asks_again_until_something_has_changed(cast: Cast) -> None:
    olga = await cast.olga()
    where = await brought(olga, LIST)
    page = await tried(olga, where, drain=False)
    assert 'hx-trigger="every 1s"' in page
    assert '<meta http-equiv="refresh"' in page
    seen = page.split("?seen=")[1].split('"')[0]
    headers = {"HX-Request": "true", "HX-Target": "div#import-state"}
    assert (await olga.browser.get(f"{where}?seen={seen}", headers=headers)).status_code == 204
    await queue.drain()
    answer = await olga.browser.get(f"{where}?seen={seen}", headers=headers)
    part = await answer.get_data(as_text=True)
    assert answer.status_code == 200
    assert "every 1s" not in part
    assert "Import 2 people" in part


async def test_an_import_whose_job_died_for_good_can_be_sent_on(cast: Cast) -> None:
    olga = await cast.olga()
    where = await brought(olga, LIST)
    await tried(olga, where)
    await run(olga, where, drain=False)
    await db.run("DELETE FROM pgqueuer")
    assert "Go on" not in await (await olga.browser.get(where)).get_data(as_text=True)
    with clock.shifted(timedelta(minutes=3)):
        assert "Go on" in await (await olga.browser.get(where)).get_data(as_text=True)
        for _ in range(2):
            await olga.browser.post(f"{where}/continuation")
        assert await db.value("SELECT count(*) FROM pgqueuer WHERE entrypoint = 'imports.run_import'") == 1
        await queue.drain()
    assert (await state(where)).state == "done"


async def test_file_and_rows_are_forgotten_after_a_month(cast: Cast, app: Lectern) -> None:
    olga = await cast.olga()
    where = await brought(olga, LIST)
    await tried(olga, where)
    await run(olga, where)
    key = await db.value("SELECT storage_key FROM imports")
    with clock.shifted(timedelta(days=29)):
        await jobs.clear_imports()
    assert await shelf.storage().size(key)
    assert await db.value("SELECT count(*) FROM import_outcomes") > 0
    with clock.shifted(timedelta(days=31)):
        await jobs.clear_imports()
        await jobs.clear_imports()
        await cast.sign_in(olga)
        assert await shelf.storage().size(key) is None
        assert await db.value("SELECT count(*) FROM import_outcomes") == 0
        assert (await olga.browser.get(f"{where}/result.csv")).status_code == 404
        page = await (await olga.browser.get(where)).get_data(as_text=True)
        assert "deleted now" in page
        assert "ada@example.org" not in page
    left = await db.value("SELECT CAST(row_to_json(imports) AS text) FROM imports")
    assert "example.org" not in left


async def test_what_an_upload_left_behind_that_was_cut_off_is_swept(cast: Cast) -> None:
    olga = await cast.olga()
    where = await brought(olga, LIST)
    await db.run("UPDATE imports SET state = 'storing'")
    assert (await olga.browser.get(where)).status_code == 404
    await jobs.clear_imports()
    assert await db.value("SELECT count(*) FROM imports") == 1
    with clock.shifted(timedelta(days=2)):
        await jobs.clear_imports()
    assert await db.value("SELECT count(*) FROM imports") == 0


async def test_who_brought_tried_and_ran_it_is_written_down(cast: Cast) -> None:
    olga, ann = await cast.olga(), await cast.ann()
    where = await brought(olga, "Email,Name\nann@example.org,Anna\nnew@example.org,New\n")
    await tried(olga, where, existing="update")
    await run(olga, where)
    rows = await db.many(
        db.Row,
        "SELECT action, actor_id, subject_type, subject_id, before, after FROM audit_log WHERE action <> 'settings.change' ORDER BY id",
    )
    assert [row.action for row in rows] == ["import.bring", "import.start", "people.add", "people.edit", "import.end"]
    assert {row.actor_id for row in rows} == {olga.id}
    renamed = rows[3]
    assert (renamed.subject_id, renamed.before, renamed.after) == (
        ann.public_id,
        {"name": "Ann Archer"},
        {"name": "Anna"},
    )
    assert rows[-1].after == {"new": 1, "changed": 1}


async def test_the_list_shows_imports_newest_first(cast: Cast) -> None:
    olga = await cast.olga()
    await brought(olga, LIST, "first.csv")
    await brought(olga, LIST, "C:/lists/second list.csv")
    page = await (await olga.browser.get(AT)).get_data(as_text=True)
    assert page.index(">second list.csv") < page.index("first.csv")


@pytest.mark.parametrize(
    ("content", "is_said"),
    [
        ("Email,Phone\nada@example.org,1\n", True),
        ("Email,Name\nada@example.org,Ada\n", False),
        ("Email,Nachname\nada@example.org,Lovelace\n", False),
    ],
)
async def test_a_list_without_names_says_what_stands_in_their_place(cast: Cast, content: str, is_said: bool) -> None:
    olga = await cast.olga()
    where = await brought(olga, content)
    page = await (await olga.browser.get(where)).get_data(as_text=True)
    assert ("No column is a name" in page) is is_said
    page = await tried(olga, where)
    assert ("Ines Kovac for ines.kovac@example.org" in page) is is_said
    assert ("Left out: Phone." in page) is ("Phone" in content)
    await run(olga, where)
    assert ((await names())["ada@example.org"] == "Ada") is ("Nachname" not in content)
