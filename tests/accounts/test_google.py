"""Sign in with Google, against the local provider: whose account it is, and what must match on the way."""

import asyncio
import re
from datetime import timedelta
from urllib.parse import parse_qs, urlsplit

import pytest

from app import Lectern
from app.accounts import google as accounts_google
from app.accounts import hashing, queries
from app.config import Config
from app.core import clock, db
from app.gateways import identity
from tests import google
from tests.accounts.conftest import Browser, Mailbox, body, count, text_of
from tests.accounts.test_second_factors import code, enrol
from tests.cast import PASSWORD, Cast, Person


@pytest.fixture(autouse=True)
def local_google(app: Lectern, config: Config) -> None:
    google.connect(config)


async def depart(browser: Browser, **form: str) -> str:
    answer = await browser.post("/login/google", **form)
    assert answer.status_code == 303, await body(answer)
    return str(answer.headers["Location"])


async def come_back(config: Config, browser: Browser, url: str, email: str = "ann@example.org", **form: str):  # type: ignore[no-untyped-def]
    """Be somebody there, and follow the way back; the answer of the school."""
    arrival = await google.choose(config, url, **{"email": email, "name": "Ann Archer", "verified": "y", **form})
    return await browser.get(arrival)


async def enter(config: Config, browser: Browser, email: str = "ann@example.org", **form: str):  # type: ignore[no-untyped-def]
    return await come_back(config, browser, await depart(browser), email, **form)


# Whose account it is


async def test_somebody_new_gets_an_account_without_a_password(
    config: Config, browser: Browser, mailbox: Mailbox
) -> None:
    answer = await enter(config, browser)
    assert (answer.status_code, answer.headers["Location"]) == (303, "/login")
    assert await browser.is_signed_in()
    made = await queries.user_by_email("ann@example.org")
    assert made is not None
    assert (made.name, made.role, made.has_password) == ("Ann Archer", "member", False)
    assert made.email_verified_at is not None
    subjects = [mail["Subject"] for mail in await mailbox.all("ann@example.org")]
    assert subjects == ["Welcome to Meridian", "Google was connected to your account at Meridian"]
    assert await db.value("SELECT method FROM sessions") == "google"


async def test_an_account_is_connected_when_the_address_is_proved_on_both_sides(
    config: Config, browser: Browser, cast: Cast, mailbox: Mailbox
) -> None:
    ann = await cast.ann()
    answer = await enter(config, browser, "ANN@example.org")
    assert answer.status_code == 303
    assert await browser.is_signed_in()
    assert await db.value("SELECT user_id FROM identities") == ann.id
    assert await count("users") == 1
    assert "was connected" in (await mailbox.last(ann.email))["Subject"]
    row = await db.one(db.Row, "SELECT action, actor_id, subject_id FROM audit_log WHERE action LIKE 'identity%'")
    assert row is not None
    assert (row.action, row.actor_id, row.subject_id) == ("identity.connect", ann.id, ann.public_id)


async def test_an_address_that_google_has_not_verified_opens_and_makes_nothing(
    config: Config, browser: Browser, cast: Cast
) -> None:
    await cast.ann()
    for email in ("ann@example.org", "nobody@example.org"):
        arrival = await google.choose(config, await depart(browser), email=email)
        answer = await browser.get(arrival)
        assert answer.status_code == 409
        assert "Google has not confirmed your address" in await body(answer)
        assert not await browser.is_signed_in()
    assert (await count("users"), await count("identities")) == (1, 0)


async def test_an_account_whose_address_is_not_proved_here_is_not_connected(
    config: Config, browser: Browser, cast: Cast
) -> None:
    await cast.person("Mallory", "ann@example.org", verified=False)
    answer = await enter(config, browser)
    assert answer.status_code == 409
    words = await body(answer)
    assert "Sign in with your password first and connect Google under Security" in words
    assert not await browser.is_signed_in()
    assert await count("identities") == 0


async def test_a_known_identity_signs_in_by_its_number_whatever_its_address_says(
    config: Config, browser: Browser, other_browser: Browser, cast: Cast
) -> None:
    ann, bob = await cast.ann(), await cast.bob()
    await enter(config, browser, subject="77")
    for sent in ({"email": "bob@example.org", "verified": "y"}, {"email": "new@example.org"}):
        arrival = await google.choose(config, await depart(other_browser), subject="77", **sent)
        assert (await other_browser.get(arrival)).status_code == 303
    assert await db.value("SELECT user_id FROM sessions ORDER BY id DESC LIMIT 1") == ann.id
    assert await db.value("SELECT count(*) FROM sessions WHERE user_id = :id", id=bob.id) == 1  # that of the cast
    assert await count("users") == 2


async def test_an_address_that_changed_hands_there_does_not_take_the_account(
    config: Config, browser: Browser, other_browser: Browser, cast: Cast
) -> None:
    await cast.ann()
    await enter(config, browser, subject="77")
    answer = await enter(config, other_browser, subject="78")
    assert answer.status_code == 409
    assert "Another Google account is connected" in await body(answer)
    assert not await other_browser.is_signed_in()


@pytest.mark.parametrize("known", [True, False])
async def test_a_suspended_person_stays_outside(config: Config, browser: Browser, cast: Cast, known: bool) -> None:
    ann = await cast.ann()
    if known:
        await enter(config, browser)
        await browser.post("/logout")
    await db.run("UPDATE users SET state = 'suspended' WHERE id = :id", id=ann.id)
    answer = await enter(config, browser)
    assert answer.status_code == 403
    assert "suspended" in await body(answer)
    assert not await browser.is_signed_in()


async def test_a_second_step_is_still_asked(config: Config, browser: Browser, cast: Cast) -> None:
    ann = await cast.ann()
    secret, _codes = await enrol(ann)
    url = await depart(browser, next="/account/orders")
    answer = await come_back(config, browser, url)
    assert answer.headers["Location"] == "/login/second-step"
    assert not await browser.is_signed_in()
    answer = await browser.post("/login/second-step", code=code(secret, 1))
    assert answer.headers["Location"] == "/login?next=/account/orders"
    assert await browser.is_signed_in()


async def test_two_first_visits_at_once_make_one_account(
    config: Config, browser: Browser, other_browser: Browser
) -> None:
    arrivals = [
        await google.choose(config, await depart(each), email="ann@example.org", verified="y")
        for each in (browser, other_browser)
    ]
    answers = await asyncio.gather(
        *(each.get(path) for each, path in zip((browser, other_browser), arrivals, strict=True))
    )
    assert [answer.status_code for answer in answers] == [303, 303]
    assert (await count("users"), await count("identities"), await count("sessions")) == (1, 1, 2)


@pytest.mark.parametrize("name", ["Ann\nArcher", "www.evil.example/win", "\ud800", "a" * 3000, ""])
async def test_an_odd_name_makes_no_odd_account(config: Config, browser: Browser, name: str) -> None:
    found = identity.Identity("google", "1", "ann.archer@example.org", True, name)
    async with _asked(config, browser, found):
        assert await browser.is_signed_in()
    kept = await db.value("SELECT name FROM users")
    assert kept in ("Ann Archer", "a" * 100)


class _asked:
    """The school hears `found` from its provider."""

    def __init__(self, config: Config, browser: Browser, found: identity.Identity) -> None:
        self.config, self.browser, self.found = config, browser, found

    async def __aenter__(self) -> None:
        found = self.found

        class Says:
            async def begin(self, redirect_uri: str) -> identity.Begun:
                return identity.Begun("https://provider.example/", "state", "nonce", "verifier")

            async def finish(self, code: str, *, verifier: str, nonce: str, redirect_uri: str) -> identity.Identity:
                return found

        accounts_google.configure(Says(), self.config.app_url)
        await self.browser.post("/login/google")
        answer = await self.browser.get("/login/google/callback?state=state&code=1")
        assert answer.status_code == 303, await body(answer)

    async def __aexit__(self, *_error: object) -> None:
        google.connect(self.config)


# What must match on the way


async def test_the_browser_is_sent_with_everything_that_must_match(config: Config, browser: Browser) -> None:
    first, second = [parse_qs(urlsplit(await depart(browser)).query) for _ in range(2)]
    assert first["redirect_uri"] == ["http://localhost/login/google/callback"]
    assert first["response_type"] == ["code"]
    assert first["code_challenge_method"] == ["S256"]
    assert set(first["scope"][0].split()) == {"openid", "email", "profile"}
    for name in ("state", "nonce", "code_challenge"):
        assert len(first[name][0]) >= 43
        assert first[name] != second[name]


@pytest.mark.parametrize("state", ["", "another", "é", "\udc00"])
async def test_another_state_signs_nobody_in(config: Config, browser: Browser, state: str) -> None:
    arrival = await google.choose(config, await depart(browser), email="ann@example.org", verified="y")
    forged = re.sub(r"state=[^&]*", f"state={state.encode('utf-8', 'surrogatepass').hex() or ''}", arrival)
    answer = await browser.get(forged)
    assert answer.status_code == 400
    assert "This way in is over" in await body(answer)
    assert await count("users") == 0
    # The way was taken: the right state comes too late.
    assert (await browser.get(arrival)).status_code == 400


async def test_a_foreign_browser_signs_nobody_in(config: Config, browser: Browser, other_browser: Browser) -> None:
    """An attacker who lets a victim finish what the attacker began would have the victim in the attacker's account."""
    arrival = await google.choose(config, await depart(browser), email="mallory@example.org", verified="y")
    assert (await other_browser.get(arrival)).status_code == 400
    await depart(other_browser)
    assert (await other_browser.get(arrival)).status_code == 400
    assert not await other_browser.is_signed_in()
    assert await count("users") == 0


async def test_a_replayed_arrival_signs_nobody_in(config: Config, app: Lectern, browser: Browser) -> None:
    url = await depart(browser)
    jar = {cookie.name: cookie.value for cookie in browser.client.cookie_jar}  # type: ignore[union-attr]
    arrival = await google.choose(config, url, email="ann@example.org", verified="y")
    assert (await browser.get(arrival)).status_code == 303
    assert (await browser.get(arrival)).status_code == 400
    # With a copy of the cookie the state matches; the code was used.
    thief = Browser(app.test_client())
    thief.client.set_cookie("localhost", "google", jar["google"])
    answer = await thief.get(arrival)
    assert answer.status_code == 502
    assert "does not hold" in await body(answer)
    assert not await thief.is_signed_in()


async def test_a_code_of_somebody_elses_way_is_refused(
    config: Config, browser: Browser, other_browser: Browser
) -> None:
    """A stolen code in one's own way: PKCE binds it to the browser that began."""
    stolen = await google.choose(config, await depart(browser), email="ann@example.org", verified="y")
    own = urlsplit(await depart(other_browser)).query
    code_ = parse_qs(urlsplit(stolen).query)["code"][0]
    answer = await other_browser.get(f"/login/google/callback?code={code_}&state={parse_qs(own)['state'][0]}")
    assert answer.status_code == 502
    assert not await other_browser.is_signed_in()


@pytest.mark.parametrize("cookie", ["", "x", "AAAA" * 40, "é", "A" * 3900])
async def test_a_cookie_that_is_not_ours_is_none(browser: Browser, cookie: str) -> None:
    browser.client.set_cookie("localhost", "google", cookie)
    assert (await browser.get("/login/google/callback?state=x&code=y")).status_code == 400


async def test_the_cookie_shows_nothing(config: Config, browser: Browser) -> None:
    asked = parse_qs(urlsplit(await depart(browser, next="/account/orders")).query)
    [kept] = [cookie.value for cookie in browser.client.cookie_jar if cookie.name == "google"]  # type: ignore[union-attr]
    for name in ("state", "nonce"):
        assert asked[name][0] not in str(kept)


async def test_who_stays_away_too_long_begins_again(config: Config, browser: Browser) -> None:
    arrival = await google.choose(config, await depart(browser), email="ann@example.org", verified="y")
    with clock.shifted(timedelta(minutes=11)):
        assert (await browser.get(arrival)).status_code == 400


async def test_who_stops_there_is_told_so(config: Config, browser: Browser) -> None:
    answer = await browser.get(await google.choose(config, await depart(browser), cancel="1"))
    assert answer.status_code == 400
    assert "You stopped at Google" in await body(answer)
    assert answer.headers["Referrer-Policy"] == "no-referrer"


async def test_an_error_of_the_provider_is_no_fault_of_ours(config: Config, browser: Browser) -> None:
    state = parse_qs(urlsplit(await depart(browser)).query)["state"][0]
    answer = await browser.get(f"/login/google/callback?error=server_error&state={state}")
    assert answer.status_code == 502


async def test_a_provider_that_is_away_is_a_page(config: Config, browser: Browser) -> None:
    arrival = await google.choose(config, await depart(browser), email="ann@example.org", verified="y")
    away = identity.Google("id", "secret", "http://127.0.0.1:9")
    accounts_google.configure(away, config.app_url)
    for answer in (await browser.get(arrival), await browser.post("/login/google")):
        assert answer.status_code == 503
        assert "Google does not answer" in await body(answer)


@pytest.mark.parametrize("aim", ["//evil.example", "https://evil.example", "/\\evil.example", "javascript:alert(1)"])
async def test_it_never_leads_to_another_site(config: Config, browser: Browser, aim: str) -> None:
    answer = await come_back(config, browser, await depart(browser, next=aim))
    assert answer.headers["Location"] == "/login"


async def test_another_site_cannot_begin_it(browser: Browser) -> None:
    answer = await browser.post("/login/google", headers={"Sec-Fetch-Site": "cross-site"})
    assert answer.status_code == 403


async def test_without_keys_there_is_no_button(config: Config, browser: Browser, cast: Cast) -> None:
    assert "Continue with Google" in await browser.text("/login")
    accounts_google.configure(None, config.app_url)
    for page in ("/login", "/register"):
        assert "Google" not in await browser.text(page)
    assert "Google account" not in await Browser((await cast.ann()).browser).text("/account/security")
    assert (await browser.post("/login/google")).status_code == 404
    assert (await browser.get("/login/google/callback")).status_code == 404


# Connecting and disconnecting


async def connect(config: Config, browser: Browser, email: str, **form: str):  # type: ignore[no-untyped-def]
    url = (await browser.post("/account/security/google")).headers["Location"]
    return await browser.get(await google.choose(config, url, email=email, **form))


async def test_a_signed_in_person_connects_an_account_of_any_address(
    config: Config, ann: Person, browser: Browser, mailbox: Mailbox
) -> None:
    answer = await connect(config, Browser(ann.browser), "another@example.net")
    assert answer.headers["Location"] == "/account/security"
    assert "another@example.net" in await Browser(ann.browser).text("/account/security")
    assert "another@example.net" in text_of(await mailbox.last(ann.email))
    await enter(config, browser, "another@example.net")
    assert await db.value("SELECT user_id FROM sessions ORDER BY id DESC LIMIT 1") == ann.id
    assert await count("users") == 1


async def test_an_unproved_account_connects_only_what_proves_it(config: Config, cast: Cast, browser: Browser) -> None:
    pat = await cast.person("Pat Pohl", "pat@example.org", verified=False)
    answer = await connect(config, Browser(pat.browser), "mallory@example.org", verified="y")
    assert answer.status_code == 409
    assert (await connect(config, Browser(pat.browser), "pat@example.org")).status_code == 409  # not verified there
    assert await count("identities") == 0
    assert (await connect(config, Browser(pat.browser), "pat@example.org", verified="y")).status_code == 303
    assert await db.value("SELECT email_verified_at FROM users") is not None


async def test_what_is_connected_with_somebody_else_is_taken(config: Config, ann: Person, cast: Cast) -> None:
    bob = await cast.bob()
    await connect(config, Browser(ann.browser), "one@example.net")
    answer = await connect(config, Browser(bob.browser), "one@example.net")
    assert answer.status_code == 409
    page = await body(answer)
    assert "This Google account is taken" in page
    assert "write to us and name both addresses" in page
    assert (await connect(config, Browser(ann.browser), "two@example.net")).status_code == 409
    assert await db.value("SELECT string_agg(email, ',') FROM identities") == "one@example.net"


async def test_the_way_to_connect_belongs_to_the_person_who_began_it(config: Config, ann: Person, cast: Cast) -> None:
    url = (await ann.browser.post("/account/security/google")).headers["Location"]
    bob = await cast.bob()
    token = next(cookie.value for cookie in bob.browser.cookie_jar if cookie.name == "session")  # type: ignore[union-attr]
    ann.browser.set_cookie("localhost", "session", token)  # somebody else signs in meanwhile
    answer = await ann.browser.get(await google.choose(config, url, email="x@example.net", verified="y"))
    assert answer.status_code == 400
    assert await count("identities") == 0


async def test_disconnecting_leaves_a_way_in(config: Config, ann: Person, browser: Browser, mailbox: Mailbox) -> None:
    page = Browser(ann.browser)
    await connect(config, page, ann.email, verified="y")
    await db.run("UPDATE users SET password_hash = NULL")
    answer = await page.post("/account/security/google/removal")
    assert answer.status_code == 409
    assert "Set a password first" in await body(answer)
    await queries.set_password(ann.id, await hashing.hashed(PASSWORD))
    assert (await page.post("/account/security/google/removal")).status_code == 303
    assert await count("identities") == 0
    assert "was disconnected" in (await mailbox.last(ann.email))["Subject"]
    assert (await page.post("/account/security/google/removal")).status_code == 409


async def test_a_passkey_is_a_way_in_that_is_left(config: Config, ann: Person) -> None:
    page = Browser(ann.browser)
    await connect(config, page, ann.email, verified="y")
    await db.run("UPDATE users SET password_hash = NULL")
    await db.run(
        """
        INSERT INTO passkeys (public_id, user_id, name, credential_id, public_key, sign_count, created_at, user_handle,
                              is_backup_eligible)
        VALUES ('key', :id, 'Key', 'x', 'x', 0, now(), 'x', false)
        """,
        id=ann.id,
    )
    assert (await page.post("/account/security/google/removal")).status_code == 303
    assert await count("identities") == 0


async def test_connecting_and_disconnecting_ask_for_a_fresh_sign_in(ann: Person, cast: Cast) -> None:
    await cast.sign_in(ann, fresh=False)
    for path in ("/account/security/google", "/account/security/google/removal"):
        assert "fresh=1" in (await ann.browser.post(path)).headers["Location"]


async def test_it_was_not_me_takes_away_what_a_stranger_connected(
    config: Config, ann: Person, browser: Browser, other_browser: Browser, mailbox: Mailbox
) -> None:
    """Mallory is in Ann's browser for a moment, and connects a Google account to come back with."""
    await connect(config, Browser(ann.browser), "mallory@example.net")
    path = re.search(r"http://localhost(/not-me/\S+)", text_of(await mailbox.last(ann.email)))
    assert path is not None
    await browser.post("/login/link", email=ann.email)
    link = await mailbox.link(ann.email)
    assert (await browser.post(path[1])).status_code == 303
    assert await count("identities") == 0
    assert (await browser.post(link)).status_code == 410  # a link that was asked for meanwhile
    await enter(config, other_browser, "mallory@example.net")
    assert await db.value("SELECT count(*) FROM sessions WHERE user_id = :id", id=ann.id) == 0
