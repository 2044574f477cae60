"""Somebody whose password the school wants changed: nothing goes on before a new one is chosen."""

import asyncio
from contextvars import Context
from datetime import timedelta

import pytest

from app import Lectern
from app.accounts import hashing, passwords, queries
from app.accounts.models import Credentials
from app.core import clock, db
from tests.accounts.conftest import Browser, Mailbox, body
from tests.cast import PASSWORD, Cast, Person

NEW = "nine quiet otters by the mill"


pytestmark = pytest.mark.usefixtures("unlimited")


@pytest.fixture
async def rob(cast: Cast) -> Person:
    person = await cast.rob()
    await queries.set_password(person.id, await hashing.hashed(PASSWORD))
    async with db.transaction():
        assert await passwords.require_change(person.id)
    return person


async def test_whoever_has_to_is_signed_out_and_chooses_before_going_on(
    rob: Person, browser: Browser, mailbox: Mailbox
) -> None:
    assert not await Browser(rob.browser).is_signed_in()
    await browser.sign_in(rob.email, next="/admin/people")
    for path in ("/account", "/admin", "/learn", "/account/sessions"):
        assert (await browser.get(path)).headers["Location"].startswith("/password/required")
    assert (await browser.post("/account/profile", name="Rob")).headers["Location"].startswith("/password/required")
    assert (await browser.post("/login/confirmation", password=PASSWORD)).status_code == 303
    page = await browser.get("/password/required?next=/admin/people")
    assert "asks you to change your password" in await body(page)
    same = await browser.post("/password/required?next=/admin/people", new_password=PASSWORD)
    assert "the password you have now" in await body(same)
    assert (await browser.post("/password/required", new_password="password1")).status_code == 422
    cookie = browser.cookie
    done = await browser.post("/password/required?next=/admin/people", new_password=NEW)
    assert done.headers["Location"] == "/login?next=/admin/people"
    assert (await browser.get(done.headers["Location"])).headers["Location"] == "/admin/people"
    assert (await browser.get("/admin/people")).status_code == 200
    assert browser.cookie != cookie
    assert "was changed" in (await mailbox.last(rob.email))["Subject"]
    assert (await browser.get("/password/required")).status_code == 303
    assert await db.value("SELECT password_change_required_at FROM users WHERE id = :id", id=rob.id) is None


async def test_an_open_redirect_is_not_followed(rob: Person, browser: Browser) -> None:
    await browser.sign_in(rob.email)
    done = await browser.post("/password/required?next=//evil.example", new_password=NEW)
    assert (await browser.get(done.headers["Location"])).headers["Location"] == "/admin"


async def test_a_page_that_was_left_open_asks_for_the_old_password_again(rob: Person, browser: Browser) -> None:
    await browser.sign_in(rob.email, keep="y")
    with clock.shifted(timedelta(minutes=31)):
        late = await browser.post("/password/required", new_password=NEW)
        assert late.headers["Location"].startswith("/login")
        assert not await browser.is_signed_in()
        assert (await browser.sign_in(rob.email, NEW)).status_code == 422


async def test_two_at_once_choose_one(app: Lectern, rob: Person) -> None:
    places = [Browser(app.test_client()) for _ in range(2)]
    for one in places:
        await one.sign_in(rob.email)
    answers = await asyncio.gather(
        *(one.post("/password/required", new_password=f"{NEW} {n}") for n, one in enumerate(places))
    )
    assert [await one.is_signed_in() for one in places].count(True) == 1
    assert [answer.status_code for answer in answers].count(303) >= 1
    changed = await db.value("SELECT count(*) FROM audit_log WHERE action = 'password.change'")
    assert changed == 1


async def test_whoever_was_on_the_way_while_another_chose_replaces_nothing(
    rob: Person, app: Lectern, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = (Browser(app.test_client()) for _ in range(2))
    await first.sign_in(rob.email)
    await second.sign_in(rob.email)
    look_up = queries.credentials_by_id

    async def overtaken(user_id: int) -> Credentials | None:
        monkeypatch.setattr(queries, "credentials_by_id", look_up)
        # In a context of its own, as another browser's request is.
        chosen = await asyncio.create_task(first.post("/password/required", new_password=NEW), context=Context())
        assert chosen.status_code == 303
        return await look_up(user_id)

    monkeypatch.setattr(queries, "credentials_by_id", overtaken)
    assert (await second.post("/password/required", new_password=f"{NEW} 2")).status_code == 409
    assert await first.is_signed_in()
    assert not await second.is_signed_in()
    assert (await second.sign_in(rob.email, NEW)).status_code == 303
    assert await db.value("SELECT count(*) FROM audit_log WHERE action = 'password.change'") == 1


async def test_a_reset_by_mail_is_a_choice_too(rob: Person, browser: Browser, mailbox: Mailbox) -> None:
    await browser.post("/password/forgot", email=rob.email)
    await browser.post(await mailbox.link(rob.email), new_password=NEW)
    assert (await browser.get("/admin")).status_code == 200


async def test_who_comes_with_a_link_is_not_asked(rob: Person, cast: Cast) -> None:
    await cast.sign_in(rob)
    await db.run("UPDATE sessions SET method = 'link'")
    assert (await rob.browser.get("/admin")).status_code == 200
    await db.run("UPDATE sessions SET method = 'password'")
    assert (await rob.browser.get("/admin")).status_code == 303


async def test_asking_twice_or_of_somebody_without_a_password_says_no(rob: Person, cast: Cast) -> None:
    async with db.transaction():
        assert not await passwords.require_change(rob.id)
        assert not await passwords.require_change((await cast.ann()).id)


async def test_whoever_need_not_is_sent_on(browser: Browser, cast: Cast) -> None:
    assert (await browser.get("/password/required")).headers["Location"].startswith("/login")
    ann = Browser((await cast.ann()).browser)
    assert (await ann.post("/password/required", new_password=NEW)).headers["Location"].startswith("/login")
