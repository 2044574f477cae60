"""Nothing leaves of an entry before its time, and everything exactly once after: each move, twice, and two at once."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pytest

from app import Lectern
from app.core import clock, db, queue
from app.core.errors import Conflict
from app.formbuilder import entries
from app.formbuilder.answering import submissions
from app.formbuilder.answering.submissions import Sender
from app.formbuilder.definition import definitions, versions
from app.formbuilder.delivery import connections, deliveries
from app.formbuilder.inbox import privacy
from app.formbuilder.models import Connection, Definition, Entry, Form, Posted
from app.formbuilder.queries import entries as entry_queries
from app.formbuilder.queries import inbox
from tests.formbuilder.test_deliveries import FIELDS, Post, _later, connect, only, post

__all__ = ["post"]


@dataclass
class School:
    """A form that hands its entries to a webhook."""

    post: Post
    hook: Connection

    async def form(self, **settings: Any) -> tuple[Form, Definition]:
        one = {"id": "i1", "connection": self.hook.public_id, "list": "", "map": {"email": "q2"}}
        definition = definitions.read(
            {"title": "Apply", "fields": FIELDS, "integrations": [one], "settings": settings, "last": 9}
        )
        return await versions.publish((await versions.create(definition, by=None)).id), definition

    async def entry(self, state: str, **settings: Any) -> tuple[Entry, Definition]:
        """An entry that waits in this state, with its jobs done."""
        form, definition = await self.form(**settings)
        sender = Sender(suspicion="words") if state == "spam" else Sender()
        found = await submissions.submit(
            form, definition, Posted({"q1": ["Ann"], "q2": ["ann@learner.example"]}), sender
        )
        if state == "unpaid":  # as a form with a price leaves it
            await db.run("DELETE FROM pgqueuer")
            await db.run(
                "UPDATE form_entries SET state = 'unpaid', counted_at = NULL, confirm_hash = NULL WHERE id = :id",
                id=found.id,
            )
        await queue.drain()
        now = await entry_queries.entry_by_id(found.id)
        assert now is not None
        assert now.state == state
        return now, definition

    @property
    def arrived(self) -> int:
        return len(self.post.stand("webhook").messages)

    @property
    def asked(self) -> int:
        """Requests besides the test that was sent when it was connected."""
        return len(self.post.stand("webhook").calls) - 1


@pytest.fixture
async def school(app: Lectern, post: Post) -> School:
    return School(post, await connect(post, "webhook"))


async def again(entry: Entry) -> Entry:
    found = await entry_queries.entry_by_id(entry.id)
    assert found is not None
    return found


# Where an entry waits: the form's settings, and what lets it go.
WAYS: dict[str, tuple[str, dict[str, Any], list[str]]] = {
    "confirmed": ("unconfirmed", {"opt_in": True}, ["confirm"]),
    "approved": ("waiting", {"approval": True}, ["approve"]),
    "confirmed, then approved": ("unconfirmed", {"opt_in": True, "approval": True}, ["confirm", "approve"]),
    "refused, then approved": ("waiting", {"approval": True}, ["refuse", "approve"]),
    "paid": ("unpaid", {}, ["pay"]),
    "paid, confirmed, approved": ("unpaid", {"opt_in": True, "approval": True}, ["pay", "confirm", "approve"]),
    "no spam": ("spam", {}, ["not_spam"]),
    "no spam, confirmed": ("spam", {"opt_in": True}, ["not_spam", "confirm"]),
    "no spam, approved": ("spam", {"approval": True}, ["not_spam", "approve"]),
    "thrown away and brought back before it counted": ("waiting", {"approval": True}, ["bin", "restore", "approve"]),
    "called spam while it waited": ("waiting", {"approval": True}, ["spam", "not_spam", "approve"]),
}


async def until_the_last(school: School, way: str) -> tuple[Entry, Definition, str]:
    """An entry before its last move, after each of the others was shown to let nothing out."""
    state, settings, moves = WAYS[way]
    entry, definition = await school.entry(state, **settings)
    for act in moves[:-1]:
        await entries.move(await again(entry), act, definition)
        await queue.drain()
        await deliveries.look_for_forgotten()
        await queue.drain()
        assert school.asked == 0, act
    return entry, definition, moves[-1]


@pytest.mark.parametrize("way", WAYS)
async def test_what_waits_leaves_once_when_its_time_comes(school: School, way: str) -> None:
    entry, definition, last = await until_the_last(school, way)
    assert await deliveries.of_entry(entry.id) == []
    await entries.move(await again(entry), last, definition)
    await queue.drain()
    assert (school.asked, school.arrived) == (1, 1)
    with pytest.raises(Conflict):
        await entries.move(await again(entry), last, definition)
    await deliveries.plan(entry.id)
    await queue.drain()
    assert (school.asked, (await only(entry)).attempts) == (1, 1)


async def at_once(*work: Callable[[], Awaitable[Any]]) -> list[Any]:
    async def one(do: Callable[[], Awaitable[Any]]) -> Any:
        async with db.hold():
            return await do()

    return await asyncio.gather(*(one(each) for each in work), return_exceptions=True)


@pytest.mark.parametrize("way", WAYS)
async def test_of_two_who_let_it_go_at_once_one_does(school: School, way: str) -> None:
    entry, definition, last = await until_the_last(school, way)
    now = await again(entry)
    found = await at_once(*[lambda: entries.move(now, last, definition)] * 2)
    assert sorted(type(each).__name__ for each in found) == ["Conflict", "str"]
    await queue.drain()
    assert (school.asked, school.arrived) == (1, 1)


async def test_without_its_guard_it_would_be_told_of_twice(school: School, monkeypatch: pytest.MonkeyPatch) -> None:
    """The negative control: each move that ends in `received` would tell the services; the unique row stops it there."""

    async def always(*_: Any) -> bool:
        return True

    entry, definition, last = await until_the_last(school, "approved")
    monkeypatch.setattr(inbox, "count_in", always)
    await entries.move(await again(entry), last, definition)
    await db.run("UPDATE form_entries SET state = 'waiting' WHERE id = :id", id=entry.id)
    await entries.move(await again(entry), last, definition)
    told = await db.value("SELECT count(*) FROM pgqueuer WHERE entrypoint = 'formbuilder.plan_deliveries'")
    assert told == 2
    await queue.drain()
    assert school.asked == 1


@pytest.mark.parametrize("act", ["spam", "bin"])
async def test_what_is_taken_back_before_it_left_stays_and_goes_when_it_is_brought_back(
    school: School, act: str
) -> None:
    """Both before it was planned, and while it waits for a service that is down."""
    back = {"spam": "not_spam", "bin": "restore"}[act]
    form, definition = await school.form()
    posted = Posted({"q2": ["ann@learner.example"]})
    early = await submissions.submit(form, definition, posted, Sender())
    await entries.move(early, act, definition)
    await queue.drain()
    assert school.asked == 0
    await entries.move(await again(early), back, definition)
    await queue.drain()
    assert (school.asked, (await only(early)).state) == (1, "sent")
    school.post.stand("webhook").is_down = True
    late = await submissions.submit(form, definition, posted, Sender())
    await queue.drain()
    await entries.move(await again(late), act, definition)
    school.post.stand("webhook").is_down = False
    await _later(timedelta(hours=1))
    with clock.shifted(timedelta(hours=2)):
        assert await deliveries.look_for_forgotten() == 0
    assert ((await only(late)).state, school.arrived) == ("waiting", 1)
    assert await db.value("SELECT count(*) FROM pgqueuer") == 0, "nobody looks at it in vain"
    await entries.move(await again(late), back, definition)
    await _later(timedelta(minutes=2))
    assert ((await only(late)).state, school.arrived) == ("sent", 2)


async def test_what_left_already_does_not_leave_again_when_it_is_brought_back(school: School) -> None:
    entry, definition = await school.entry("received")
    assert school.asked == 1
    for act in ("spam", "not_spam", "bin", "restore"):
        await entries.move(await again(entry), act, definition)
        await queue.drain()
    assert school.asked == 1


async def test_an_entry_whose_answers_are_gone_is_not_sent_again(school: School) -> None:
    entry, _definition = await school.entry("received", no_store=True)
    with clock.shifted(timedelta(hours=2)):
        assert await privacy.empty_sent() == 1
    found = await only(entry)
    assert (found.state, found.exchanges) == ("sent", [])
    with pytest.raises(Conflict):
        await deliveries.replay(found.id)
    assert await deliveries.replay_held(await connections.find(school.hook.public_id)) == 0
