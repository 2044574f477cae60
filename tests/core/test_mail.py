"""Mails: one a fact, tried again under the same name, failed in the end, and without their secrets once they are sent."""

import asyncio
import contextlib
from collections.abc import Mapping
from contextvars import Context
from typing import Any

import pytest
from asyncpg import PostgresConnectionError

from app import Lectern
from app.core import db, mail, queue, records
from app.core.errors import Unavailable
from app.core.personal import Subject
from tests.faults.proxy import Proxy

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
    monkeypatch.setattr(mail, "_BENEFIT_OF_DOUBT", 0)
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


async def of_two_workers(post: Post, monkeypatch: pytest.MonkeyPatch) -> int:
    """The first one stands still before it hands the mail over, and goes on when the second has sent it: how often it went."""
    assert mail._wiring is not None
    monkeypatch.setattr(mail, "_BENEFIT_OF_DOUBT", 0)
    true, stands, may_go_on = mail._wiring.render, asyncio.Event(), asyncio.Event()

    async def render(template: str, context: Mapping[str, Any]) -> mail.Rendered:
        if not stands.is_set():
            stands.set()
            await may_go_on.wait()
        return await true(template, context)

    monkeypatch.setattr(mail._wiring, "render", render)
    await send()
    mail_id = (await row()).id
    first = asyncio.create_task(mail.deliver_mail(mail_id), context=Context())
    await stands.wait()
    await mail.deliver_mail(mail_id)
    may_go_on.set()
    await first
    assert (await row()).state == "sent"
    return len(post.heard)


async def test_who_was_taken_for_dead_before_it_sent_sends_no_more(post: Post, monkeypatch: pytest.MonkeyPatch) -> None:
    assert await of_two_workers(post, monkeypatch) == 1


async def test_without_a_second_look_both_would_send(post: Post, monkeypatch: pytest.MonkeyPatch) -> None:
    """The negative control."""

    async def anyones(_row: db.Row) -> bool:
        return True

    monkeypatch.setattr(mail, "_is_ours", anyones)
    assert await of_two_workers(post, monkeypatch) == 2


async def test_who_was_taken_for_dead_does_not_write_its_failure_over_what_the_other_did(
    post: Post, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mail, "_BENEFIT_OF_DOUBT", 0)
    true = post.send

    async def too_late(message: mail.Message) -> str:
        monkeypatch.setattr(post, "send", slow)
        await asyncio.create_task(begin_another(), context=Context())
        raise TimeoutError("no answer")

    async def slow(message: mail.Message) -> str:
        assert (await row()).state == "sending"
        return await true(message)

    async def begin_another() -> None:
        await mail._begin((await row()).id)

    monkeypatch.setattr(post, "send", too_late)
    await send()
    with pytest.raises(TimeoutError):
        await mail.deliver_mail((await row()).id)
    assert ((await row()).state, (await row()).error) == ("sending", None)


async def in_spite_of_an_outage(post: Post, line: Proxy, monkeypatch: pytest.MonkeyPatch) -> int:
    """The database goes away while the mail server takes the mail, for half a second; then the job is taken up again, by
    who cannot know that it was done. How often the mail went.
    """
    true = post.send

    async def taken(message: mail.Message) -> str:
        answer = await true(message)
        line.be("refuse")
        asyncio.get_running_loop().call_later(0.5, line.be)
        return answer

    await send()
    mail_id = (await row()).id
    with monkeypatch.context() as patch:
        patch.setattr(post, "send", taken)
        with contextlib.suppress(Unavailable, PostgresConnectionError):
            await mail.deliver_mail(mail_id)
    await until_it_is_back()
    await mail.deliver_mail(mail_id)
    assert (await row()).state == "sent"
    return len(post.heard)


async def until_it_is_back() -> None:
    for _try in range(200):
        with contextlib.suppress(Unavailable, PostgresConnectionError):
            if await db.value("SELECT 1"):
                return
        await asyncio.sleep(0.05)


async def test_a_mail_that_went_is_known_to_have_gone_though_the_database_was_away(
    post: Post, line: Proxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mail, "_PAUSE", 0.05)
    assert await in_spite_of_an_outage(post, line, monkeypatch) == 1


async def test_without_insisting_it_would_be_sent_again(
    post: Post, line: Proxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The negative control."""
    monkeypatch.setattr(mail, "_INSISTENCE", -1)
    monkeypatch.setattr(mail, "_BENEFIT_OF_DOUBT", 0)
    assert await in_spite_of_an_outage(post, line, monkeypatch) == 2


async def of_one_that_was_cut_off(post: Post, monkeypatch: pytest.MonkeyPatch, benefit: float) -> int:
    """The mail went, and its worker could not write that down before another one took it: how often it went."""
    begin, true, note, noted, may_note = mail._begin, post.send, mail._note_sent, asyncio.Event(), asyncio.Event()

    async def late(*what: Any) -> None:
        noted.set()
        await may_note.wait()
        await note(*what)

    async def begun(mail_id: int) -> db.Row | None:
        found = await begin(mail_id)
        if noted.is_set() and benefit:
            may_note.set()
        return found

    async def sent(message: mail.Message) -> str:
        if noted.is_set():
            may_note.set()
        return await true(message)

    monkeypatch.setattr(mail, "_note_sent", late)
    monkeypatch.setattr(mail, "_begin", begun)
    monkeypatch.setattr(post, "send", sent)
    monkeypatch.setattr(mail, "_BENEFIT_OF_DOUBT", benefit)
    await send()
    mail_id = (await row()).id
    first = asyncio.create_task(mail.deliver_mail(mail_id), context=Context())
    await noted.wait()
    await asyncio.gather(first, asyncio.create_task(mail.deliver_mail(mail_id), context=Context()))
    assert (await row()).state == "sent"
    return len(post.heard)


async def test_a_try_that_was_cut_off_has_time_to_say_what_came_of_it(
    post: Post, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert await of_one_that_was_cut_off(post, monkeypatch, benefit=1) == 1


async def test_without_that_time_it_would_be_sent_again(post: Post, monkeypatch: pytest.MonkeyPatch) -> None:
    """The negative control."""
    assert await of_one_that_was_cut_off(post, monkeypatch, benefit=0) == 2
