"""Another address for an account: both mailboxes say yes, the old one may stop it, and nobody learns who has an account."""

import asyncio
import re
from datetime import timedelta
from typing import Any

import pytest

from app import Lectern
from app.accounts import email_changes, sessions, users
from app.accounts.events import EmailChangeAsked
from app.accounts.jobs import clear_expired, mail_email_change
from app.accounts.links import issue as make_link
from app.accounts.models import SignedIn, User
from app.core import clock, db, queue
from app.core.errors import Invalid
from tests.accounts.conftest import Browser, Mailbox, body, count, text_of
from tests.cast import Cast, Person

OLD, NEW = "ann@example.org", "ann.new@example.org"


pytestmark = pytest.mark.usefixtures("unlimited")


async def ask(person: Person, email: str = NEW) -> None:
    answer = await Browser(person.browser).post("/account/email", email=email)
    assert (answer.status_code, answer.headers["Location"]) == (303, "/account")


async def link_in(mailbox: Mailbox, to: str) -> str:
    for mail in reversed(await mailbox.all(to)):
        if found := re.search(r"http://localhost(/email-changes/\S+)", text_of(mail)):
            return found[1]
    raise AssertionError(f"no link to {to}")


async def both(mailbox: Mailbox) -> tuple[str, str]:
    return await link_in(mailbox, OLD), await link_in(mailbox, NEW)


async def address_of(person: Person) -> str:
    found = await users.find(person.id)
    assert found is not None
    return found.email


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
async def test_the_new_address_counts_once_both_mailboxes_said_yes(
    app: Lectern, ann: Person, browser: Browser, other_browser: Browser, mailbox: Mailbox, order: tuple[int, int]
) -> None:
    await other_browser.sign_in(OLD)
    await ask(ann)
    links = await both(mailbox)
    for link in links:
        assert (await browser.get(link)).status_code == 200
    assert await address_of(ann) == OLD
    mine = Browser(ann.browser)
    assert (await mine.post(links[order[0]])).status_code == 303
    assert await address_of(ann) == OLD
    page = await mine.text("/account")
    assert page.count("Agreed") == page.count("Waiting") == 1
    cookie = mine.cookie
    assert (await mine.post(links[order[1]])).headers["Location"] == "/account"
    assert await address_of(ann) == NEW
    assert await mine.is_signed_in()
    assert mine.cookie != cookie
    assert not await other_browser.is_signed_in()
    for address in (OLD, NEW):
        assert "was changed" in (await mailbox.last(address))["Subject"]
    row = await db.one(db.Row, "SELECT actor_id, before, after FROM audit_log WHERE action = 'email.change'")
    assert row is not None
    assert (row.actor_id, row.before, row.after) == (ann.id, {"email": OLD}, {"email": NEW})
    assert (await browser.sign_in(NEW)).status_code == 303
    assert (await other_browser.sign_in(OLD)).status_code == 422


async def test_a_link_that_is_made_late_agrees_to_no_other_change_and_to_none_that_is_over(ann: Person) -> None:
    """A job makes the links: it may stand still between its look at a change and that, or come a day after."""
    await ask(ann)
    _id, of_another = await make_link(ann.id, "elsewhere@example.org", "new_email")
    assert await email_changes.confirm(of_another) == ""
    with clock.shifted(timedelta(hours=25)):
        _id, too_late = await make_link(ann.id, NEW, "new_email")
        assert await email_changes.confirm(too_late) == ""
    assert await db.value("SELECT new_confirmed_at FROM email_changes") is None


async def test_a_stranger_with_the_links_is_not_signed_in(ann: Person, browser: Browser, mailbox: Mailbox) -> None:
    await ask(ann)
    for link in await both(mailbox):
        assert (await browser.post(link)).headers["Location"] == "/login"
    assert await address_of(ann) == NEW
    assert not await browser.is_signed_in()
    assert not await Browser(ann.browser).is_signed_in()


async def test_links_in_both_mailboxes_followed_at_once_change_it_once(
    ann: Person, browser: Browser, other_browser: Browser, mailbox: Mailbox
) -> None:
    await ask(ann)
    old, new = await both(mailbox)
    await asyncio.gather(browser.post(old), other_browser.post(new))
    assert await address_of(ann) == NEW
    assert await db.value("SELECT count(*) FROM audit_log WHERE action = 'email.change'") == 1


async def test_one_mailbox_twice_is_not_two(
    ann: Person, browser: Browser, other_browser: Browser, mailbox: Mailbox
) -> None:
    """Not even with two links: of a job that ran twice, or of an earlier wish."""
    await ask(ann)
    await ask(ann)
    await queue.drain()
    _old, new = await both(mailbox)
    await asyncio.gather(browser.post(new), other_browser.post(new))
    await browser.post(new)
    assert await address_of(ann) == OLD


async def test_a_later_wish_closes_the_links_of_the_earlier(ann: Person, browser: Browser, mailbox: Mailbox) -> None:
    await ask(ann)
    old, new = await both(mailbox)
    await ask(ann, "third@example.org")
    assert (await browser.get(old)).status_code == 410
    for link in (old, new):
        await browser.post(link)
    assert await address_of(ann) == OLD


async def test_two_wishes_at_once_leave_one_open(app: Lectern, ann: Person, cast: Cast) -> None:
    elsewhere = Person(ann.id, ann.public_id, ann.email, ann.name, app.test_client())
    await cast.sign_in(elsewhere)
    await asyncio.gather(
        Browser(ann.browser).post("/account/email", email=NEW),
        Browser(elsewhere.browser).post("/account/email", email="third@example.org"),
    )
    assert await db.value("SELECT count(*) FROM email_changes WHERE state = 'open'") == 1


async def test_without_the_index_two_would_stay_open(app: Lectern, ann: Person) -> None:
    """The negative control: what keeps it to one is the database."""
    await db.run("DROP INDEX email_changes_open")
    insert = "INSERT INTO email_changes (user_id, old_email, new_email, created_at, expires_at) VALUES (:id, 'a', 'b', now(), now())"
    try:
        for _ in range(2):
            await db.run(insert, id=ann.id)
        assert await count("email_changes") == 2
    finally:
        await db.run("DELETE FROM email_changes")
        await db.run("CREATE UNIQUE INDEX email_changes_open ON email_changes (user_id) WHERE state = 'open'")


async def test_an_address_that_was_taken_meanwhile_stays_with_its_owner(
    ann: Person, cast: Cast, browser: Browser, mailbox: Mailbox
) -> None:
    await ask(ann)
    old, new = await both(mailbox)
    await browser.post(old)
    eve = await cast.person("Eve Eder", NEW.upper())
    answer = await browser.post(new)
    assert answer.status_code == 303
    assert "by now" in await browser.text("/login")
    assert await address_of(ann) == OLD
    assert await address_of(eve) == NEW.upper()
    assert await Browser(ann.browser).is_signed_in()
    assert await db.value("SELECT state FROM email_changes") == "taken"


async def test_two_people_who_want_one_address_at_once_do_not_both_get_it(
    app: Lectern, ann: Person, cast: Cast, mailbox: Mailbox
) -> None:
    bob = await cast.bob()
    await ask(ann)
    await ask(bob)
    await queue.drain()
    links = [
        re.findall(r"/email-changes/\S+", text_of(mail))[0]
        for mail in await mailbox.all()
        if "/email-changes/" in text_of(mail)
    ]
    assert len(links) == 4
    await asyncio.gather(*(Browser(app.test_client()).post(link) for link in links))
    assert sorted([await address_of(ann), await address_of(bob)]).count(NEW) == 1


async def test_asking_for_the_address_of_an_account_answers_and_works_the_same(
    ann: Person, cast: Cast, mailbox: Mailbox
) -> None:
    bob = await cast.bob()
    told = []
    for wanted in (NEW, bob.email):
        with db.count_queries() as counted:
            answer = await Browser(ann.browser).post("/account/email", email=wanted)
        page = (await Browser(ann.browser).text("/account")).replace(wanted, "WANTED")
        told.append(
            (answer.status_code, answer.headers["Location"], counted.total > 0, "Waiting" in page, page.count("WANTED"))
        )
    assert told[0] == told[1]
    mail = await mailbox.last(bob.email)
    assert "already" in mail["Subject"]
    assert "/email-changes/" not in text_of(mail)
    assert "Ann" not in text_of(mail)
    await Browser(ann.browser).post(await link_in(mailbox, OLD))
    assert await address_of(ann) == OLD


async def test_it_needs_a_fresh_sign_in(ann: Person, cast: Cast) -> None:
    await cast.sign_in(ann, fresh=False)
    for answer in (
        await ann.browser.get("/account/email"),
        await ann.browser.post("/account/email", form={"email": NEW}),
    ):
        assert "fresh=1" in answer.headers["Location"]
    assert await count("email_changes") == 0


@pytest.mark.parametrize("email", ["", "nowhere", OLD, " ANN@example.org ", "a\x00b@example.org", "x" * 300])
async def test_what_cannot_be_the_new_address_is_refused(ann: Person, email: str) -> None:
    assert (await Browser(ann.browser).post("/account/email", email=email)).status_code == 422
    assert await count("email_changes") == 0


async def test_the_old_mailbox_stops_it(ann: Person, browser: Browser, mailbox: Mailbox) -> None:
    await ask(ann)
    old, new = await both(mailbox)
    await browser.post(new)
    assert (await browser.post(f"{new}/removal")).headers["Location"] == new  # the new mailbox has no say in this
    await browser.post(f"{old}/removal")
    assert (await browser.post(old)).headers["Location"] == old
    assert (await browser.get(old)).status_code == 410
    assert await address_of(ann) == OLD
    assert await Browser(ann.browser).is_signed_in()
    assert await db.value("SELECT state FROM email_changes") == "cancelled"


async def test_the_old_mailbox_takes_the_account_back(ann: Person, browser: Browser, mailbox: Mailbox) -> None:
    await ask(ann)
    old, new = await both(mailbox)
    answer = await browser.post(f"{old}/lock")
    assert answer.headers["Location"].startswith("/password/reset/")
    assert not await Browser(ann.browser).is_signed_in()
    assert (await browser.sign_in(OLD)).status_code == 422
    await browser.post(new)
    assert await address_of(ann) == OLD
    assert (
        await browser.post(answer.headers["Location"], new_password="nine quiet otters by the mill")
    ).status_code == 303


async def test_who_asked_thinks_better_of_it(ann: Person, browser: Browser, mailbox: Mailbox) -> None:
    await ask(ann)
    links = await both(mailbox)
    await Browser(ann.browser).post("/account/email/removal")
    for link in links:
        await browser.post(link)
    assert await address_of(ann) == OLD
    assert "Waiting" not in await Browser(ann.browser).text("/account")


async def test_the_links_end_after_a_day(ann: Person, cast: Cast, browser: Browser, mailbox: Mailbox) -> None:
    await ask(ann)
    old, new = await both(mailbox)
    await browser.post(old)
    with clock.shifted(timedelta(hours=25)):
        assert (await browser.get(new)).status_code == 410
        await browser.post(new)
        await cast.sign_in(ann)
        await ask(ann)  # and asking again is possible
    assert await address_of(ann) == OLD


async def test_an_address_that_was_never_proved_has_no_say(cast: Cast, browser: Browser, mailbox: Mailbox) -> None:
    kim = await cast.person("Kim Kern", "kim@exmaple.org", verified=False)
    await ask(kim)
    await browser.post(await link_in(mailbox, NEW))
    found = await users.find(kim.id)
    assert found is not None
    assert (found.email, found.email_verified_at is not None) == (NEW, True)


async def test_an_address_that_was_proved_a_moment_ago_has_its_say(
    cast: Cast, browser: Browser, mailbox: Mailbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever registered somebody's address asks for their own while its owner follows the link that confirms it."""
    person = await cast.person("Ann Archer", OLD, verified=False)
    true = sessions.hold

    async def proved_meanwhile(signed_in: SignedIn) -> User:
        await users.prove_address(person.id, OLD)
        return await true(signed_in)

    monkeypatch.setattr(sessions, "hold", proved_meanwhile)
    await ask(person)
    await browser.post(await link_in(mailbox, NEW))
    assert await address_of(person) == OLD


async def test_a_reset_link_that_went_to_the_old_address_stops_working(
    ann: Person, browser: Browser, mailbox: Mailbox
) -> None:
    await browser.post("/password/forgot", email=OLD)
    reset = await mailbox.link(OLD)
    await ask(ann)
    for link in await both(mailbox):
        await browser.post(link)
    assert (await browser.get(reset)).status_code == 410


async def test_the_job_run_twice_mails_once(ann: Person, mailbox: Mailbox) -> None:
    await ask(ann)
    await queue.drain()
    change = await db.value("SELECT id FROM email_changes")
    await asyncio.gather(*(mail_email_change(EmailChangeAsked(change)) for _ in range(2)))
    assert [len(await mailbox.all(to)) for to in (OLD, NEW)] == [1, 1]
    for link in await both(mailbox):
        await Browser(ann.browser).post(link)
    assert await address_of(ann) == NEW


async def test_a_change_that_dies_half_way_leaves_the_link_open(
    ann: Person, browser: Browser, mailbox: Mailbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    await ask(ann)
    old, new = await both(mailbox)
    await browser.post(old)

    async def dies(*_args: Any, **_more: Any) -> None:
        raise RuntimeError("killed")

    with monkeypatch.context() as broken:
        broken.setattr(email_changes.mail, "send", dies)
        assert (await browser.post(new)).status_code == 500
    assert await address_of(ann) == OLD
    assert await Browser(ann.browser).is_signed_in()
    await browser.post(new)
    assert await address_of(ann) == NEW


@pytest.mark.parametrize("path", ["", "/removal", "/lock"])
async def test_an_invented_link_does_nothing(ann: Person, browser: Browser, path: str) -> None:
    assert (await browser.post(f"/email-changes/{'x' * 43}{path}")).headers["Location"] == f"/email-changes/{'x' * 43}"
    page = await browser.get(f"/email-changes/{'x' * 43}")
    assert page.status_code == 404
    assert "not whole" in await body(page)


async def test_the_office_changes_an_address_at_once_unproved(ann: Person, browser: Browser, mailbox: Mailbox) -> None:
    await ask(ann, "third@example.org")
    person = await users.find(ann.id)
    assert person is not None
    async with db.transaction():
        assert await email_changes.by_office(person, f" {NEW} ")
    found = await users.find(ann.id)
    assert found is not None
    assert (found.email, found.email_verified_at) == (NEW, None)
    assert not await Browser(ann.browser).is_signed_in()
    assert "changed" in (await mailbox.last(OLD))["Subject"]
    assert (await browser.post(await mailbox.link(NEW))).status_code == 303
    assert await db.value("SELECT count(*) FROM email_changes WHERE state = 'open'") == 0
    action = await db.one(db.Row, "SELECT before, after FROM audit_log WHERE action = 'people.email'")
    assert action is not None
    assert (action.before, action.after) == ({"email": OLD}, {"email": NEW})


async def test_the_office_cannot_give_an_address_of_somebody_else(ann: Person, cast: Cast) -> None:
    bob = await cast.bob()
    person = await users.find(ann.id)
    assert person is not None
    async with db.transaction():
        with pytest.raises(Invalid, match="Another account"):
            await email_changes.by_office(person, bob.email.upper())
        assert not await email_changes.by_office(person, OLD.upper())
    assert await address_of(ann) == OLD


async def test_old_changes_are_cleared_away(ann: Person) -> None:
    await ask(ann)
    with clock.shifted(timedelta(days=40)):
        await clear_expired()
    assert await count("email_changes") == 0
