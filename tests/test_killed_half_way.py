"""Every form whose process is killed after something that it wrote, and that is sent again: what it does is done once.

Most forms write once, in one transaction: whoever is killed before its end has done nothing. Here are those that commit more
than once, found by running each row of CASES. The noting of who does a form (core.submissions) is not counted: one that is killed
after its commit and before that note is done again when it is sent a minute later; what may not happen twice has a guard of its own.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from contextvars import ContextVar
from datetime import timedelta
from typing import Any

import pytest

from app.core import clock, db
from app.media import uploads
from app.media.jobs import sweep_uploads
from app.media.models import Upload
from tests.commerce.shop import Shop
from tests.emptying import Emptier
from tests.test_double_clicks import CASES, REFUSALS, a_world, counts, sender, submissions_forgotten

_ask, _transaction = db._ask, db.transaction


# What a death leaves more of, where that harms nobody.
LEFT = {
    "/impersonation/end": {"impersonation_visits": 2},  # each look at an address is counted before it is had
    "/admin/people/imports": {"imports": 2},  # the list that was not kept whole is never shown, and cleared after a day
}


class Killed(BaseException):
    """The process is gone: nothing that would clear up behind it runs."""


class Life:
    """What a request commits, until it is killed after the commit of this number."""

    def __init__(self, last: int = 0) -> None:
        self.last = last
        self.commits: list[str] = []

    def is_over(self) -> bool:
        return 0 < self.last <= len(self.commits)

    def commit(self, what: str) -> None:
        if "submissions" not in what:
            self.commits.append(what)
        if self.is_over():
            raise Killed


_life: ContextVar[Life | None] = ContextVar("life", default=None)


async def ask(way: str, statement: str, arguments: list[Any], *, is_read: bool) -> Any:
    life = _life.get()
    if life is not None and life.is_over():
        raise Killed
    found = await _ask(way, statement, arguments, is_read=is_read)
    if life is not None and not is_read and not db.in_transaction():
        life.commit(statement)
    return found


@asynccontextmanager
async def transaction(isolation: str | None = None) -> AsyncIterator[None]:
    async with _transaction(isolation):
        yield
    life = _life.get()
    if life is not None and not db.in_transaction():
        life.commit("COMMIT")


@pytest.fixture(autouse=True)
def mortal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(db, "_ask", ask)
    monkeypatch.setattr(db, "transaction", transaction)


async def effect(at: Shop, emptier: Emptier, rule: str, life: Life) -> tuple[dict[str, int], int, int]:
    """By how many rows each table grew once the form was sent, again if that killed it; and the statuses, 0 for a death."""
    world = await a_world(at, emptier)
    once = await sender(world, rule, CASES[rule])
    before = await counts()

    async def live() -> int:
        _life.set(life)
        return await once()

    first = again = 0
    try:
        first = await asyncio.create_task(live())
    except Killed:
        await submissions_forgotten()
        again = await once()
    with clock.shifted(timedelta(days=2)):
        await sweep_uploads()
    after = await counts()
    return {name: after[name] - before[name] for name in after if after[name] != before[name]}, first, again


@pytest.mark.parametrize("rule", CASES)
async def test_killed_after_any_commit_and_sent_again_it_is_done_once(
    shop: Shop,
    emptier: Emptier,
    unlimited: None,
    rule: str,
) -> None:
    whole = Life()
    single, status, _ = await effect(shop, emptier, rule, whole)
    assert status in (200, 204, 303)
    for last in range(1, len(whole.commits)):
        both, first, again = await effect(shop, emptier, rule, Life(last))
        assert first == 0, "nobody was killed"
        if again in REFUSALS:  # an answer of a passkey is good once: who was killed asks for another challenge
            assert all(0 <= grown / single[table] <= 1 for table, grown in both.items()), (both, single)
        else:
            assert again in (200, 204, 303)
            assert both == single | LEFT.get(rule, {}), whole.commits[last - 1]


async def test_a_file_that_gets_its_place_later_than_it_is_one_would_be_left_over(
    shop: Shop,
    emptier: Emptier,
    unlimited: None,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The negative control."""
    rule, store = "/admin/courses/<public_id>/picture", uploads.store

    async def in_two_steps(*args: Any, then: Callable[[Upload], Awaitable[object]], **kwargs: Any) -> Upload:
        kept = await store(*args, **kwargs)
        await then(kept)
        return kept

    monkeypatch.setattr(uploads, "store", in_two_steps)
    single, _status, _ = await effect(shop, emptier, rule, Life())
    both, first, again = await effect(shop, emptier, rule, Life(2))
    assert (first, again) == (0, 303)
    assert both["uploads"] == single["uploads"] + 1
