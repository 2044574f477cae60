import asyncio
from datetime import timedelta

import pytest

from app import Lectern
from app.accounts import links, passwords, users
from app.accounts.events import PasswordResetAsked
from app.accounts.jobs import mail_reset_link
from app.core import clock, db, log
from app.core.limits import Limit
from app.web import guards
from tests.accounts.conftest import Browser, Mailbox, body, count, text_of
from tests.accounts.test_signing_in import set_password
from tests.cast import PASSWORD, Cast, Person

NEW = "tide under seven clocks"


@pytest.fixture
async def ann(app: Lectern, cast: Cast) -> Person:
    person = await cast.ann()
    await set_password(person.id)
    return person


async def ask(browser: Browser, mailbox: Mailbox) -> str:
    assert (await browser.post("/password/forgot", email="ann@example.org")).status_code == 303
    return await mailbox.link("ann@example.org")


async def test_a_forgotten_password_is_set_by_mail(browser: Browser, ann: Person, mailbox: Mailbox) -> None:
    link = await ask(browser, mailbox)
    page = await browser.get(link)
    assert page.status_code == 200
    assert page.headers["Referrer-Policy"] == "same-origin"
    assert (await browser.post(link, new_password=NEW)).status_code == 303
    assert await browser.is_signed_in()
    await browser.post("/logout")
    assert (await browser.sign_in("ann@example.org", PASSWORD)).status_code == 422
    assert (await browser.sign_in("ann@example.org", NEW)).status_code == 303
    mail = await mailbox.last("ann@example.org")
    assert mail["Subject"] == "Your password at Meridian was changed"
    assert "http://localhost/password/forgot" in text_of(mail)


async def test_a_reset_ends_every_session(browser: Browser, ann: Person, mailbox: Mailbox) -> None:
    assert (await ann.browser.get("/account/corner")).status_code == 200
    await browser.post(await ask(browser, mailbox), new_password=NEW)
    assert (await ann.browser.get("/account/corner")).status_code == 204
    assert await count("sessions") == 1


async def test_an_address_without_an_account_gets_the_same_answer(
    browser: Browser, ann: Person, mailbox: Mailbox
) -> None:
    known = await browser.post("/password/forgot", email="ann@example.org")
    unknown = await browser.post("/password/forgot", email="nobody@example.org")
    assert (known.status_code, known.headers["Location"]) == (unknown.status_code, unknown.headers["Location"])
    assert await body(known) == await body(unknown)
    assert len(await mailbox.all()) == 1


async def test_an_address_without_an_account_costs_the_same_work(browser: Browser, ann: Person) -> None:
    async def statements(email: str) -> int:
        await browser.post("/password/forgot", email=email)
        with db.count_queries() as count:
            await browser.post("/password/forgot", email=email)
        return count.total

    assert await statements("ann@example.org") == await statements("nobody@example.org")


async def test_a_reset_link_works_once(browser: Browser, other_browser: Browser, ann: Person, mailbox: Mailbox) -> None:
    link = await ask(browser, mailbox)
    await browser.post(link, new_password=NEW)
    again = await other_browser.post(link, new_password="another way to say it")
    assert again.status_code == 410
    page = await body(again)
    assert "This link was used" in page
    assert "/password/forgot" in page
    assert not await other_browser.is_signed_in()


async def test_one_link_in_two_browsers_at_once_sets_one_password(
    browser: Browser, other_browser: Browser, ann: Person, mailbox: Mailbox
) -> None:
    link = await ask(browser, mailbox)
    answers = await asyncio.gather(
        browser.post(link, new_password=NEW), other_browser.post(link, new_password="another way to say it")
    )
    assert sorted(answer.status_code for answer in answers) == [303, 410]
    assert [await browser.is_signed_in(), await other_browser.is_signed_in()].count(True) == 1
    changed = [mail for mail in await mailbox.all("ann@example.org") if "changed" in mail["Subject"]]
    assert len(changed) == 1


async def test_a_reset_link_ends_after_an_hour(browser: Browser, ann: Person, mailbox: Mailbox) -> None:
    link = await ask(browser, mailbox)
    with clock.shifted(timedelta(minutes=61)):
        page = await browser.get(link)
        assert page.status_code == 410
        assert "too old" in await body(page)
        assert (await browser.post(link, new_password=NEW)).status_code == 410
    assert (await browser.sign_in("ann@example.org", NEW)).status_code == 422


async def test_a_reset_closes_the_other_links(browser: Browser, ann: Person, mailbox: Mailbox, unhurried: None) -> None:
    first = await ask(browser, mailbox)
    second = await ask(browser, mailbox)
    assert first != second
    await browser.post(second, new_password=NEW)
    assert (await browser.get(first)).status_code == 410


async def test_a_weak_password_leaves_the_link_open(browser: Browser, ann: Person, mailbox: Mailbox) -> None:
    link = await ask(browser, mailbox)
    weak = await browser.post(link, new_password="password1")
    assert weak.status_code == 422
    assert "tried first" in await body(weak)
    assert (await browser.post(link, new_password=NEW)).status_code == 303


async def test_a_verification_link_cannot_set_a_password(browser: Browser, mailbox: Mailbox) -> None:
    await browser.register()
    token = (await mailbox.link("ann@example.org")).removeprefix("/verify/")
    assert (await browser.get(f"/password/reset/{token}")).status_code == 404
    assert (await browser.post(f"/password/reset/{token}", new_password=NEW)).status_code == 404
    assert (await browser.sign_in("ann@example.org", NEW)).status_code == 422


async def test_a_link_is_used_for_what_it_was_made_for_only(ann: Person) -> None:
    for purpose in links.LIFETIMES:
        _id, token = await links.issue(ann.id, ann.email, purpose)
        assert await links.use(token, *(links.LIFETIMES.keys() - {purpose})) is None
        assert await links.use(token, purpose) is not None


async def test_only_the_hash_of_a_link_is_stored_and_the_mail_row_forgets_it(
    browser: Browser, ann: Person, mailbox: Mailbox
) -> None:
    token = (await ask(browser, mailbox)).removeprefix("/password/reset/")
    kept = str(await db.many(db.Row, "SELECT * FROM one_time_tokens")) + str(
        await db.many(db.Row, "SELECT * FROM mails")
    )
    assert token not in kept


async def test_a_link_is_never_written_to_the_log(
    browser: Browser, ann: Person, mailbox: Mailbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    link = await ask(browser, mailbox)
    bound: list[dict[str, object]] = []

    async def look(token: str) -> None:
        bound.append(dict(log._about.get()))

    monkeypatch.setattr(passwords, "find_link", look)
    await browser.get(link)
    assert bound[0]["path"] == "/password/reset/<token>"
    assert link.rsplit("/", 1)[1] not in str(bound)


async def test_a_suspended_person_gets_no_link(browser: Browser, ann: Person, mailbox: Mailbox) -> None:
    await db.run("UPDATE users SET state = 'suspended'")
    assert (await browser.post("/password/forgot", email="ann@example.org")).status_code == 303
    assert await mailbox.all() == []


async def test_somebody_suspended_meanwhile_is_not_signed_in(browser: Browser, ann: Person, mailbox: Mailbox) -> None:
    link = await ask(browser, mailbox)
    await db.run("UPDATE users SET state = 'suspended'")
    await browser.post(link, new_password=NEW)
    assert not await browser.is_signed_in()


async def test_asking_too_often_for_one_address_is_refused(browser: Browser, mailbox: Mailbox, unhurried: None) -> None:
    codes = [(await browser.post("/password/forgot", email="nobody@example.org")).status_code for _ in range(6)]
    assert codes == [303] * 5 + [429]


@pytest.mark.parametrize("email", ["", "nowhere", "a\x00b@example.org", "x" * 400])
async def test_what_is_no_address_is_refused(browser: Browser, email: str) -> None:
    assert (await browser.post("/password/forgot", email=email)).status_code == 422


async def test_a_job_run_twice_mails_once(browser: Browser, ann: Person, mailbox: Mailbox) -> None:
    for _ in range(2):
        await mail_reset_link(PasswordResetAsked(ann.id, "one occasion"))
    assert len(await mailbox.all("ann@example.org")) == 1


async def test_changing_the_password_keeps_this_device_and_signs_the_others_out(
    ann: Person, other_browser: Browser, mailbox: Mailbox
) -> None:
    browser = Browser(ann.browser)
    await other_browser.sign_in("ann@example.org")
    before = browser.cookie
    answer = await browser.post("/account/password", current_password=PASSWORD, new_password=NEW)
    assert (answer.status_code, answer.headers["Location"]) == (303, "/account")
    assert await browser.is_signed_in()
    assert browser.cookie != before
    assert not await other_browser.is_signed_in()
    assert (await mailbox.last("ann@example.org"))["Subject"] == "Your password at Meridian was changed"
    row = await db.one(
        db.Row, "SELECT action, actor_id, subject_id, before, after FROM audit_log WHERE action LIKE 'pass%'"
    )
    assert row is not None
    assert (row.action, row.actor_id, row.subject_id, row.before, row.after) == (
        "password.change", ann.id, ann.public_id, None, None
    )  # fmt: skip


async def test_changing_the_password_closes_a_link_that_would_sign_in(
    ann: Person, other_browser: Browser, mailbox: Mailbox
) -> None:
    await other_browser.post("/login/link", email="ann@example.org")
    link = await mailbox.link("ann@example.org")
    await Browser(ann.browser).post("/account/password", current_password=PASSWORD, new_password=NEW)
    await other_browser.post(link)
    assert not await other_browser.is_signed_in()


async def test_changing_the_password_stops_a_change_of_the_address(ann: Person) -> None:
    """Its links end too; but they are made by a job, which may come after this."""
    await ann.browser.post("/account/email", form={"email": "elsewhere@example.org"})
    await Browser(ann.browser).post("/account/password", current_password=PASSWORD, new_password=NEW)
    assert await db.value("SELECT state FROM email_changes") == "cancelled"


async def test_changing_the_password_needs_the_old_one(ann: Person) -> None:
    browser = Browser(ann.browser)
    wrong = await browser.post("/account/password", current_password="wrong", new_password=NEW)
    assert wrong.status_code == 422
    assert "not your password" in await body(wrong)
    same = await browser.post("/account/password", current_password=PASSWORD, new_password=PASSWORD)
    assert "the password you have now" in await body(same)
    weak = await browser.post("/account/password", current_password=PASSWORD, new_password="annarcher1")
    assert weak.status_code == 422
    assert "your name" in await body(weak)


@pytest.mark.parametrize("limited", [True, False])
async def test_a_password_that_changes_to_and_fro_fills_no_mailbox(
    ann: Person, mailbox: Mailbox, monkeypatch: pytest.MonkeyPatch, limited: bool
) -> None:
    """The mail goes to an address that may be anybody's."""

    async def nothing(*_words: object) -> None:
        return None

    monkeypatch.setattr(guards, "_check_limit", nothing)
    if not limited:
        monkeypatch.setattr(passwords, "CHANGES", Limit(1000, 60 * 60))
    said: list[int] = []
    for _time in range(13):
        here, there = (PASSWORD, NEW) if said.count(303) % 2 == 0 else (NEW, PASSWORD)
        answer = await Browser(ann.browser).post("/account/password", current_password=here, new_password=there)
        said.append(answer.status_code)
    assert said == ([303] * 10 + [429] * 3 if limited else [303] * 13)
    assert len(await mailbox.all("ann@example.org")) == (10 if limited else 13)


async def test_two_changes_at_once_make_one(ann: Person, other_browser: Browser) -> None:
    await other_browser.sign_in("ann@example.org")
    answers = await asyncio.gather(
        Browser(ann.browser).post("/account/password", current_password=PASSWORD, new_password=NEW),
        other_browser.post("/account/password", current_password=PASSWORD, new_password="another way to say it"),
    )
    # The other one finds the password changed, or its session ended.
    assert [answer.headers.get("Location") for answer in answers].count("/account") == 1


async def test_an_account_without_a_password_is_mailed_a_link(cast: Cast, mailbox: Mailbox) -> None:
    bob = await cast.bob()
    browser = Browser(bob.browser)
    assert "no password yet" in await browser.text("/account")
    assert (await browser.post("/account/password/link")).status_code == 303
    await browser.post(await mailbox.link("bob@example.org"), new_password=NEW)
    found = await users.find(bob.id)
    assert found is not None
    assert found.has_password


@pytest.mark.parametrize("purpose", ["reset_password", "set_password"])
async def test_a_link_to_an_address_that_the_account_had_before_sets_no_password(
    browser: Browser, ann: Person, purpose: str
) -> None:
    """The mail of a job that was late: it was begun before the address changed, and its link stands since."""
    async with db.transaction():
        _id, token = await links.issue(ann.id, "was.ann@example.org", purpose)
        _id, good = await links.issue(ann.id, "ANN@example.org", purpose)
    assert (await browser.get(f"/password/reset/{token}")).status_code == 410
    assert (await browser.post(f"/password/reset/{token}", new_password=NEW)).status_code == 410
    assert not await browser.is_signed_in()
    assert (await browser.post(f"/password/reset/{good}", new_password=NEW)).status_code == 303
    assert await browser.is_signed_in()
