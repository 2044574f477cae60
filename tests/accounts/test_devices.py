"""Devices: where somebody is signed in, how many at most, and the mail about one that the account did not know."""

import asyncio
import re
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from netaddr import IPSet  # type: ignore[import-untyped]

from app import Lectern
from app.accounts import familiar, hashing, jobs, lock, places, queries, sessions
from app.accounts.events import NewDevice
from app.accounts.jobs import mail_new_device
from app.core import clock, db
from app.core.limits import Limit
from app.web.clients import Proxies
from tests.accounts.conftest import Browser, Mailbox, body, count, text_of
from tests.cast import PASSWORD, Cast, Person

NEW = "nine quiet otters by the mill"
FIREFOX = "Mozilla/5.0 (Macintosh; Intel Mac OS X 10.15; rv:131.0) Gecko/20100101 Firefox/131.0"


pytestmark = pytest.mark.usefixtures("unlimited")


@pytest.fixture
async def ann(cast: Cast) -> Person:
    """Ann was here before."""
    person = await cast.ann()
    await queries.set_password(person.id, await hashing.hashed(PASSWORD))
    await db.run("UPDATE users SET last_seen_at = now() WHERE id = :id", id=person.id)
    return person


async def alerts(mailbox: Mailbox, email: str = "ann@example.org") -> list[str]:
    return [text_of(mail) for mail in await mailbox.all(email) if "new device" in mail["Subject"]]


async def link_of(mailbox: Mailbox) -> str:
    found = re.search(r"http://localhost(/not-me/\S+)", (await alerts(mailbox))[-1])
    assert found
    return found[1]


# --- the list ---


async def test_the_list_says_how_and_from_where_each_sign_in_came_and_when_it_ends(
    ann: Person, browser: Browser, monkeypatch: pytest.MonkeyPatch, app: Lectern
) -> None:
    monkeypatch.setitem(app.config, "PROXIES", Proxies(hops=1))
    monkeypatch.setitem(app.config, "COUNTRY_HEADER", "CF-IPCountry")
    headers = {"User-Agent": FIREFOX, "X-Forwarded-For": "203.0.113.7", "CF-IPCountry": "AT"}
    form = {"email": ann.email, "password": PASSWORD, "keep": "y"}
    assert (await browser.post("/login", headers=headers, **form)).status_code == 303
    page = await browser.text("/account/sessions")
    assert "Firefox on Mac" in page
    assert re.search(r"With the password, on \d+ \w+ at [\d:]+, from 203\.0\.113\.7 \(Austria\)", page)
    assert re.search(r"Ends \d+ \w+ at [\d:]+ unless it is used before, at the latest \d+ \w+", page)


async def test_a_brief_sign_in_ends_for_good(ann: Person, browser: Browser) -> None:
    await browser.sign_in(ann.email)
    (one, *_more) = await sessions.of(ann.id)
    assert sessions.idle_until(one) == one.expires_at
    assert "at the latest" in await browser.text("/account/sessions")


async def test_the_office_is_not_kept_in_over_night(cast: Cast) -> None:
    olga = await cast.olga()
    await db.run("UPDATE sessions SET expires_at = now() + interval '60 days'")
    (one,) = await sessions.of(olga.id)
    assert one.is_staff
    assert sessions.idle_until(one) - one.last_seen_at == sessions.STAFF_IDLE
    with clock.shifted(timedelta(hours=13)):
        assert await sessions.of(olga.id) == []  # over, so it is not in the list either
        assert not await Browser(olga.browser).is_signed_in()


async def test_the_oldest_of_too_many_sessions_goes(app: Lectern, ann: Person, browser: Browser) -> None:
    for number in range(sessions.MOST):
        await db.run(
            """
            INSERT INTO sessions (public_id, token_hash, user_id, created_at, fresh_at, last_seen_at, expires_at)
            SELECT 's' || :n, sha256(CAST('s' || :n AS bytea)), :id, at, at, at, now() + interval '1 day'
            FROM (SELECT now() - interval '2 days' + :n * interval '1 minute' AS at) AS t
            """.replace(":n", str(number)),
            id=ann.id,
        )
    assert (await browser.sign_in(ann.email)).status_code == 303
    left = {row.public_id for row in await db.many(db.Row, "SELECT public_id FROM sessions")}
    assert len(left) == sessions.MOST
    assert await browser.is_signed_in()
    assert {"s0", "s1"} & left == set()
    assert f"s{sessions.MOST - 1}" in left


# --- the place ---


@pytest.mark.parametrize(
    ("trusted", "header", "said"), [(0, "CF-IPCountry", ""), (1, "", ""), (1, "CF-IPCountry", "AT")]
)
async def test_a_country_is_believed_only_from_a_proxy_that_is_trusted(
    app: Lectern, monkeypatch: pytest.MonkeyPatch, trusted: int, header: str, said: str
) -> None:
    monkeypatch.setitem(app.config, "PROXIES", Proxies(hops=trusted))
    monkeypatch.setitem(app.config, "COUNTRY_HEADER", header)
    async with app.test_request_context("/", headers={"CF-IPCountry": "at", "X-Forwarded-For": "203.0.113.7"}):
        assert places.country_of_request() == said


@pytest.mark.parametrize("said", ["", "XX", "T1", "AUT", "<b", "ÄT", "A\u0661"])
async def test_what_is_no_country_is_no_place(app: Lectern, monkeypatch: pytest.MonkeyPatch, said: str) -> None:
    monkeypatch.setitem(app.config, "PROXIES", Proxies(hops=1))
    monkeypatch.setitem(app.config, "COUNTRY_HEADER", "CF-IPCountry")
    async with app.test_request_context("/", headers={"X-Forwarded-For": "203.0.113.7"}):
        monkeypatch.setattr(places, "request", type("R", (), {"headers": {"CF-IPCountry": said}}))
        assert places.country_of_request() == ""


async def test_a_database_of_places_names_the_city(
    app: Lectern, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    from mmdb_writer import MMDBWriter  # type: ignore[import-untyped]

    writer = MMDBWriter(ip_version=6, ipv4_compatible=True, database_type="Test-City", languages=["en"])
    city = {"city": {"names": {"en": "Graz"}}, "country": {"iso_code": "AT"}}
    writer.insert_network(IPSet(["203.0.113.0/24"]), city)
    writer.to_db_file(str(tmp_path / "city.mmdb"))
    monkeypatch.setitem(app.config, "GEOIP_DATABASE", str(tmp_path / "city.mmdb"))
    async with app.test_request_context("/"):
        assert places.place_of("203.0.113.7") == "Graz, Austria"
        assert places.place_of("198.51.100.1", "DE") == "Germany"
        assert places.place_of("198.51.100.1") == ""
        assert places.place_of("<local>") == places.place_of(None) == ""


async def test_a_database_that_is_broken_or_away_costs_only_the_place(
    app: Lectern, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "broken.mmdb").write_bytes(b"nothing")
    for path in (tmp_path / "broken.mmdb", tmp_path / "away.mmdb"):
        monkeypatch.setitem(app.config, "GEOIP_DATABASE", str(path))
        async with app.test_request_context("/"):
            assert places.place_of("203.0.113.7", "AT") == "Austria"


# --- a new device ---


async def test_a_browser_that_the_account_does_not_know_is_told_of_once(
    ann: Person, browser: Browser, mailbox: Mailbox
) -> None:
    await browser.post("/login", headers={"User-Agent": FIREFOX}, email=ann.email, password=PASSWORD)
    (told,) = await alerts(mailbox)
    assert "Firefox on Mac" in told
    assert "/not-me/" in told
    await browser.post("/logout")
    await browser.sign_in(ann.email)
    assert len(await alerts(mailbox)) == 1


async def test_without_the_mark_of_the_browser_each_sign_in_would_be_told_of(
    ann: Person, browser: Browser, mailbox: Mailbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The negative control."""
    monkeypatch.setattr(familiar, "is_known_since", lambda account, moment: False)
    for _ in range(2):
        await browser.sign_in(ann.email)
        await browser.post("/logout")
    assert len(await alerts(mailbox)) == 2


async def test_the_very_first_sign_in_of_an_account_is_not_told_of(
    browser: Browser, other_browser: Browser, mailbox: Mailbox
) -> None:
    await browser.register()
    await browser.sign_in("ann@example.org")
    assert await alerts(mailbox) == []
    await other_browser.sign_in("ann@example.org")
    assert len(await alerts(mailbox)) == 1


async def test_four_people_at_one_machine_are_all_known(
    app: Lectern, cast: Cast, browser: Browser, mailbox: Mailbox
) -> None:
    people = [await cast.person(f"Kim {n}", f"kim{n}@example.org") for n in range(5)]
    for person in people:
        await queries.set_password(person.id, await hashing.hashed(PASSWORD))
    for person in [*people, people[4], people[1]]:  # the first is forgotten: the machine knows four
        assert (await browser.sign_in(person.email)).status_code == 303
        await browser.post("/logout")
    assert await mailbox.all() == []
    await browser.sign_in(people[0].email)
    assert len(await alerts(mailbox, "kim0@")) == 1


@pytest.mark.parametrize("said", [True, False])
async def test_after_it_was_not_me_a_browser_that_was_known_is_a_stranger(
    ann: Person, browser: Browser, cast: Cast, mailbox: Mailbox, said: bool
) -> None:
    """Whoever was in keeps the mark of the browser; coming back with the new password, they are told of as at first."""
    await browser.post("/login", headers={"User-Agent": FIREFOX}, email=ann.email, password=PASSWORD)
    (first,) = await alerts(mailbox)
    bob = await cast.bob()
    await queries.set_password(bob.id, await hashing.hashed(PASSWORD))
    if said:
        link = re.search(r"/not-me/\S+", first)
        assert link is not None
        await Browser(ann.browser).post(link[0])
    await queries.set_password(ann.id, await hashing.hashed(NEW))
    await browser.post("/logout")
    await browser.sign_in(bob.email)  # which makes the mark new for Bob alone
    await browser.post("/logout")
    for _time in range(2):
        assert (await browser.sign_in(ann.email, NEW)).status_code == 303
        await browser.post("/logout")
    assert len(await alerts(mailbox)) == (2 if said else 1)


@pytest.mark.parametrize("limited", [True, False])
async def test_whoever_signs_in_again_and_again_fills_no_mailbox(
    app: Lectern, ann: Person, mailbox: Mailbox, monkeypatch: pytest.MonkeyPatch, limited: bool
) -> None:
    """Somebody registered an address that is not theirs, and comes with a browser that forgets."""
    if not limited:
        monkeypatch.setattr(jobs, "DEVICE_MAILS", Limit(1000, 60 * 60))
    for _time in range(14):
        await Browser(app.test_client()).sign_in(ann.email)
    assert len(await alerts(mailbox)) == (10 if limited else 14)


async def test_the_job_run_twice_mails_once(ann: Person, mailbox: Mailbox) -> None:
    event = NewDevice(ann.id, "session-1", FIREFOX, "203.0.113.7", "Graz, Austria", clock.now().isoformat())
    await asyncio.gather(mail_new_device(event), mail_new_device(event))
    (told,) = await alerts(mailbox)
    assert "Graz, Austria, from 203.0.113.7" in told


async def test_a_sign_in_that_fails_half_way_mails_nothing_and_leaves_nothing(
    app: Lectern, ann: Person, browser: Browser, mailbox: Mailbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = await count("sessions")

    async def dies(*_args: Any, **_kwargs: Any) -> None:
        raise RuntimeError("killed")

    monkeypatch.setattr(queries, "delete_oldest_sessions", dies)
    assert (await browser.sign_in(ann.email)).status_code == 500
    assert await alerts(mailbox) == []
    assert await count("sessions") == before


# --- it was not me ---


async def test_it_was_not_me_shuts_everybody_out_and_asks_for_a_new_password(
    app: Lectern, ann: Person, browser: Browser, mailbox: Mailbox
) -> None:
    thief = browser
    await thief.sign_in(ann.email)
    link = await link_of(mailbox)
    owner = Browser(app.test_client())
    page = await owner.get(link)
    assert page.status_code == 200
    assert page.headers["Referrer-Policy"] == "same-origin"
    assert await thief.is_signed_in()  # looking at it did nothing
    answer = await owner.post(link)
    assert answer.headers["Location"].startswith("/password/reset/")
    assert not await thief.is_signed_in()
    assert not await Browser(ann.browser).is_signed_in()
    assert (await thief.sign_in(ann.email)).status_code == 422  # the password is worth nothing any more
    assert (await owner.post(answer.headers["Location"], new_password=NEW)).status_code == 303
    assert await owner.is_signed_in()
    actions = [row.action for row in await db.many(db.Row, "SELECT action FROM audit_log ORDER BY id")]
    assert actions[-2:] == ["account.lock", "password.reset"]


async def test_the_link_works_once_in_one_browser(
    ann: Person, browser: Browser, other_browser: Browser, mailbox: Mailbox
) -> None:
    await browser.sign_in(ann.email)
    link = await link_of(mailbox)
    answers = await asyncio.gather(other_browser.post(link), Browser(browser.client).post(link))
    assert sorted(answer.headers["Location"].split("/")[1] for answer in answers) == ["not-me", "password"]
    assert (await other_browser.get(link)).status_code == 410


@pytest.mark.parametrize("token", ["x", "x" * 300, "%00", "GxR0H_Xwn_dPEh5ysIzhwk9oOwjyuvfrcSbUjQCnU-4"])
async def test_an_invented_link_does_nothing(ann: Person, browser: Browser, token: str) -> None:
    assert (await browser.get(f"/not-me/{token}")).status_code == 404
    await browser.post(f"/not-me/{token}")
    assert await Browser(ann.browser).is_signed_in()


async def test_the_link_ends_after_a_week(ann: Person, browser: Browser, mailbox: Mailbox) -> None:
    await browser.sign_in(ann.email)
    link = await link_of(mailbox)
    with clock.shifted(timedelta(days=8)):
        assert (await browser.get(link)).status_code == 410
        await browser.post(link)
    assert await Browser(ann.browser).is_signed_in()


async def test_a_link_to_an_address_that_was_given_up_locks_and_opens_nothing(
    ann: Person, browser: Browser, mailbox: Mailbox
) -> None:
    await browser.sign_in(ann.email)
    link = await link_of(mailbox)
    await db.run("UPDATE users SET email = 'new@example.org' WHERE id = :id", id=ann.id)
    assert (await browser.post(link)).headers["Location"] == "/password/forgot"
    assert not await browser.is_signed_in()


async def test_a_lock_that_dies_half_way_leaves_all_as_it_was(
    ann: Person, browser: Browser, mailbox: Mailbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    await browser.sign_in(ann.email)
    link = await link_of(mailbox)

    async def dies(*_args: Any) -> None:
        raise RuntimeError("killed")

    with monkeypatch.context() as broken:
        broken.setattr(lock.queries, "forget_password", dies)
        assert (await browser.post(link)).status_code == 500
    assert await browser.is_signed_in()
    assert (await browser.post(link)).headers["Location"].startswith("/password/reset/")


async def test_the_links_page_keeps_its_words(ann: Person, browser: Browser, mailbox: Mailbox) -> None:
    await browser.sign_in(ann.email)
    assert "Take your account back" in await body(await browser.get(await link_of(mailbox)))
