"""From nothing to a sale: a fresh checkout, bin/run, and a course bought over plain HTTP.

The tests of this file are one story and run in its order.
"""

from __future__ import annotations

import re
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.bare.machine import Started, check_out, free_port, processes_of
from tests.bare.visitor import Page, Visitor

EMAIL = "noor.visser@example.com"
PASSWORD = "five quiet tides at noon"
LIBRARIES = "quart, databases, asyncpg, redis.asyncio, pgqueuer, stripe, webauthn, wtforms, granian"


class Story:
    """What the tests hand on to each other."""

    def __init__(self, folder: Path) -> None:
        self.home = folder / "home"
        self.home.mkdir()
        self.checkout = check_out(folder / "lectern")
        self.port = free_port()
        self.started: Started | None = None
        self.course = ""
        self.visitor: Visitor

    def start(self, *, patience: float) -> Started:
        self.started = Started(self.checkout, self.home, self.port, patience=patience)
        return self.started

    @property
    def running(self) -> Started:
        if self.started is None or self.started.process.poll() is not None:
            pytest.fail("bin/run is not running, so there is nothing to buy from")
        return self.started


@pytest.fixture(scope="module")
def story(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Story]:
    story = Story(tmp_path_factory.mktemp("bare"))
    yield story
    if story.started:
        story.started.end()


def mails_to(started: Started, address: str, count: int, *, seconds: float = 30) -> list[dict[str, object]]:
    """Wait for at least `count` messages to somebody."""
    until = time.monotonic() + seconds
    while True:
        found = httpx.get(
            f"{started.sandbox_url}/mailbox/messages.json", params={"to": address}, timeout=10, trust_env=False
        ).json()
        if len(found) >= count or time.monotonic() > until:
            return list(found)
        time.sleep(0.2)


def buy_a_course(story: Story, visitor: Visitor) -> Page:
    """From the front page to the payment page, as a guest."""
    catalogue = visitor.open(visitor.open("/").link("/courses"))
    courses = dict.fromkeys(link for link in catalogue.links if re.search(r"/courses/[a-z0-9-]+$", link))
    for address in courses:
        page = visitor.open(address)
        if any("/cart" in form.action for form in page.forms) and "it is free" not in page.words:
            story.course = address.rsplit("/", 1)[-1]
            cart = visitor.send(page, "/cart")
            checkout = visitor.open(cart.link("/checkout")) if "/checkout" not in cart.url else cart
            return visitor.send(checkout, "/checkout", email=EMAIL, name="Noor Visser")
    raise AssertionError(f"no course can be bought; looked at {list(courses)}")


def test_it_starts_from_nothing(story: Story) -> None:
    started = story.start(patience=180)
    print(f"\nfrom nothing to ready: {started.seconds:.1f} s")  # noqa: T201 - a figure to watch
    assert "Lectern is ready" in wait_for_words(started)


def wait_for_words(started: Started) -> str:
    until = time.monotonic() + 5
    while "Lectern is ready" not in started.said() and time.monotonic() < until:
        time.sleep(0.05)
    return started.said()


def test_the_terminal_tells_where_everything_is(story: Story) -> None:
    said = wait_for_words(story.running)
    for words in (story.running.url, f"{story.running.sandbox_url}/mailbox", "owner", "member", "4242"):
        assert words in said


def test_a_guest_buys_a_course_with_a_test_card(story: Story) -> None:
    story.visitor = Visitor(story.running.url)
    payment = buy_a_course(story, story.visitor)
    assert payment.url.startswith(story.running.sandbox_url), payment.words[:400]
    form = payment.form("/pay/")
    filling = {"number": "4242 4242 4242 4242", "expiry": "12 / 34", "cvc": "123", "name": "Noor Visser"}
    page = story.visitor.send(payment, "/pay/", **{name: text for name, text in filling.items() if name in form.names})
    assert page.url.startswith(f"{story.running.url}/checkout/success"), f"{page.url}: {page.words[:400]}"
    until = time.monotonic() + 30
    while "paid" not in page.words.lower() and time.monotonic() < until:
        time.sleep(0.3)
        page = story.visitor.open(page.url)
    assert "paid" in page.words.lower()


def test_the_buyer_gets_mail_sets_a_password_and_learns(story: Story) -> None:
    mails = mails_to(story.running, EMAIL, 3)  # the order, the open course, the welcome
    links = [str(link) for mail in mails for link in mail["links"]]  # type: ignore[attr-defined]
    (link, *_more) = [link for link in links if "/password/reset/" in link]
    visitor = Visitor(story.running.url)
    page = visitor.open(link)
    form = page.form("/password/")
    page = visitor.send(page, "/password/", **{name: PASSWORD for name in form.names if "password" in name})
    visitor = Visitor(story.running.url)
    visitor.send(visitor.open("/login"), "/login", email=EMAIL, password=PASSWORD)
    learning = visitor.open("/learn")
    assert any(f"/learn/{story.course}" in link for link in learning.links), learning.words[:400]


def test_the_owner_is_told_of_the_sale(story: Story) -> None:
    (owner, *_more) = re.findall(r"owner +(\S+@\S+)", wait_for_words(story.running))
    assert mails_to(story.running, owner, 1)


def test_stopping_leaves_no_process(story: Story) -> None:
    assert story.running.stop() == 0
    assert processes_of(story.checkout) == []


def seconds_to_load(checkout: Path) -> float:
    """How long this machine takes at the moment to load the largest libraries of a web process."""
    took = []
    for _time in range(3):
        began = time.monotonic()
        subprocess.run([checkout / ".venv" / "bin" / "python", "-c", f"import {LIBRARIES}"], check=True)
        took.append(time.monotonic() - began)
    return min(took)


def test_the_second_start_makes_nothing_anew(story: Story) -> None:
    loading = seconds_to_load(story.checkout)
    started = story.start(patience=60)
    print(f"\nsecond start: {started.seconds:.1f} s, {started.seconds / loading:.1f} times its libraries")  # noqa: T201
    assert started.seconds < 5 * loading  # 2 to 3; making the environment, the school or the bytecode again costs more
    visitor = Visitor(started.url)
    visitor.send(visitor.open("/login"), "/login", email=EMAIL, password=PASSWORD)
    assert any(f"/learn/{story.course}" in link for link in visitor.open("/learn").links)


def test_a_killed_supervisor_leaves_no_process_and_the_next_start_works(story: Story) -> None:
    supervisor = story.running.process
    supervisor.send_signal(signal.SIGKILL)
    supervisor.wait()
    until = time.monotonic() + 20
    while processes_of(story.checkout) and time.monotonic() < until:
        time.sleep(0.1)
    assert processes_of(story.checkout) == []
    story.start(patience=60)
    assert story.running.stop() == 0
