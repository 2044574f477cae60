"""Mails that follow from an entry: who gets them, when, how often, and never more."""

from email import message_from_bytes
from email.policy import default as policy
from pathlib import Path
from typing import Any

import pytest

from app import Lectern
from app.config import Config
from app.core import db, events, limits, queue
from app.core.errors import Invalid
from app.core.limits import Limit
from app.formbuilder import typed_addresses
from app.formbuilder.after_sending import notifications
from app.formbuilder.answering import submissions
from app.formbuilder.answering.submissions import Sender
from app.formbuilder.definition import definitions, versions
from app.formbuilder.events import EntryReceived
from app.formbuilder.models import Entry, Form, Posted
from tests.cast import Cast

FIELDS = [
    {"id": "q1", "kind": "short_text", "label": "Name"},
    {"id": "q2", "kind": "email", "label": "Email"},
    {"id": "q3", "kind": "radio", "label": "About", "settings": {"options": [{"label": "Sales"}, {"label": "Help"}]}},
]


async def a_form(*rows: dict[str, Any], **more: Any) -> Form:
    definition = definitions.read({"title": "Ask us", "fields": FIELDS, "notifications": list(rows), **more})
    return await versions.publish((await versions.create(definition, by=None)).id)


async def answered(form: Form, **texts: str) -> Entry:
    posted = Posted({name: [text] for name, text in {"q1": "Ann", **texts}.items()})
    return await submissions.submit(form, definitions.read(form.definition), posted, Sender())


async def mails() -> list[db.Row]:
    return await db.many(
        db.Row,
        "SELECT recipient, subject, state, error, fact FROM mails WHERE template = 'formbuilder/notification' ORDER BY id",
    )


def row(number: int = 1, **more: Any) -> dict[str, Any]:
    return {
        "id": f"n{number}",
        "name": f"Mail {number}",
        "to": "owner",
        "subject": "{form}: {q1}",
        "body": "{all}",
        **more,
    }


async def test_the_owner_is_told_once_however_often_an_entry_is_heard_of(app: Lectern) -> None:
    entry = await answered(await a_form(row()))
    assert await mails() == []  # it is a job, in the entry's own transaction
    await queue.drain()
    for _again in range(2):
        async with db.transaction():
            await events.publish(EntryReceived(entry.id))
        await queue.drain()
    [mail] = await mails()
    assert (mail.recipient, mail.subject, mail.state) == ("olga@meridian.example", "Ask us: Ann", "sent")
    assert mail.fact == f"entry:{entry.id}:notification:n1"


async def test_an_entry_that_is_rolled_back_mails_nothing(app: Lectern) -> None:
    form = await a_form(row())
    with pytest.raises(RuntimeError):
        async with db.transaction():
            await answered(form)
            raise RuntimeError
    await queue.drain()
    assert await mails() == []


async def test_a_mail_is_sent_when_its_condition_holds_and_routed_by_an_answer(app: Lectern) -> None:
    sales, help_ = ({"field": "q3", "is": "equals", "value": value} for value in ("sales", "help"))
    form = await a_form(
        row(1, when=sales, to="a@meridian.example"),
        row(
            2,
            to=[{"when": sales, "to": "s@meridian.example, t@meridian.example"}, {"when": help_, "to": "h@x.example"}],
        ),
    )
    entry = await answered(form, q3="help")
    await queue.drain()
    assert [mail.recipient for mail in await mails()] == ["h@x.example"]
    found = await db.many(db.Row, "SELECT notification_id AS id, state FROM form_notifications ORDER BY 1")
    assert [(each.id, each.state) for each in found] == [("n1", "skipped"), ("n2", "sent")]
    await answered(form, q3="sales")
    await queue.drain()
    assert [mail.recipient for mail in await mails()][1:] == [
        "a@meridian.example",
        "s@meridian.example",
        "t@meridian.example",
    ]
    assert entry.state == "received"


@pytest.mark.parametrize(
    "bad", ["", "a@b", "a@x.example\nBcc: b@x.example", "a@x.example, b@x.example", "a b@x.example"]
)
async def test_nobody_is_written_to_by_what_is_no_address(app: Lectern, bad: str) -> None:
    form = await a_form(row(to="field:q1"))
    await answered(form, q1=bad or " ")
    await queue.drain()
    assert await mails() == []
    assert await db.value("SELECT state FROM form_notifications") == "nobody"


async def test_never_more_than_twenty_are_written_to(app: Lectern) -> None:
    form = await a_form(row(to=", ".join(f"p{n}@x.example" for n in range(30))))
    await answered(form)
    await queue.drain()
    assert len(await mails()) == notifications.MOST_RECIPIENTS
    assert "no sound address" in str(definitions.problems(definitions.read(form.definition)))


async def test_one_address_that_visitors_type_gets_a_few_mails_and_others_still_do(app: Lectern) -> None:
    form = await a_form(row(to="field:q2"))
    for _entry in range(typed_addresses.TO_ADDRESS.count + 2):
        await answered(form, q2="victim@x.example")
    await answered(form, q2="VICTIM@x.example")
    await answered(form, q2="other@x.example")
    await queue.drain()
    to = [mail.recipient for mail in await mails()]
    assert to.count("victim@x.example") == typed_addresses.TO_ADDRESS.count
    assert to.count("other@x.example") == 1
    assert await db.value("SELECT count(*) FROM form_notifications WHERE state = 'limited'") == 3


async def test_a_form_writes_to_so_many_typed_addresses_and_the_owner_hears_all_the_same(
    app: Lectern, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(typed_addresses, "OF_FORM", Limit(2, 3600))
    await limits.forget_all()
    form = await a_form(row(1, to="field:q2"), row(2))
    for number in range(4):
        await answered(form, q2=f"p{number}@x.example")
    await queue.drain()
    to = [mail.recipient for mail in await mails()]
    assert len([each for each in to if each.startswith("p")]) == 2
    assert to.count("olga@meridian.example") == 4


async def test_answers_go_back_to_whoever_wrote_and_a_file_goes_along(app: Lectern, config: Config) -> None:
    form = await a_form(row(reply_to="{email}", attach="csv", body="Hello <b>{q1}</b>\n\n{all}"))
    await answered(form, q1="=cmd()\tAnn", q2="ann@x.example")
    await queue.drain()
    [mail] = await mails()
    assert mail.error is None
    newest = max(Path(config.data_dir, "mail").glob("*.eml"), key=lambda path: path.stat().st_mtime_ns)
    message = message_from_bytes(newest.read_bytes(), policy=policy)
    assert message["Reply-To"] == "ann@x.example"
    [along] = list(message.iter_attachments())
    assert along.get_content_type() == "text/csv"
    assert "'=cmd()" in along.get_content()
    body = message.get_body(("html",))
    assert body is not None
    assert "&lt;b&gt;" in body.get_content()
    assert await db.value("SELECT context FROM mails WHERE template = 'formbuilder/notification'") == {}


async def test_chosen_mails_are_sent_again_and_nothing_else(app: Lectern) -> None:
    form = await a_form(row(1), row(2, to="b@x.example", when={"field": "q1", "is": "equals", "value": "Bob"}))
    entry = await answered(form)
    await queue.drain()
    assert await notifications.send_again(entry.id, ["n2"]) == 1
    await queue.drain()
    assert [mail.recipient for mail in await mails()] == ["olga@meridian.example", "b@x.example"]
    with pytest.raises(Invalid):
        await notifications.send_again(entry.id, ["n7"])


async def test_a_new_form_tells_its_owner(app: Lectern, cast: Cast) -> None:
    olga = await cast.olga()
    await olga.browser.post("/admin/forms", form={"title": "Ask us"})
    definition = definitions.read(await db.value("SELECT definition FROM form_versions"))
    assert definition.notifications == (notifications.first(),)
    assert notifications.wrong(definition) == []


async def test_what_is_wrong_with_a_mail_is_told() -> None:
    definition = definitions.read(
        {
            "title": "F",
            "fields": FIELDS,
            "notifications": [
                row(1, body="{q9}"),
                row(2, to="field:q1"),
                row(3, to=[]),
                row(4, when={"field": "q77", "is": "empty"}),
                row(5, to="nobody"),
                row(6),
            ],
        }
    )
    told = notifications.wrong(definition)
    assert [each.split("”")[0] for each in told] == [f"Mail “Mail {n}" for n in (1, 2, 3, 4, 5)]
