"""What is brought back, asked for again or gone on with at the very moment that a sweep comes for it stays."""

from datetime import timedelta

import pytest

from app.core import clock, db
from app.formbuilder import entries
from app.formbuilder.answering import drafts, spam
from app.formbuilder.answering.stamps import new_stamp
from app.formbuilder.answering.submissions import Sender
from app.formbuilder.definition import definitions, versions
from app.formbuilder.inbox import privacy
from app.formbuilder.models import Definition, Entry
from app.formbuilder.payment import releases
from app.formbuilder.queries import retention
from tests.cast import Cast
from tests.formbuilder.entering import a_form, sent, state_of
from tests.meeting import held_up

pytestmark = pytest.mark.usefixtures("app")


async def _standing(state: str) -> tuple[Entry, Definition]:
    """An entry that a sweep of in forty days would take."""
    if state == "binned":
        form, definition = await a_form()
        entry = await sent(form, definition)
        await entries.move(entry, "bin", definition)
    elif state == "spam":
        form, definition = await a_form()
        entry = await sent(form, definition, Sender(suspicion="words"))
    else:
        form, definition = await a_form(opt_in=True)
        entry = await sent(form, definition)
    assert await state_of(entry.id) == state
    return entry, definition


async def test_what_is_brought_back_while_the_bin_is_emptied_stays(cast: Cast) -> None:
    olga = await cast.olga()
    entry, definition = await _standing("binned")
    other, _definition = await _standing("binned")
    with clock.shifted(timedelta(days=40)):
        await held_up(lambda: entries.move(entry, "restore", definition, by=olga.id), entries.sweep)
    assert await state_of(entry.id) == "received"
    assert await state_of(other.id) == "None"


async def test_what_is_no_spam_after_all_while_the_quarantine_is_swept_stays(cast: Cast) -> None:
    olga = await cast.olga()
    entry, definition = await _standing("spam")
    other, _definition = await _standing("spam")
    with clock.shifted(timedelta(days=40)):
        await held_up(lambda: releases.act(entry, "not_spam", definition, by=olga.id), spam.sweep)
    assert await state_of(entry.id) == "received"
    assert await state_of(other.id) == "None"


async def test_whose_link_is_mailed_again_while_the_unconfirmed_are_swept_stays(cast: Cast) -> None:
    olga = await cast.olga()
    entry, definition = await _standing("unconfirmed")
    other, _definition = await _standing("unconfirmed")
    with clock.shifted(timedelta(days=40)):
        await held_up(lambda: entries.send_link_again(entry, definition, by=olga.id), entries.sweep)
    assert await state_of(entry.id) == "unconfirmed"
    assert await state_of(other.id) == "None"


@pytest.mark.parametrize("days", [None, 10])
async def test_what_is_gone_on_with_while_old_drafts_are_swept_stays(days: int | None) -> None:
    form, _definition = await a_form(keep_days=days)
    tokens = [await drafts.begin(form, {"q1": ["Ann"]}, "start", stamp=new_stamp(), user_id=None) for _ in range(2)]
    draft, _form = await drafts.find(form.slug, tokens[0])
    with clock.shifted(timedelta(days=40)):
        sweep = drafts.sweep if days is None else privacy.delete_by_age
        await held_up(lambda: drafts.keep(draft, lambda kept: {**kept, "q4": ["30"]}, "start"), sweep)
    rows = await db.many(db.Row, "SELECT id, posted FROM form_drafts")
    assert [(row.id, row.posted) for row in rows] == [(draft.id, {"q1": ["Ann"], "q4": ["30"]})]


async def test_the_answers_of_what_is_approved_after_all_are_not_let_go_of(cast: Cast) -> None:
    olga = await cast.olga()
    form, definition = await a_form(no_store=True, approval=True)
    entry = await sent(form, definition)
    await entries.move(entry, "refuse", definition)
    with clock.shifted(timedelta(days=40)):
        await held_up(lambda: entries.move(entry, "approve", definition, by=olga.id), privacy.let_go)
        now, after = clock.now(), await db.value("SELECT empty_after FROM form_entries WHERE id = :id", id=entry.id)
    assert after > now


async def test_a_form_that_wants_to_keep_its_entries_for_longer_loses_none_to_a_sweep_under_way(
    cast: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    olga = await cast.olga()
    form, definition = await a_form(keep_days=10)
    await sent(form, definition)
    await drafts.begin(form, {"q1": ["Ann"]}, "start", stamp=new_stamp(), user_id=None)
    look = retention.forms_that_forget

    async def overtaken() -> list[db.Row]:
        found = await look()
        stored = definitions.write_definition(definition)
        stored["settings"] = {**stored["settings"], "keep_days": 100}
        await versions.edit(form.id, lambda _now: definitions.read(stored), words="Settings", by=olga)
        await versions.publish(form.id)
        return found

    monkeypatch.setattr(retention, "forms_that_forget", overtaken)
    with clock.shifted(timedelta(days=20)):
        assert await privacy.delete_by_age() == 0
        assert await db.value("SELECT count(*) FROM form_drafts") == 1
    monkeypatch.undo()
    with clock.shifted(timedelta(days=101)):
        assert await privacy.delete_by_age() == 1
        assert await db.value("SELECT count(*) FROM form_drafts") == 0
