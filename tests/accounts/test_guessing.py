"""Guessing passwords and finding out who has an account: what an attacker with many hands gets, and what they cost others."""

import asyncio
from collections import Counter
from datetime import timedelta
from typing import Any

import pytest
from quart.typing import TestClientProtocol

from app import Lectern
from app.accounts import familiar, hashing, passwords, queries
from app.core import cache, clock, db, limits, queue
from app.core.limits import Limit
from app.web.clients import Proxies
from tests.accounts.conftest import Browser, Mailbox, body
from tests.cast import PASSWORD, Cast

WRONG = "tide under seven clocks"


class Counted:
    """Stands for the slow hash, and counts whose passwords are really looked at."""

    def __init__(self) -> None:
        self.tried: Counter[str] = Counter()

    async def matches(self, stored: str | None, password: str) -> bool:
        self.tried[password] += 1
        await asyncio.sleep(0.002)  # others come in between
        return password == PASSWORD and stored is not None


@pytest.fixture
def counted(monkeypatch: pytest.MonkeyPatch) -> Counted:
    made = Counted()
    monkeypatch.setattr(hashing, "matches", made.matches)
    return made


@pytest.fixture
async def ann(app: Lectern, cast: Cast) -> int:
    person = await cast.ann()
    await queries.set_password(person.id, await hashing.hashed(PASSWORD))
    await db.run("DELETE FROM sessions")
    return person.id


async def guess(client: TestClientProtocol, number: int, **headers: str) -> int:
    form = {"email": "ann@example.org", "password": f"{WRONG} {number}"}
    return int((await client.post("/login", form=form, headers=headers)).status_code)


async def guesses(app: Lectern, count: int, *, spoofing: bool = False, at_once: int = 50) -> Counter[int]:
    """So many guesses, fifty at a time, each from a browser of its own; how they were answered."""
    codes: Counter[int] = Counter()
    for start in range(0, count, at_once):
        headers = [
            {"X-Forwarded-For": f"6.6.{n // 250}.{n % 250}"} if spoofing else {} for n in range(start, start + at_once)
        ]
        answers = [guess(app.test_client(), start + n, **more) for n, more in enumerate(headers)]
        codes.update(await asyncio.gather(*answers))
    return codes


@pytest.mark.usefixtures("store")
async def test_of_five_hundred_guesses_at_once_ten_are_tried(app: Lectern, ann: int, counted: Counted) -> None:
    codes = await guesses(app, 500)
    assert counted.tried.total() <= passwords.TRIES_HERE.count
    assert codes == {422: counted.tried.total(), 429: 500 - counted.tried.total()}


async def test_without_the_limit_all_five_hundred_would_be(
    app: Lectern, ann: int, counted: Counted, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The negative control: what counts is the limit, not some other luck."""

    async def nothing(*_args: Any) -> None:
        return None

    monkeypatch.setattr(limits, "check", nothing)
    monkeypatch.setattr(limits, "take_turn", nothing)
    await guesses(app, 500)
    assert counted.tried.total() == 500


async def test_a_count_that_is_read_before_it_is_written_would_let_more_through(
    app: Lectern, ann: int, counted: Counted, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The negative control of counting in one step: read, wait, write loses updates."""
    seen: dict[str, int] = {}

    async def read_then_write(name: str, key: str, limit: Limit) -> None:
        used = seen.get(f"{name}{key}", 0)
        await asyncio.sleep(0)
        seen[f"{name}{key}"] = used + 1
        if used >= limit.count:
            raise limits.TooMany(retry_after=1)

    monkeypatch.setattr(limits, "check", read_then_write)
    await guesses(app, 100)
    assert counted.tried.total() > passwords.TRIES_HERE.count


async def test_inventing_addresses_does_not_help(app: Lectern, ann: int, counted: Counted) -> None:
    """Nothing stands in front here, so nobody is believed."""
    await guesses(app, 200, spoofing=True)
    assert counted.tried.total() <= passwords.TRIES_HERE.count


@pytest.mark.parametrize("spelling", ["ines@example.org", "INES@example.org", "İNES@example.org", "İnes@Example.ORG"])
async def test_every_spelling_that_finds_an_account_counts_as_one(app: Lectern, cast: Cast, spelling: str) -> None:
    """PostgreSQL makes one small letter of İ, Python two: each i of an address would double the tries."""
    await cast.person("Ines", "ines@example.org")
    assert await queries.credentials_by_email(spelling) is not None
    assert familiar.account_key(spelling) == familiar.account_key("ines@example.org")


@pytest.mark.parametrize(("one", "other"), [("ΑΣ@example.org", "ασ@example.org"), ("STRASSE@x.org", "strasse@x.org")])
async def test_addresses_that_are_one_to_the_database_are_one_to_the_counts(app: Lectern, one: str, other: str) -> None:
    assert await db.value("SELECT lower(:one) = lower(:other)", one=one, other=other)
    assert familiar.account_key(one) == familiar.account_key(other)
    assert familiar.account_key("straße@x.org") != familiar.account_key("strasse@x.org")


async def test_behind_a_proxy_only_what_it_adds_is_believed(
    app: Lectern, ann: int, counted: Counted, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(app.config, "PROXIES", Proxies(1))
    answers = [guess(app.test_client(), n, **{"X-Forwarded-For": f"6.6.6.{n}, 9.9.9.9"}) for n in range(60)]
    await asyncio.gather(*answers)
    assert counted.tried.total() <= passwords.TRIES_HERE.count


@pytest.mark.usefixtures("store")
async def test_many_addresses_together_get_a_hundred_and_then_one_at_a_time(
    app: Lectern, ann: int, counted: Counted, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(app.config, "PROXIES", Proxies(1))
    await guesses(app, 300, spoofing=True)
    assert counted.tried.total() == passwords.TRIES_ANYWHERE.count + 1


async def next_turn() -> None:
    """What time does: the turn of the last one is over."""
    await cache.call(lambda client: client.delete(f"limit:sign-in:turn:{familiar.account_key('ann@example.org')}"))


async def test_an_owner_at_a_strange_machine_waits_and_gets_in_during_an_attack(
    app: Lectern, browser: Browser, ann: int, counted: Counted, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Slowed down, not locked out."""
    monkeypatch.setitem(app.config, "PROXIES", Proxies(hops=1))
    await guesses(app, 150, spoofing=True)
    refused = await browser.sign_in("ann@example.org")
    assert refused.status_code == 429
    assert 1 <= int(refused.headers["Retry-After"]) <= 60
    assert "one by one" in await body(refused)
    await next_turn()
    assert (await browser.sign_in("ann@example.org")).status_code == 303


async def test_the_waits_between_tries_grow_to_a_minute(
    app: Lectern, ann: int, counted: Counted, monkeypatch: pytest.MonkeyPatch
) -> None:
    gaps: list[int] = []

    async def note(_name: str, _key: str, seconds: int) -> None:
        gaps.append(seconds)

    monkeypatch.setattr(limits, "take_turn", note)
    monkeypatch.setitem(app.config, "PROXIES", Proxies(hops=1))
    await guesses(app, 400, spoofing=True, at_once=1)
    assert gaps == sorted(gaps)
    assert (gaps[0], gaps[-1], len(gaps)) == (5, 60, 300)


async def test_without_the_turns_all_would_be_tried(
    app: Lectern, ann: int, counted: Counted, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The negative control."""

    async def nothing(*_args: Any) -> None:
        return None

    monkeypatch.setattr(limits, "take_turn", nothing)
    monkeypatch.setitem(app.config, "PROXIES", Proxies(hops=1))
    await guesses(app, 200, spoofing=True)
    assert counted.tried.total() == 200


async def test_the_owner_hears_of_an_attack_once_a_day(
    app: Lectern, ann: int, counted: Counted, mailbox: Mailbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(app.config, "PROXIES", Proxies(hops=1))
    await guesses(app, 100, spoofing=True)
    assert await mailbox.all() == []
    await guesses(app, 250, spoofing=True)
    (told,) = await mailbox.all("ann@example.org")
    assert "guesses at your password" in told["Subject"]
    with clock.shifted(timedelta(days=1)):
        await guesses(app, 50, spoofing=True)
        assert len(await mailbox.all("ann@example.org")) == 2


async def test_an_address_without_an_account_is_slowed_down_just_the_same(
    app: Lectern, ann: int, counted: Counted, mailbox: Mailbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(app.config, "PROXIES", Proxies(hops=1))
    seen = []
    for email in ("ann@example.org", "eve@example.org"):
        codes = []
        for n in range(103):
            form = {"email": email, "password": WRONG}
            headers = {"X-Forwarded-For": f"7.7.{n}.{len(seen)}"}
            answer = await app.test_client().post("/login", form=form, headers=headers)
            codes.append(
                (answer.status_code, (await answer.get_data(as_text=True)).replace(email, "") if n > 100 else "")
            )
        seen.append([code for code, _words in codes])
    assert seen[0] == seen[1] == [422] * 101 + [429] * 2


async def under_attack(app: Lectern, monkeypatch: pytest.MonkeyPatch) -> None:
    """From everywhere, and from the address that the tests come from."""
    monkeypatch.setitem(app.config, "PROXIES", Proxies(1))
    await guesses(app, 150, spoofing=True)
    await asyncio.gather(*(guess(app.test_client(), n) for n in range(10)))


async def wait_ten_seconds() -> None:
    """The limit of the route, which counts every address by itself."""
    for who in ("address:127.0.0.1", "address:<local>"):
        await limits.forget("accounts.create_session", who, limits.SENSITIVE)


async def test_an_attack_does_not_shut_out_a_browser_that_is_known(
    app: Lectern, browser: Browser, ann: int, counted: Counted, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert (await browser.sign_in("ann@example.org")).status_code == 303
    await browser.post("/logout")
    await under_attack(app, monkeypatch)
    stranger = Browser(app.test_client())
    await wait_ten_seconds()
    assert (await stranger.sign_in("ann@example.org")).status_code == 429
    assert (await browser.sign_in("ann@example.org")).status_code == 303


async def test_without_the_mark_of_the_browser_it_would(
    app: Lectern, browser: Browser, ann: int, counted: Counted, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The negative control."""
    assert (await browser.sign_in("ann@example.org")).status_code == 303
    await browser.post("/logout")
    monkeypatch.setattr(familiar, "known", lambda account: "")
    await under_attack(app, monkeypatch)
    await wait_ten_seconds()
    assert (await browser.sign_in("ann@example.org")).status_code == 429


async def test_a_mailed_link_lets_the_owner_in_during_an_attack(
    app: Lectern, browser: Browser, ann: int, counted: Counted, mailbox: Mailbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    await under_attack(app, monkeypatch)
    # Asking for links is limited too, and the attacker asks: the last of those mails has a good link.
    for _ in range(8):
        await browser.post("/password/forgot", email="ann@example.org")
    await queue.drain()
    link = await mailbox.link("ann@example.org")
    assert (await browser.post(link, new_password="nine quiet otters by the mill")).status_code == 303
    assert await browser.is_signed_in()
    assert (await browser.get("/account")).status_code == 200


async def test_a_known_browser_gets_no_more_tries_than_others(
    app: Lectern, browser: Browser, ann: int, counted: Counted
) -> None:
    """A stolen mark is worth ten tries in a quarter of an hour, and nothing for another account."""
    assert (await browser.sign_in("ann@example.org")).status_code == 303
    await browser.post("/logout")
    counted.tried.clear()
    for number in range(30):
        await wait_ten_seconds()
        await guess(browser.client, number)
    assert counted.tried.total() == passwords.TRIES_HERE.count


@pytest.mark.parametrize("mark", ["", "x", "x" * 3000, "WyJhIl0.Zm9v.c2ln", "[]", "\ud800"])
async def test_an_invented_mark_is_worth_nothing(app: Lectern, ann: int, counted: Counted, mark: str) -> None:
    async def once(number: int) -> None:
        client = app.test_client()
        client.set_cookie("localhost", "device", mark.encode("utf-8", "replace").decode())
        await guess(client, number)

    await asyncio.gather(*(once(number) for number in range(30)))
    assert counted.tried.total() <= passwords.TRIES_HERE.count


async def test_the_mark_of_one_account_does_not_count_for_another(app: Lectern) -> None:
    async with app.test_request_context("/", headers={"Cookie": f"device={mark_of('ann@example.org')}"}):
        assert familiar.known(familiar.account_key("ANN@example.org ")) == "browser-1"
        assert familiar.known(familiar.account_key("bob@example.org")) == ""


def mark_of(email: str) -> str:
    from app.core import tokens

    return tokens.sign([familiar.account_key(email), "browser-1"], "device")


# --- who has an account ---


@pytest.fixture
def work(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What slow work was done, in order. A stopwatch would tell of the machine; this tells of the code."""
    done: list[str] = []
    hasher = hashing._hasher

    class Watched:
        def hash(self, password: bytes) -> str:
            done.append("hash")
            return hasher.hash(password)

        def verify(self, stored: str, password: bytes) -> bool:
            done.append(f"verify {stored.split('$')[3]}")
            return hasher.verify(stored, password)

        def check_needs_rehash(self, stored: str) -> bool:
            return hasher.check_needs_rehash(stored)

    monkeypatch.setattr(hashing, "_hasher", Watched())
    return done


async def told(browser: Browser, path: str, **form: Any) -> tuple[int, str | None, str]:
    answer = await browser.post(path, **form)
    words = await body(answer)
    for one in ("ann@example.org", "bob@example.org", "eve@example.org", "sue@example.org"):
        words = words.replace(one, "EMAIL")
    return answer.status_code, answer.headers.get("Location"), words


@pytest.fixture
async def accounts(ann: int, cast: Cast) -> list[str]:
    """With a password, without one, suspended, and none at all."""
    await cast.bob()
    sue = await cast.person("Sue Sand", "sue@example.org")
    await queries.set_password(sue.id, await hashing.hashed(PASSWORD))
    await db.run("UPDATE users SET state = 'suspended' WHERE id = :id", id=sue.id)
    return ["ann@example.org", "bob@example.org", "sue@example.org", "eve@example.org"]


async def test_a_wrong_sign_in_answers_and_works_the_same_for_everyone(
    app: Lectern, accounts: list[str], work: list[str]
) -> None:
    answers, efforts = set(), set()
    for email in accounts:
        work.clear()
        answers.add(await told(Browser(app.test_client()), "/login", email=email, password=WRONG))
        efforts.add(tuple(work))
    assert len(answers) == 1
    assert efforts == {(f"verify {hashing.NOBODY.split('$')[3]}",)}


async def test_asking_for_a_link_answers_and_works_the_same_for_everyone(
    app: Lectern, accounts: list[str], work: list[str]
) -> None:
    answers, jobs = set(), set()
    for email in accounts:
        before = await db.value("SELECT count(*) FROM pgqueuer")
        answers.add(await told(Browser(app.test_client()), "/password/forgot", email=email))
        jobs.add(await db.value("SELECT count(*) FROM pgqueuer") - before)
    assert (len(answers), jobs, work) == (1, {1}, [])


async def test_registering_answers_and_works_the_same_for_everyone(
    app: Lectern, accounts: list[str], work: list[str]
) -> None:
    answers, efforts = set(), set()
    for email in accounts:
        work.clear()
        answer = await Browser(app.test_client()).register(name="Kim Kern", email=email)
        answers.add((answer.status_code, answer.headers["Location"], answer.headers.get("Set-Cookie")))
        efforts.add(tuple(work))
    assert len(answers) == 1
    assert efforts == {("hash",)}
