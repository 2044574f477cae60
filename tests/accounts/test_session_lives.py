"""From the first cookie to the last: sessions are new at each change of what they allow, and end everywhere at once."""

from collections.abc import Awaitable, Callable
from datetime import timedelta

import pytest

from app import Lectern
from app.accounts import hashing, queries, sessions
from app.core import clock, db
from tests import everywhere
from tests.accounts.conftest import Browser, Mailbox
from tests.cast import PASSWORD, Cast, Person
from tests.everywhere import address, routes

NEW = "nine quiet otters by the mill"


pytestmark = pytest.mark.usefixtures("unlimited")


@pytest.fixture
async def devices(app: Lectern, ann: Person) -> list[Browser]:
    """Three places where Ann is signed in."""
    made = [Browser(app.test_client()) for _ in range(3)]
    for one in made:
        assert (await one.sign_in(ann.email, keep="y")).status_code == 303
    return made


async def live(devices: list[Browser]) -> list[bool]:
    return [await one.is_signed_in() for one in devices]


async def stolen(app: Lectern, cookie: str | None) -> bool:
    """Whether a copy of this cookie still opens anything."""
    thief = Browser(app.test_client())
    thief.client.set_cookie("localhost", "session", cookie or "")
    return await thief.is_signed_in()


async def test_three_devices_are_signed_in_side_by_side(devices: list[Browser]) -> None:
    """The negative control of what follows."""
    assert await live(devices) == [True, True, True]
    assert len({one.cookie for one in devices}) == 3


async def test_a_cookie_that_was_planted_is_never_taken_over(app: Lectern, ann: Person) -> None:
    browser = Browser(app.test_client())
    browser.client.set_cookie("localhost", "session", "planted-by-mallory")
    await browser.sign_in(ann.email)
    assert browser.cookie != "planted-by-mallory"
    assert not await stolen(app, "planted-by-mallory")


async def change_password(_app: Lectern, devices: list[Browser], ann: Person, _cast: Cast, _box: Mailbox) -> list[bool]:
    answer = await devices[0].post("/account/password", current_password=PASSWORD, new_password=NEW)
    assert answer.status_code == 303
    return [True, False, False]


async def reset_password(app: Lectern, devices: list[Browser], ann: Person, _cast: Cast, box: Mailbox) -> list[bool]:
    stranger = Browser(app.test_client())
    await stranger.post("/password/forgot", email=ann.email)
    assert (await stranger.post(await box.link(ann.email), new_password=NEW)).status_code == 303
    return [False, False, False]


async def sign_out_others(_app: Lectern, devices: list[Browser], ann: Person, _cast: Cast, _box: Mailbox) -> list[bool]:
    assert (await devices[0].post("/account/sessions/removal")).status_code == 303
    return [True, False, False]


async def sign_out(_app: Lectern, devices: list[Browser], ann: Person, _cast: Cast, _box: Mailbox) -> list[bool]:
    assert (await devices[0].post("/logout")).status_code == 303
    return [False, True, True]


def by_the_office(noun: str, **form: str):  # type: ignore[no-untyped-def]
    async def act(_app: Lectern, devices: list[Browser], ann: Person, cast: Cast, _box: Mailbox) -> list[bool]:
        olga = await cast.olga()
        answer = await olga.browser.post(f"/admin/people/{ann.public_id}/{noun}", form=form)
        assert answer.status_code == 303, await answer.get_data(as_text=True)
        return [False, False, False]

    act.__name__ = noun.replace("/", "_")
    return act


ENDS: list[Callable[..., Awaitable[list[bool]]]] = [
    change_password,
    reset_password,
    sign_out_others,
    sign_out,
    by_the_office("suspension", reason="spam"),
    by_the_office("sessions/removal"),
    by_the_office("role", role="support"),
]


@pytest.mark.parametrize("act", ENDS, ids=lambda act: act.__name__)
async def test_an_act_ends_the_sessions_that_it_should(
    app: Lectern,
    devices: list[Browser],
    ann: Person,
    cast: Cast,
    mailbox: Mailbox,
    act: Callable[..., Awaitable[list[bool]]],
) -> None:
    before = [one.cookie for one in devices]
    expected = await act(app, devices, ann, cast, mailbox)
    assert await live(devices) == expected
    rotates = act in (change_password,)
    for cookie, kept in zip(before, expected, strict=True):
        assert await stolen(app, cookie) == (kept and not rotates)


async def test_the_session_is_new_after_each_change_of_what_it_allows(devices: list[Browser], app: Lectern) -> None:
    one = devices[0]
    seen = [one.cookie]
    await one.sign_in("ann@example.org", keep="y")
    seen.append(one.cookie)
    await one.post("/login/confirmation", password=PASSWORD)
    seen.append(one.cookie)
    await one.post("/account/password", current_password=PASSWORD, new_password=NEW)
    seen.append(one.cookie)
    assert len(set(seen)) == 4
    assert [await stolen(app, cookie) for cookie in seen] == [False, False, False, True]


@pytest.mark.parametrize("role", ["owner", "admin", "support", "instructor"])
async def test_half_a_day_without_a_visit_ends_a_session_of_the_office(cast: Cast, role: str) -> None:
    kim = await cast.person("Kim Kern", "kim@example.org", role=role)
    await db.run("UPDATE sessions SET expires_at = expires_at + interval '60 days'")
    visitor = Browser(kim.browser)
    for hours in (11, 22, 33):  # each visit counts
        with clock.shifted(timedelta(hours=hours)):
            assert await visitor.is_signed_in()
    with clock.shifted(timedelta(hours=33) + sessions.STAFF_IDLE + timedelta(seconds=1)):
        assert not await visitor.is_signed_in()


async def test_a_member_who_asked_for_it_is_kept_over_night(cast: Cast) -> None:
    ann = await cast.ann()
    await db.run("UPDATE sessions SET expires_at = expires_at + interval '60 days'")
    with clock.shifted(timedelta(days=13)):
        assert await Browser(ann.browser).is_signed_in()


async def test_no_visit_makes_a_session_live_longer_than_sixty_days(app: Lectern, devices: list[Browser]) -> None:
    for day in range(0, 60, 12):
        with clock.shifted(timedelta(days=day)):
            assert await devices[0].is_signed_in()
    with clock.shifted(sessions.LIFETIME + timedelta(seconds=1)):
        assert not await devices[0].is_signed_in()


async def test_every_cookie_of_every_address_is_for_this_host_over_tls_only(
    app: Lectern, cast: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    olga = await cast.olga()
    await queries.set_password(olga.id, await hashing.hashed(PASSWORD))
    places = await everywhere.one_of_everything(app)
    monkeypatch.setitem(app.config, "SECURE_COOKIES", True)
    form = {
        "email": olga.email,
        "password": PASSWORD,
        "product": "reading-price",
        "name": "Olga",
        "current_password": "x",
    }
    lines: list[str] = []
    for method in ("GET", "POST"):
        for rule in routes(app, method):
            await cast.sign_in(olga)
            kept = next(one.value for one in olga.browser.cookie_jar if one.name == "session")  # type: ignore[union-attr]
            for headers in ({"Cookie": f"__Host-session={kept}"}, {"Cookie": "__Host-sign_in=of-before"}):
                client = app.test_client(use_cookies=False)
                answer = await client.open(
                    address(rule.rule, places), method=method, headers=headers, form=form if method == "POST" else None
                )
                lines += answer.headers.getlist("Set-Cookie")
    assert {line.partition("=")[0] for line in lines} == {
        "__Host-cart",
        "__Host-device",
        "__Host-flash",
        "__Host-passkey",
        "__Host-google",
        "__Host-link",
        "__Host-session",
        "__Host-sign_in",
    }
    for line in lines:
        marks = {part.strip().lower() for part in line.split(";")[1:]}
        assert {"secure", "httponly", "path=/", "samesite=lax"} <= marks, line
        assert not any(mark.startswith("domain") for mark in marks), line
