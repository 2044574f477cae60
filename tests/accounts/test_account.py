import re
from datetime import timedelta

import pytest

from app import Lectern
from app.accounts import sessions, users
from app.accounts.devices import device_of
from app.core import clock, db
from tests.accounts.conftest import Browser, body, count
from tests.accounts.test_signing_in import set_password
from tests.cast import Cast, Person

FIREFOX = "Mozilla/5.0 (Macintosh; Intel Mac OS X 10.15; rv:131.0) Gecko/20100101 Firefox/131.0"
IPHONE = "Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) AppleWebKit/605.1.15 Version/17.5 Mobile Safari/604.1"


@pytest.fixture
async def ann(app: Lectern, cast: Cast) -> Person:
    return await cast.ann()


async def test_an_account_needs_a_sign_in(browser: Browser) -> None:
    for path in ("/account", "/account/sessions"):
        answer = await browser.get(path)
        assert (answer.status_code, answer.headers["Location"]) == (303, f"/login?next={path}")
    for path in ("/account/profile", "/account/password", "/account/verification", "/account/sessions/removal"):
        assert (await browser.post(path)).headers["Location"].startswith("/login")


async def test_a_form_that_was_drawn_for_somebody_else_saves_nothing(ann: Person, cast: Cast) -> None:
    bob, browser = await cast.bob(), Browser(ann.browser)
    page = await body(await browser.get("/account"))
    assert f'<meta name="viewer" content="{ann.public_id}">' in page
    answer = await browser.post("/account/profile", name="Bob Berg", time_zone="", _viewer=bob.public_id)
    assert answer.status_code == 409
    assert f"You are signed in as {ann.name} now" in await body(answer)
    found = await users.find(ann.id)
    assert found is not None and found.name == ann.name
    assert (
        await browser.post("/account/profile", name="Ann B", time_zone="", _viewer=ann.public_id)
    ).status_code == 303


async def test_the_profile_is_saved(ann: Person) -> None:
    browser = Browser(ann.browser)
    answer = await browser.post(
        "/account/profile", name=" Ann B. Archer ", headline="Reads prices", biography="ignored", time_zone="Asia/Tokyo"
    )
    assert (answer.status_code, answer.headers["Location"]) == (303, "/account")
    found = await users.find(ann.id)
    assert found is not None
    assert (found.name, found.headline, found.biography, found.time_zone) == (
        "Ann B. Archer", "Reads prices", "", "Asia/Tokyo"
    )  # fmt: skip
    page = await browser.text("/account")
    assert "Your profile is saved" in page
    assert 'value="Ann B. Archer"' in page
    assert "About you" not in page


async def test_who_teaches_also_writes_a_biography(cast: Cast) -> None:
    ines = await cast.ines()
    browser = Browser(ines.browser)
    assert "About you" in await browser.text("/account")
    await browser.post("/account/profile", name="Ines Ito", headline="", biography="Taught for years.", time_zone="")
    found = await users.find(ines.id)
    assert found is not None
    assert (found.biography, found.time_zone) == ("Taught for years.", None)


@pytest.mark.parametrize(
    "changes",
    [{"name": ""}, {"name": "x" * 101}, {"time_zone": "Mars/Olympus"}, {"headline": "a\x00b"}, {"name": "   "}],
)
async def test_a_profile_that_cannot_be_is_refused(ann: Person, changes: dict[str, str]) -> None:
    form = {"name": "Ann", "headline": "", "time_zone": "", **changes}
    answer = await Browser(ann.browser).post("/account/profile", **form)
    assert answer.status_code == 422
    found = await users.find(ann.id)
    assert found is not None
    assert found.name == "Ann Archer"


async def test_htmx_gets_only_the_part_that_it_aims_at(ann: Person) -> None:
    headers = {"HX-Request": "true", "HX-Target": "div#profile-section"}
    answer = await Browser(ann.browser).post("/account/profile", headers=headers, name="", time_zone="")
    page = await body(answer)
    assert answer.status_code == 422
    assert page.startswith('<div id="profile-section">')
    assert "Tell us what to call you" in page
    assert "password-section" not in page


async def test_times_are_shown_in_ones_own_zone(ann: Person) -> None:
    await db.run("UPDATE sessions SET created_at = '2026-03-01 23:30+00'")
    browser = Browser(ann.browser)
    assert "1 Mar at 23:30" in await browser.text("/account/sessions")
    await browser.post("/account/profile", name="Ann", headline="", time_zone="Asia/Tokyo")
    assert "2 Mar at 08:30" in await browser.text("/account/sessions")


async def test_every_device_is_listed_with_the_present_one_marked(ann: Person, other_browser: Browser) -> None:
    await set_password(ann.id)
    await other_browser.client.post(
        "/login", form={"email": ann.email, "password": "correct horse battery staple"}, headers={"User-Agent": IPHONE}
    )
    await db.run("UPDATE sessions SET user_agent = :agent WHERE user_agent = 'tests'", agent=FIREFOX)
    page = await Browser(ann.browser).text("/account/sessions")
    assert "Firefox on Mac" in page
    assert "Safari on iPhone" in page
    assert page.count("This one") == 1


async def test_another_device_is_signed_out(ann: Person, other_browser: Browser) -> None:
    await set_password(ann.id)
    await other_browser.sign_in(ann.email)
    here = await sessions.of(ann.id)
    theirs = next(one for one in here if one.user_agent != "tests")
    browser = Browser(ann.browser)
    answer = await browser.post(f"/account/sessions/{theirs.public_id}/removal")
    assert (answer.status_code, answer.headers["Location"]) == (303, "/account/sessions")
    assert not await other_browser.is_signed_in()
    assert await browser.is_signed_in()
    assert (await browser.post(f"/account/sessions/{theirs.public_id}/removal")).status_code == 404


async def test_somebody_elses_session_is_not_found(ann: Person, cast: Cast) -> None:
    bob = await cast.bob()
    theirs = (await sessions.of(bob.id))[0]
    answer = await Browser(ann.browser).post(f"/account/sessions/{theirs.public_id}/removal")
    assert answer.status_code == 404
    assert await Browser(bob.browser).is_signed_in()


async def test_ending_ones_own_session_signs_out(ann: Person) -> None:
    browser = Browser(ann.browser)
    mine = (await sessions.of(ann.id))[0]
    answer = await browser.post(f"/account/sessions/{mine.public_id}/removal")
    assert (answer.status_code, answer.headers["Location"]) == (303, "/")
    assert not await browser.is_signed_in()


async def test_all_other_devices_are_signed_out_at_once(ann: Person, app: Lectern, cast: Cast) -> None:
    bob = await cast.bob()
    await set_password(ann.id)
    others = [Browser(app.test_client()) for _ in range(3)]
    for other in others:
        await other.sign_in(ann.email)
    browser = Browser(ann.browser)
    await browser.post("/account/sessions/removal")
    assert "3 other devices are signed out" in await browser.text("/account/sessions")
    assert [await other.is_signed_in() for other in others] == [False] * 3
    assert await browser.is_signed_in()
    assert await Browser(bob.browser).is_signed_in()
    assert await count("sessions") == 2


async def test_sessions_that_ended_are_not_listed(ann: Person) -> None:
    with clock.shifted(timedelta(days=2)):
        assert await sessions.of(ann.id) == []


@pytest.mark.parametrize(
    ("agent", "name"),
    [
        (FIREFOX, "Firefox on Mac"),
        (IPHONE, "Safari on iPhone"),
        ("Mozilla/5.0 (Windows NT 10.0) AppleWebKit/537.36 Chrome/130.0 Safari/537.36 Edg/130.0", "Edge on Windows"),
        ("Mozilla/5.0 (Linux; Android 14) AppleWebKit/537.36 Chrome/130.0 Mobile Safari/537.36", "Chrome on Android"),
        ("curl/8.5.0", "Unknown browser"),
        ("", "Unknown browser"),
    ],
)
def test_a_device_is_called_by_browser_and_system(agent: str, name: str) -> None:
    assert device_of(agent).name == name


async def test_the_account_page_asks_the_database_little(ann: Person) -> None:
    with db.count_queries() as queries:
        await Browser(ann.browser).get("/account")
    assert queries.total <= 5


async def test_a_page_that_was_left_open_takes_nothing_back_that_changed_since(ann: Person, cast: Cast) -> None:
    """The office has put her name right; she chooses a time zone on a page of this morning."""
    browser, rob = Browser(ann.browser), await cast.rob()
    [left_open] = re.findall(r'name="seen"[^>]*value="([^"]+)"', await browser.text("/account"))
    details = {"name": "Ann-Marie Archer", "email": ann.email, "headline": "", "country": "", "time_zone": ""}
    await rob.browser.post(f"/admin/people/{ann.public_id}/details", form=details)
    answer = await browser.post("/account/profile", name=ann.name, time_zone="Europe/Berlin", seen=left_open)
    assert answer.status_code == 409
    page = await body(answer)
    assert "Somebody saved this after you opened it" in page
    assert '<dd class="stored">Ann-Marie Archer</dd>' in page
    found = await users.find(ann.id)
    assert found is not None and (found.name, found.time_zone) == ("Ann-Marie Archer", None)
    [fresh] = re.findall(r'name="seen"[^>]*value="([^"]+)"', page)
    for _click in range(2):
        answer = await browser.post("/account/profile", name=found.name, time_zone="Europe/Berlin", seen=fresh)
        assert answer.status_code == 303
    found = await users.find(ann.id)
    assert found is not None and (found.name, found.time_zone) == ("Ann-Marie Archer", "Europe/Berlin")
