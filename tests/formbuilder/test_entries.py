"""What stands before an entry counts, and that it counts once."""

import asyncio
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from app import Lectern
from app.core import clock, db
from app.core.errors import Conflict, Invalid
from app.core.limits import Limit
from app.formbuilder import entries, jobs, typed_addresses
from app.formbuilder.answering import submissions
from app.formbuilder.answering.submissions import Sender
from app.formbuilder.definition import definitions, versions
from app.formbuilder.inbox import exports, privacy
from app.formbuilder.inbox import table as inbox_of_form
from app.formbuilder.models import Entry
from app.formbuilder.queries import inbox
from app.formbuilder.queries.entries import entry_by_id
from app.formbuilder.routes.sending import thanks_url
from tests.cast import Cast
from tests.formbuilder.entering import a_form, sent, state_of, told
from tests.office import seen

pytestmark = pytest.mark.usefixtures("app")


async def link_of(entry: Entry) -> str:
    """The token of the newest link that was mailed."""
    path = await db.value(
        "SELECT context ->> 'path' FROM mails WHERE template = 'formbuilder/confirm' AND fact LIKE :fact ORDER BY id DESC LIMIT 1",
        fact=f"form_entry:{entry.id}:%",
    )
    return str(path).rpartition("/")[2]


async def test_an_entry_without_conditions_counts_at_once() -> None:
    entry = await sent(*await a_form())
    assert (entry.state, await told(entry.id)) == ("received", 1)


@pytest.mark.parametrize("before", ["received", "unconfirmed", "waiting", "unpaid", "spam", "refused", "binned"])
@pytest.mark.parametrize("act", entries.MOVES)
async def test_only_the_moves_of_the_table_are_made(act: str, before: str) -> None:
    form, definition = await a_form(opt_in=True, approval=True)
    entry = await sent(form, definition)
    await db.run("UPDATE form_entries SET state = :state WHERE id = :id", state=before, id=entry.id)
    if before in entries.MOVES[act].before:
        assert await entries.move(entry, act, definition) == await state_of(entry.id) != before
    else:
        with pytest.raises(Conflict):
            await entries.move(entry, act, definition)
        assert await state_of(entry.id) == before


def test_nothing_but_this_may_be_done_with_entries_of_these_states() -> None:
    """Written down once more: whoever lets an act begin somewhere else has to mean it."""
    assert {act: (set(move.before), move.to) for act, move in entries.MOVES.items()} == {
        "confirm": ({"unconfirmed"}, ""),
        "approve": ({"waiting", "refused"}, "received"),
        "refuse": ({"waiting"}, "refused"),
        "pay": ({"unpaid"}, ""),
        "ask": ({"spam"}, "unpaid"),
        "spam": ({"received", "unconfirmed", "waiting"}, "spam"),
        "not_spam": ({"spam"}, ""),
        "bin": ({"received", "unconfirmed", "waiting", "unpaid", "spam", "refused"}, "binned"),
        "restore": ({"binned"}, ""),
    }


@pytest.mark.parametrize(("state", "act"), [("unpaid", "pay"), ("unconfirmed", "confirm"), ("spam", "ask")])
async def test_the_office_neither_pays_nor_confirms_for_somebody(cast: Cast, state: str, act: str) -> None:
    form, definition = await a_form()
    entry, olga = await sent(form, definition), await cast.olga()
    await db.run("UPDATE form_entries SET state = :state", state=state)
    path = f"/admin/forms/{form.public_id}/entries/{entry.public_id}/state"
    assert (await olga.browser.post(path, form={"act": act})).status_code == 422
    assert await state_of(entry.id) == state


async def test_what_counted_once_counts_again_without_another_approval() -> None:
    form, definition = await a_form(approval=True)
    entry = await sent(form, definition)
    for act in ("approve", "spam", "not_spam"):
        await entries.move(entry, act, definition)
    assert await state_of(entry.id) == "received"


async def test_a_link_is_sent_again_only_while_a_click_is_waited_for() -> None:
    form, definition = await a_form(opt_in=True)
    entry = await sent(form, definition)
    await entries.confirm(await link_of(entry), definition)
    with pytest.raises(Conflict):
        await entries.send_link_again(entry, definition, by=1)


async def test_who_has_paid_gets_the_link_however_often_the_address_was_typed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    form, definition = await a_form(opt_in=True)
    entry = await sent(form, definition, q2="")
    await db.run("UPDATE form_entries SET state = 'unpaid', email = 'ann@example.org', counted_at = NULL")

    async def never(_address: str) -> bool:
        return False

    monkeypatch.setattr(entries, "may_ask", never)
    unpaid = replace(entry, state="unpaid", email="ann@example.org")
    assert await entries.move(unpaid, "pay", definition) == "unconfirmed"
    assert await db.value("SELECT count(*) FROM mails WHERE template = 'formbuilder/confirm'") == 1


@pytest.mark.parametrize("text", ["", "  ", "x" * 5001])
async def test_a_note_has_words_but_no_book(text: str) -> None:
    form, definition = await a_form()
    entry = await sent(form, definition)
    with pytest.raises(Invalid):
        await entries.note(entry, text, by=1)


async def test_an_approval_publishes_once_however_often_it_is_asked_for() -> None:
    form, definition = await a_form(approval=True)
    entry = await sent(form, definition)
    assert (entry.state, await told(entry.id)) == ("waiting", 0)
    outcomes = await asyncio.gather(*[_approve(entry, definition) for _ in range(6)])
    assert sorted(outcomes) == [False] * 5 + [True]
    assert (await state_of(entry.id), await told(entry.id)) == ("received", 1)


async def _approve(entry: Entry, definition: Any) -> bool:
    from app.core import db as database

    async with database.hold():
        try:
            await entries.move(entry, "approve", definition)
        except Conflict:
            return False
    return True


async def test_without_the_lock_and_the_guard_an_approval_would_be_published_more_than_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    form, definition = await a_form(approval=True)
    entry = await sent(form, definition)

    async def look(entry_id: int) -> Any:
        found = await inbox.standing(entry_id)
        await asyncio.sleep(0.2)
        return found

    async def always(*_args: Any) -> bool:
        return True

    for name, put in {"lock_state": look, "move": always, "count_in": always}.items():
        monkeypatch.setattr(inbox, name, put)
    await asyncio.gather(*[_approve(entry, definition) for _ in range(3)])
    assert await told(entry.id) > 1


async def test_what_was_told_once_is_not_told_again_after_spam_or_the_bin() -> None:
    form, definition = await a_form()
    entry = await sent(form, definition)
    for act in ("spam", "not_spam", "bin", "restore"):
        await entries.move(entry, act, definition)
    assert (await state_of(entry.id), await told(entry.id)) == ("received", 1)


async def test_a_refusal_is_mailed_only_with_words_and_only_once() -> None:
    for words, mails in (("", 0), ("We have no place left.", 1)):
        form, definition = await a_form(approval=True, refusal=words)
        entry = await sent(form, definition)
        await entries.move(entry, "refuse", definition)
        fact = f"form_entry:{entry.id}:refusal"
        assert await db.value("SELECT count(*) FROM mails WHERE fact = :fact", fact=fact) == mails
        assert await told(entry.id) == 0


async def test_the_link_in_the_mail_confirms_by_its_button_alone(app: Lectern) -> None:
    form, definition = await a_form(opt_in=True)
    entry = await sent(form, definition)
    assert entry.state == "unconfirmed"
    path = f"/forms/{form.slug}/confirmations/{await link_of(entry)}"
    browser = app.test_client()
    for _scanner in range(2):
        assert (await browser.get(path)).status_code == 200
    assert (await state_of(entry.id), await told(entry.id)) == ("unconfirmed", 0)
    for _twice in range(2):
        assert (await browser.post(path)).status_code == 303
    assert (await state_of(entry.id), await told(entry.id)) == ("received", 1)
    assert "arrived" in await (await browser.get(path)).get_data(as_text=True)


async def test_who_has_to_confirm_is_told_so_first_and_led_on_afterwards(app: Lectern) -> None:
    form, definition = await a_form(opt_in=True, thanks_title="See you there")
    await db.run(
        """UPDATE form_versions SET definition = definition || jsonb_build_object('confirmations',
           jsonb_build_array(jsonb_build_object('id', 'c1', 'kind', 'page', 'path', '/courses')))"""
    )
    entry = await sent(form, definition)
    browser = app.test_client()
    before = await browser.get(thanks_url(form, entry.public_id, "unconfirmed"))
    assert before.status_code == 200
    assert "Look into your mail" in await before.get_data(as_text=True)
    confirmed = await browser.post(f"/forms/{form.slug}/confirmations/{await link_of(entry)}")
    assert "/thanks/" in confirmed.headers["Location"]
    for address in (confirmed.headers["Location"], thanks_url(form, entry.public_id, "unconfirmed")):
        assert (await browser.get(address)).headers["Location"] == "/courses"


async def test_a_click_and_an_approval_stand_before_it_counts() -> None:
    form, definition = await a_form(opt_in=True, approval=True)
    entry = await sent(form, definition)
    assert await entries.confirm(await link_of(entry), definition) == "waiting"
    assert await told(entry.id) == 0
    assert await entries.move(entry, "approve", definition) == "received"
    assert await told(entry.id) == 1


async def test_nobody_without_an_address_is_asked_for_a_click() -> None:
    entry = await sent(*await a_form(opt_in=True), q2="")
    assert entry.state == "received"


@pytest.mark.parametrize("in_bin", [False, True])
async def test_a_link_confirms_the_address_that_it_was_mailed_to_and_no_other(
    app: Lectern, cast: Cast, *, in_bin: bool
) -> None:
    olga, browser = await cast.olga(), app.test_client()
    form, definition = await a_form(opt_in=True)
    entry = await sent(form, definition)
    path = f"/forms/{form.slug}/confirmations/{await link_of(entry)}"
    if in_bin:
        await entries.move(entry, "bin", definition)
    answers = {**entry.answers, "q2": "anna@example.org"}
    assert await entries.edit(entry, definition, answers, "", "anna@example.org", by=olga.id)
    if in_bin:
        await entries.move(entry, "restore", definition)
    assert (await browser.post(path)).status_code == 404
    assert await state_of(entry.id) == "unconfirmed"
    now = await entry_by_id(entry.id)
    if in_bin and now is not None:
        await entries.send_link_again(now, definition, by=olga.id)
    told = await db.many(db.Row, "SELECT recipient FROM mails WHERE template = 'formbuilder/confirm' ORDER BY id")
    assert [mail.recipient for mail in told] == ["ann@example.org", "anna@example.org"]
    await browser.post(f"/forms/{form.slug}/confirmations/{await link_of(entry)}")
    assert await state_of(entry.id) == "received"


async def test_a_link_ends_after_seven_days_and_another_can_be_asked_for(app: Lectern) -> None:
    form, definition = await a_form(opt_in=True)
    entry = await sent(form, definition)
    old = await link_of(entry)
    path = f"/forms/{form.slug}/confirmations/{old}"
    browser = app.test_client()
    assert (await browser.post(f"{path}/links")).status_code == 409  # it still works
    await db.run("UPDATE form_entries SET confirm_expires_at = now() - interval '1 minute'")
    assert (await browser.post(path)).status_code == 409
    assert (await browser.post(f"{path}/links")).status_code == 200
    new = await link_of(entry)
    assert new != old
    assert (await browser.post(path)).status_code == 404
    assert (await browser.post(f"/forms/{form.slug}/confirmations/{new}")).status_code == 303
    assert await state_of(entry.id) == "received"


async def test_what_was_never_confirmed_and_what_lay_in_the_bin_is_swept() -> None:
    form, definition = await a_form(opt_in=True)
    forgotten, fresh = await sent(form, definition), await sent(form, definition)
    await db.run(
        "UPDATE form_entries SET confirm_expires_at = now() - interval '8 days' WHERE id = :id", id=forgotten.id
    )
    binned = await sent(form, definition)
    await entries.move(binned, "bin", definition)
    await db.run("UPDATE form_entries SET binned_at = now() - interval '31 days' WHERE id = :id", id=binned.id)
    assert await entries.sweep() == (1, 1)
    assert await db.value("SELECT array_agg(id) FROM form_entries") == [fresh.id]


async def test_an_entry_whose_address_was_sent_no_link_is_swept_after_a_fortnight(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    form, definition = await a_form(opt_in=True)
    monkeypatch.setattr(typed_addresses, "TO_ADDRESS", Limit(1, 3600))
    asked = await sent(form, definition)
    await sent(form, definition)
    await db.run("UPDATE form_entries SET created_at = now() - interval '13 days'")
    assert await entries.sweep() == (0, 0)
    await db.run("UPDATE form_entries SET created_at = now() - interval '15 days'")
    assert await entries.sweep() == (1, 0)
    assert await db.value("SELECT array_agg(id) FROM form_entries") == [asked.id]


async def test_what_is_brought_back_unconfirmed_is_not_swept_the_next_night() -> None:
    form, definition = await a_form(opt_in=True)
    entry = await sent(form, definition)
    await entries.move(entry, "bin", definition)
    await db.run("UPDATE form_entries SET confirm_expires_at = now() - interval '8 days'")
    assert await entries.move(entry, "restore", definition) == "unconfirmed"
    assert await entries.sweep() == (0, 0)
    await db.run("UPDATE form_entry_acts SET created_at = now() - interval '8 days'")
    assert await entries.sweep() == (1, 0)


async def test_an_edit_keeps_what_was_there_before_and_the_log_has_no_answers(cast: Cast) -> None:
    olga = await cast.olga()
    form, definition = await a_form()
    entry = await sent(form, definition)
    answers = {**entry.answers, "q1": "Anna Hart", "q3": {"value": "search"}}
    said = submissions.said(definition, answers)
    assert await entries.edit(entry, definition, answers, said, entry.email, by=olga.id)
    assert not await entries.edit(entry, definition, answers, said, entry.email, by=olga.id)
    [act] = await inbox.acts(entry.id)
    told_changes = entries.changes(definition, act.before, act.after)
    assert {(one.label, one.before, one.after) for one in told_changes} == {
        ("Your name", "Ann Hart", "Anna Hart"),
        ("How did you find us?", "A friend", "The search"),
    }
    assert await db.value("SELECT words @@ to_tsquery('simple', 'anna') FROM form_entries")
    assert await db.value("SELECT array_agg(choice ORDER BY choice) FROM form_answer_choices") == ["q3=search"]
    [after] = [
        row.after for row in await db.many(db.Row, "SELECT after FROM audit_log WHERE action = 'form_entry.edit'")
    ]
    assert after == {"fields": ["q1", "q3"]}


async def test_statuses_are_the_words_of_the_form() -> None:
    form, definition = await a_form(statuses=["To call", "Called"])
    entry = await sent(form, definition)
    with pytest.raises(Invalid):
        await entries.set_status(entry, "Done", definition, by=0)


async def test_answers_of_a_form_that_keeps_none_go_once_everything_was_sent() -> None:
    form, definition = await a_form(no_store=True, no_address=True)
    entry = await sent(form, definition, Sender(address="192.0.2.7", user_agent="Browser", stamp="one"))
    assert await db.value("SELECT address || user_agent FROM form_entries") == ""
    assert await privacy.empty_sent() == 0  # not due yet
    await db.run("UPDATE form_entries SET empty_after = now() - interval '1 minute'")
    assert await privacy.empty_sent() == 0  # its job waits in the queue
    await db.run("DELETE FROM pgqueuer")
    assert await privacy.empty_sent() == 1
    row = await db.one(db.Row, "SELECT answers, said, email, emptied_at FROM form_entries")
    assert row is not None
    assert (row.answers, row.said, row.email) == ({}, "", "")
    assert row.emptied_at is not None
    assert await db.value("SELECT count(*) FROM form_answer_choices") == 0
    with pytest.raises(Conflict):
        await entries.edit(entry, definition, {"q1": "x"}, "x", "", by=0)


@pytest.mark.parametrize("state", ["refused", "unpaid"])
@pytest.mark.parametrize("no_store", [True, False])
async def test_a_form_that_keeps_no_answers_keeps_none_that_never_counted(state: str, *, no_store: bool) -> None:
    form, definition = await a_form(no_store=no_store, approval=True)
    entry = await sent(form, definition)
    await db.run("UPDATE form_entries SET state = :state, given_up_at = now() WHERE id = :id", state=state, id=entry.id)

    async def is_kept(days: int) -> bool:
        with clock.shifted(timedelta(days=days)):
            await jobs.clear_entries()
        with clock.shifted(timedelta(days=days, minutes=1)):
            await privacy.empty_sent()
        return bool(await db.value("SELECT answers <> '{}' FROM form_entries"))

    assert [await is_kept(29), await is_kept(31)] == [True, not no_store]
    assert await state_of(entry.id) == state


async def test_entries_go_by_age_and_the_number_is_noted() -> None:
    keeps, _ = await a_form(keep_days=30), None
    form, definition = keeps
    other, other_definition = await a_form()
    old, young, elsewhere = (
        await sent(form, definition), await sent(form, definition), await sent(other, other_definition),
    )  # fmt: skip
    for entry in (old, elsewhere):
        await db.run(
            "UPDATE form_entries SET created_at = :at WHERE id = :id", at=clock.now() - timedelta(days=31), id=entry.id
        )
    assert await privacy.delete_by_age() == 1
    assert set(await db.value("SELECT array_agg(id) FROM form_entries")) == {young.id, elsewhere.id}
    assert await db.value("SELECT after ->> 'entries' FROM audit_log WHERE action = 'form.entries_expired'") == "1"


async def test_an_address_is_forgotten_in_every_form_and_the_log_does_not_name_it() -> None:
    form, definition = await a_form()
    await sent(form, definition, q2="Nia@Example.org")
    kept = await sent(form, definition, q2="other@example.org")
    assert await privacy.found("nia@example.org") == (1, 0)
    assert await privacy.erase("nia@example.ORG") == 1
    assert await db.value("SELECT array_agg(id) FROM form_entries") == [kept.id]
    row = await db.one(db.Row, "SELECT subject_id, after, summary FROM audit_log WHERE action = 'form_entry.erase'")
    assert row is not None
    assert "nia" not in f"{row.subject_id}{row.after}{row.summary}".lower()


def test_every_definition_has_the_settings_of_entries() -> None:
    read = definitions.read({"fields": []}).settings
    assert (read["approval"], read["opt_in"], read["no_store"], read["keep_days"]) == (False, False, False, None)
    assert read["statuses"] == ("New", "In work", "Done")


async def test_the_thanks_say_what_it_waits_for(cast: Cast, app: Lectern) -> None:
    from app.formbuilder.routes import stamp_of

    form, _definition = await a_form(approval=True)
    pat = await cast.person("Pat Pohl", "pat@example.org")
    stamp = stamp_of(clock.now().timestamp() - 60)
    answer = await pat.browser.post(
        f"/forms/{form.slug}", form={"version": "1", "stamp": stamp, "website": "", "q1": "Pat"}
    )
    assert "Somebody looks at your answers" in await seen(pat, answer.headers["Location"])


async def test_an_agreement_keeps_the_words_that_were_agreed_to_and_the_version_that_showed_them(cast: Cast) -> None:
    olga = await cast.olga()
    fields = [
        {"id": "q1", "kind": "short_text", "label": "Name"},
        {"id": "q2", "kind": "consent", "label": "Data", "settings": {"text": "Keep it for a week."}},
    ]
    form, definition = await a_form(fields)
    first = await sent(form, definition, q1="Ann", q2="yes", q3="")
    stored = definitions.write_definition(definition)
    stored["fields"][1]["settings"]["text"] = "Keep it for ever."
    after = definitions.read(stored)
    await db.run("UPDATE form_versions SET made_at = made_at - interval '1 hour'")
    await versions.edit(form.id, lambda _before: after, words="Longer", by=olga)  # type: ignore[arg-type]
    newer = await versions.publish(form.id)
    second = await sent(newer, after, q1="Ann", q2="yes", q3="")
    for entry, words, number in ((first, "Keep it for a week.", 1), (second, "Keep it for ever.", 2)):
        assert entry.answers["q2"] == {"agreed": words}
        assert words in await seen(olga, f"/admin/forms/{form.public_id}/entries/{entry.public_id}")
        version = await db.value("SELECT number FROM form_versions WHERE id = :id", id=entry.version_id)
        assert version == number
    _name, parts = await exports.begin(await inbox_of_form.asked(form.public_id), "csv")
    lines = b"".join([part async for part in parts]).decode("utf-8-sig").splitlines()
    assert "Keep it for a week." in lines[1] and "Keep it for ever." in lines[2]


async def test_who_said_that_it_was_they_is_not_asked_again_when_it_was_no_spam(app: Lectern) -> None:
    form, definition = await a_form(opt_in=True, approval=True)
    asked, entry = [await sent(form, definition, q2=f"{name}@example.org") for name in ("bob", "ann")]
    assert await entries.move(entry, "confirm", definition) == "waiting"
    mails = await db.value("SELECT count(*) FROM mails")
    for each, state in ((entry, "waiting"), (asked, "unconfirmed")):
        await entries.move(each, "spam", definition)
        assert await entries.move(each, "not_spam", definition) == state
    assert await db.value("SELECT count(*) FROM mails") == mails + 1
