"""The people of a fault run: guests and members who buy, members who learn, an owner who gives money back.

Each is a browser that reads pages and sends forms. What the school acknowledged is written into `Told`, and must be
true ever after. A failed request is tried again, as people do; what a failed write may have done is kept as possible.
"""

from __future__ import annotations

import asyncio
import random
import re
import time
from collections import defaultdict
from dataclasses import dataclass, field

import httpx

from tests.faults.stack import LESSONS, OWNER, PASSWORD, Person, Stack

CARD = {"number": "4242 4242 4242 4242", "expiry": "12 / 40", "cvc": "123", "name": "A Buyer", "method": "card"}
_QUOTE = re.compile(r'name="quote"[^>]*value="([^"]+)"|value="([^"]+)"[^>]*name="quote"')
_ORDER = re.compile(r"order=([0-9a-z]+)")
TRIES = 40


@dataclass(frozen=True, slots=True)
class Answer:
    """What one request brought: a status, or 0 when no answer came. `at` is when it was sent (monotonic seconds)."""

    at: float
    seconds: float
    method: str
    path: str
    status: int
    why: str = ""


@dataclass
class Place:
    """The positions of one lesson: what was last acknowledged, and what else may stand there.

    `refused` were answered with an error since then and may have been kept all the same; `late` were never answered
    and may arrive at any time.
    """

    acknowledged: int | None = None
    refused: set[int] = field(default_factory=set)
    late: set[int] = field(default_factory=set)

    def note(self, position: int, status: int) -> None:
        """Write down what became of one write; status 0 is no answer."""
        if status == 204:
            self.acknowledged = position
            self.refused.clear()
        else:
            (self.refused if status else self.late).add(position)

    def allows(self, position: int) -> bool:
        """Whether nothing acknowledged was lost when this stands there."""
        return self.acknowledged is None or position in {self.acknowledged, *self.refused, *self.late}


@dataclass
class Told:
    """What the school and Stripe acknowledged."""

    answers: list[Answer] = field(default_factory=list)
    # Payment pages that took the money, with the buyer's address and the course.
    paid: dict[str, tuple[str, str]] = field(default_factory=dict)
    # Orders that the school showed as paid.
    shown_paid: set[str] = field(default_factory=set)
    places: dict[tuple[int, int], Place] = field(default_factory=lambda: defaultdict(Place))
    completed: set[tuple[int, int]] = field(default_factory=set)
    # Orders whose refund was accepted.
    refunded: set[str] = field(default_factory=set)
    gave_up: list[str] = field(default_factory=list)


class Browser:
    """One visitor with cookies and an address of their own; every request is noted."""

    def __init__(self, stack: Stack, told: Told, address: str, *, patience: float = 15.0) -> None:
        self.stack, self.told = stack, told
        self.headers = {"X-Forwarded-For": address, "Sec-Fetch-Site": "same-origin"}
        self.http = httpx.AsyncClient(base_url=stack.url, timeout=patience, trust_env=False, headers=self.headers)

    async def close(self) -> None:
        await self.http.aclose()

    async def ask(self, method: str, url: str, data: dict[str, str] | None = None) -> httpx.Response | None:
        """One request; None when no answer came."""
        began = time.monotonic()
        try:
            response = await self.http.request(method, url, data=data)
        except httpx.HTTPError as error:
            self._note(began, method, url, 0, type(error).__name__)
            return None
        self._note(began, method, url, response.status_code, "")
        return response

    def _note(self, began: float, method: str, url: str, status: int, why: str) -> None:
        if url.startswith("/"):
            self.told.answers.append(Answer(began, time.monotonic() - began, method, url.split("?")[0], status, why))

    async def until(
        self, method: str, url: str, wanted: tuple[int, ...], data: dict[str, str] | None = None
    ) -> httpx.Response:
        """Ask until a wanted answer comes, as a patient person does. Raises GaveUp in the end."""
        last: httpx.Response | None = None
        for attempt in range(TRIES):
            last = await self.ask(method, url, data)
            if last is not None and last.status_code in wanted:
                return last
            await asyncio.sleep(min(0.2 * (attempt + 1), 1.5))
        raise GaveUp(f"{method} {url}: {last.status_code if last is not None else 'no answer'}")


class GaveUp(Exception):
    """Somebody tried for long and came to nothing."""


class Crowd:
    """Everybody at once, until told to stop; then each finishes what they began."""

    def __init__(self, stack: Stack, told: Told, dice: random.Random) -> None:
        self.stack, self.told, self.dice = stack, told, dice
        self.stopping = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []
        self._count = 0

    def start(self, *, buyers: int = 3, learners: int = 3, refunds: bool = True) -> None:
        for number in range(buyers):
            self._go(self._buy_on(number))
        for member in self.stack.members[:learners]:
            self._go(self._learn_on(member))
        if refunds:
            self._go(self._refund_on())

    def _go(self, work: object) -> None:
        self._tasks.append(asyncio.create_task(work))  # type: ignore[arg-type]

    async def finish(self) -> None:
        """Let everybody finish. What raises here is a fault of the harness."""
        self.stopping.set()
        await asyncio.gather(*self._tasks)

    async def _pause(self, most: float) -> None:
        await asyncio.sleep(self.dice.random() * most)

    async def _buy_on(self, number: int) -> None:
        while not self.stopping.is_set():
            self._count += 1
            mark = f"{number}-{self._count}"
            browser = Browser(self.stack, self.told, f"10.1.{number}.{self._count % 250 + 1}")
            try:
                await self._buy(
                    browser, f"guest-{mark}@example.org", f"course-{self.dice.randrange(len(self.stack.courses))}"
                )
            except GaveUp as error:
                self.told.gave_up.append(str(error))
            finally:
                await browser.close()
            await self._pause(0.5)

    async def _buy(self, browser: Browser, email: str, slug: str) -> None:
        await browser.until("GET", f"/courses/{slug}", (200,))
        page = await self._payment_page(browser, email, slug)
        await self._pause(0.3)
        order = await self._pay(browser, page, email, slug)
        await browser.until("GET", order, (200,))
        for _look in range(120):
            answer = await browser.ask("GET", order)
            if answer is not None and answer.status_code == 200 and "Thank you" in answer.text:
                self.told.shown_paid.add(_ORDER.findall(order)[0])
                return
            await asyncio.sleep(0.5)
        raise GaveUp(f"{order} was paid and never shown so")

    async def _payment_page(self, browser: Browser, email: str, slug: str) -> str:
        """From the course to the payment page's address, beginning again where something failed."""
        for _attempt in range(TRIES):
            await browser.until("POST", "/cart/items", (303,), {"product": slug})
            checkout = await browser.until("GET", "/checkout", (200, 303))
            found = _QUOTE.search(checkout.text)
            if found is None:
                continue
            form = {"quote": found[1] or found[2], "email": email, "name": f"Buyer {email.partition('@')[0]}"}
            answer = await browser.ask("POST", "/checkout", form)
            if answer is not None and answer.status_code == 303 and "/pay/" in answer.headers["Location"]:
                return str(answer.headers["Location"])
            await self._pause(1.5)
        raise GaveUp(f"{email} never reached the payment page")

    async def _pay(self, browser: Browser, page: str, email: str, slug: str) -> str:
        """Pay at the local Stripe, which is never at fault itself; the address that it leads back to."""
        for _attempt in range(TRIES):
            answer = await browser.ask("POST", page, CARD)
            if answer is not None and answer.status_code == 303:
                self.told.paid[page.rsplit("/", 1)[-1]] = (email, slug)
                return str(answer.headers["Location"]).removeprefix(self.stack.url)
            if answer is not None and answer.status_code == 410:
                raise GaveUp(f"{page} had expired")
            await self._pause(1.0)
        raise GaveUp(f"{page} could not be paid")

    async def _sign_in(self, browser: Browser, email: str) -> None:
        await browser.until("POST", "/login", (303,), {"email": email, "password": PASSWORD, "next": "", "keep": "y"})

    async def _learn_on(self, member: Person) -> None:
        browser = Browser(self.stack, self.told, f"10.2.0.{member.id % 250 + 1}")
        course = self.stack.courses[0]
        try:
            await self._sign_in(browser, member.email)
            while not self.stopping.is_set():
                number = self.dice.randrange(LESSONS)
                await self._learn(
                    browser, member, f"/learn/{course.slug}/lesson-{number + 1}", course.lesson_ids[number]
                )
                await self._pause(0.3)
        except GaveUp as error:
            self.told.gave_up.append(str(error))
        finally:
            await browser.close()

    async def _learn(self, browser: Browser, member: Person, path: str, lesson_id: int) -> None:
        await browser.until("GET", path, (200,))
        place = self.told.places[member.id, lesson_id]
        for _second in range(3):
            position = self.dice.randrange(1, 300)
            answer = await browser.ask("POST", f"{path}/position", {"position": str(position)})
            place.note(position, answer.status_code if answer is not None else 0)
            await self._pause(0.1)
        if self.dice.random() < 0.3:
            answer = await browser.ask("POST", f"{path}/completion", {})
            if answer is not None and answer.status_code == 303:
                self.told.completed.add((member.id, lesson_id))

    async def _refund_on(self) -> None:
        """Every few seconds the owner gives back what somebody paid."""
        browser = Browser(self.stack, self.told, "10.3.0.1")
        try:
            await self._sign_in(browser, OWNER)
            while not self.stopping.is_set():
                waiting = sorted(self.told.shown_paid - self.told.refunded)
                if len(waiting) > 2:
                    await self._refund(browser, self.dice.choice(waiting))
                await self._pause(3.0)
        except GaveUp as error:
            self.told.gave_up.append(str(error))
        finally:
            await browser.close()

    async def _refund(self, browser: Browser, order: str) -> None:
        page = await browser.until("GET", f"/admin/orders/{order}", (200,))
        ref = re.search(r'name="ref"[^>]*value="([^"]+)"|value="([^"]+)"[^>]*name="ref"', page.text)
        amount = re.search(r'name="amount"[^>]*value="([^"]+)"|value="([^"]+)"[^>]*name="amount"', page.text)
        number = re.search(r'id="refund".*?(\d{4,})\. This cannot be taken back', page.text, re.DOTALL)
        if ref is None or amount is None or number is None:
            return
        form = {
            "ref": ref[1] or ref[2],
            "amount": amount[1] or amount[2],
            "reason": "asked for",
            "confirmation": number[1],
        }
        answer = await browser.ask("POST", f"/admin/orders/{order}/refunds", form)
        if answer is not None and answer.status_code == 303:
            self.told.refunded.add(order)
