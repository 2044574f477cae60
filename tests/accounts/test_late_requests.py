"""Whoever is sent out of an account while a request of theirs is at work leaves nothing behind that lets them in again."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from types import SimpleNamespace
from typing import Any

import pytest

from app import Lectern
from app.accounts import passkeys, queries, second_factors, sessions, sign_ins
from app.accounts.models import Factors, KnownPasskey, SignedIn, User
from app.config import Config
from tests import google
from tests.accounts.conftest import Browser, count
from tests.accounts.test_google import come_back
from tests.accounts.test_passkeys import only, owns, signed
from tests.accounts.test_second_factors import code, enrol, half_way
from tests.authenticator import Device, add_passkey
from tests.cast import Cast, Person
from tests.test_api import form, sent


async def an_app(ann: Person, _config: Config) -> None:
    with suppress(AssertionError):  # no recovery codes are shown
        await enrol(ann)


async def a_passkey(ann: Person, _config: Config) -> None:
    await add_passkey(ann.browser, Device(), "Phone")


async def a_token(ann: Person, _config: Config) -> None:
    await sent(ann, form())


async def another_address(ann: Person, _config: Config) -> None:
    await ann.browser.post("/account/email", form={"email": "elsewhere@example.org"})


async def a_google_account(ann: Person, config: Config) -> None:
    google.connect(config)
    answer = await ann.browser.post("/account/security/google")
    await come_back(config, Browser(ann.browser), answer.headers["Location"])


async def a_file(ann: Person, _config: Config) -> None:
    await ann.browser.post("/account/privacy/exports")


async def an_erasure(ann: Person, _config: Config) -> None:
    await ann.browser.post("/account/privacy/erasure", form={"confirmation": ann.email})


@pytest.mark.parametrize("protected", [True, False])
@pytest.mark.parametrize(
    ("way", "table"),
    [
        (an_app, "mfa_secrets"),
        (a_passkey, "passkeys"),
        (a_token, "access_tokens"),
        (another_address, "email_changes"),
        (a_google_account, "identities"),
        (a_file, "personal_exports"),
        (an_erasure, "erasures"),
    ],
)
async def test_a_session_that_ended_meanwhile_adds_no_way_in_and_asks_for_nothing(
    app: Lectern,
    ann: Person,
    config: Config,
    monkeypatch: pytest.MonkeyPatch,
    way: Callable[[Person, Config], Awaitable[None]],
    table: str,
    protected: bool,
) -> None:
    """It ends after the guard and before anything is written; unprotected, whatever was asked for would stay."""
    true = sessions.hold

    async def late(person: SignedIn) -> User:
        if not protected:
            return (await queries.lock_users([person.id]))[0]
        await queries.delete_sessions_of(person.id)
        return await true(person)

    monkeypatch.setattr(sessions, "hold", late)
    await way(ann, config)
    assert await count(table) == (0 if protected else 1)


@pytest.mark.parametrize("protected", [True, False])
async def test_a_sign_in_does_not_slip_past_a_second_step_that_is_turned_on_meanwhile(
    app: Lectern, ann: Person, other_browser: Browser, monkeypatch: pytest.MonkeyPatch, protected: bool
) -> None:
    """Somebody who knows the password begins while Ann turns her app on; unheld, a session without it would stay."""
    true, asked, is_on = second_factors.of, asyncio.Event(), asyncio.Event()

    async def unhurried(user_id: int) -> Factors:
        found = await true(user_id)
        if not asked.is_set():
            asked.set()
            with suppress(TimeoutError):  # where the row is held, Ann waits for this sign-in
                await asyncio.wait_for(is_on.wait(), 2 if protected else 60)
        return found

    async def unheld(_ids: list[int]) -> list[User]:
        return []

    async def ann_turns_it_on() -> None:
        await asked.wait()
        await enrol(ann)
        is_on.set()

    monkeypatch.setattr(second_factors, "of", unhurried)
    if not protected:
        monkeypatch.setattr(sign_ins, "people_queries", SimpleNamespace(lock_users=unheld))
    await asyncio.gather(other_browser.sign_in(ann.email), ann_turns_it_on())
    assert await other_browser.is_signed_in() is not protected


@pytest.mark.parametrize("act", ["sessions/removal", "second-factor/removal"])
async def test_an_act_of_the_office_and_a_second_step_do_not_wait_for_each_other(
    app: Lectern, cast: Cast, ann: Person, other_browser: Browser, monkeypatch: pytest.MonkeyPatch, act: str
) -> None:
    """Both end what is half-done and touch the person's row: whichever comes first, the other one waits and goes on."""
    olga, true, is_shown = await cast.olga(), sessions.start, asyncio.Event()
    secret, _codes = await enrol(ann)
    await half_way(other_browser, ann)

    async def unhurried(*args: Any, **kwargs: Any) -> None:
        is_shown.set()
        await asyncio.sleep(0.5)
        await true(*args, **kwargs)

    async def olga_acts() -> int:
        await is_shown.wait()
        return (
            await olga.browser.post(f"/admin/people/{ann.public_id}/{act}", form={"second-reason": "Lost it"})
        ).status_code

    monkeypatch.setattr(sessions, "start", unhurried)
    answer, done = await asyncio.gather(other_browser.post("/login/second-step", code=code(secret, 1)), olga_acts())
    assert (answer.status_code, done) == (303, 303)
    assert not await other_browser.is_signed_in()


@pytest.mark.parametrize("protected", [True, False])
async def test_a_passkey_that_is_removed_while_it_signs_in_opens_nothing(
    app: Lectern, ann: Person, other_browser: Browser, monkeypatch: pytest.MonkeyPatch, protected: bool
) -> None:
    """Its answer was good, and Ann removed it before the session stood; unheld, that session would stay."""
    device, true, has_signed, is_gone = Device(), passkeys._signed, asyncio.Event(), asyncio.Event()
    await owns(ann, device)

    async def unhurried(*args: Any, **kwargs: Any) -> KnownPasskey:
        found = await true(*args, **kwargs)
        has_signed.set()
        await is_gone.wait()
        return found

    async def unheld(_passkey: KnownPasskey) -> None:
        return

    async def ann_removes_it() -> None:
        await has_signed.wait()
        await ann.browser.post(f"/account/security/passkeys/{await only(ann)}/removal")
        is_gone.set()

    monkeypatch.setattr(passkeys, "_signed", unhurried)
    if not protected:
        monkeypatch.setattr(passkeys, "_hold", unheld)
    answer, _done = await asyncio.gather(signed(other_browser, device), ann_removes_it())
    assert answer.status_code == (422 if protected else 303)
    assert await other_browser.is_signed_in() is not protected
