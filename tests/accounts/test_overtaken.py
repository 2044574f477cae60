"""Somebody else is quicker: what a request decided on does not hold any more when it acts, and it says so."""

import asyncio
import re
from collections.abc import Awaitable, Callable, Coroutine
from contextvars import Context
from datetime import timedelta
from typing import Any

import pytest

from app import Lectern
from app.accounts import claims, erasures, exports, hashing, merging, notes, people, queries, sessions, tags, users
from app.accounts.queries import erasures as erasure_rows
from app.accounts.queries import identities
from app.accounts.queries import magic_links as link_queries
from app.accounts.queries import merging as merges
from app.accounts.queries import people as people_queries
from app.accounts.queries import roles as role_queries
from app.accounts.routes import account, privacy
from app.config import Config
from app.core import clock, db, personal
from app.core.errors import Conflict
from app.core.personal import Subject
from tests import google
from tests.accounts.conftest import Browser, Mailbox, body, count, text_of
from tests.accounts.test_google import come_back, depart
from tests.accounts.test_people import signed_in
from tests.accounts.test_second_factors import code, enrol, half_way
from tests.cast import PASSWORD, Cast, Person

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


async def to_another_address(rob: Person, ann: Person) -> None:
    form = {"name": ann.name, "email": "new@example.org", "headline": "", "country": "", "time_zone": ""}
    answer = await rob.browser.post(f"/admin/people/{ann.public_id}/details", form=form)
    assert answer.status_code == 303


async def test_a_mailed_link_opens_nothing_once_the_account_has_another_address(
    app: Lectern, cast: Cast, browser: Browser, mailbox: Mailbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    ann, rob = await cast.ann(), await cast.rob()
    await browser.get("/login/link")
    await browser.post("/login/link", email=ann.email)
    link = await mailbox.link(ann.email)
    moved = overtaken(monkeypatch, link_queries, "use_sign_in_link", lambda: to_another_address(rob, ann))
    await browser.post(link)
    await moved()
    assert not await browser.is_signed_in()


async def test_google_opens_nothing_once_somebody_said_it_was_not_them(
    app: Lectern,
    config: Config,
    ann: Person,
    browser: Browser,
    other_browser: Browser,
    mailbox: Mailbox,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    google.connect(config)
    await come_back(config, browser, await depart(browser))
    text = (await mailbox.last(ann.email)).get_body(("plain",)).get_content()  # type: ignore[union-attr]  # it has a text
    not_me = text[text.index("/not-me/") :].split()[0]
    url = await depart(other_browser)
    locked = overtaken(monkeypatch, identities, "identity_by_subject", lambda: browser.post(not_me))
    await come_back(config, other_browser, url)
    assert (await locked()).status_code == 303
    assert not await other_browser.is_signed_in()
    assert await count("sessions") == 0


async def test_google_is_not_connected_to_an_account_that_has_another_address_by_now(
    app: Lectern, config: Config, cast: Cast, browser: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    google.connect(config)
    ann, rob = await cast.ann(), await cast.rob()
    url = await depart(browser)
    moved = overtaken(monkeypatch, queries, "user_by_email", lambda: to_another_address(rob, ann))
    await come_back(config, browser, url)
    await moved()
    assert not await browser.is_signed_in()
    assert await count("identities") == 0


async def test_what_is_bought_by_mail_goes_to_the_account_that_stays_of_two_merged_meanwhile(
    app: Lectern, cast: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A step of the merge moves what there is: what came to the closed account after it would be lost there."""
    ann, bob, by = await cast.ann(), await cast.bob(), await signed_in(await cast.olga())
    merged = overtaken(
        monkeypatch, queries, "user_by_email", lambda: merging.merge(ann.public_id, bob.public_id, by=by)
    )
    async with db.transaction():
        person, is_new = await users.ensure(ann.email)
        stood_open = not person.is_closed and not (await people.find(person.public_id)).is_closed
    await merged()
    assert not is_new
    assert stood_open


async def test_what_is_bought_by_mail_does_not_go_to_an_account_that_was_erased_meanwhile(
    app: Lectern, cast: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    ann, _olga = await cast.ann(), await cast.olga()
    await db.run("UPDATE users SET state = 'suspended' WHERE id = :id", id=ann.id)
    erased = overtaken(monkeypatch, queries, "user_by_email", lambda: erase(ann))
    async with db.transaction():
        person, is_new = await users.ensure(ann.email)
    await erased()
    assert (person.email, is_new) == (ann.email, True)


async def test_an_address_that_an_account_gives_up_meanwhile_gets_its_own(
    app: Lectern, cast: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    ann, rob = await cast.ann(), await cast.rob()
    moved = overtaken(monkeypatch, users, "insert", lambda: to_another_address(rob, ann))
    answer = await rob.browser.post("/admin/people", form={"name": "Ann Again", "email": ann.email})
    await moved()
    assert answer.status_code == 303
    assert await db.value("SELECT name FROM users WHERE email = :email", email=ann.email) == "Ann Again"


async def test_google_makes_no_account_when_the_address_is_given_up_meanwhile(
    app: Lectern, config: Config, cast: Cast, browser: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    google.connect(config)
    ann, rob = await cast.ann(), await cast.rob()
    url = await depart(browser)
    moved = overtaken(monkeypatch, users, "insert", lambda: to_another_address(rob, ann))
    answer = await come_back(config, browser, url)
    await moved()
    assert answer.status_code == 400


async def test_a_tag_is_not_called_what_another_is_called_since(
    app: Lectern, cast: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    rob = await cast.rob()
    tag = await tags.create("keen")
    made = overtaken(monkeypatch, people_queries, "lock_tags", lambda: tags.create("eager"))
    answer = await rob.browser.post(f"/admin/people/tags/{tag.public_id}", form={"tag": "Eager"})
    await made()
    assert answer.status_code == 422
    assert "There is a tag of this name already" in await body(answer)


async def test_a_role_is_not_called_what_another_is_called_since(
    app: Lectern, cast: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    olga = await cast.olga()
    await cast.role("clerk", ["admin.enter"])
    made = overtaken(monkeypatch, role_queries, "is_name_taken", lambda: cast.role("counter", ["admin.enter"]))
    form = {"name": "COUNTER", "capabilities": "admin.enter", "revision": "1"}
    answer = await olga.browser.post("/admin/roles/clerk", form=form)
    await made()
    assert answer.status_code == 422
    assert "There is a role of this name already" in await body(answer)


async def test_a_tag_that_is_removed_while_it_is_given_is_made_anew(
    app: Lectern, cast: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    ann, rob = await cast.ann(), await cast.rob()
    tag = await tags.create("keen")
    gone = overtaken(monkeypatch, people_queries, "insert_tag", lambda: tags.delete(tag.public_id))
    answer = await rob.browser.post(f"/admin/people/{ann.public_id}/tags", form={"tag": "keen"})
    await gone()
    assert answer.status_code == 303
    assert await count("user_tags") == 1


async def erase(person: Person) -> None:
    """All of it: asked for, thought over, done."""
    olga = await users.find_by_email("olga@meridian.example")
    assert olga is not None
    async with db.transaction():
        made = await erasures._ask(await people.find(person.public_id), asked_by=olga.id)
    with clock.shifted(timedelta(days=15)):
        assert await erasures.carry_out(made.id)


@pytest.mark.parametrize("what", ["note", "tag"])
async def test_nothing_is_written_about_somebody_while_their_account_is_erased(
    app: Lectern, cast: Cast, monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    ann, olga = await cast.ann(), await cast.olga()
    person, by = await people.find(ann.public_id), await signed_in(olga)

    async def write() -> None:
        await (notes.write(person, "Ann called", by=by) if what == "note" else tags.add(person, "calls"))

    written = overtaken(monkeypatch, erasure_rows, "delete_proofs", write)
    await erase(ann)
    with pytest.raises(Conflict):
        await written()
    assert (await count("person_notes"), await count("user_tags")) == (0, 0)


@pytest.mark.parametrize(
    ("routes", "path", "form"),
    [
        (account, "profile", {"name": "Ann Archer", "headline": "Ann trades", "time_zone": ""}),
        (privacy, "privacy/consents", {"marketing": "y"}),
    ],
)
async def test_a_form_that_arrives_slowly_writes_nothing_into_an_account_that_was_erased_meanwhile(
    app: Lectern, cast: Cast, monkeypatch: pytest.MonkeyPatch, routes: object, path: str, form: dict[str, str]
) -> None:
    ann, _olga = await cast.ann(), await cast.olga()
    erased = overtaken(monkeypatch, routes, "submitted", lambda: erase(ann))
    answer = await ann.browser.post(f"/account/{path}", form=form)
    await erased()
    assert answer.status_code == 303
    assert (await people.find(ann.public_id)).name == "Erased person"
    assert await db.value("SELECT count(*) FROM users WHERE headline <> ''") == 0
    assert await count("consents") == 0


# Jobs that come late


async def test_no_address_is_asked_about_once_the_account_was_merged(
    app: Lectern, cast: Cast, mailbox: Mailbox, browser: Browser
) -> None:
    """The worker was slow. The closed account's address goes on standing for the one that stays."""
    ann, bob, olga = await cast.ann(), await cast.bob(), await cast.olga()
    assert (await ann.browser.post("/account/email", form={"email": "new@example.org"})).status_code == 303
    await merging.merge(ann.public_id, bob.public_id, by=await signed_in(olga))
    found = [text_of(mail) for mail in await mailbox.all()]
    for path in re.findall(r"http://localhost(/email-changes/\S+)", "\n".join(found)):
        await browser.post(path)
    assert await db.value("SELECT email FROM users WHERE id = :id", id=ann.id) == ann.email
    assert "/email-changes/" not in "\n".join(found)


async def test_nobody_is_welcomed_to_an_account_that_was_merged(app: Lectern, cast: Cast, mailbox: Mailbox) -> None:
    bob, olga = await cast.bob(), await cast.olga()
    async with db.transaction():
        ann, _is_new = await users.ensure("ann@example.org")
    await merging.merge(ann.public_id, bob.public_id, by=await signed_in(olga))
    subjects = [mail["Subject"] for mail in await mailbox.all("ann@example.org")]
    assert subjects == ["Two accounts at Meridian became one"]


async def test_an_address_that_was_asked_for_does_not_come_while_the_account_is_erased(
    app: Lectern, cast: Cast, mailbox: Mailbox, browser: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The mails were there before it began. What is looked for is the old address: the new one would stay behind."""
    ann, _olga = await cast.ann(), await cast.olga()
    await ann.browser.post("/account/email", form={"email": "new@example.org"})
    found = "\n".join([text_of(mail) for mail in await mailbox.all()])
    paths = re.findall(r"http://localhost(/email-changes/\S+)", found)
    assert len(paths) == 2

    async def confirm() -> None:
        for path in paths:
            await browser.post(path)

    async def late(_subject: Subject) -> None:
        with clock.shifted(timedelta(days=-15)):
            await asyncio.create_task(confirm(), context=Context())

    monkeypatch.setitem(personal.ERASURES, "late", late)
    await erase(ann)
    assert await db.value("SELECT count(*) FROM audit_log WHERE action = 'email.change'") == 0
    assert await db.value("SELECT count(*) FROM mails WHERE template = 'accounts/email_changed'") == 0


async def test_an_address_that_is_confirmed_does_not_slip_past_a_second_step_turned_on_meanwhile(
    app: Lectern, ann: Person, other_browser: Browser, mailbox: Mailbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    await other_browser.sign_in(ann.email)
    await ann.browser.post("/account/email", form={"email": "new@example.org"})
    found = "\n".join([text_of(mail) for mail in await mailbox.all()])
    one, other = re.findall(r"http://localhost(/email-changes/\S+)", found)
    await other_browser.post(one)
    enrolled = overtaken(monkeypatch, queries, "link_by_token", lambda: enrol(ann))
    await other_browser.post(other)
    await enrolled()
    assert not await other_browser.is_signed_in()


async def test_whoever_confirms_after_the_second_step_was_turned_off_has_shown_none(
    app: Lectern, cast: Cast, other_browser: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where the school asks the team for one, the rights sleep then."""
    rob = await cast.rob()
    await queries.set_password(rob.id, await hashing.hashed(PASSWORD))
    secret, _codes = await enrol(rob)
    await half_way(other_browser, rob)
    await other_browser.post("/login/second-step", code=code(secret, 1))
    assert await db.value("SELECT count(*) FROM sessions WHERE second_factor_at IS NOT NULL") == 2

    async def turn_off() -> None:
        assert (await rob.browser.post("/account/security/totp/removal")).status_code == 303

    is_off = overtaken(monkeypatch, queries, "credentials_by_id", turn_off)
    await other_browser.post("/login/confirmation", password=PASSWORD)
    await is_off()
    assert await db.value("SELECT count(*) FROM sessions WHERE second_factor_at IS NOT NULL") == 0


async def test_two_who_sign_in_while_the_hash_is_made_anew_are_both_in(
    app: Lectern, ann: Person, browser: Browser, other_browser: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A double click, above all: the second answer is the one that is seen."""
    outdated = await db.value("SELECT password_hash FROM users WHERE id = :id", id=ann.id)
    monkeypatch.setattr(hashing, "is_outdated", lambda stored: stored == outdated)
    first = overtaken(monkeypatch, hashing, "hashed", lambda: browser.sign_in(ann.email))
    answer = await other_browser.sign_in(ann.email)
    assert (await first()).status_code == 303
    assert answer.status_code == 303
    assert await other_browser.is_signed_in()


async def test_no_file_is_made_of_somebody_who_is_being_erased(
    app: Lectern, cast: Cast, mailbox: Mailbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It was begun before, and is packed for long: its mail would come after what forgets mails."""
    ann, _olga = await cast.ann(), await cast.olga()
    await ann.browser.post("/account/privacy/exports")
    is_built = asyncio.Event()

    async def late(_subject: Subject) -> None:
        await is_built.wait()

    monkeypatch.setitem(personal.ERASURES, "late", late)
    erased = overtaken(monkeypatch, exports, "_pack", lambda: erase(ann))
    await exports.build(await db.value("SELECT id FROM personal_exports"))
    is_built.set()
    await erased()
    assert await db.value("SELECT count(*) FROM mails WHERE template = 'accounts/export_ready'") == 0
    await mailbox.all()
    assert await count("personal_exports") == 0


# In each other's way


async def test_whoever_signs_in_while_an_account_is_claimed_is_out(
    app: Lectern, cast: Cast, browser: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Somebody registered Ann's address, and signs in at the moment at which she proves that it is hers."""
    ann = await cast.person("Ann Archer", "ann@example.org", verified=False)
    await queries.set_password(ann.id, await hashing.hashed(PASSWORD))

    async def claim() -> None:
        async with db.transaction():
            assert await claims.claim([ann.id]) == [ann.id]

    claimed = overtaken(monkeypatch, sessions, "_greet_browser", claim)
    await browser.sign_in(ann.email)
    await claimed()
    assert await count("sessions") == 0


async def test_a_mailbox_that_agrees_and_a_wish_for_another_address_wait_for_each_other_in_no_circle(
    app: Lectern, ann: Person, browser: Browser, mailbox: Mailbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    await ann.browser.post("/account/email", form={"email": "new@example.org"})
    found = "\n".join([text_of(mail) for mail in await mailbox.all()])
    one, other = re.findall(r"http://localhost(/email-changes/\S+)", found)
    await browser.post(one)

    async def ask_again() -> int:
        return (await ann.browser.post("/account/email", form={"email": "third@example.org"})).status_code

    asked = overtaken(monkeypatch, queries, "use_link", ask_again)
    assert (await browser.post(other)).status_code == 303
    assert await asked() == 303
    assert await db.value("SELECT email FROM users WHERE id = :id", id=ann.id) == "new@example.org"


async def test_an_erasure_that_begins_and_one_that_is_taken_back_wait_for_each_other_in_no_circle(
    app: Lectern, cast: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    ann, olga = await cast.ann(), await cast.olga()
    by = await signed_in(olga)
    made = await erasures.ask_for(ann.public_id, by=by)
    kept = overtaken(monkeypatch, erasure_rows, "lock_erasure", lambda: erasures.cancel_for(ann.public_id, by=by))
    with clock.shifted(timedelta(days=15)):
        done = await erasures.carry_out(made.id)
    assert (done, await kept()) in ((True, False), (False, True))


async def test_nothing_is_changed_about_somebody_who_is_being_erased(
    app: Lectern, cast: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The log would name them again, and the mails, after what forgets them there."""
    ann, _olga, rob = await cast.ann(), await cast.olga(), await cast.rob()
    form = {"name": "Ann Baker", "email": "new@example.org", "headline": "", "country": "", "time_zone": ""}

    async def late(_subject: Subject) -> None:
        path = f"/admin/people/{ann.public_id}/details"
        with clock.shifted(timedelta(days=-15)):
            answer = await asyncio.create_task(rob.browser.post(path, form=form), context=Context())
        assert answer.status_code == 409
        assert "This account is closed for good." in await body(answer)

    monkeypatch.setitem(personal.ERASURES, "late", late)
    await erase(ann)
    assert await db.value("SELECT count(*) FROM audit_log WHERE CAST(after AS text) LIKE '%Baker%'") == 0
    assert await db.value("SELECT count(*) FROM mails WHERE recipient = 'new@example.org'") == 0


async def test_somebody_who_looks_at_a_page_and_an_act_that_signs_them_out_wait_for_each_other_in_no_circle(
    app: Lectern, cast: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    ann, rob = await cast.ann(), await cast.rob()
    await db.run("UPDATE sessions SET last_seen_at = now() - interval '1 hour' WHERE user_id = :id", id=ann.id)

    async def look() -> int:
        return (await ann.browser.get("/learn")).status_code

    looked = overtaken(monkeypatch, people_queries, "suspend", look)
    answer = await rob.browser.post(f"/admin/people/{ann.public_id}/suspension", form={"reason": "Shared the films"})
    assert (answer.status_code, await looked()) == (303, 200)


async def test_a_role_that_goes_and_one_who_holds_it_wait_for_each_other_in_no_circle(
    app: Lectern, cast: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    olga = await cast.olga()
    await cast.role("clerk", ["admin.enter"])
    kim = await cast.person("Kim Kern", "kim@example.org", role="clerk")
    await queries.set_password(kim.id, await hashing.hashed(PASSWORD))

    async def change() -> int:
        form = {"current_password": PASSWORD, "new_password": NEW}
        return (await kim.browser.post("/account/password", form=form)).status_code

    changed = overtaken(monkeypatch, role_queries, "delete_sessions_of_holders", change)
    answer = await olga.browser.post("/admin/roles/clerk/removal", form={"confirmation": "Clerk", "move_to": "member"})
    assert (answer.status_code, await changed()) == (303, 303)
    assert not await Browser(kim.browser).is_signed_in()


async def test_a_role_that_goes_and_who_acts_about_a_holder_wait_for_each_other_in_no_circle(
    app: Lectern, cast: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The holder is older than who removes the role, and suspends the holder in another window."""
    await cast.role("clerk", ["admin.enter"])
    kim, olga = await cast.person("Kim Kern", "kim@example.org", role="clerk"), await cast.olga()
    assert kim.id < olga.id

    async def suspend() -> int:
        path = f"/admin/people/{kim.public_id}/suspension"
        return (await olga.browser.post(path, form={"reason": "Shared the films"})).status_code

    suspended = overtaken(monkeypatch, role_queries, "held_by", suspend)
    answer = await olga.browser.post("/admin/roles/clerk/removal", form={"confirmation": "Clerk", "move_to": "member"})
    assert (answer.status_code, await suspended()) == (303, 303)


async def test_an_account_that_is_merged_and_its_tag_that_is_merged_wait_for_each_other_in_no_circle(
    app: Lectern, cast: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    ann, sam, olga = await cast.ann(), await cast.sam(), await cast.olga()
    await tags.add(await people.find(ann.public_id), "early bird")
    one, other = await tags.create("early bird"), await tags.create("early")
    merged = overtaken(monkeypatch, merges, "move_notes", lambda: tags.merge(one.public_id, other.public_id))
    await merging.merge(ann.public_id, sam.public_id, by=await signed_in(olga))
    await merged()
    kept = await db.many(db.Row, "SELECT user_id, tag_id FROM user_tags")
    assert [(row.user_id, row.tag_id) for row in kept] == [(sam.id, other.id)]


async def test_an_account_that_is_erased_and_its_tag_that_is_merged_wait_for_each_other_in_no_circle(
    app: Lectern, cast: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    ann, _olga = await cast.ann(), await cast.olga()
    await tags.add(await people.find(ann.public_id), "early bird")
    one, other = await tags.create("early bird"), await tags.create("early")
    merged = overtaken(monkeypatch, erasure_rows, "forget_looks", lambda: tags.merge(one.public_id, other.public_id))
    await erase(ann)
    await merged()
    assert await count("user_tags") == 0
