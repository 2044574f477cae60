"""Somebody else is quicker: what a request decided on does not hold any more when it acts, and it says so."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from contextvars import Context
from typing import Any

import pytest

from app import Lectern
from app.accounts import hashing
from app.core import db
from tests.accounts.conftest import Browser
from tests.accounts.test_second_factors import enrol
from tests.cast import PASSWORD, Person

NEW = "tide under seven clocks"


# Longer than any act of these tests takes that need not wait for the one that it overtakes.
A_MOMENT = 1.5


def overtaken(
    monkeypatch: pytest.MonkeyPatch, where: object, name: str, act: Callable[[], Coroutine[Any, Any, Any]]
) -> Callable[[], Awaitable[Any]]:
    """Let `act` begin, once, when this function has looked and before anything is made of it; to be awaited at the end.

    It runs in a context of its own, as another browser's request does. When it has to wait for what it overtakes, that
    goes on.
    """
    true, begun = getattr(where, name), []

    async def unhurried(*args: Any, **kwargs: Any) -> Any:
        found = await true(*args, **kwargs)
        if not begun:
            begun.append(asyncio.create_task(act(), context=Context()))
            await asyncio.wait(begun, timeout=A_MOMENT)
        return found

    async def over() -> Any:
        return await begun[0]

    monkeypatch.setattr(where, name, unhurried)
    return over


async def test_a_password_that_is_changed_does_not_slip_past_a_second_step_turned_on_meanwhile(
    app: Lectern, ann: Person, other_browser: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    await other_browser.sign_in(ann.email)
    enrolled = overtaken(monkeypatch, hashing, "hashed", lambda: enrol(ann))
    await other_browser.post("/account/password", current_password=PASSWORD, new_password=NEW)
    await enrolled()
    assert not await other_browser.is_signed_in()
    assert await Browser(ann.browser).is_signed_in()


async def test_a_password_that_was_asked_for_does_not_slip_past_a_second_step_turned_on_meanwhile(
    app: Lectern, ann: Person, other_browser: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    await db.run("UPDATE users SET password_change_required_at = now()")
    await db.run("UPDATE sessions SET method = 'google'")
    await other_browser.sign_in(ann.email)
    enrolled = overtaken(monkeypatch, hashing, "hashed", lambda: enrol(ann))
    await other_browser.post("/password/required", new_password=NEW)
    await enrolled()
    assert not await other_browser.is_signed_in()
    assert await Browser(ann.browser).is_signed_in()
