"""A second step at sign-in: codes of an app, recovery codes, and what a school may ask of its team."""

import asyncio
import re
from collections.abc import Awaitable, Callable
from datetime import timedelta
from html import unescape
from typing import Any

import pytest

from app import Lectern
from app.accounts import hashing, queries, second_factors, sessions, totp
from app.accounts.queries import second_factors as rows
from app.core import clock, db, settings, tokens
from tests.accounts.conftest import Browser, Mailbox, body, count, text_of
from tests.cast import PASSWORD, Cast, Person

RFC_SECRET = b"12345678901234567890"


async def enrol(person: Person) -> tuple[bytes, list[str]]:
    """Set an app up through the pages; its key and the recovery codes."""
    page = Browser(person.browser)
    text = await page.text("/account/security/totp")
    sealed = unescape(re.search(r'name="offer"[^>]*value="([^"]+)"', text)[1])  # type: ignore[index]
    secret = totp.opened_offer(person.id, sealed)
    assert secret is not None
    answer = await page.post("/account/security/totp", offer=sealed, code=code(secret))
    assert answer.status_code == 200, await body(answer)
    assert answer.headers["Cache-Control"] == "no-store"
    codes = re.findall(r"<code[^>]*>([a-z0-9]{5}-[a-z0-9]{5})</code>", await body(answer))
    assert len(set(codes)) == 10
    return secret, codes


def code(secret: bytes, steps: int = 0) -> str:
    return totp.code_at(secret, int(clock.now().timestamp()) // 30 + steps)


async def half_way(browser: Browser, person: Person, **form: str) -> None:
    answer = await browser.sign_in(person.email, **form)
    assert answer.headers["Location"] == "/login/second-step"
    assert not await browser.is_signed_in()


# The codes


@pytest.mark.parametrize(
    ("moment", "expected"),
    [(59, "287082"), (1111111109, "081804"), (1234567890, "005924"), (2000000000, "279037"), (20000000000, "353130")],
)
def test_codes_are_those_of_rfc_6238(moment: int, expected: str) -> None:
    assert totp.code_at(RFC_SECRET, moment // 30) == expected


@pytest.mark.parametrize(("drift", "good"), [(-2, False), (-1, True), (0, True), (1, True), (2, False)])
def test_a_clock_may_be_half_a_minute_off(app: Lectern, drift: int, good: bool) -> None:
    assert (totp.matching_step(RFC_SECRET, code(RFC_SECRET, drift)) is not None) is good


@pytest.mark.parametrize("typed", ["", "12345", "1234567", "abcdef", "١٢٣٤٥٦", "12 34", "-12345"])
def test_what_is_no_code_is_none(app: Lectern, typed: str) -> None:
    assert totp.matching_step(RFC_SECRET, typed) is None


def test_a_sealed_secret_opens_for_its_purpose_only(app: Lectern) -> None:
    sealed = tokens.seal(b"secret", "totp")
    assert tokens.unseal(sealed, "totp") == b"secret"
    assert tokens.unseal(sealed, "other") is None
    assert tokens.unseal(sealed[:-1] + bytes([sealed[-1] ^ 1]), "totp") is None
    assert tokens.unseal(b"", "totp") is None
    assert b"secret" not in sealed


# Setting up


async def test_the_key_in_the_database_is_not_the_key(app: Lectern, ann: Person) -> None:
    secret, codes = await enrol(ann)
    assert secret not in await db.value("SELECT sealed_secret FROM mfa_secrets")
    hashes = await db.value("SELECT string_agg(code_hash, '') FROM recovery_codes")
    assert len(hashes) == 10 * 32
    assert codes[0].replace("-", "").encode() not in hashes


async def test_setting_up_ends_other_sessions_and_renews_this_one(
    app: Lectern, ann: Person, other_browser: Browser, mailbox: Mailbox
) -> None:
    await other_browser.sign_in(ann.email)
    before = Browser(ann.browser).cookie
    await enrol(ann)
    assert not await other_browser.is_signed_in()
    assert await Browser(ann.browser).is_signed_in()
    assert Browser(ann.browser).cookie != before
    assert "An authenticator app was set up" in (await mailbox.last(ann.email))["Subject"]
    assert await db.value("SELECT count(*) FROM audit_log WHERE action = 'second_factor.totp_on'") == 1


async def test_a_wrong_first_code_keeps_the_key(app: Lectern, ann: Person) -> None:
    page = Browser(ann.browser)
    text = await page.text("/account/security/totp")
    key = re.search(r"<code class=\"key\"[^>]*>([A-Z2-7 ]+)<", text)[1]  # type: ignore[index]
    sealed = unescape(re.search(r'name="offer"[^>]*value="([^"]+)"', text)[1])  # type: ignore[index]
    answer = await page.post("/account/security/totp", offer=sealed, code="000000")
    assert answer.status_code == 422
    assert key in await body(answer)
    assert await count("mfa_secrets") == 0


async def test_an_offer_is_good_for_its_person_and_half_an_hour(app: Lectern, ann: Person, cast: Cast) -> None:
    bob = await cast.bob()
    offered = await totp.offer(bob.id, bob.email)
    secret = totp.opened_offer(bob.id, offered.sealed)
    assert secret is not None
    answer = await Browser(ann.browser).post("/account/security/totp", offer=offered.sealed, code=code(secret))
    assert answer.status_code == 422
    assert await count("mfa_secrets") == 0


async def test_setting_up_asks_for_a_fresh_sign_in(app: Lectern, ann: Person, cast: Cast) -> None:
    await cast.sign_in(ann, fresh=False)
    for path in ("/account/security/totp",):
        assert "/login?" in (await Browser(ann.browser).get(path)).headers["Location"]
    for path in ("/account/security/totp", "/account/security/totp/removal", "/account/security/recovery-codes"):
        assert "/login?" in (await Browser(ann.browser).post(path)).headers["Location"]


async def test_setting_up_twice_at_once_keeps_one_key(app: Lectern, ann: Person) -> None:
    first, second = await totp.offer(ann.id, ann.email), await totp.offer(ann.id, ann.email)
    keys = [totp.opened_offer(ann.id, each.sealed) for each in (first, second)]
    answers = await asyncio.gather(
        *(
            Browser(ann.browser).post("/account/security/totp", offer=each.sealed, code=code(key or b""))
            for each, key in zip((first, second), keys, strict=True)
        )
    )
    assert sorted(answer.status_code for answer in answers) in ([200, 303], [200, 409])
    assert await count("mfa_secrets") == 1
    assert await count("recovery_codes") == 10


# Signing in


async def test_a_password_alone_does_not_open_the_account(app: Lectern, ann: Person, other_browser: Browser) -> None:
    secret, _codes = await enrol(ann)
    await half_way(other_browser, ann, next="/account/orders")
    assert (await other_browser.get("/account")).status_code == 303
    answer = await other_browser.post("/login/second-step", code=code(secret, 1))
    assert answer.headers["Location"] == "/login?next=/account/orders"
    assert (await other_browser.get("/login?next=/account/orders")).headers["Location"] == "/account/orders"
    assert await other_browser.is_signed_in()
    assert await count("pending_sign_ins") == 0


async def test_without_a_second_factor_nothing_is_asked(app: Lectern, ann: Person, other_browser: Browser) -> None:
    await other_browser.sign_in(ann.email)
    assert await other_browser.is_signed_in()


async def test_a_code_is_good_once(app: Lectern, ann: Person, browser: Browser, other_browser: Browser) -> None:
    secret, _codes = await enrol(ann)
    used = code(secret, 1)
    await half_way(browser, ann)
    await half_way(other_browser, ann)
    assert (await browser.post("/login/second-step", code=used)).status_code == 303
    assert (await other_browser.post("/login/second-step", code=used)).status_code == 422
    assert not await other_browser.is_signed_in()
    # Nor is one of before.
    assert (await other_browser.post("/login/second-step", code=code(secret))).status_code == 422


async def test_the_code_that_set_it_up_does_not_sign_in(app: Lectern, ann: Person, browser: Browser) -> None:
    secret, _codes = await enrol(ann)
    await half_way(browser, ann)
    used = totp.code_at(secret, await db.value("SELECT last_step FROM mfa_secrets"))
    assert (await browser.post("/login/second-step", code=used)).status_code == 422


@pytest.mark.parametrize("kind", ["totp", "recovery"])
async def test_of_two_at_once_one_gets_in(app: Lectern, ann: Person, kind: str) -> None:
    secret, codes = await enrol(ann)
    browsers = [Browser(app.test_client()) for _ in range(2)]
    for each in browsers:
        await half_way(each, ann)
    typed = code(secret, 1) if kind == "totp" else codes[0]
    answers = await asyncio.gather(*(each.post("/login/second-step", code=typed) for each in browsers))
    assert sorted(answer.status_code for answer in answers) == [303, 422]
    assert sorted([await each.is_signed_in() for each in browsers]) == [False, True]


async def test_without_the_guard_a_code_would_be_good_twice(
    app: Lectern, ann: Person, browser: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The negative control of the tests above."""
    secret, _codes = await enrol(ann)

    async def anything(_user_id: int, _step: int) -> bool:
        return True

    monkeypatch.setattr(second_factors.queries, "use_step", anything)
    await half_way(browser, ann)
    assert (await browser.post("/login/second-step", code=code(secret))).status_code == 303


async def test_a_recovery_code_is_good_once_however_it_is_typed(
    app: Lectern, ann: Person, browser: Browser, other_browser: Browser, mailbox: Mailbox
) -> None:
    _secret, codes = await enrol(ann)
    await half_way(browser, ann)
    typed = codes[3].upper().replace("-", " ")
    assert (await browser.post("/login/second-step?recovery=1", code=typed)).status_code == 303
    assert await browser.is_signed_in()
    assert any("9 are left" in text_of(mail) for mail in await mailbox.all(ann.email))
    await half_way(other_browser, ann)
    assert (await other_browser.post("/login/second-step", code=codes[3])).status_code == 422


async def test_new_codes_replace_the_old_ones(app: Lectern, ann: Person, browser: Browser) -> None:
    _secret, codes = await enrol(ann)
    answer = await Browser(ann.browser).post("/account/security/recovery-codes")
    fresh = re.findall(r">([a-z0-9]{5}-[a-z0-9]{5})<", await body(answer))
    assert len(fresh) == 10
    await half_way(browser, ann)
    assert (await browser.post("/login/second-step", code=codes[0])).status_code == 422
    assert (await browser.post("/login/second-step", code=fresh[0])).status_code == 303


async def renewed_at_once(ann: Person) -> None:
    """Two that ask for new codes at the same moment, each of which has looked at what there is."""
    await asyncio.gather(*(Browser(ann.browser).post("/account/security/recovery-codes") for _ in range(2)))


async def test_asked_for_twice_at_once_only_the_last_ten_codes_are_kept(app: Lectern, ann: Person) -> None:
    await enrol(ann)
    await renewed_at_once(ann)
    assert await db.value("SELECT count(*) || ' ' || count(DISTINCT salt) FROM recovery_codes") == "10 1"


async def test_without_the_lock_codes_of_two_salts_would_be_kept(
    app: Lectern, ann: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def nobody(_person: object) -> None:
        return None

    true, both = rows.replace_recovery_codes, asyncio.Barrier(2)

    async def together(*found: Any) -> None:
        await both.wait()
        await true(*found)
        await asyncio.sleep(0.5)  # neither is kept before the other has begun

    await enrol(ann)
    monkeypatch.setattr(sessions, "hold", nobody)
    monkeypatch.setattr(rows, "replace_recovery_codes", together)
    await renewed_at_once(ann)
    assert await db.value("SELECT count(*) || ' ' || count(DISTINCT salt) FROM recovery_codes") == "20 2"


async def test_codes_of_somebody_else_open_nothing(app: Lectern, ann: Person, cast: Cast, browser: Browser) -> None:
    await enrol(ann)
    _secret, codes = await enrol(await cast.bob())
    await half_way(browser, ann)
    assert (await browser.post("/login/second-step", code=codes[0])).status_code == 422


async def test_guessing_is_stopped_after_a_few(app: Lectern, ann: Person) -> None:
    await enrol(ann)
    guesser = Browser(app.test_client())
    await half_way(guesser, ann)
    statuses = [(await guesser.post("/login/second-step", code=f"{guess:06}")).status_code for guess in range(7)]
    assert statuses == [422] * 5 + [429] * 2


async def test_who_knows_the_password_cannot_shut_the_owner_out(app: Lectern, ann: Person) -> None:
    secret, _codes = await enrol(ann)
    known = Browser(app.test_client())
    await half_way(known, ann)
    await known.post("/login/second-step", code=code(secret, 1))
    guesser = Browser(app.test_client())
    await half_way(guesser, ann)
    for guess in range(6):
        await guesser.post("/login/second-step", code=f"{guess:06}")
    await known.post("/logout")
    await half_way(known, ann)
    with clock.shifted(timedelta(minutes=2)):
        assert (await known.post("/login/second-step", code=code(secret))).status_code == 303


async def test_half_a_sign_in_ends_after_ten_minutes_and_with_the_password(
    app: Lectern, ann: Person, browser: Browser, other_browser: Browser
) -> None:
    _secret, codes = await enrol(ann)
    await half_way(browser, ann)
    with clock.shifted(timedelta(minutes=11)):
        answer = await browser.post("/login/second-step", code=codes[0])
        assert answer.headers["Location"] == "/login"
    await half_way(other_browser, ann)
    await queries.delete_sessions_of(ann.id)
    assert (await other_browser.get("/login/second-step")).headers["Location"] == "/login"


async def test_beginning_again_forgets_the_half_done_sign_in(app: Lectern, ann: Person, browser: Browser) -> None:
    await enrol(ann)
    await half_way(browser, ann)
    assert (await browser.post("/login/second-step/removal")).status_code == 303
    assert await count("pending_sign_ins") == 0
    assert (await browser.get("/login/second-step")).headers["Location"] == "/login"


async def test_a_reset_password_does_not_pass_the_second_step(
    app: Lectern, ann: Person, browser: Browser, mailbox: Mailbox
) -> None:
    secret, _codes = await enrol(ann)
    await browser.post("/password/forgot", email=ann.email)
    answer = await browser.post(await mailbox.link(ann.email), new_password="nine quiet otters by the mill")
    assert answer.headers["Location"] == "/login/second-step"
    assert not await browser.is_signed_in()
    assert (await browser.post("/login/second-step", code=code(secret, 1))).status_code == 303
    assert await browser.is_signed_in()


async def test_confirming_a_password_asks_for_the_second_step_too(app: Lectern, ann: Person, cast: Cast) -> None:
    secret, _codes = await enrol(ann)
    await cast.sign_in(ann, fresh=False)
    page = Browser(ann.browser)
    answer = await page.post("/login/confirmation", password=PASSWORD, next="/account/security/totp")
    assert answer.headers["Location"] == "/login/second-step"
    assert (await page.post("/account/security/recovery-codes")).status_code == 303  # not fresh yet
    await page.post("/login/second-step", code=code(secret, 1))
    assert (await page.post("/account/security/recovery-codes")).status_code == 200


async def test_turning_it_off_forgets_key_and_codes(app: Lectern, ann: Person, mailbox: Mailbox) -> None:
    await enrol(ann)
    await Browser(ann.browser).post("/account/security/totp/removal")
    assert (await count("mfa_secrets"), await count("recovery_codes")) == (0, 0)
    assert "turned off" in (await mailbox.last(ann.email))["Subject"]


# What the school asks of its team


async def test_a_role_that_needs_it_has_no_rights_without_it(app: Lectern, cast: Cast) -> None:
    rob, sam = await cast.rob(), await cast.sam()
    await settings.save_school(second_factor_roles=["admin", "owner"])
    answer = await Browser(rob.browser).get("/admin/orders")
    assert answer.headers["Location"] == "/account/security?asked=1"
    assert "Your role asks for a second step" in await Browser(rob.browser).text("/account/security?asked=1")
    assert (await Browser(sam.browser).get("/admin/orders")).status_code == 200
    assert (await Browser(rob.browser).get("/account")).status_code == 200
    await enrol(rob)
    assert (await Browser(rob.browser).get("/admin/orders")).status_code == 200


async def test_a_session_of_before_is_asked_once_more(app: Lectern, cast: Cast) -> None:
    rob = await cast.rob()
    secret, _codes = await enrol(rob)
    await queries.set_password(rob.id, await hashing.hashed(PASSWORD))
    await settings.save_school(second_factor_roles=["admin"])
    await cast.sign_in(rob)  # a session that saw no second factor
    page = Browser(rob.browser)
    assert "this session has not seen one" in await page.text("/account/security")
    await page.post("/login/confirmation", password=PASSWORD, next="/admin")
    await page.post("/login/second-step", code=code(secret, 1))
    assert (await page.get("/admin/orders")).status_code == 200


# Alerts


async def turn_on(ann: Person, _cast: Cast) -> None:
    await enrol(ann)


async def turn_off(ann: Person, _cast: Cast) -> None:
    await enrol(ann)
    assert (await ann.browser.post("/account/security/totp/removal")).status_code == 303


async def renew_codes(ann: Person, _cast: Cast) -> None:
    await enrol(ann)
    assert (await ann.browser.post("/account/security/recovery-codes")).status_code == 200


async def use_a_recovery_code(ann: Person, cast: Cast) -> None:
    _secret, codes = await enrol(ann)
    browser = Browser(cast._app.test_client())
    await half_way(browser, ann)
    assert (await browser.post("/login/second-step", code=codes[0])).status_code == 303


async def turn_off_by_office(ann: Person, cast: Cast) -> None:
    await enrol(ann)
    form = {"second-reason": "lost the telephone"}
    answer = await (await cast.olga()).browser.post(f"/admin/people/{ann.public_id}/second-factor/removal", form=form)
    assert answer.status_code == 303


ALERTS: list[tuple[Callable[[Person, Cast], Awaitable[None]], str]] = [
    (turn_on, "An authenticator app was set up"),
    (turn_off, "The authenticator app was turned off"),
    (renew_codes, "New recovery codes were made"),
    (use_a_recovery_code, "A recovery code was used"),
    (turn_off_by_office, "The second step was turned off"),
]


@pytest.mark.parametrize(("change", "title"), ALERTS, ids=[change.__name__ for change, _title in ALERTS])
async def test_every_alert_has_the_link_that_says_it_was_not_me(
    ann: Person, cast: Cast, mailbox: Mailbox, change: Callable[[Person, Cast], Awaitable[None]], title: str
) -> None:
    await change(ann, cast)
    [alert] = [mail for mail in await mailbox.all(ann.email) if title in mail["Subject"]]
    html = alert.get_body(("html",))
    assert html is not None
    found = re.search(r"http://localhost(/not-me/\S+)", text_of(alert))
    assert found is not None
    assert found[1] in html.get_content()
    assert ("write to us" in text_of(alert)) is (change is turn_on)
    stranger = Browser(cast._app.test_client())
    assert "Take your account back" in await stranger.text(found[1])
    assert (await stranger.post(found[1])).headers["Location"].startswith("/password/reset/")
    assert not await Browser(ann.browser).is_signed_in()
