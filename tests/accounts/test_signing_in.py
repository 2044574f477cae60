import asyncio
from datetime import timedelta
from typing import cast as typed
from urllib.parse import quote

import pytest
from argon2 import PasswordHasher
from quart import Response

from app import Lectern
from app.accounts import hashing, queries, sessions
from app.accounts.jobs import clear_expired
from app.accounts.queries import second_factors
from app.core import clock, db, limits
from tests.accounts.conftest import Browser, body, count
from tests.cast import PASSWORD, Cast


async def set_password(user_id: int, password: str = PASSWORD) -> None:
    await queries.set_password(user_id, await hashing.hashed(password))


@pytest.fixture
async def ann(app: Lectern, cast: Cast) -> int:
    person = await cast.person("Ann Archer", "ann@example.org")
    await set_password(person.id)
    await db.run("DELETE FROM sessions")
    return person.id


async def test_signing_in_leads_where_one_was_going(browser: Browser, ann: int) -> None:
    answer = await browser.sign_in(" ANN@example.org ", next="/courses/x?page=2")
    assert (answer.status_code, answer.headers["Location"]) == (303, "/courses/x?page=2")
    assert await browser.is_signed_in()


async def test_without_an_aim_members_go_to_learn_and_staff_to_the_office(browser: Browser, cast: Cast) -> None:
    for person, aim in ((await cast.ann(), "/learn"), (await cast.sam(), "/admin")):
        await set_password(person.id)
        assert (await browser.sign_in(person.email)).headers["Location"] == aim


@pytest.mark.parametrize("aim", ["//evil.example", "https://evil.example", "/\\evil.example", "javascript:alert(1)"])
async def test_signing_in_never_leads_to_another_site(browser: Browser, ann: int, aim: str) -> None:
    assert (await browser.sign_in("ann@example.org", next=aim)).headers["Location"] == "/learn"


def session_cookie(answer: Response) -> str:
    [found] = [line for line in answer.headers.getlist("Set-Cookie") if line.startswith("session=")]
    return found


async def test_the_cookie_is_kept_from_scripts_and_other_sites(browser: Browser, ann: int) -> None:
    kept = session_cookie(await browser.sign_in("ann@example.org", keep="y"))
    assert "HttpOnly" in kept
    assert "SameSite=Lax" in kept
    assert "Max-Age=5184000" in kept


async def test_without_keep_the_session_ends_with_the_browser(browser: Browser, ann: int) -> None:
    brief = session_cookie(await browser.sign_in("ann@example.org"))
    assert "Max-Age" not in brief
    assert "Expires" not in brief
    with clock.shifted(timedelta(hours=13)):
        assert not await browser.is_signed_in()


async def test_every_failure_has_the_same_answer(browser: Browser, cast: Cast, ann: int) -> None:
    await cast.bob()  # who has no password
    pages = []
    for email in ("ann@example.org", "bob@example.org", "nobody@example.org"):
        answer = await browser.sign_in(email, "tide under seven clocks")
        assert answer.status_code == 422
        pages.append((await body(answer)).replace(email, "EMAIL"))
    assert "do not go together" in pages[0]
    assert pages[0] == pages[1] == pages[2]
    assert await count("sessions") == 1  # Bob's, from the cast


async def test_a_suspended_person_is_told_only_after_the_right_password(browser: Browser, ann: int) -> None:
    await db.run("UPDATE users SET state = 'suspended'")
    assert "suspended" not in await body(await browser.sign_in("ann@example.org", "tide under seven clocks"))
    right = await browser.sign_in("ann@example.org")
    assert right.status_code == 422
    assert "suspended" in await body(right)
    assert not await browser.is_signed_in()


async def test_the_eleventh_try_in_ten_seconds_is_refused(
    browser: Browser, ann: int, store: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def wrong(_stored: str | None, _password: str) -> bool:  # ten real hashes may take longer than ten seconds
        return False

    monkeypatch.setattr(hashing, "matches", wrong)
    for n in range(10):
        assert (await browser.sign_in(f"nobody{n}@example.org", "wrong")).status_code == 422
    refused = await browser.sign_in("ann@example.org")
    assert refused.status_code == 429
    assert 1 <= int(refused.headers["Retry-After"]) <= 10


async def test_guessing_slowly_at_one_account_is_refused_too(browser: Browser, ann: int) -> None:
    codes = []
    for _ in range(11):
        codes.append((await browser.sign_in("ann@example.org", "wrong")).status_code)
        # Ten seconds pass for the address, not for the account.
        await limits.forget("accounts.create_session", "address:127.0.0.1", limits.SENSITIVE)
        await limits.forget("accounts.create_session", "address:<local>", limits.SENSITIVE)
    assert codes == [422] * 10 + [429]
    assert (await browser.sign_in("bob@example.org", "wrong")).status_code == 422


async def test_the_right_password_clears_the_count(browser: Browser, ann: int) -> None:
    for _ in range(3):
        for _ in range(5):
            assert (await browser.sign_in("ann@example.org", "wrong")).status_code == 422
        assert (await browser.sign_in("ann@example.org")).status_code == 303
        await limits.forget("accounts.create_session", "address:<local>", limits.SENSITIVE)
        await limits.forget("accounts.create_session", "address:127.0.0.1", limits.SENSITIVE)
        user = await db.value("SELECT id FROM users WHERE email = 'ann@example.org'")
        await limits.forget("accounts.create_session", f"user:{user}", limits.SENSITIVE)


async def test_a_cookie_from_before_the_sign_in_is_not_honoured(browser: Browser, ann: int, app: Lectern) -> None:
    browser.client.set_cookie("localhost", "session", "chosen-by-mallory")
    await browser.sign_in("ann@example.org")
    mallory = app.test_client()
    mallory.set_cookie("localhost", "session", "chosen-by-mallory")
    assert (await mallory.get("/account/corner")).status_code == 204


async def test_signing_in_again_ends_the_session_before(browser: Browser, ann: int, app: Lectern) -> None:
    await browser.sign_in("ann@example.org")
    first = browser.cookie
    await browser.sign_in("ann@example.org")
    assert browser.cookie != first
    assert await count("sessions") == 1
    thief = app.test_client()
    thief.set_cookie("localhost", "session", typed(str, first))
    assert (await thief.get("/account/corner")).status_code == 204


async def test_only_the_hash_of_a_session_is_stored(browser: Browser, ann: int) -> None:
    await browser.sign_in("ann@example.org")
    stored: bytes = await db.value("SELECT token_hash FROM sessions")
    assert len(stored) == 32
    assert typed(str, browser.cookie).encode() not in stored


async def test_signing_out_ends_the_session(browser: Browser, ann: int, app: Lectern) -> None:
    await browser.sign_in("ann@example.org")
    old = typed(str, browser.cookie)
    assert (await browser.post("/logout")).status_code == 303
    assert await count("sessions") == 0
    thief = app.test_client()
    thief.set_cookie("localhost", "session", old)
    assert (await thief.get("/account/corner")).status_code == 204
    assert (await browser.post("/logout")).status_code == 303  # twice is harmless


async def test_another_site_can_neither_sign_in_nor_out(browser: Browser, ann: int) -> None:
    await browser.sign_in("ann@example.org")
    for path in ("/logout", "/login", "/register", "/password/forgot"):
        answer = await browser.post(path, headers={"Sec-Fetch-Site": "cross-site"})
        assert answer.status_code == 403
    assert await browser.is_signed_in()


async def test_an_idle_session_ends_after_two_weeks_and_any_after_sixty_days(browser: Browser, ann: int) -> None:
    await browser.sign_in("ann@example.org", keep="y")
    with clock.shifted(timedelta(days=14, minutes=1)):
        assert not await browser.is_signed_in()
    for day in range(0, 60, 10):
        with clock.shifted(timedelta(days=day)):
            assert await browser.is_signed_in()
    with clock.shifted(timedelta(days=60, minutes=1)):
        assert not await browser.is_signed_in()


async def test_the_clearing_job_deletes_what_nobody_can_use(browser: Browser, other_browser: Browser, ann: int) -> None:
    await browser.sign_in("ann@example.org", keep="y")
    await browser.post("/password/forgot", email="ann@example.org")
    await db.run(
        "INSERT INTO one_time_tokens (token_hash, purpose, user_id, email, created_at, expires_at)"
        " VALUES ('x', 'verify_email', :id, 'ann@example.org', now(), now())",
        id=ann,
    )
    with clock.shifted(timedelta(days=13)):
        await other_browser.sign_in("ann@example.org", keep="y")
    with clock.shifted(timedelta(days=15)):
        await clear_expired()
        await clear_expired()
        assert await count("sessions") == 1
        assert await count("one_time_tokens") == 1  # its page can still say that it is too old
    with clock.shifted(timedelta(days=32)):
        await clear_expired()
        assert await count("sessions") == 0
        assert await count("one_time_tokens") == 0


async def test_a_hash_of_yesterday_is_made_anew(browser: Browser, ann: int) -> None:
    old = PasswordHasher(time_cost=1, memory_cost=1024, parallelism=1).hash(PASSWORD)
    await queries.set_password(ann, old)
    assert (await browser.sign_in("ann@example.org")).status_code == 303
    new = await db.value("SELECT password_hash FROM users WHERE id = :id", id=ann)
    assert new != old
    assert not hashing.is_outdated(new)
    assert (await browser.sign_in("ann@example.org")).status_code == 303


async def test_a_password_changed_during_the_sign_in_is_not_enough(app: Lectern, ann: int) -> None:
    old = await db.value("SELECT password_hash FROM users WHERE id = :id", id=ann)
    await set_password(ann, "tide under seven clocks")
    made = await queries.insert_session(
        public_id="x",
        token_hash=b"x",
        user_id=ann,
        now=clock.now(),
        expires_at=clock.now() + sessions.LIFETIME,
        address="",
        user_agent="",
        password_hash=old,
        method="password",
        second_factor_at=None,
    )
    assert made is None
    assert await count("sessions") == 0


@pytest.mark.parametrize("has_second_step", [False, True])
async def test_a_password_that_changes_while_it_is_checked_begins_no_sign_in(
    browser: Browser, ann: int, monkeypatch: pytest.MonkeyPatch, has_second_step: bool
) -> None:
    if has_second_step:
        await second_factors.insert_secret(ann, b"sealed", 0, clock.now())
    true = hashing.matches

    async def late(stored: str | None, password: str) -> bool:
        is_right = await true(stored, password)
        await set_password(ann, "tide under seven clocks")
        return is_right

    monkeypatch.setattr(hashing, "matches", late)
    assert (await browser.sign_in("ann@example.org")).status_code == 422
    assert (await count("sessions"), await count("pending_sign_ins")) == (0, 0)


async def test_many_sign_ins_at_once_all_work(app: Lectern, ann: int) -> None:
    browsers = [Browser(app.test_client()) for _ in range(6)]
    answers = await asyncio.gather(*(each.sign_in("ann@example.org") for each in browsers))
    assert [answer.status_code for answer in answers] == [303] * 6
    assert await count("sessions") == 6


@pytest.mark.parametrize(
    ("email", "password"),
    [
        ("", ""),
        ("ann@example.org", ""),
        ("ann\x00@example.org", "x"),
        ("x" * 300, "x"),
        ("ann@example.org", "x" * 2000),
        ("ann@example.org", "\ud800x"),
        ("' OR 1=1 --", "x"),
    ],
)
async def test_nonsense_is_refused_with_the_page(browser: Browser, ann: int, email: str, password: str) -> None:
    data = f"email={quote(email)}&password={quote(password, errors='surrogatepass')}"
    answer = await browser.client.post(
        "/login", data=data, headers={"Content-Type": "application/x-www-form-urlencoded"}
    )
    assert answer.status_code == 422
    assert "<h1>Sign in</h1>" in await answer.get_data(as_text=True)


async def test_a_signed_in_person_is_sent_on_from_the_sign_in_page(browser: Browser, ann: int) -> None:
    await browser.sign_in("ann@example.org")
    assert (await browser.get("/login?next=/cart")).headers["Location"] == "/cart"
    assert (await browser.get("/login?next=//evil.example")).headers["Location"] == "/learn"


async def test_a_sensitive_act_asks_for_the_password_again(browser: Browser, ann: int) -> None:
    await browser.sign_in("ann@example.org")
    before = browser.cookie
    await db.run("UPDATE sessions SET fresh_at = fresh_at - interval '2 hours'")
    assert "Is it you?" in await browser.text("/login?fresh=1&next=/cart")
    wrong = await browser.post("/login/confirmation", password="wrong", next="/cart")
    assert wrong.status_code == 422
    assert "not your password" in await body(wrong)
    right = await browser.post("/login/confirmation", password=PASSWORD, next="/cart")
    assert (right.status_code, right.headers["Location"]) == (303, "/cart")
    assert browser.cookie != before
    assert await db.value("SELECT fresh_at > now() - interval '1 minute' FROM sessions")
    assert await count("sessions") == 1


async def test_confirming_does_not_keep_what_was_not_to_be_kept(browser: Browser, ann: int) -> None:
    await browser.sign_in("ann@example.org")
    again = await browser.post("/login/confirmation", password=PASSWORD)
    assert "Max-Age" not in again.headers["Set-Cookie"]
    await browser.sign_in("ann@example.org", keep="y")
    again = await browser.post("/login/confirmation", password=PASSWORD)
    assert "Max-Age" in again.headers["Set-Cookie"]


async def test_confirming_needs_somebody_who_is_signed_in(browser: Browser) -> None:
    answer = await browser.post("/login/confirmation", password=PASSWORD)
    assert answer.status_code == 303
    assert answer.headers["Location"].startswith("/login")


async def test_the_corner_is_empty_for_a_visitor_and_never_cached(browser: Browser, cast: Cast) -> None:
    visitor = await browser.get("/account/corner")
    assert (visitor.status_code, await body(visitor)) == (204, "")
    assert visitor.headers["Cache-Control"] == "private, no-store"
    sam = await cast.sam()
    corner = await sam.browser.get("/account/corner")
    words = await corner.get_data(as_text=True)
    assert "Sam Sorel" in words
    assert "/admin" in words
    assert "<html" not in words
