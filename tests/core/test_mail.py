"""Mails: one a fact, tried again under the same name, failed in the end, and without their secrets once they are sent."""

import asyncio
from collections.abc import Mapping
from contextvars import Context
from typing import Any

import pytest

from app import Lectern
from app.core import db, mail, queue, records
from app.core.personal import Subject

COUNTS = {"jobs": 1, "mails": 0, "webhooks": 0}


class Post:
    """A mail server that can be away."""

    def __init__(self) -> None:
        self.is_away = False
        self.heard: list[mail.Message] = []

    async def send(self, message: mail.Message) -> str:
        self.heard.append(message)
        if self.is_away:
            raise ConnectionRefusedError("mail server away")
        return "v1"


@pytest.fixture
def post(app: Lectern, monkeypatch: pytest.MonkeyPatch) -> Post:
    assert mail._wiring is not None
    made = Post()
    monkeypatch.setattr(mail._wiring, "mailer", made)
    return made


async def send(fact: str = "failures:1", **more: Any) -> bool:
    return await mail.send("ann@example.org", "ops/failures", COUNTS, fact=fact, **more)


async def row() -> Any:
    return await db.one(db.Row, "SELECT id, public_id, state, attempts, error, context, vendor_id FROM mails")


async def test_a_fact_is_mailed_once(post: Post) -> None:
    assert await send()
    assert not await send()
    await queue.drain()
    assert not await send()
    await queue.drain()
    assert len(post.heard) == 1


async def test_a_mail_goes_only_when_its_fact_becomes_true(post: Post) -> None:
    with pytest.raises(RuntimeError, match="changed my mind"):
        async with db.transaction():
            await send()
            raise RuntimeError("changed my mind")
    await queue.drain()
    assert post.heard == []
    assert await send()


async def test_what_was_sent_is_not_sent_again_and_keeps_no_secret(post: Post) -> None:
    await send()
    await queue.drain()
    sent = await row()
    assert (sent.state, sent.context, sent.vendor_id, sent.attempts) == ("sent", {}, "v1", 1)
    await mail.deliver_mail(sent.id)
    assert len(post.heard) == 1
    assert not await mail.retry(sent.public_id)
    assert (await row()).state == "sent"


async def test_each_try_has_the_same_name_and_the_last_one_leaves_it_failed(post: Post) -> None:
    post.is_away = True
    await send()
    number = (await row()).id
    for _time in range(2):
        with pytest.raises(ConnectionRefusedError):
            await mail.deliver_mail(number)
        assert ((await row()).state, (await row()).error) == ("queued", "ConnectionRefusedError: mail server away")
    await db.run("UPDATE mails SET attempts = :n", n=mail._ATTEMPTS - 1)
    with pytest.raises(ConnectionRefusedError):
        await mail.deliver_mail(number)
    assert ((await row()).state, (await row()).context) == ("failed", COUNTS)
    assert {message.message_id for message in post.heard} == {f"{(await row()).public_id}@lectern"}


async def test_a_mail_that_is_sent_again_has_all_its_tries(post: Post) -> None:
    post.is_away = True
    await send()
    await db.run("DELETE FROM pgqueuer")
    await db.run("UPDATE mails SET state = 'failed', attempts = :n", n=mail._ATTEMPTS)
    assert await mail.retry((await row()).public_id)
    await queue.drain()
    assert ((await row()).state, (await row()).attempts) == ("queued", 1)
    assert not await mail.retry((await row()).public_id), "it waits by itself"
    assert await db.value("SELECT count(*) FROM pgqueuer") == 1


async def test_a_mail_that_failed_while_its_job_waits_still_has_one_job_when_it_is_sent_again(post: Post) -> None:
    """Tries in which a worker died count for the mail and not for the job: the mail's are over before the job's."""
    post.is_away = True
    await send()
    await db.run("UPDATE mails SET attempts = :n", n=mail._ATTEMPTS - 1)
    await queue.drain()
    waiting = "SELECT count(*) FROM pgqueuer WHERE status = 'queued'"
    assert ((await row()).state, await db.value(waiting)) == ("failed", 1)
    assert await mail.retry((await row()).public_id)
    assert await db.value(waiting) == 1
    post.is_away = False
    await queue.drain()  # at once: it is not the one that waits for its turn
    assert ((await row()).state, (await row()).attempts) == ("sent", 1)
    assert len(post.heard) == 2
    assert await db.value("SELECT count(*) FROM pgqueuer") == 0


async def test_sending_again_discards_what_failed_or_waits_of_this_mail_alone(post: Post) -> None:
    for fact in ("failures:1", "failures:2"):
        await send(fact)
    one, other = [found.id for found in await db.many(db.Row, "SELECT id FROM mails ORDER BY id")]
    await db.run("UPDATE mails SET state = 'failed'")
    await db.run("UPDATE pgqueuer SET status = 'failed'")
    await queue.enqueue(mail.deliver_mail, mail_id=one)  # waits still
    await db.run(
        "INSERT INTO pgqueuer (priority, status, entrypoint, payload) VALUES (0, 'failed', 'core.other', :payload)",
        payload=b'{"mail_id":%d}' % one,
    )
    assert await mail.retry(await db.value("SELECT public_id FROM mails WHERE id = :id", id=one))
    found = await db.many(
        db.Row,
        """
        SELECT CAST(status AS text) AS status, entrypoint, CAST(convert_from(payload, 'UTF8') AS jsonb) -> 'mail_id' AS mail
        FROM pgqueuer ORDER BY id
        """,
    )
    assert [(each.status, each.entrypoint, each.mail) for each in found] == [
        ("failed", "core.deliver_mail", other),
        ("failed", "core.other", one),
        ("queued", "core.deliver_mail", one),
    ]


async def test_a_file_that_is_gone_meanwhile_keeps_no_mail_back(post: Post, monkeypatch: pytest.MonkeyPatch) -> None:
    async def read(place: str) -> bytes | None:
        return None if place == "gone" else b"there"

    monkeypatch.setitem(mail._sources, "shelf", read)
    files = [mail.Attachment(name, "text/plain", source=f"shelf:{name}") for name in ("gone", "there")]
    await send(reply_to="bob@example.org", attachments=[*files, mail.Attachment("own", "text/plain", b"own")])
    await queue.drain()
    [message] = post.heard
    assert [(each.name, each.content) for each in message.attachments] == [("there", b"there"), ("own", b"own")]
    assert message.reply_to == "bob@example.org"
    assert (await row()).context == {}


async def test_the_subject_of_a_mail_that_is_under_way_names_nobody_who_is_forgotten_meanwhile(
    post: Post, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is about Ann, to somebody else; the mail server is slow."""
    assert mail._wiring is not None
    true = post.send

    async def render(_template: str, context: Mapping[str, Any]) -> mail.Rendered:
        return mail.Rendered(f"{context['name']} has bought", "", "")

    async def slow(message: mail.Message) -> str:
        if "Ann" in message.subject:
            about = Subject(1, "a", "ann@example.org", "Ann Archer", ("ann@example.org", "Ann Archer"))
            async with db.transaction():
                await records.forget_mails(about)
        return await true(message)

    monkeypatch.setattr(mail._wiring, "render", render)
    monkeypatch.setattr(post, "send", slow)
    await mail.send("owner@example.org", "ops/failures", {"name": "Bob Breuer"}, fact="order:1")
    await mail.send("owner@example.org", "ops/failures", {"name": "Ann Archer"}, fact="order:2")
    await queue.drain()
    sent = await db.many(db.Row, "SELECT state, subject FROM mails ORDER BY id")
    assert [(one.state, one.subject) for one in sent] == [("sent", "Bob Breuer has bought"), ("sent", "[erased]")]


async def test_a_mail_that_two_workers_send_keeps_its_subject(post: Post, monkeypatch: pytest.MonkeyPatch) -> None:
    """The first one is so slow that it is taken for dead."""
    true = post.send

    async def slow(message: mail.Message) -> str:
        if not post.heard:
            post.heard.append(message)
            await asyncio.create_task(mail.deliver_mail((await row()).id), context=Context())
        return await true(message)

    monkeypatch.setattr(post, "send", slow)
    await send()
    await queue.drain()
    assert await db.value("SELECT state || ': ' || subject FROM mails") == f"sent: {post.heard[0].subject}"
