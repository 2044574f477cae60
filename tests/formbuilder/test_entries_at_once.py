"""Two people at one entry at the same time, and entries that go while somebody reads them."""

import asyncio
import json
from typing import Any

import pytest

from app.core import db
from app.core.errors import Conflict
from app.formbuilder import entries, exports, inbox, privacy, submissions
from app.formbuilder.models import Definition, Entry
from tests.cast import Cast
from tests.formbuilder.entering import a_form, sent, state_of, told
from tests.formbuilder.test_inbox import many

pytestmark = pytest.mark.usefixtures("app")


async def _tried(act: str, entry: Entry, definition: Definition) -> str:
    async with db.hold():
        try:
            return await entries.move(entry, act, definition)
        except Conflict:
            return "conflict"


async def test_of_an_approval_and_a_refusal_at_once_the_first_holds_and_what_leaves_fits_it() -> None:
    for _time in range(5):
        form, definition = await a_form(approval=True, refusal="No place left.")
        entry = await sent(form, definition)
        acts = ("refuse", "refuse", "refuse", "bin")
        found = await asyncio.gather(*(_tried(act, entry, definition) for act in acts))
        assert found.count("refused") <= 1 and "conflict" in found
        mails = await db.value("SELECT count(*) FROM mails WHERE fact = :fact", fact=f"form_entry:{entry.id}:refusal")
        assert mails == found.count("refused")
        assert await told(entry.id) == 0


async def test_what_was_sent_cannot_be_refused_and_refused_can_be_approved_once() -> None:
    form, definition = await a_form(approval=True)
    entry = await sent(form, definition)
    await entries.move(entry, "approve", definition)
    with pytest.raises(Conflict):
        await entries.move(entry, "refuse", definition)
    assert (await state_of(entry.id), await told(entry.id)) == ("received", 1)
    other = await sent(form, definition)
    await entries.move(other, "refuse", definition)
    found = await asyncio.gather(*(_tried("approve", other, definition) for _time in range(4)))
    assert sorted(found) == ["conflict"] * 3 + ["received"]
    assert await told(other.id) == 1


async def test_the_page_of_who_was_slower_says_so(cast: Cast) -> None:
    olga, rob = await cast.olga(), await cast.rob()
    form, definition = await a_form(approval=True)
    entry = await sent(form, definition)
    path = f"/admin/forms/{form.public_id}/entries/{entry.public_id}/state"
    assert (await olga.browser.post(path, form={"act": "refuse"})).status_code == 303
    answer = await rob.browser.post(path, form={"act": "refuse"})
    assert answer.status_code == 409 and "Somebody was quicker" in await answer.get_data(as_text=True)


async def _edit(entry: Entry, definition: Definition, seen: str, by: int, **answers: str) -> bool:
    after = {**entry.answers, **answers}
    said, email = submissions.said(definition, after), submissions.email_of(definition, after)
    return await entries.edit(entry, definition, after, said, email, by=by, seen=seen)


async def test_of_two_who_change_answers_at_once_the_slower_is_told_and_nothing_of_the_quicker_is_lost(
    cast: Cast,
) -> None:
    olga, rob = await cast.olga(), await cast.rob()
    form, definition = await a_form()
    entry = await sent(form, definition)
    seen = entries.mark_of(entry.answers)
    assert await _edit(entry, definition, seen, olga.id, q1="Anna Hart")
    with pytest.raises(Conflict):
        await _edit(entry, definition, seen, rob.id, q2="anna@example.org")
    assert not await _edit(entry, definition, seen, rob.id, q1="Anna Hart")  # the same is no conflict
    answers = await db.value("SELECT answers FROM form_entries WHERE id = :id", id=entry.id)
    assert (answers["q1"], answers["q2"]) == ("Anna Hart", "ann@example.org")
    # Without the mark the quicker one's change would be gone: it is what holds it.
    await _edit(entry, definition, "", rob.id, q2="anna@example.org")
    assert (await db.value("SELECT answers FROM form_entries WHERE id = :id", id=entry.id))["q1"] == "Ann Hart"


async def test_the_form_of_an_edit_carries_what_it_shows(cast: Cast) -> None:
    olga, rob = await cast.olga(), await cast.rob()
    form, definition = await a_form()
    entry = await sent(form, definition)
    path = f"/admin/forms/{form.public_id}/entries/{entry.public_id}/answers"

    async def drawn(person: Any) -> str:
        text = await (await person.browser.get(path)).get_data(as_text=True)
        return str(text.partition('name=".seen" value="')[2].partition('"')[0])

    marks = {person.id: await drawn(person) for person in (olga, rob)}
    data = {"q1": "Anna Hart", "q2": "ann@example.org", "q3": "friend"}
    assert (await olga.browser.post(path, form={**data, ".seen": marks[olga.id]})).status_code == 303
    late = await rob.browser.post(path, form={**data, "q1": "Ann Heart", ".seen": marks[rob.id]})
    page = await late.get_data(as_text=True)
    assert late.status_code == 409
    assert "Somebody changed these answers while you did" in page
    # Both texts stand there, and what was typed can be kept all the same.
    assert "<td>Anna Hart</td><td>Ann Heart</td>" in page and 'value="Ann Heart"' in page
    assert (await db.value("SELECT answers FROM form_entries WHERE id = :id", id=entry.id))["q1"] == "Anna Hart"
    seen = str(page.partition('name=".seen" value="')[2].partition('"')[0])
    assert (await rob.browser.post(path, form={**data, "q1": "Ann Heart", ".seen": seen})).status_code == 303
    assert (await db.value("SELECT answers FROM form_entries WHERE id = :id", id=entry.id))["q1"] == "Ann Heart"


async def test_an_address_is_erased_while_a_file_is_read() -> None:
    form, definition = await a_form()
    await many(form)
    await sent(form, definition, q2="gone@example.org")
    found = await inbox.asked(form.public_id)
    _name, parts = await exports.begin(found, "json")
    pieces = [await anext(parts)]  # type: ignore[call-overload]

    async def erase() -> int:
        async with db.hold():
            return await privacy.erase("gone@example.org")

    assert await asyncio.wait_for(asyncio.create_task(erase()), 10) == 1, "nobody waits for the file"
    assert await db.value("SELECT count(*) FROM form_entries WHERE email = 'gone@example.org'") == 0
    pieces += [part async for part in parts]
    # The file is of the moment it was begun, whole.
    assert len(json.loads(b"".join(pieces))["entries"]) >= 29_000
    _name, parts = await exports.begin(found, "json")
    assert b"gone@example.org" not in b"".join([part async for part in parts])


async def test_an_entry_that_was_erased_meanwhile_is_changed_by_nobody(cast: Cast) -> None:
    olga = await cast.olga()
    form, definition = await a_form(approval=True)
    entry = await sent(form, definition)
    await privacy.erase("ann@example.org")
    with pytest.raises(Conflict):
        await entries.move(entry, "approve", definition)
    with pytest.raises(Conflict):
        await _edit(entry, definition, "", olga.id, q1="Zoe")
    assert await told(entry.id) == 0


async def test_an_address_that_was_only_typed_into_something_unfinished_is_erased_too() -> None:
    form, _definition = await a_form()
    for number, posted in enumerate([{"q2": [" Ann@Example.org "]}, {"q2": ["bob@example.org"]}, {"q1": ["x"]}]):
        await db.run(
            """
            INSERT INTO form_drafts (form_id, version_id, token_hash, posted, step, created_at, updated_at, expires_at)
            VALUES (:form, :version, :hash, CAST(:posted AS jsonb), 'start', now(), now(), now() + interval '1 day')
            """,
            form=form.id, version=form.version_id, hash=bytes([number]), posted=posted,
        )  # fmt: skip
    assert await privacy.found("ann@example.org") == (0, 1)
    await privacy.erase("ann@example.org")
    assert await db.value("SELECT count(*) FROM form_drafts") == 2


async def test_what_was_begun_goes_by_age_as_entries_do() -> None:
    form, _definition = await a_form(keep_days=7)
    await db.run(
        """
        INSERT INTO form_drafts (form_id, version_id, token_hash, posted, step, created_at, updated_at, expires_at)
        SELECT :form, :version, convert_to(n::text, 'UTF8'), '{}', 'start', now(), now() - n * interval '5 days',
               now() + interval '9 days' FROM generate_series(0, 3) n
        """,
        form=form.id, version=form.version_id,
    )  # fmt: skip
    await privacy.delete_by_age()
    assert await db.value("SELECT count(*) FROM form_drafts") == 2


# --- a file holds a bounded number of rows -----------------------------------------------------------------------------


class _Row:
    """An entry that tells how many like it are held."""

    held = most = 0

    def __init__(self, number: int, at: Any) -> None:
        self.public_id, self.answers, self.created_at = f"e{number}", {"q1": f"Person {number}"}, at
        self.state, self.status, self.email, self.member, self.address, self.user_agent = (
            "received",
            "",
            "",
            None,
            "",
            "",
        )
        self.version, self.is_starred, self.began_at = 1, False, None
        _Row.held += 1
        _Row.most = max(_Row.most, _Row.held)

    def __del__(self) -> None:
        _Row.held -= 1


async def _held(kind: str, count: int, *, all_at_once: bool = False) -> int:
    from app.core import clock

    form, _definition = await a_form()
    now = clock.now()
    _Row.held = _Row.most = 0

    async def rows() -> Any:
        if all_at_once:
            for row in [_Row(number, now) for number in range(count)]:
                yield row
            return
        for number in range(count):
            yield _Row(number, now)

    _name, parts = await exports.begin(await inbox.asked(form.public_id), kind, rows())
    lines = 0
    async for part in parts:
        lines += part.count(b"Person ")
    assert kind == "xlsx" or lines == count
    return _Row.most


@pytest.mark.parametrize("kind", ["csv", "json", "xlsx"])
async def test_a_file_of_any_length_holds_as_few_rows(kind: str) -> None:
    short, long = await _held(kind, 1_000), await _held(kind, 10_000)
    assert long <= short + 1 <= 300
    assert await _held(kind, 1_000, all_at_once=True) == 1_000, "the counter sees rows that are held"
