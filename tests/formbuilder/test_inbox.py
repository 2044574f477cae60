"""The inbox: its list with columns and filters of the form, one entry, and acts on many."""

import re
from dataclasses import replace
from typing import Any
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

import pytest

from app import Lectern
from app.core import db
from app.core.errors import Conflict, Invalid
from app.formbuilder import entries
from app.formbuilder.after_sending import resending
from app.formbuilder.definition import definitions, readings, versions
from app.formbuilder.inbox import entries_in_bulk, table
from app.formbuilder.models import Entry, Form
from app.formbuilder.queries import inbox as queries
from app.web.tables import bulk
from app.web.tables.state import read
from app.web.tables.statements import statement
from tests.cast import Cast, Person
from tests.formbuilder.entering import FIELDS, a_form, sent, state_of, told
from tests.office import seen
from tests.test_scale import touched

pytestmark = pytest.mark.usefixtures("app")


async def rows(form: Form, **args: str) -> list[str]:
    """Addresses of the entries that the list finds."""
    listing, choices = table.listing_of(await table.asked(form.public_id), None, args)
    sql, binds = statement(listing, read(listing, args, choices), ZoneInfo("UTC"), choices, limit=41)
    return [row.email.partition("@")[0] for row in await db.many(db.Row, sql, **binds)]


async def test_each_filter_finds_its_entries() -> None:
    form, definition = await a_form()
    other, other_definition = await a_form()
    ann = await sent(form, definition)
    ben = await sent(form, definition, q1="Ben", q2="ben@example.org", q3="search")
    cem = await sent(form, definition, q1="Cem", q2="cem@example.org", q3="__other__", q3_other="A poster")
    dee = await sent(form, definition, q2="dee@example.org")
    await sent(other, other_definition, q2="else@example.org")
    await entries.mark(ben, is_starred=True, is_read=True)
    await entries.set_status(ann, "In work", definition, by=(await _anybody()))
    await entries.move(dee, "spam", definition)
    assert await rows(form) == ["cem", "ben", "ann"]
    assert await rows(form, state="spam") == ["dee"]
    assert await rows(form, starred="1") == ["ben"]
    assert await rows(form, unread="1") == ["cem", "ann"]
    assert await rows(form, status="In work") == ["ann"]
    assert await rows(form, q="post") == ["cem"]
    assert await rows(form, f_q3="search") == ["ben"]
    assert await rows(form, f_q3="__other__") == ["cem"]
    assert await rows(form, f_q3="friend", unread="1") == ["ann"]
    assert await rows(form, f_q3="nonsense") == ["cem", "ben", "ann"]  # not an option: ignored
    assert await rows(form, f_q3="friend", q="ann") == ["ann"]
    assert await rows(form, f_q3="friend", sort="came") == ["ann"]
    assert cem.id > ben.id


def several(**form: list[str]) -> dict[str, Any]:
    """A form in which a name stands more than once."""
    return {"data": urlencode(form, doseq=True), "headers": {"Content-Type": "application/x-www-form-urlencoded"}}


async def _anybody() -> int:
    found: int = await db.value(
        """
        INSERT INTO users (public_id, email, name, role, created_at)
        VALUES ('anybody', 'any@example.org', 'Any', 'member', now()) RETURNING id
        """
    )
    return found


async def test_an_option_with_quotes_and_colons_is_only_a_value() -> None:
    fields = [
        {
            "id": "q1",
            "kind": "radio",
            "label": "Which",
            "settings": {"options": [{"value": "it's :form '", "label": "X"}, "Y"]},
        }
    ]
    form, definition = await a_form(fields)
    await sent(form, definition, q1="it's :form '")
    assert len(await rows(form, f_q1="it's :form '")) == 1
    assert len(await rows(form, f_q1="y")) == 0


async def test_columns_are_kept_for_each_person_and_form(cast: Cast) -> None:
    olga = await cast.olga()
    form, definition = await a_form()
    await sent(form, definition, q4="41")
    base = f"/admin/forms/{form.public_id}/entries"
    assert '<th scope="col">Age' not in await seen(olga, base)
    await olga.browser.post(f"{base}/columns", **several(field=["q4", "q3", "nothing"]))
    shown = await seen(olga, base)
    assert '<th scope="col">Age' in shown
    assert "A friend</span></td>" in shown.replace("\n", "")
    assert '<span class="table__words">41</span>' in shown
    assert re.search(r'aria-label="Pick \d+ \w+ \d{4}, \d\d:\d\d unread"', shown), "as it is read, not as it is stored"
    assert (await table.asked(form.public_id, by=olga.id)).form.columns == ["q4", "q3"]
    csv = await seen(olga, f"{base}?format=csv")
    assert csv.splitlines()[0].removeprefix("\ufeff").startswith("Came,Age,How did you find us?")
    with pytest.raises(Invalid):
        many = [{"id": f"q{n}", "kind": "short_text", "label": f"Q{n}"} for n in range(1, 12)]
        wide, _definition = await a_form(many)
        await table.choose_columns(wide.public_id, [f"q{n}" for n in range(1, 12)], by=olga.id)


async def test_the_page_of_an_entry_tells_everything_and_reads_it(cast: Cast) -> None:
    olga = await cast.olga()
    form, definition = await a_form()
    older, entry, newer = [await sent(form, definition, q1=name) for name in ("First", "<b>Ann</b>", "Last")]
    page = f"/admin/forms/{form.public_id}/entries/{entry.public_id}"
    await entries.note(entry, "Called her\n<i>twice</i>", by=olga.id)
    text = await seen(olga, page)
    assert "&lt;b&gt;Ann&lt;/b&gt;" in text
    assert "A friend" in text
    assert "&lt;i&gt;twice&lt;/i&gt;" in text
    assert f'{older.public_id}" ' in text and 'data-key="j"' in text
    assert newer.public_id in text
    assert await db.value("SELECT read_at IS NOT NULL FROM form_entries WHERE id = :id", id=entry.id)


async def test_an_edit_is_checked_like_the_visitor_was(cast: Cast) -> None:
    olga = await cast.olga()
    fields = [*FIELDS, {"id": "q5", "kind": "consent", "label": "Terms", "settings": {"text": "As of May"}}]
    form, definition = await a_form(fields)
    entry = await sent(form, definition, q5="yes")
    page = f"/admin/forms/{form.public_id}/entries/{entry.public_id}/answers"
    assert 'value="Ann Hart"' in await seen(olga, page)
    sent_again = {"q1": "", "q2": "ann@example.org", "q3": "friend", "q5": "yes"}
    answer = await olga.browser.post(page, form=sent_again)
    assert answer.status_code == 422
    assert "Please answer this." in await answer.get_data(as_text=True)
    answer = await olga.browser.post(page, form={**sent_again, "q1": "Anna"})
    assert answer.status_code == 303
    row = await db.one(db.Row, "SELECT answers, said FROM form_entries WHERE id = :id", id=entry.id)
    assert row is not None
    assert row.answers["q1"] == "Anna" and "Anna" in row.said
    assert row.answers["q5"] == {"agreed": "As of May"}
    shown = await seen(olga, f"/admin/forms/{form.public_id}/entries/{entry.public_id}")
    assert "<del>Ann Hart</del> → <ins>Anna</ins>" in shown


async def test_a_thing_is_thrown_away_and_brought_back(cast: Cast) -> None:
    olga = await cast.olga()
    form, definition = await a_form(approval=True)
    entry = await sent(form, definition)
    base = f"/admin/forms/{form.public_id}/entries/{entry.public_id}"
    assert (await olga.browser.post(f"{base}/state", form={"act": "bin"})).status_code == 303
    assert await rows(form) == []
    assert (await olga.browser.post(f"{base}/restoration")).status_code == 303
    assert await state_of(entry.id) == "waiting"
    assert (await olga.browser.post(f"{base}/state", form={"act": "pay"})).status_code == 422


async def test_only_who_may_edit_entries_sees_and_does_it(cast: Cast, app: Lectern) -> None:
    await cast.olga()
    sam = await cast.person("Sam Sorg", "sam@example.org", role="support")
    form, definition = await a_form(approval=True)
    entry = await sent(form, definition)
    base = f"/admin/forms/{form.public_id}/entries/{entry.public_id}"
    shown = await seen(sam, base)
    assert "Approve" not in shown and "Change the answers" not in shown
    assert (await sam.browser.post(f"{base}/state", form={"act": "approve"})).status_code == 403
    assert await state_of(entry.id) == "waiting"


async def test_what_was_registered_is_sent_again_and_only_of_entries_that_count(
    monkeypatch: pytest.MonkeyPatch, cast: Cast
) -> None:
    olga = await cast.olga()
    again: list[int] = []

    async def note(entry_id: int) -> None:
        again.append(entry_id)

    monkeypatch.setitem(resending.WAYS, "test", resending.Way("test", "Test", note))
    form, definition = await a_form(approval=True)
    entry = await sent(form, definition)
    with pytest.raises(Conflict):
        await resending.send(entry, ["test"], by=olga.id)
    await entries.move(entry, "approve", definition)
    page = f"/admin/forms/{form.public_id}/entries/{entry.public_id}/sending"
    await olga.browser.post(page, **several(way=["test", "services"]))
    assert again == [entry.id]


async def test_many_are_approved_by_one_act_and_each_is_told_once(cast: Cast) -> None:
    olga = await cast.olga()
    form, definition = await a_form(approval=True)
    made = [await sent(form, definition, q2=f"p{n}@example.org") for n in range(5)]
    await entries.move(made[0], "approve", definition)
    run_id = await _chosen(olga, form, "approve")
    await _begun(olga, run_id)
    assert [await state_of(entry.id) for entry in made] == ["received"] * 5
    assert [await told(entry.id) for entry in made] == [1] * 5
    run = await db.one(db.Row, "SELECT acted, skipped FROM bulk_runs WHERE public_id = :id", id=run_id)
    assert run is not None
    assert (run.acted, run.skipped) == (4, 1)


@pytest.mark.parametrize(("act", "args", "column"), [
    ("read", {}, "read_at IS NOT NULL"), ("star", {}, "is_starred"), ("status", {"status": "Done"}, "status = 'Done'"),
    ("spam", {}, "state = 'spam'"), ("bin", {}, "state = 'binned'"),
])  # fmt: skip
async def test_an_act_on_many_is_done_and_taken_back(cast: Cast, act: str, args: dict[str, str], column: str) -> None:
    olga = await cast.olga()
    form, definition = await a_form()
    for n in range(3):
        await sent(form, definition, q2=f"p{n}@example.org")
    done = f"SELECT count(*) FROM form_entries WHERE {column}"
    run_id = await _chosen(olga, form, act)
    shown = await seen(olga, f"/admin/bulk/{run_id}?{'&'.join(f'{k}={v}' for k, v in args.items())}")
    assert "3" in shown
    assert await db.value(done) == 0
    await _begun(olga, run_id, args)
    assert await db.value(done) == 3
    answer = await olga.browser.post(f"/admin/bulk/{run_id}/undoing")
    await _worked_through(answer.headers["Location"].rpartition("/")[2])
    assert await db.value(done) == 0


@pytest.mark.parametrize(("act", "back", "state"), [("bin", "restore", "binned"), ("spam", "not_spam", "spam")])
async def test_what_somebody_took_back_and_did_anew_is_not_taken_back_with_the_many(
    cast: Cast, act: str, back: str, state: str
) -> None:
    olga = await cast.olga()
    form, definition = await a_form()
    one, other = await sent(form, definition), await sent(form, definition, q2="ben@example.org")
    run_id = await _chosen(olga, form, act)
    await _begun(olga, run_id)
    for move in (back, act):
        await entries.move(one, move, definition, by=olga.id)
    answer = await olga.browser.post(f"/admin/bulk/{run_id}/undoing")
    undoing = answer.headers["Location"].rpartition("/")[2]
    await _worked_through(undoing)
    assert (await state_of(one.id), await state_of(other.id)) == (state, "received")
    assert "has changed since" in await seen(olga, f"/admin/bulk/{undoing}")


@pytest.mark.parametrize(("act", "column"), [("read", "read_at IS NOT NULL"), ("star", "is_starred")])
async def test_what_was_so_before_an_act_on_many_stays_so_when_it_is_taken_back(
    cast: Cast, act: str, column: str
) -> None:
    olga = await cast.olga()
    form, definition = await a_form()
    before, _after = await sent(form, definition), await sent(form, definition)
    await entries.mark(before, is_read=True, is_starred=True)
    run_id = await _chosen(olga, form, act)
    await _begun(olga, run_id)
    answer = await olga.browser.post(f"/admin/bulk/{run_id}/undoing")
    await _worked_through(answer.headers["Location"].rpartition("/")[2])
    assert await db.value(f"SELECT array_agg(id) FROM form_entries WHERE {column}") == [before.id]


async def test_all_that_the_filters_find_is_of_this_form_and_this_answer(cast: Cast) -> None:
    olga = await cast.olga()
    form, definition = await a_form()
    other, other_definition = await a_form()
    await sent(form, definition)
    wanted = await sent(form, definition, q3="search")
    await sent(other, other_definition, q3="search")
    run_id = await _chosen(olga, form, "star", query="?f_q3=search")
    await _begun(olga, run_id)
    assert await db.value("SELECT array_agg(id) FROM form_entries WHERE is_starred") == [wanted.id]


async def test_a_word_that_the_form_does_not_have_is_given_to_none(cast: Cast) -> None:
    olga = await cast.olga()
    form, definition = await a_form()
    entry = await sent(form, definition)
    act = next(act for act in entries_in_bulk.ACTS if act.key == "status")
    async with db.transaction():
        found = await act.carry_out([entry.id], {"status": "Nonsense"}, olga.id)
    assert found[entry.id].reason == "word"
    assert await db.value("SELECT status FROM form_entries") == ""


async def test_a_word_that_somebody_changed_since_is_not_taken_back(cast: Cast) -> None:
    olga = await cast.olga()
    form, definition = await a_form()
    await sent(form, definition)
    run_id = await _chosen(olga, form, "status")
    await _begun(olga, run_id, {"status": "Done"})
    await db.run("UPDATE form_entries SET status = 'In work'")
    answer = await olga.browser.post(f"/admin/bulk/{run_id}/undoing")
    await _worked_through(answer.headers["Location"].rpartition("/")[2])
    assert await db.value("SELECT status FROM form_entries") == "In work"


@pytest.mark.parametrize("change", ["role = 'member'", "state = 'suspended'"])
async def test_who_lost_the_right_meanwhile_leaves_the_rest_undone(cast: Cast, change: str) -> None:
    olga = await cast.olga()
    ida = await cast.person("Ida", "ida@example.org", role="admin")
    assert olga.id != ida.id
    form, definition = await a_form()
    entry = await sent(form, definition)
    await db.run(f"UPDATE users SET {change} WHERE id = :id", id=ida.id)
    for act in entries_in_bulk.ACTS:
        async with db.transaction():
            found = await act.carry_out([entry.id], {"status": "Done"}, ida.id)
        assert found[entry.id].reason == "right", act.key


async def _chosen(person: Person, form: Form, act: str, query: str = "") -> str:
    path = f"/admin/forms/{form.public_id}/entries"
    answer = await person.browser.post(
        f"/admin/bulk/lists/form-entries{query}", form={"act": act, "scope": "all", "path": path}
    )
    assert answer.status_code == 303, await answer.get_data(as_text=True)
    return str(answer.headers["Location"].rpartition("/")[2])


async def _begun(person: Person, run_id: str, form: dict[str, str] | None = None) -> None:
    answer = await person.browser.post(f"/admin/bulk/{run_id}/beginning", form=form or {})
    assert answer.status_code == 303, await answer.get_data(as_text=True)
    await _worked_through(run_id)


async def _worked_through(run_id: str) -> None:
    await bulk.work_through(await db.value("SELECT id FROM bulk_runs WHERE public_id = :id", id=run_id))


# --- however many there are ------------------------------------------------------------------------------------------

MANY = 30_000
# What a page may read: pages count up to 1,000 rows, and look at as many of what was chosen.
MOST_ROWS = 9_000


async def many(form: Form) -> None:
    """Entries of which one in 5,000 said "search", one in 3 is read, one in 1,000 starred, one in 2,000 is spam."""
    await db.run(
        """
        INSERT INTO form_entries (public_id, form_id, version_id, state, answers, said, email, created_at, read_at, is_starred, status)
        SELECT 'many' || n, :form, :version, CASE WHEN n % 2000 = 1 THEN 'spam' ELSE 'received' END,
               jsonb_build_object('q1', 'Name ' || n, 'q3', jsonb_build_object('value', CASE WHEN n % 5000 = 0 THEN 'search' ELSE 'friend' END)),
               'Name ' || n || ' word' || n % 7, 'p' || n || '@example.org', now() - n * interval '1 minute',
               CASE WHEN n % 3 = 0 THEN now() END, n % 1000 = 0, CASE WHEN n % 4000 = 0 THEN 'Done' ELSE '' END
        FROM generate_series(1, CAST(:many AS integer)) n
        """,
        form=form.id,
        version=form.version_id,
        many=MANY,
    )
    await db.script("ANALYZE form_entries; ANALYZE form_answer_choices")


async def test_no_page_of_the_inbox_touches_more_rows_than_its_bound() -> None:
    form, definition = await a_form()
    other, other_definition = await a_form()
    await sent(other, other_definition)
    assert definition.fields
    await many(form)
    asked = await table.asked(form.public_id)

    async def read_rows(**args: str) -> int:
        listing, choices = table.listing_of(asked, ["q1", "q4"], args)
        sql, binds = statement(listing, read(listing, args, choices), ZoneInfo("UTC"), choices, limit=41)
        return await touched(sql, binds, "force_custom_plan")

    addresses: list[dict[str, str]] = [
        {}, {"state": "spam"}, {"state": "received"}, {"state": "refused"}, {"unread": "1"}, {"starred": "1"},
        {"status": "Done"}, {"status": "In work"}, {"f_q3": "search"}, {"f_q3": "friend"}, {"f_q3": "__other__"},
        {"f_q3": "search", "unread": "1"}, {"f_q3": "friend", "starred": "1"}, {"q": "p77"}, {"q": "zzzz"},
        {"sort": "came"}, {"from": "2026-11-01"}, {"starred": "1", "unread": "1"},
    ]  # fmt: skip
    counts = {str(address): await read_rows(**address) for address in addresses}
    beyond = {address: count for address, count in counts.items() if count > MOST_ROWS}
    assert not beyond
    # What the indexes are for: without them the same pages are beyond.
    for index, args in {
        "form_entries_starred": {"starred": "1"},
        "form_entries_by_state": {"state": "refused"},
        "form_entries_by_status": {"status": "In work"},
    }.items():
        made_by = await db.value("SELECT pg_get_indexdef(CAST(:name AS regclass))", name=index)
        await db.script(f"DROP INDEX {index}")
        try:
            assert await read_rows(**args) > MOST_ROWS, index
        finally:
            await db.script(made_by)


async def test_an_entry_of_very_many_is_one_page() -> None:
    form, _definition = await a_form()
    await many(form)
    found: Any = await queries.sheet(form.id, "many16000")
    assert (found.newer, found.older) == ("many15999", "many16002")  # one between is spam
    assert await versions.find(form.public_id)


async def test_the_list_is_drawn_by_itself_when_a_filter_changes(cast: Cast) -> None:
    olga = await cast.olga()
    form, definition = await a_form()
    await sent(form, definition)
    headers = {"HX-Request": "true", "HX-Target": "div#list"}
    block = await seen(olga, f"/admin/forms/{form.public_id}/entries?state=received", headers=headers)
    assert "<html" not in block and 'badge--good">Received' in block


async def test_the_office_writes_no_answer_twice_that_may_be_there_once(cast: Cast) -> None:
    olga = await cast.olga()
    address = {"id": "q2", "kind": "email", "label": "Email", "settings": {"unique": True}}
    name = {"id": "q1", "kind": "short_text", "label": "Name", "settings": {"unique": True}}
    form = await versions.publish(
        (await versions.create(definitions.read({"title": "F", "fields": [name, address]}), by=None)).id
    )
    definition = readings.of(form)
    one = await sent(form, definition, q1="Ann", q2="ann@x.example", q3="")
    other = await sent(form, definition, q1="Ben", q2="ben@x.example", q3="")

    async def edited(entry: Entry, **texts: str) -> int:
        path = f"/admin/forms/{form.public_id}/entries/{entry.public_id}/answers"
        answer = await olga.browser.post(path, form=texts)
        assert ("Somebody has given this answer already" in await answer.get_data(as_text=True)) is (
            answer.status_code == 422
        )
        return int(answer.status_code)

    assert await edited(other, q1="Ann", q2="ben@x.example") == 422
    assert await edited(other, q1="Ben", q2="ANN@x.example") == 422
    assert await db.value("SELECT answers ->> 'q1' FROM form_entries WHERE id = :id", id=other.id) == "Ben"
    # Its own answers are in nobody's way, nor those of an entry that does not count.
    assert await edited(one, q1="Ann", q2="ANN@x.example") == 303
    assert await edited(one, q1="ann", q2="ANN@x.example") == 303
    await entries.move(one, "bin", definition)
    assert await edited(other, q1="ann", q2="ann@x.example") == 303


async def test_an_answer_that_was_there_twice_before_keeps_nobody_from_an_edit(cast: Cast) -> None:
    olga = await cast.olga()
    form, definition = await a_form()
    one, _other = await sent(form, definition), await sent(form, definition)
    unique = replace(
        definition,
        fields=tuple(replace(each, settings={**each.settings, "unique": True}) for each in definition.fields),
    )
    answers = {**one.answers, "q1": "Anna"}
    assert await entries.edit(one, unique, answers, "Anna", one.email, by=olga.id)
