"""Many people send a form while its processes are killed and the service that it hands entries to goes away.

A visitor fetches the page's stamp, sends, and sends the same again when no answer came, as browsers and people do; some
press twice. Afterwards each of them has one entry, and the service has got each of these once under its key.
"""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

import httpx

from app.core import db, tokens
from app.formbuilder.definition import definitions, versions
from app.formbuilder.delivery import connections
from app.gateways.outgoing import Outgoing
from app.sandbox.providers.channels import Webhook
from tests.faults.proofs import Figures
from tests.faults.stack import SECRET_KEY, Stack

SLUG = "apply"
# Browsers at work at once, and how many pages each opens before it begins to send.
BROWSERS, PAGES = 24, 10
TRIES = 80
# A person presses twice, this one of so many.
TWICE = 7
# Seconds between two blows: granian takes a process that dies again within 5.5 s for a crash loop.
BREATH = 9.0
# Seconds within which everything has left after the last.
SETTLED_WITHIN = {False: 120.0, True: 1200.0}


@dataclass
class Crowd:
    """Who sent, and what each was told."""

    stack: Stack
    count: int
    thanked: set[int] = field(default_factory=set)
    gave_up: list[str] = field(default_factory=list)
    answers: Counter[str] = field(default_factory=Counter)
    # Seconds between two of one browser: a fast machine must not be done before the first blow.
    pause: float = 0.0
    # Somebody was thanked.
    begun: asyncio.Event = field(default_factory=asyncio.Event)
    # Each kind of blow has fallen; the last quarter waits for that.
    struck: asyncio.Event = field(default_factory=asyncio.Event)

    async def send_all(self) -> None:
        """Everybody sends once, over BROWSERS connections."""
        numbers = iter(range(self.count))

        async def browse(browser: int) -> None:
            client = httpx.AsyncClient(base_url=self.stack.url, timeout=20, trust_env=False)
            async with client:
                while batch := list(islice(numbers, PAGES)):
                    stamps = [await self._stamp(client, number) for number in batch]
                    # Nobody fills in a form in less than a second.
                    await asyncio.sleep(1.1)
                    for number, stamp in zip(batch, stamps, strict=True):
                        if number >= self.count * 3 // 4:
                            await self.struck.wait()
                        await asyncio.sleep(self.pause)
                        presses = [self._send(client, number, stamp)] * (2 if number % TWICE == 0 else 1)
                        await asyncio.gather(*(press() for press in presses))

        await asyncio.gather(*(browse(number) for number in range(BROWSERS)))

    async def _stamp(self, client: httpx.AsyncClient, number: int) -> str:
        found = await self._until(client, "GET", f"/forms/{SLUG}/stamp", number, (200,))
        return found.text if found is not None else ""

    def _send(self, client: httpx.AsyncClient, number: int, stamp: str) -> Callable[[], Awaitable[None]]:
        form = {"version": "1", "stamp": stamp, "website": "", "q1": f"Person {number}", "q2": email_of(number)}

        async def press() -> None:
            if await self._until(client, "POST", f"/forms/{SLUG}", number, (303,), form) is not None:
                self.thanked.add(number)
                self.begun.set()

        return press

    async def _until(
        self, client: httpx.AsyncClient, method: str, path: str, number: int, wanted: tuple[int, ...],
        form: dict[str, str] | None = None,
    ) -> httpx.Response | None:  # fmt: skip
        # Each from a network address of its own: limits count by it.
        address = f"10.{20 + number // 62500}.{number // 250 % 250}.{number % 250 + 1}"
        headers = {"X-Forwarded-For": address, "Sec-Fetch-Site": "same-origin"}
        last = ""
        for attempt in range(TRIES):
            try:
                answer = await client.request(method, path, data=form, headers=headers)
            except httpx.HTTPError as error:
                last = type(error).__name__
            else:
                last = str(answer.status_code)
                if answer.status_code in wanted:
                    self.answers[f"{method} {last}"] += 1
                    return answer
            self.answers[f"{method} {last}"] += 1
            await asyncio.sleep(min(2.0, 0.1 * (attempt + 1)))
        self.gave_up.append(f"{method} {path} of {number}: {last}")
        return None


def email_of(number: int) -> str:
    return f"p{number}@learner.example"


async def forms(stack: Stack, figures: Figures, full: bool) -> None:
    """Everybody's answers are kept once and reach the service once, whoever is killed meanwhile."""
    count = 10_000 if full else 200
    await a_form(stack)
    crowd, began = Crowd(stack, count, pause=0.0 if full else 0.5), time.monotonic()
    sending = asyncio.create_task(crowd.send_all())
    blows = await strike(stack, sending, crowd)
    await sending
    sent_after = time.monotonic() - began
    await settle(full)
    settled = time.monotonic() - began - sent_after
    figures.say(
        f"{count} people, {sum(crowd.answers.values())} requests in {sent_after:.0f} s"
        f" ({count / sent_after:.0f} entries a second), {', '.join(f'{n} x {what}' for what, n in sorted(crowd.answers.items()))}"
    )
    figures.say(f"blows: {', '.join(f'{n} x {what}' for what, n in sorted(blows.items()))}")
    figures.say(f"everything had left {settled:.0f} s after the last was thanked")
    await judge(stack, figures, crowd, blows)


async def a_form(stack: Stack) -> None:
    """A form with a webhook, published."""
    tokens.configure(SECRET_KEY)
    connections.configure(Outgoing(base=f"{stack.stripe_url}/outside"))
    hook = await connections.create("webhook", "Our hook", Webhook.given, by=None)
    definition = definitions.read(
        {
            "title": "Apply",
            "fields": [
                {"id": "q1", "kind": "short_text", "label": "Name", "required": True},
                {"id": "q2", "kind": "email", "label": "Email", "required": True},
            ],
            "integrations": [{"id": "i1", "connection": hook.public_id, "list": "", "map": {"email": "q2"}}],
            "last": 2,
        }
    )
    form = await versions.publish((await versions.create(definition, by=None)).id)
    assert (form.slug, form.number) == (SLUG, 1)


async def strike(stack: Stack, sending: asyncio.Task[None], crowd: Crowd) -> Counter[str]:
    """Blow after blow until everybody has sent; how many of each."""
    blows: dict[str, Callable[[], Awaitable[None]]] = {
        "service down": lambda: _service_down(stack),
        "worker killed": lambda: _kill_worker(stack),
        "web process killed": lambda: _kill_web(stack),
    }
    struck: Counter[str] = Counter()
    await asyncio.wait([sending, asyncio.create_task(crowd.begun.wait())], return_when=asyncio.FIRST_COMPLETED)
    while not sending.done():
        for name, blow in blows.items():
            # A few are thanked, others are under way.
            await asyncio.sleep(0.3)
            if sending.done():
                break
            await blow()
            struck[name] += 1
            if len(struck) == len(blows):
                crowd.struck.set()
        await asyncio.wait([sending], timeout=BREATH)
    return struck


async def _kill_worker(stack: Stack) -> None:
    for worker in stack.workers:
        await asyncio.to_thread(worker.kill)
        worker.start()


async def _kill_web(stack: Stack) -> None:
    with suppress(ProcessLookupError, ValueError):
        os.kill(min(stack.web.children()), signal.SIGKILL)


async def _service_down(stack: Stack) -> None:
    async with httpx.AsyncClient(base_url=stack.stripe_url, trust_env=False) as http:
        await http.post("/outside/switches/webhook", data={"is_down": "yes", "wait": "2"})
        await asyncio.sleep(2)
        await http.post("/outside/switches/webhook", data={"is_down": "no"})


async def settle(full: bool) -> None:
    """Wait until nothing is on its way. The short measure cuts waits short, also those for what a dead worker claimed."""
    until = time.monotonic() + SETTLED_WITHIN[full]
    quiet = 0
    while time.monotonic() < until and quiet < 3:
        if not full:
            await db.run("UPDATE form_deliveries SET next_at = now(), claimed_until = NULL WHERE state = 'waiting'")
            await db.run("UPDATE form_connections SET paused_until = NULL")
            await db.run("UPDATE pgqueuer SET execute_after = now() WHERE status = 'queued' AND execute_after > now()")
        left = await db.value(
            """
            SELECT (SELECT count(*) FROM form_deliveries WHERE state = 'waiting')
                 + (SELECT count(*) FROM pgqueuer WHERE status <> 'failed' AND entrypoint IN
                    ('formbuilder.plan_deliveries', 'formbuilder.deliver'))
            """
        )
        quiet = quiet + 1 if not left else 0
        await asyncio.sleep(2 if full else 0.7)


async def judge(stack: Stack, figures: Figures, crowd: Crowd, blows: Counter[str]) -> None:
    """None lost, none doubled, none unsent."""
    rows = await db.many(db.Row, "SELECT public_id, email FROM form_entries WHERE state = 'received'")
    kept = Counter(row.email for row in rows)
    owed = {email_of(number) for number in crowd.thanked}
    async with httpx.AsyncClient(base_url=stack.stripe_url, trust_env=False, timeout=60) as http:
        said: dict[str, Any] = (await http.get("/outside/messages/webhook")).json()
    got = Counter(each["contact"]["email"] for each in said["messages"])
    keys = {f"{row.public_id}:i1" for row in rows}
    states = await db.many(db.Row, "SELECT state, count(*) AS n FROM form_deliveries GROUP BY state ORDER BY state")
    figures.say(
        f"{len(rows)} entries, {len(said['messages'])} arrived at the service; deliveries:"
        f" {', '.join(f'{row.n} {row.state}' for row in states)};"
        f" {said['calls'] - 1 - len(said['messages'])} requests were refused by it, or told it again under their key"
    )
    others = await db.value("SELECT count(*) FROM form_entries WHERE state <> 'received'")
    figures.hold(
        len(crowd.thanked) == crowd.count and not crowd.gave_up,
        f"{len(crowd.thanked)} of {crowd.count} were thanked {crowd.gave_up[:2]}",
    )
    figures.hold(len(blows) == 3, "a worker and a web process were killed meanwhile, and the service was down")
    figures.hold(not owed - set(kept), f"{len(owed - set(kept))} of {len(owed)} who were thanked were lost")
    figures.hold(not others, f"{others} entries stand elsewhere than in the inbox")
    doubled = [email for email, times in kept.items() if times > 1]
    figures.hold(not doubled, f"{len(doubled)} were kept twice")
    unsent = set(kept) - set(got)
    figures.hold(not unsent, f"{len(unsent)} entries were never sent to the service")
    again = [email for email, times in got.items() if times > kept.get(email, 0)]
    figures.hold(not again, f"{len(again)} reached the service twice, or without an entry")
    figures.hold({each["key"] for each in said["messages"]} <= keys, "each came under the key of its entry")
