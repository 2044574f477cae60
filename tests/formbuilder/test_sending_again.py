"""What is sent again, or late, of an entry that stands elsewhere by then, or whose answers are gone."""

import asyncio
import io
from contextvars import Context
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from app.core import clock, db, queue
from app.formbuilder import entries
from app.formbuilder.after_sending import resending
from app.formbuilder.definition import definitions, versions
from app.formbuilder.delivery import deliveries
from app.formbuilder.inbox import entry_import, privacy, table
from app.formbuilder.models import Entry, Form
from app.formbuilder.queries import inbox
from app.formbuilder.queries.entries import entry_by_id
from tests.cast import Cast
from tests.formbuilder.building import as_body
from tests.formbuilder.test_deliveries import FIELDS, Post, answered, connect, only, post, sending
from tests.meeting import until_it_waits

__all__ = ["post"]

MAIL = {"id": "n1", "name": "To us", "to": "us@meridian.example", "subject": "New", "body": "{all}"}


async def a_form(*integrations: dict[str, Any], **settings: Any) -> Form:
    told = {"title": "Apply", "fields": FIELDS, "notifications": [MAIL], "integrations": list(integrations)}
    definition = definitions.read({**told, "settings": settings, "last": 9})
    return await versions.publish((await versions.create(definition, by=None)).id)


async def mails() -> int:
    return int(await db.value("SELECT count(*) FROM mails WHERE template = 'formbuilder/notification'"))


async def emptied(entry: Entry) -> None:
    with clock.shifted(timedelta(hours=2)):
        assert await privacy.empty_sent() == 1


async def test_what_is_thrown_away_while_it_is_sent_again_stays_here(
    post: Post, cast: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    olga = await cast.olga()
    form = await a_form(sending(post, await connect(post, "webhook")))
    entry = await answered(form)
    await queue.drain()
    path = f"/admin/forms/{form.public_id}/entries/{entry.public_id}"
    again = resending.send

    async def overtaken(*args: Any, **more: Any) -> None:
        monkeypatch.setattr(resending, "send", again)
        other = olga.browser.post(f"{path}/state", form={"act": "bin"})
        # In a context of its own, as another window's request is.
        assert (await asyncio.create_task(other, context=Context())).status_code == 303
        await again(*args, **more)

    monkeypatch.setattr(resending, "send", overtaken)
    answer = await olga.browser.post(f"{path}/sending", **as_body({"way": ["notifications", "services"]}))
    assert answer.status_code == 409
    assert (await mails(), (await only(entry)).state) == (1, "sent")
    assert await db.value("SELECT count(*) FROM form_entry_acts WHERE kind = 'resend'") == 0


@pytest.mark.parametrize("way", ["notifications", "services"])
async def test_a_page_that_is_still_open_sends_nothing_of_answers_that_are_gone(
    post: Post, cast: Cast, way: str
) -> None:
    olga = await cast.olga()
    form = await a_form(no_store=True)
    entry = await answered(form)
    await queue.drain()
    await emptied(entry)
    hook = sending(post, await connect(post, "webhook"))
    await versions.edit(
        form.id,
        lambda now: definitions.read({**definitions.write_definition(now), "integrations": [hook]}),
        words="",
        by=olga,
    )
    await versions.publish(form.id)
    path = f"/admin/forms/{form.public_id}/entries/{entry.public_id}/sending"
    answer = await olga.browser.post(path, form={"way": way})
    await queue.drain()
    assert (answer.status_code, await mails(), len(post.stand("webhook").messages)) == (409, 1, 0)


async def test_what_is_emptied_while_somebody_sends_it_again_is_not_told_empty(post: Post) -> None:
    entry = await answered(await a_form(sending(post, await connect(post, "webhook")), no_store=True))
    await queue.drain()
    found = await only(entry)

    async def empty() -> None:
        async with db.hold():
            await emptied(entry)

    async with db.hold(), db.transaction():
        await deliveries.replay(found.id)
        emptying = asyncio.create_task(empty())
        await until_it_waits(emptying)
    await emptying
    await queue.drain()
    assert len(post.stand("webhook").calls) == 2, "the test when it was connected, and the entry once"
    assert (await only(entry)).state == "held"


@pytest.mark.parametrize(("act", "back"), [("bin", "restore"), ("spam", "not_spam")])
async def test_mails_that_had_not_left_go_when_the_entry_is_brought_back(post: Post, act: str, back: str) -> None:
    form = await a_form()
    definition = definitions.read(form.definition)
    entry = await answered(form)
    await entries.move(entry, act, definition)
    await queue.drain()
    assert await mails() == 0
    await entries.move(entry, back, definition)
    await queue.drain()
    assert await mails() == 1
    for move in (act, back):
        await entries.move(entry, move, definition)
    await queue.drain()
    assert await mails() == 1


async def test_no_old_entry_is_told_of_by_a_mail_that_came_since(post: Post, cast: Cast) -> None:
    olga = await cast.olga()
    form = await a_form()
    await versions.edit(
        form.id,
        lambda now: definitions.read({**definitions.write_definition(now), "notifications": []}),
        words="",
        by=olga,
    )
    form = await versions.publish(form.id)
    entry = await answered(form)
    await queue.drain()
    await versions.undo(form.id)
    await versions.publish(form.id)
    with clock.shifted(timedelta(days=40)):
        for move in ("bin", "restore"):
            await entries.move(entry, move, definitions.read(form.definition))
        await queue.drain()
    assert await mails() == 0


async def test_nobody_is_told_of_what_a_file_brought_when_it_is_brought_back(post: Post) -> None:
    form = await a_form()
    found = await table.asked(form.public_id)
    await entry_import.bring(found, io.BytesIO(b"q1,q2\nAnn,ann@x.example\n"), is_trial=False)
    entry = await entry_by_id(await db.value("SELECT id FROM form_entries"))
    assert entry is not None
    for move in ("bin", "restore"):
        await entries.move(entry, move, definitions.read(form.definition))
    await queue.drain()
    assert await mails() == 0


async def test_no_entry_that_was_never_away_in_time_is_told_of_by_a_mail_that_came_since(
    post: Post, cast: Cast
) -> None:
    olga = await cast.olga()
    form = await a_form()
    full = definitions.read(form.definition)
    await versions.edit(form.id, lambda now: replace(now, notifications=()), words="", by=olga)
    form = await versions.publish(form.id)
    entry = await answered(form)
    await queue.drain()
    await versions.edit(form.id, lambda now: replace(now, notifications=full.notifications), words="", by=olga)
    await versions.publish(form.id)
    for move in ("bin", "restore"):
        await entries.move(entry, move, full)
    await queue.drain()
    assert await mails() == 0


async def test_who_is_back_while_the_mails_are_noted_as_late_is_told_of(
    post: Post, monkeypatch: pytest.MonkeyPatch
) -> None:
    form = await a_form()
    definition = definitions.read(form.definition)
    entry = await answered(form)
    await entries.move(entry, "bin", definition)
    lock = inbox.lock_state

    async def overtaken(entry_id: int) -> Any:
        monkeypatch.setattr(inbox, "lock_state", lock)
        back = entries.move(entry, "restore", definition)
        # In a context of its own, as another window's request is.
        await asyncio.create_task(back, context=Context())
        return await lock(entry_id)

    monkeypatch.setattr(inbox, "lock_state", overtaken)
    await queue.drain()
    assert await mails() == 1
