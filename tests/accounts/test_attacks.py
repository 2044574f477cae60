"""Attacks on the way in: planted and replayed cookies, half-done sign-ins, guesses at codes from many hands."""

import asyncio
import hashlib
import re
from collections.abc import Awaitable, Callable, Iterator
from contextlib import suppress
from datetime import timedelta
from typing import Any

import pytest

from app import Lectern
from app.accounts import familiar, hashing, links, passwords, queries, second_factors, sessions, sign_ins, totp, users
from app.accounts.queries import second_factors as factor_queries
from app.commerce import carts
from app.core import cache, clock, db, limits, settings, tokens
from app.core.errors import TooMany
from app.web.clients import Proxies
from tests.accounts.conftest import Browser, Mailbox, body, count, text_of
from tests.accounts.test_second_factors import code, enrol, half_way
from tests.cast import PASSWORD, Cast, Person

NEW = "nine quiet otters by the mill"


def cookie_of(browser: Browser, name: str) -> str:
    return next((str(one.value) for one in browser.client.cookie_jar if one.name == name), "")  # type: ignore[attr-defined]


def with_cookie(app: Lectern, name: str, value: str) -> Browser:
    made = Browser(app.test_client())
    made.client.set_cookie("localhost", name, value)
    return made


# --- the half-done sign-in ---


async def test_a_planted_half_done_sign_in_is_never_taken_over(app: Lectern, ann: Person) -> None:
    await enrol(ann)
    planted = tokens.random_token()
    browser = with_cookie(app, "sign_in", planted)
    await half_way(browser, ann)
    assert cookie_of(browser, "sign_in") != planted
    assert (await with_cookie(app, "sign_in", planted).get("/login/second-step")).headers["Location"] == "/login"


async def test_half_a_sign_in_is_no_session_and_a_session_no_half_sign_in(app: Lectern, ann: Person) -> None:
    await enrol(ann)
    browser = Browser(app.test_client())
    await half_way(browser, ann)
    assert not await with_cookie(app, "session", cookie_of(browser, "sign_in")).is_signed_in()
    session = cookie_of(Browser(ann.browser), "session")
    assert (await with_cookie(app, "sign_in", session).get("/login/second-step")).headers["Location"] == "/login"


async def test_a_copy_of_a_half_done_sign_in_is_worth_nothing_after_it_is_finished(app: Lectern, ann: Person) -> None:
    secret, codes = await enrol(ann)
    browser = Browser(app.test_client())
    await half_way(browser, ann)
    copy = with_cookie(app, "sign_in", cookie_of(browser, "sign_in"))
    await browser.post("/login/second-step", code=code(secret, 1))
    assert (await copy.post("/login/second-step", code=codes[0])).headers["Location"] == "/login"
    assert not await copy.is_signed_in()


async def test_the_code_of_one_does_not_finish_what_another_began_in_the_same_browser(
    app: Lectern, ann: Person, cast: Cast
) -> None:
    """Mallory plants her half-done sign-in in Ann's browser, so that Ann signs in to Mallory's account or spends a code."""
    secret, _codes = await enrol(ann)
    mallory = await cast.person("Mallory", "mallory@example.org")
    await queries.set_password(mallory.id, await hashing.hashed(PASSWORD))
    await enrol(mallory)
    hers = Browser(app.test_client())
    await half_way(hers, mallory)
    victim = with_cookie(app, "sign_in", cookie_of(hers, "sign_in"))
    assert (await victim.post("/login/second-step", code=code(secret, 1))).status_code == 422
    assert not await victim.is_signed_in()


async def suspend(ann: Person, cast: Cast, _box: Mailbox) -> None:
    await (await cast.olga()).browser.post(f"/admin/people/{ann.public_id}/suspension", form={"reason": "chargeback"})


async def change_role(ann: Person, cast: Cast, _box: Mailbox) -> None:
    await (await cast.olga()).browser.post(f"/admin/people/{ann.public_id}/role", form={"role": "support"})


async def sign_out_by_office(ann: Person, cast: Cast, _box: Mailbox) -> None:
    await (await cast.olga()).browser.post(f"/admin/people/{ann.public_id}/sessions/removal")


async def sign_out_elsewhere(ann: Person, _cast: Cast, _box: Mailbox) -> None:
    await Browser(ann.browser).post("/account/sessions/removal")


async def change_password(ann: Person, _cast: Cast, _box: Mailbox) -> None:
    answer = await Browser(ann.browser).post("/account/password", current_password=PASSWORD, new_password=NEW)
    assert answer.status_code == 303


async def reset_password(ann: Person, cast: Cast, box: Mailbox) -> None:
    stranger = Browser(cast._app.test_client())
    await stranger.post("/password/forgot", email=ann.email)
    assert (await stranger.post(await box.link(ann.email), new_password=NEW)).status_code == 303


async def renew_key(ann: Person, _cast: Cast, _box: Mailbox) -> None:
    await Browser(ann.browser).post("/account/security/totp/removal")
    await enrol(ann)


ENDS: list[Callable[[Person, Cast, Mailbox], Awaitable[None]]] = [
    suspend, change_role, sign_out_by_office, sign_out_elsewhere, change_password, reset_password, renew_key,
]  # fmt: skip


@pytest.mark.usefixtures("unlimited")
@pytest.mark.parametrize("act", ENDS, ids=lambda act: act.__name__)
async def test_half_a_sign_in_does_not_outlive(
    app: Lectern, ann: Person, cast: Cast, mailbox: Mailbox, act: Callable[[Person, Cast, Mailbox], Awaitable[None]]
) -> None:
    _secret, codes = await enrol(ann)
    thief = Browser(app.test_client())
    await half_way(thief, ann)
    await act(ann, cast, mailbox)
    assert (await thief.post("/login/second-step", code=codes[0])).headers["Location"] == "/login"
    assert not await thief.is_signed_in()


async def test_without_such_an_act_it_would_be_finished(app: Lectern, ann: Person) -> None:
    """The negative control."""
    _secret, codes = await enrol(ann)
    browser = Browser(app.test_client())
    await half_way(browser, ann)
    await browser.post("/login/second-step", code=codes[0])
    assert await browser.is_signed_in()


async def test_signing_out_forgets_the_half_done_confirmation_too(app: Lectern, ann: Person, cast: Cast) -> None:
    await enrol(ann)
    await cast.sign_in(ann, fresh=False)
    page = Browser(ann.browser)
    await page.post("/login/confirmation", password=PASSWORD)
    assert await count("pending_sign_ins") == 1
    await page.post("/logout")
    assert await count("pending_sign_ins") == 0


# --- tokens that the database knows by their hash ---


def spoiled(token: str) -> Iterator[str]:
    """What an attacker makes of a token that was seen in part, or of its hash."""
    other = "A" if token[-2] != "A" else "B"
    yield from ("", token[:-1], token[1:], token[:10], token + "A", token + "=", f" {token}", f"{token}\n", token * 2)
    yield from (token[:-2] + other + token[-1], token.swapcase(), f"{token}\x00", f"{token}%00", "\ud800", "'--")
    yield hashlib.sha256(token.encode()).hexdigest()
    yield tokens.hashed(token).decode("latin-1")


async def test_a_spoiled_token_opens_nothing(app: Lectern, ann: Person) -> None:
    now, token = clock.now(), tokens.random_token()
    async with db.transaction():
        _id, link = await links.issue(ann.id, ann.email, "reset_password")
    pending = {"user_id": ann.id, "method": "password", "keep": None, "onward": "", "password_hash": None, "now": now}
    await factor_queries.insert_pending(
        token_hash=tokens.hashed(token),
        expires_at=now + sign_ins.LIFETIME,
        **pending,  # type: ignore[arg-type]
    )

    async def pending_of(text: str) -> object:
        async with app.test_request_context("/", headers={"Cookie": f"sign_in={text}"}):
            return await sign_ins.pending()

    readers: list[tuple[str, Callable[[str], Awaitable[object]]]] = [
        (cookie_of(Browser(ann.browser), "session"), lambda text: sessions.find(text, clock.now())),
        (link, lambda text: links.find(text, "reset_password")),
        (link, lambda text: links.use(text, "reset_password")),
        (token, pending_of),
    ]
    for good, read in readers:
        for bad in spoiled(good):
            if read is pending_of and not bad.isprintable():
                continue  # not the shape of a header
            if read is pending_of and bad.strip() == good:
                continue  # a header does not keep the space around it
            assert await read(bad) is None, bad
        assert await read(good) is not None


@pytest.mark.parametrize("asked", ["verify_email", "set_password"])
async def test_a_link_opens_only_what_it_was_made_for(app: Lectern, ann: Person, asked: str) -> None:
    async with db.transaction():
        _id, link = await links.issue(ann.id, ann.email, "reset_password")
    assert await links.find(link, asked) is None
    assert await links.use(link, asked) is None
    stranger = Browser(app.test_client())
    assert (await stranger.get(f"/verify/{link}")).status_code == 404


async def test_a_cart_of_a_guest_cannot_be_named_by_a_spoiled_token(app: Lectern) -> None:
    token = tokens.random_token()
    whose = carts.Whose(token=token)
    for bad in spoiled(token):
        if bad:
            assert tokens.hashed(bad) != tokens.hashed(whose.token or "")


# --- guesses at codes, from many hands ---


@pytest.fixture
def looked_at(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The codes that were really compared."""
    found: list[str] = []
    true = totp.matching_step

    def watched(secret: bytes, typed: str) -> int | None:
        found.append(typed)
        return true(secret, typed)

    monkeypatch.setattr(totp, "matching_step", watched)
    return found


async def many_hands(app: Lectern, ann: Person, *, marks: bool = False) -> None:
    """Twenty half-done sign-ins, each in a browser at an address of its own, then ten codes from each, all at once."""
    hands = []
    for hand in range(20):
        one = Browser(app.test_client())
        if marks:
            mark = tokens.sign([familiar.account_key(ann.email), f"browser-{hand}"], "device")
            one.client.set_cookie("localhost", "device", mark)
        where = {"X-Forwarded-For": f"6.6.6.{hand}"}
        await one.post("/login", headers=where, email=ann.email, password=PASSWORD)
        hands.append((one, where))
    assert await count("pending_sign_ins") == 20
    await asyncio.gather(
        *(
            one.post("/login/second-step", headers=where, code=f"{n * 100 + turn:06}")
            for n, (one, where) in enumerate(hands)
            for turn in range(10)
        )
    )


@pytest.mark.usefixtures("store")
async def test_many_half_done_sign_ins_guess_no_more_codes_than_one(
    app: Lectern, ann: Person, looked_at: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(app.config, "PROXIES", Proxies(hops=1))
    await enrol(ann)
    await limits.forget_all()
    looked_at.clear()
    await many_hands(app, ann)
    assert len(looked_at) == second_factors.TRIES[0].count


async def test_many_known_browsers_together_guess_no_more_than_a_hundred_a_day(
    app: Lectern, ann: Person, looked_at: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever was in once may have collected the marks of many browsers."""
    monkeypatch.setitem(app.config, "PROXIES", Proxies(hops=1))
    monkeypatch.setattr(second_factors, "TRIES_OF_KNOWN", limits.Limit(30, 24 * 60 * 60))
    await enrol(ann)
    await limits.forget_all()
    looked_at.clear()
    await many_hands(app, ann, marks=True)
    assert len(looked_at) == 30


async def test_a_flood_that_makes_redis_look_away_does_not_begin_the_count_anew(
    app: Lectern, monkeypatch: pytest.MonkeyPatch
) -> None:
    true, at = cache.call, 0

    async def flickering(use: Any) -> Any:
        nonlocal at
        at += 1
        return None if at % 4 == 3 else await true(use)

    monkeypatch.setattr(cache, "call", flickering)
    passed = 0
    for _try in range(40):
        with suppress(TooMany):
            await limits.check("second-factor", "user:1", limits.Limit(5, 300))
            passed += 1
    assert passed == 5


async def test_without_the_limit_all_two_hundred_codes_would_be_compared(
    app: Lectern, ann: Person, looked_at: list[str], unlimited: None
) -> None:
    """The negative control."""
    await enrol(ann)
    looked_at.clear()
    await many_hands(app, ann)
    assert len(looked_at) == 200


async def test_many_known_browsers_together_try_a_hundred_passwords_an_hour(
    app: Lectern, ann: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    tried: list[str] = []

    async def never(_stored: str | None, password: str) -> bool:
        tried.append(password)
        return False

    monkeypatch.setattr(hashing, "matches", never)
    monkeypatch.setitem(app.config, "PROXIES", Proxies(hops=1))

    async def guess(number: int) -> None:
        mark = tokens.sign([familiar.account_key(ann.email), f"browser-{number}"], "device")
        one = with_cookie(app, "device", mark)
        for turn in range(6):
            where = {"X-Forwarded-For": f"6.6.6.{number}"}
            await one.post("/login", headers=where, email=ann.email, password=f"{number} {turn}")

    await asyncio.gather(*(guess(number) for number in range(30)))
    assert len(tried) == passwords.TRIES_ANYWHERE.count


async def test_a_stolen_session_cannot_guess_the_password_from_many_places(
    app: Lectern, ann: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    tried: list[str] = []

    async def never(_stored: str | None, password: str) -> bool:
        tried.append(password)
        return False

    monkeypatch.setattr(hashing, "matches", never)
    monkeypatch.setitem(app.config, "PROXIES", Proxies(hops=1))
    for number in range(60):
        where = {"X-Forwarded-For": f"6.6.6.{number}"}
        path, field = [("/login/confirmation", "password"), ("/account/password", "current_password")][number % 2]
        form = {field: f"guess {number}", "new_password": NEW}
        await Browser(ann.browser).post(path, headers=where, **form)
        await limits.forget(f"accounts.{'create_confirmation' if number % 2 == 0 else 'update_password'}",
                            f"user:{ann.id}", limits.SENSITIVE)  # fmt: skip
    assert len(tried) == passwords.CONFIRMATIONS.count


# --- what a second step protects ---


async def test_a_new_password_does_not_make_a_session_fresh_that_saw_no_second_step(
    app: Lectern, ann: Person, cast: Cast
) -> None:
    await enrol(ann)
    await cast.sign_in(ann, fresh=False)
    thief = Browser(ann.browser)
    answer = await thief.post("/account/password", current_password=PASSWORD, new_password=NEW)
    assert answer.headers["Location"].startswith("/login?")
    assert "fresh=1" in answer.headers["Location"]
    assert "/login" in (await thief.post("/account/security/totp/removal")).headers["Location"]
    assert await count("mfa_secrets") == 1


async def test_a_stolen_session_cannot_sign_the_owner_out(app: Lectern, ann: Person, cast: Cast) -> None:
    mine = Browser(app.test_client())
    await mine.sign_in(ann.email)
    await cast.sign_in(ann, fresh=False)
    other = await db.value("SELECT public_id FROM sessions WHERE user_id = :id ORDER BY id LIMIT 1", id=ann.id)
    for path in ("/account/sessions/removal", f"/account/sessions/{other}/removal"):
        assert "fresh=1" in (await Browser(ann.browser).post(path)).headers["Location"]
    assert await mine.is_signed_in()


async def test_rights_that_need_a_second_step_sleep_as_soon_as_none_is_left(app: Lectern, cast: Cast) -> None:
    rob = await cast.rob()
    await enrol(rob)
    await settings.save_school(second_factor_roles=["admin"])
    page = Browser(rob.browser)
    assert (await page.get("/admin/orders")).status_code == 200
    before = page.cookie
    await page.post("/account/security/totp/removal")
    assert page.cookie != before
    assert await page.is_signed_in()
    assert (await page.get("/admin/orders")).headers["Location"] == "/account/security?asked=1"


async def test_whoever_is_held_back_holds_nothing_however_it_is_asked(app: Lectern, cast: Cast) -> None:
    olga = await cast.olga()
    await settings.save_school(second_factor_roles=["owner"])
    found = await sessions.find(cookie_of(Browser(olga.browser), "session"), clock.now())
    assert found is not None
    assert found.is_held_back
    assert (found.capabilities, found.can("admin.enter"), found.office_url) == (frozenset(), False, None)


async def test_nothing_is_set_up_in_the_name_of_an_address_that_nobody_confirmed(app: Lectern, cast: Cast) -> None:
    """Mallory registers Ann's address and sets up an app: when Ann takes the account over by mail, she would be shut out."""
    mallory = await cast.person("Ann Archer", "ann@example.org", verified=False)
    page = Browser(mallory.browser)
    assert (await page.get("/account/security/totp")).headers["Location"] == "/account/security"
    offer = await totp.offer(mallory.id, mallory.email)
    secret = totp.opened_offer(mallory.id, offer.sealed)
    assert secret is not None
    answer = await page.post("/account/security/totp", offer=offer.sealed, code=code(secret))
    assert answer.status_code == 422
    assert await count("mfa_secrets") == 0
    assert (await page.get("/account/security/passkeys/new")).headers["Location"] == "/account/security"
    answer = await page.post("/account/security/passkeys", credential="{}", name="x")
    assert "Confirm your email address first" in await body(answer)


async def a_passkey(person: Person, name: str, *, days_ago: int) -> None:
    await db.run(
        """
        INSERT INTO passkeys (public_id, user_id, name, credential_id, public_key, sign_count, user_handle,
                              is_backup_eligible, created_at)
        VALUES (:name, :user_id, :name, :key, 'x', 0, 'x', false, :at)
        """,
        name=name,
        key=name.encode(),
        user_id=person.id,
        at=clock.now() - timedelta(days=days_ago),
    )


async def test_it_was_not_me_takes_away_what_the_intruder_added_and_leaves_what_was_there(
    app: Lectern, ann: Person
) -> None:
    secret, _codes = await enrol(ann)
    await a_passkey(ann, "mine", days_ago=30)
    await a_passkey(ann, "mallorys", days_ago=0)
    await db.run(
        """
        INSERT INTO access_tokens (public_id, user_id, name, token_hash, ending, scopes, second_factor, created_at, expires_at)
        VALUES ('t', :id, 'mallorys', 'x', 'xxxx', '{me}', true, now(), now() + interval '1 day')
        """,
        id=ann.id,
    )
    async with db.transaction():
        _id, token = await links.issue(ann.id, ann.email, "not_me")
    assert (await Browser(app.test_client()).post(f"/not-me/{token}")).status_code == 303
    assert await db.value("SELECT string_agg(name, ',') FROM passkeys") == "mine"
    assert await count("access_tokens") == 0
    assert (await count("mfa_secrets"), await count("sessions")) == (1, 0)  # a mail alone gets past no second step
    assert secret


async def buy(_app: Lectern, _mailbox: Mailbox) -> None:
    async with db.transaction():
        await users.ensure("ann@example.org")


async def reset_by_mail(app: Lectern, mailbox: Mailbox) -> None:
    browser = Browser(app.test_client())
    await browser.post("/password/forgot", email="ann@example.org")
    [link] = re.findall(
        r"http://localhost(/password/reset/\S+)",
        "".join(text_of(mail) for mail in await mailbox.all("ann@example.org")),
    )
    assert (await browser.post(link, new_password=NEW)).status_code == 303


@pytest.mark.parametrize("takes_over", [buy, reset_by_mail, None])
async def test_an_account_cannot_be_led_away_by_whoever_registered_the_address_first(
    app: Lectern, cast: Cast, mailbox: Mailbox, takes_over: Callable[[Lectern, Mailbox], Awaitable[None]] | None
) -> None:
    """Mallory registers Ann's address, asks for another one, and confirms that after Ann has taken the account over.

    With None, nobody takes it over: the negative control.
    """
    mallory = await cast.person("Ann Archer", "ann@example.org", verified=False)
    await queries.set_password(mallory.id, await hashing.hashed(PASSWORD))
    await Browser(mallory.browser).post("/account/email", email="mallory@example.org")
    found = [text_of(mail) for mail in await mailbox.all("mallory@example.org")]
    [link] = re.findall(r"http://localhost(/email-changes/\S+)", "".join(found))
    if takes_over is not None:
        await takes_over(app, mailbox)
    await Browser(app.test_client()).post(link)
    email = await db.value("SELECT email FROM users WHERE id = :id", id=mallory.id)
    assert email == ("ann@example.org" if takes_over else "mallory@example.org")
