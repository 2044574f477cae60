"""A mailed link instead of a password: once, for a quarter of an hour, in the browser that asked or by a button."""

import asyncio
from datetime import timedelta

import pytest

from app import Lectern
from app.accounts import email_changes, hashing, magic_links, queries, second_factors, users
from app.accounts.events import SignInLinkAsked
from app.accounts.jobs import clear_expired, mail_sign_in_link
from app.accounts.queries import magic_links as statements
from app.core import clock, db
from tests.accounts.conftest import Browser, Mailbox, body, count, text_of
from tests.accounts.test_second_factors import code, enrol
from tests.cast import PASSWORD, Cast, Person

MINUTE = timedelta(minutes=1)


@pytest.fixture
async def ann(app: Lectern, cast: Cast) -> Person:
    return await cast.ann()


async def ask(browser: Browser, mailbox: Mailbox, email: str = "ann@example.org", **form: str) -> str:
    answer = await browser.post("/login/link", email=email, **form)
    assert (answer.status_code, answer.headers["Location"]) == (303, "/login/link/sent")
    return await mailbox.link(email)


async def test_the_browser_that_asked_is_signed_in_by_one_button(
    browser: Browser, ann: Person, mailbox: Mailbox
) -> None:
    link = await ask(browser, mailbox, next="/account/orders")
    page = await browser.get(link)
    assert page.status_code == 200
    assert page.headers["Referrer-Policy"] == "same-origin"
    words = await body(page)
    assert "another browser" not in words
    assert not await browser.is_signed_in()
    answer = await browser.post(link)
    assert (answer.status_code, answer.headers["Location"]) == (303, "/login?next=/account/orders")
    assert await browser.is_signed_in()
    assert (await browser.get("/login?next=/account/orders")).headers["Location"] == "/account/orders"
    assert await db.value("SELECT method FROM sessions ORDER BY id DESC LIMIT 1") == "link"


async def test_another_browser_is_warned_and_has_to_say_so(
    browser: Browser, other_browser: Browser, ann: Person, mailbox: Mailbox
) -> None:
    await browser.get("/login/link", **{"User-Agent": "Mozilla/5.0 (Macintosh) Firefox/140.0"})
    await browser.post(
        "/login/link", email="ann@example.org", headers={"User-Agent": "Mozilla (Macintosh) Firefox/140.0"}
    )
    link = await mailbox.link("ann@example.org")
    words = await other_browser.text(link)
    assert "You asked for this link in another browser: Firefox on Mac" in words
    assert (await other_browser.post(link)).status_code == 422
    assert not await other_browser.is_signed_in()
    answer = await other_browser.post(link, elsewhere="1")
    assert answer.status_code == 303
    assert await other_browser.is_signed_in()
    [kept] = [line for line in answer.headers.getlist("Set-Cookie") if line.startswith("session=")]
    assert "Max-Age" not in kept  # perhaps a borrowed one
    assert not await browser.is_signed_in()


@pytest.mark.parametrize("method", ["GET", "HEAD"])
async def test_a_mail_scanner_uses_nothing_up(
    app: Lectern, browser: Browser, ann: Person, mailbox: Mailbox, method: str
) -> None:
    link = await ask(browser, mailbox)
    scanner = app.test_client()
    for _ in range(3):
        assert (await scanner.open(link, method=method)).status_code == 200
        assert (await scanner.open(link, method=method, headers={"HX-Request": "true"})).status_code == 200
    assert await db.value("SELECT used_at FROM sign_in_links") is None
    assert (await browser.post(link)).status_code == 303
    assert await browser.is_signed_in()


async def test_a_link_is_good_once(browser: Browser, other_browser: Browser, ann: Person, mailbox: Mailbox) -> None:
    link = await ask(browser, mailbox)
    await browser.post(link)
    await browser.post("/logout")
    for each in (browser, other_browser):
        again = await each.post(link, elsewhere="1")
        assert again.status_code == 410
        assert "This link was used" in await body(again)
        assert not await each.is_signed_in()
    assert (await browser.get(link)).status_code == 410


async def test_of_two_at_once_one_gets_in(
    browser: Browser, other_browser: Browser, ann: Person, mailbox: Mailbox
) -> None:
    link = await ask(browser, mailbox)
    answers = await asyncio.gather(*(each.post(link, elsewhere="1") for each in (browser, other_browser)))
    assert sorted(answer.status_code for answer in answers) == [303, 410]
    assert [await browser.is_signed_in(), await other_browser.is_signed_in()].count(True) == 1


async def test_without_the_guard_both_would(
    browser: Browser, other_browser: Browser, ann: Person, mailbox: Mailbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The negative control."""
    link = await ask(browser, mailbox)

    async def looked_at(token_hash: bytes, _now: object) -> object:
        return await statements.sign_in_link_by_token(token_hash)

    monkeypatch.setattr(statements, "use_sign_in_link", looked_at)
    answers = [await each.post(link, elsewhere="1") for each in (browser, other_browser)]
    assert [answer.status_code for answer in answers] == [303, 303]


async def test_it_ends_after_a_quarter_of_an_hour(browser: Browser, ann: Person, mailbox: Mailbox) -> None:
    link = await ask(browser, mailbox)
    with clock.shifted(14 * MINUTE):
        assert (await browser.get(link)).status_code == 200
    with clock.shifted(15 * MINUTE + timedelta(seconds=1)):
        page = await browser.get(link)
        assert page.status_code == 410
        assert "too old" in await body(page)
        assert (await browser.post(link)).status_code == 410
    assert not await browser.is_signed_in()


@pytest.mark.parametrize("change", [lambda t: t[:-1], lambda t: t[:-1] + ("A" if t[-1] != "A" else "B"), str.upper])
async def test_a_tampered_link_is_none(browser: Browser, ann: Person, mailbox: Mailbox, change) -> None:  # type: ignore[no-untyped-def]
    head, _slash, token = (await ask(browser, mailbox)).rpartition("/")
    for answer in (await browser.get(f"{head}/{change(token)}"), await browser.post(f"{head}/{change(token)}")):
        assert answer.status_code == 404
    assert not await browser.is_signed_in()


async def test_links_of_other_kinds_do_not_sign_in(browser: Browser, ann: Person, mailbox: Mailbox) -> None:
    await browser.post("/password/forgot", email="ann@example.org")
    token = (await mailbox.link("ann@example.org")).rpartition("/")[2]
    assert (await browser.post(f"/login/link/{token}", elsewhere="1")).status_code == 404
    token = (await ask(browser, mailbox)).rpartition("/")[2]
    assert (await browser.get(f"/password/reset/{token}")).status_code == 404


async def test_using_one_uses_up_the_others(
    browser: Browser, ann: Person, mailbox: Mailbox, unhurried: None, cast: Cast
) -> None:
    first, second = await ask(browser, mailbox), await ask(browser, mailbox)
    bob = await cast.bob()
    of_bob = await ask(browser, mailbox, bob.email)
    assert first != second
    await browser.post(second)
    assert (await browser.get(first)).status_code == 410
    assert (await browser.get(of_bob)).status_code == 200


async def test_a_link_to_an_address_of_before_opens_nothing(browser: Browser, ann: Person, mailbox: Mailbox) -> None:
    link = await ask(browser, mailbox)
    await db.run("UPDATE users SET email = 'ann.archer@example.org' WHERE id = :id", id=ann.id)
    assert (await browser.post(link)).status_code == 404
    assert not await browser.is_signed_in()


# Who has an account


async def test_the_answer_tells_nothing(browser: Browser, ann: Person, cast: Cast, mailbox: Mailbox) -> None:
    bob = await cast.bob()
    await db.run("UPDATE users SET state = 'suspended' WHERE id = :id", id=bob.id)
    answers = [
        await browser.post("/login/link", email=email)
        for email in ("ann@example.org", "bob@example.org", "nobody@example.org")
    ]
    assert len({(answer.status_code, answer.headers["Location"], await body(answer)) for answer in answers}) == 1
    assert len({len(answer.headers.getlist("Set-Cookie")) for answer in answers[1:]}) == 1
    assert [mail["To"] for mail in await mailbox.all()] == ["ann@example.org"]


async def test_the_work_tells_nothing(browser: Browser, ann: Person) -> None:
    async def statements_for(email: str) -> int:
        await browser.post("/login/link", email=email)
        with db.count_queries() as counted:
            await browser.post("/login/link", email=email, again="1")
        return counted.total

    assert await statements_for("ann@example.org") == await statements_for("nobody@example.org")


async def test_asking_too_often_is_refused_but_not_to_the_owner(
    app: Lectern, browser: Browser, ann: Person, mailbox: Mailbox, unhurried: None
) -> None:
    await queries.set_password(ann.id, await hashing.hashed(PASSWORD))
    owner = Browser(app.test_client())
    await owner.sign_in(ann.email)
    await owner.post("/logout")
    codes = [(await browser.post("/login/link", email=ann.email)).status_code for _ in range(6)]
    assert codes == [303] * 5 + [429]
    assert (await owner.post("/login/link", email=ann.email)).status_code == 303


# What it opens


async def test_a_second_step_is_still_asked(ann: Person, browser: Browser, mailbox: Mailbox) -> None:
    secret, _codes = await enrol(ann)
    link = await ask(browser, mailbox, next="/account/orders")
    answer = await browser.post(link)
    assert answer.headers["Location"] == "/login/second-step"
    assert not await browser.is_signed_in()
    assert (await browser.get(link)).status_code == 410
    answer = await browser.post("/login/second-step", code=code(secret, 1))
    assert answer.headers["Location"] == "/login?next=/account/orders"
    assert await browser.is_signed_in()


async def test_somebody_suspended_meanwhile_is_not_signed_in(browser: Browser, ann: Person, mailbox: Mailbox) -> None:
    link = await ask(browser, mailbox)
    await db.run("UPDATE users SET state = 'suspended'")
    assert (await browser.post(link)).status_code == 422
    assert not await browser.is_signed_in()


async def test_it_proves_the_address(browser: Browser, cast: Cast, mailbox: Mailbox) -> None:
    await cast.person("Ann Archer", "ann@example.org", verified=False)
    await browser.post(await ask(browser, mailbox))
    assert await db.value("SELECT email_verified_at FROM users") is not None
    assert "Welcome" in (await mailbox.last("ann@example.org"))["Subject"]


async def test_what_somebody_planted_in_an_unproved_account_ends(
    app: Lectern, browser: Browser, cast: Cast, mailbox: Mailbox
) -> None:
    """Mallory registers with Ann's address, keeps a session, a passkey and a Google account there, and waits for her."""
    planted = await cast.person("Ann Archer", "ann@example.org", verified=False)
    await queries.set_password(planted.id, await hashing.hashed(PASSWORD))
    await db.run(
        """
        INSERT INTO passkeys (public_id, user_id, name, credential_id, public_key, sign_count, user_handle,
                              is_backup_eligible, created_at)
        VALUES ('p', :id, 'mine', '\\x01', '\\x01', 0, '\\x01', false, now())
        """,
        id=planted.id,
    )
    await db.run(
        "INSERT INTO identities (user_id, provider, subject, email, created_at) VALUES (:id, 'google', '1', 'm', now())",
        id=planted.id,
    )
    await browser.post(await ask(browser, mailbox))
    assert await browser.is_signed_in()
    assert "does not count any more" in await browser.text("/learn")
    assert (await count("passkeys"), await count("identities"), await count("sessions")) == (0, 0, 1)
    mallory = Browser(planted.browser)
    assert not await mallory.is_signed_in()
    assert (await mallory.sign_in("ann@example.org")).status_code == 422


async def test_a_proved_account_keeps_its_password(browser: Browser, ann: Person, mailbox: Mailbox) -> None:
    await queries.set_password(ann.id, await hashing.hashed(PASSWORD))
    await browser.post(await ask(browser, mailbox))
    await browser.post("/logout")
    assert (await browser.sign_in(ann.email)).status_code == 303
    assert await Browser(ann.browser).is_signed_in()


async def test_it_confirms_somebody_without_a_password(
    ann: Person, cast: Cast, mailbox: Mailbox, unhurried: None
) -> None:
    await cast.sign_in(ann, fresh=False)
    page = Browser(ann.browser)
    to_confirm = (await page.get("/account/security/totp")).headers["Location"]
    words = await page.text(to_confirm)
    assert "Mail me a link to confirm it is you" in words
    assert 'type="password"' not in words
    answer = await page.post("/login/confirmation/link", next="/account/security/totp")
    assert answer.headers["Location"] == "/login/link/sent"
    before = page.cookie
    answer = await page.post(await mailbox.link(ann.email))
    assert answer.headers["Location"] == "/login?next=/account/security/totp"
    assert page.cookie != before
    assert (await page.get("/account/security/totp")).status_code == 200
    assert await count("sessions") == 2  # that of the cast, and the one that took the place of the confirmed one


@pytest.mark.parametrize("aim", ["//evil.example", "https://evil.example", "/\\evil.example", "javascript:alert(1)"])
async def test_it_never_leads_to_another_site(browser: Browser, ann: Person, mailbox: Mailbox, aim: str) -> None:
    link = await ask(browser, mailbox, next=aim)
    assert (await browser.post(link)).headers["Location"] == "/login"
    assert await db.value("SELECT onward FROM sign_in_links") == ""


# How it is kept


async def test_only_hashes_are_kept(browser: Browser, ann: Person, mailbox: Mailbox) -> None:
    token = (await ask(browser, mailbox)).rpartition("/")[2]
    jar = {cookie.name: cookie.value for cookie in browser.client.cookie_jar}  # type: ignore[union-attr]
    kept = "".join(
        [
            str(await db.value(f"SELECT json_agg(t)::text FROM {name} t"))
            for name in ("sign_in_links", "mails", "pgqueuer")
        ]
    )
    assert token not in kept
    assert jar["link"] not in kept


async def test_a_job_run_twice_mails_once(ann: Person, mailbox: Mailbox) -> None:
    asked = SignInLinkAsked(ann.id, "one occasion", "00" * 32, "", "", "")
    for _ in range(2):
        await mail_sign_in_link(asked)
    assert len(await mailbox.all(ann.email)) == 1
    assert "15 minutes" in text_of(await mailbox.last(ann.email))


async def test_old_links_are_cleared_away(browser: Browser, ann: Person, mailbox: Mailbox) -> None:
    await ask(browser, mailbox)
    await clear_expired()
    assert await count("sign_in_links") == 1
    with clock.shifted(magic_links.LIFETIME + magic_links.KEPT + MINUTE):
        await clear_expired()
    assert await count("sign_in_links") == 0


async def test_the_app_of_a_second_step_outlives_the_proof(browser: Browser, cast: Cast, mailbox: Mailbox) -> None:
    ann = await cast.ann()
    await enrol(ann)
    async with db.transaction():
        person = await users.find(ann.id)
        assert person is not None
        await email_changes.by_office(person, "ann@example.com")
    await db.run("UPDATE users SET email = 'ann@example.org'")
    assert (await browser.post(await ask(browser, mailbox))).headers["Location"] == "/login/second-step"
    assert (await second_factors.of(ann.id)).has_totp
