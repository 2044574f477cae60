"""Nobody learns which addresses have accounts: the same words, and the same time, for all of them (ASVS 5.0, 6.3.8).

Times are never compared with a clock's: two kinds of requests are sent in turn, in one process, and the least that each took
is put in proportion, once by the clock and once by the processor: what else the machine does only adds to it. What differs by
chance does not do so every time, so a measurement may be taken anew; what differs by design does, as the negative controls
show.
"""

import asyncio
import re
import time
from collections.abc import Awaitable, Callable, Mapping
from itertools import count
from typing import Any, cast

import pytest
from quart import Response

from app import Lectern
from app.accounts import hashing, passwords, queries, users
from app.core import db, limits, queue
from tests.accounts.conftest import Browser
from tests.cast import PASSWORD, Cast

# A hash is most of what these requests cost, and what tells them apart where somebody is not hashed for.
pytestmark = pytest.mark.usefixtures("costly_hashes")

# Times further apart than this tell something; the controls are at more than twice the distance.
BOUND = 1.5
ATTEMPTS = 5
_fresh = count(1)

Send = Callable[[Browser, str], Awaitable[Response]]
Addresses = Mapping[str, Callable[[], str]]


async def sign_in(browser: Browser, email: str) -> Response:
    return await browser.sign_in(email, "not the password of anybody")


async def forgot(browser: Browser, email: str) -> Response:
    return await browser.post("/password/forgot", email=email)


async def mailed_link(browser: Browser, email: str) -> Response:
    return await browser.post("/login/link", email=email)


async def register(browser: Browser, email: str) -> Response:
    return await browser.register(name="Some Body", email=email, password="nine quiet otters by the mill")


# way: how it is sent, and how many of each kind are measured (those with a hash take long)
WAYS: dict[str, tuple[Send, int]] = {
    "sign in": (sign_in, 9),
    "forgot": (forgot, 25),
    "mailed link": (mailed_link, 25),
    "register": (register, 9),
}


def nobody() -> str:
    """An address without an account, another one each time."""
    return f"nobody{next(_fresh):07}@example.org"


@pytest.fixture
async def addresses(cast: Cast) -> Addresses:
    """Kinds of addresses: without an account, and with one in each of its states."""
    stored = await hashing.hashed(PASSWORD)
    for state in ("active", "no password", "unproved", "suspended", "merged"):
        person = await cast.person("Some Body", f"{state.replace(' ', '-')}@example.org", verified=state != "unproved")
        if state != "no password":
            await queries.set_password(person.id, stored)
        if state in ("suspended", "merged"):
            kept = await db.value("SELECT id FROM users WHERE email = 'active@example.org'")
            await db.run(
                "UPDATE users SET state = :state, merged_into_id = CAST(:kept AS bigint) WHERE id = :id",
                state=state,
                kept=kept if state == "merged" else None,
                id=person.id,
            )
    rows = await db.many(db.Row, "SELECT email FROM users ORDER BY id")
    kinds: dict[str, Callable[[], str]] = {row.email.partition("@")[0]: _always(row.email) for row in rows}
    return {"nobody": nobody, **kinds}


def _always(email: str) -> Callable[[], str]:
    return lambda: email


# By text


def without_address(text: str, email: str) -> str:
    """A page without the address that was typed, and without what is another one in each form."""
    text = re.sub(r'name="(opened|once|ref)"[^>]*value="[^"]*"', r'name="\1"', text)
    text = re.sub(r'value="[^"]*"([^>]*)name="(opened|once|ref)"', r"\1", text)
    return re.sub(r"[0-9a-f]{16}", "", text.replace(email, "…").replace(email.replace("@", "%40"), "…"))


@pytest.mark.parametrize("way", WAYS)
async def test_all_addresses_are_answered_with_the_same_words(app: Lectern, addresses: Addresses, way: str) -> None:
    send, found = WAYS[way][0], {}
    for kind, address in addresses.items():
        browser, email = Browser(app.test_client()), address()
        answer = await send(browser, email)
        page = await browser.text(answer.headers["Location"]) if answer.status_code == 303 else ""
        found[kind] = (
            answer.status_code,
            without_address(answer.headers.get("Location", ""), email),
            sorted(header for header, _value in answer.headers.items() if header != "Content-Length"),
            sorted(cookie.partition("=")[0] for cookie in answer.headers.getlist("Set-Cookie")),
            without_address(await answer.get_data(as_text=True), email),
            without_address(page, email),
        )
        await limits.forget_all()
    assert {kind: said for kind, said in found.items() if said != found["nobody"]} == {}


async def test_the_right_password_alone_tells_what_became_of_an_account(app: Lectern, addresses: Addresses) -> None:
    """The negative control: words do differ for whoever proves who they are."""
    said = [
        await (await Browser(app.test_client()).sign_in(addresses[kind]())).get_data(as_text=True)
        for kind in ("suspended", "merged")
    ]
    assert "is suspended" in said[0]
    assert "was merged" in said[1]


# By time


async def apart(app: Lectern, send: Send, kinds: Addresses, rounds: int) -> float:
    """How far the least times of these kinds are apart, as a proportion: the worse of clock and processor."""
    clock: dict[str, list[float]] = {kind: [] for kind in kinds}
    processor: dict[str, list[float]] = {kind: [] for kind in kinds}
    for turn in range(rounds + 1):
        for kind in sorted(kinds, reverse=bool(turn % 2)):
            browser, email = Browser(app.test_client()), kinds[kind]()
            await limits.forget_all()
            await asyncio.sleep(0)
            began, worked = time.perf_counter(), time.process_time()
            await send(browser, email)
            took, reckoned = time.perf_counter() - began, time.process_time() - worked
            if turn:  # the first one warms up
                clock[kind].append(took)
                processor[kind].append(reckoned)
    return max(_apart(clock), _apart(processor))


def _apart(taken: Mapping[str, list[float]]) -> float:
    least = [min(one) for one in taken.values()]
    return max(least) / max(min(least), 1e-9)


async def is_told_by_time(app: Lectern, send: Send, kinds: Addresses, rounds: int) -> bool:
    """Whether the kinds differ each time that they are measured."""
    for _attempt in range(ATTEMPTS):
        if await apart(app, send, kinds, rounds) < BOUND:
            return False
    return True


TOLD_APART = [
    ("sign in", ("nobody", "active", "no-password", "suspended")),
    ("forgot", ("nobody", "active", "suspended")),
    ("mailed link", ("nobody", "active", "suspended")),
    ("register", ("nobody", "active")),
]


@pytest.mark.parametrize(("way", "kinds"), TOLD_APART, ids=[way for way, _kinds in TOLD_APART])
async def test_all_addresses_take_the_same_time(
    app: Lectern, addresses: Addresses, way: str, kinds: tuple[str, ...]
) -> None:
    send, rounds = WAYS[way]
    assert not await is_told_by_time(app, send, {kind: addresses[kind] for kind in kinds}, rounds)


async def without_a_hash_for_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    matches = hashing.matches

    async def at_once(stored: str | None, password: str) -> bool:
        return stored is not None and await matches(stored, password)

    monkeypatch.setattr(hashing, "matches", at_once)


async def looking_before_hashing(monkeypatch: pytest.MonkeyPatch) -> None:
    register_all = users.register

    async def only_new(**form: Any) -> None:
        if await users.find_by_email(form["email"]) is None:
            await register_all(**form)

    monkeypatch.setattr(users, "register", only_new)


async def mailing_in_the_request(monkeypatch: pytest.MonkeyPatch) -> None:
    ask = passwords.ask_for_reset

    async def and_wait(email: str) -> None:
        await ask(email)
        if await queries.user_by_email(email) is not None:
            await queue.drain()

    monkeypatch.setattr(passwords, "ask_for_reset", and_wait)


Fault = Callable[[pytest.MonkeyPatch], Awaitable[None]]
FAULTS: list[tuple[str, Fault]] = [
    ("sign in", without_a_hash_for_nobody),
    ("register", looking_before_hashing),
    ("forgot", mailing_in_the_request),
]


@pytest.mark.parametrize(("way", "fault"), FAULTS, ids=[fault.__name__ for _way, fault in FAULTS])
async def test_the_measurement_sees_such_a_fault(
    app: Lectern, addresses: Addresses, monkeypatch: pytest.MonkeyPatch, way: str, fault: Fault
) -> None:
    """The negative controls: without what makes them alike, the times differ each time."""
    await fault(monkeypatch)
    send, rounds = WAYS[way]
    kinds = {kind: addresses[kind] for kind in ("nobody", "active")}
    assert await is_told_by_time(app, send, kinds, min(rounds, 7))


def test_what_nobody_is_checked_against_costs_what_a_password_costs() -> None:
    parts = cast(re.Match[str], re.match(r"\$argon2id\$v=19\$(m=\d+,t=\d+,p=\d+)\$", hashing.NOBODY))
    made = hashing._hasher
    assert parts[1] == f"m={made.memory_cost},t={made.time_cost},p={made.parallelism}"
