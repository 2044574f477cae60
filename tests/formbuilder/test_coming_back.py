"""What comes back out of the bin, the quarantine or a refusal, when somebody else has by now what may be there once only."""

import asyncio
from typing import Any

import pytest

from app.core import db
from app.core.errors import Conflict
from app.formbuilder import entries
from app.formbuilder.answering.submissions import Sender
from app.formbuilder.inbox import entries_in_bulk
from app.formbuilder.models import Definition, Entry, Form
from app.formbuilder.payment import releases
from tests.cast import Cast
from tests.formbuilder.entering import FIELDS, a_form, sent, state_of
from tests.formbuilder.test_sold_out import fields
from tests.meeting import until_it_waits

pytestmark = pytest.mark.usefixtures("app")

ONCE = [*FIELDS[:1], {**FIELDS[1], "settings": {"unique": True}}]
# How an entry goes, where it stands then, and how it comes back.
WAYS = [("bin", "binned", "restore"), ("spam", "spam", "not_spam"), ("refuse", "refused", "approve")]


async def _gone(act: str, **texts: str) -> tuple[Form, Definition, Entry]:
    """An entry that went, and another with the same answers."""
    if texts:
        form, definition = await a_form(fields("radio"), approval=True)
    else:
        form, definition = await a_form(ONCE, approval=True)
    entry = await sent(form, definition, **texts)
    await entries.move(entry, act, definition)
    return form, definition, entry


@pytest.mark.parametrize(("act", "state", "back"), WAYS)
async def test_an_answer_that_may_be_there_once_is(cast: Cast, act: str, state: str, back: str) -> None:
    olga = await cast.olga()
    form, definition, entry = await _gone(act)
    other = await sent(form, definition, q2="Ann@example.org")
    path = f"/admin/forms/{form.public_id}/entries/{entry.public_id}/state"
    answer = await olga.browser.post(path, form={"act": back})
    assert answer.status_code == 409
    assert "“Email”: Somebody has given this answer already" in await answer.get_data(as_text=True)
    assert await state_of(entry.id) == state
    await entries.move(other, "bin", definition)
    assert (await olga.browser.post(path, form={"act": back})).status_code == 303
    assert await state_of(entry.id) != state


@pytest.mark.parametrize(("act", "state", "back"), WAYS)
async def test_the_last_of_an_option_is_not_taken_twice(cast: Cast, act: str, state: str, back: str) -> None:
    olga = await cast.olga()
    form, definition, entry = await _gone(act, q1="a")
    other = await sent(form, definition, q1="a")
    with pytest.raises(Conflict, match="sold out"):
        await releases.act(entry, back, definition, by=olga.id)
    assert await state_of(entry.id) == state
    await entries.move(other, "bin", definition)
    await releases.act(entry, back, definition, by=olga.id)
    held = await db.many(db.Row, "SELECT entry_id FROM form_stock WHERE is_held")
    assert [row.entry_id for row in held] == [entry.id]


async def test_of_one_that_comes_in_and_one_that_comes_back_at_once_one_counts(cast: Cast) -> None:
    olga = await cast.olga()
    form, definition, entry = await _gone("bin")

    async def bring_back() -> None:
        async with db.hold():
            await releases.act(entry, "restore", definition, by=olga.id)

    async with db.hold(), db.transaction():
        await sent(form, definition)
        bringing = asyncio.create_task(bring_back())
        await until_it_waits(bringing)
    with pytest.raises(Conflict, match="given this answer already"):
        await bringing
    assert await state_of(entry.id) == "binned"


async def test_among_many_those_stay_that_cannot_come_back(cast: Cast) -> None:
    olga = await cast.olga()
    form, definition, entry = await _gone("bin")
    other = await sent(form, definition, q2="ben@example.org")
    await entries.move(other, "bin", definition)
    await sent(form, definition)
    act: Any = next(act for act in entries_in_bulk.ACTS if act.key == "restore")
    async with db.transaction():
        found = await act.carry_out([entry.id, other.id], {}, olga.id)
    assert {number: outcome.reason for number, outcome in found.items()} == {entry.id: "taken", other.id: ""}
    assert (await state_of(entry.id), await state_of(other.id)) == ("binned", "waiting")


async def test_what_holds_nothing_comes_back_whoever_has_it_now(cast: Cast) -> None:
    """Given up before it was paid, it counts for nothing; and what lay in quarantine when it was thrown away goes back there."""
    olga = await cast.olga()
    form, definition = await a_form(ONCE)
    entry = await sent(form, definition)
    await db.run("UPDATE form_entries SET state = 'unpaid', given_up_at = now() WHERE id = :id", id=entry.id)
    spam = await sent(form, definition, Sender(suspicion="words"))
    await sent(form, definition)
    for each, state in ((entry, "unpaid"), (spam, "spam")):
        await releases.act(each, "bin", definition, by=olga.id)
        assert await releases.act(each, "restore", definition, by=olga.id) == state
