"""A steady stream of requests that does not wait for answers, and what it measured."""

from __future__ import annotations

import asyncio
import itertools
import re
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

import httpx

from tests.faults.people import Answer

# Seconds that the stream may lag behind, and how many requests may be under way.
_LATE = 0.5
_MOST = 64

Ask = Callable[[httpx.AsyncClient, int], "httpx.Request"]


@dataclass
class Load:
    """`rate` requests a second, made by `ask(client, n)`, until stopped.

    `asks_again`: a GET that met a connection which the server was just closing is sent once more, as browsers and proxies
    do (RFC 9110, 9.2.2); `again` counts these.
    """

    client: httpx.AsyncClient
    ask: Ask
    rate: float
    asks_again: bool = False
    again: int = 0
    answers: list[Answer] = field(default_factory=list)
    _stopping: asyncio.Event = field(default_factory=asyncio.Event)
    _task: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Load:
        self._task = asyncio.create_task(self._run())
        return self

    async def __aexit__(self, *_: object) -> None:
        self._stopping.set()
        assert self._task is not None
        await self._task

    async def _run(self) -> None:
        began = time.monotonic()
        under_way: set[asyncio.Task[None]] = set()
        for number in itertools.count():
            wait = began + number / self.rate - time.monotonic()
            await asyncio.sleep(max(0.0, wait))
            if wait < -_LATE:  # this program itself was kept waiting: what it missed is not made up for
                began -= wait
            if self._stopping.is_set():
                break
            if len(under_way) >= _MOST:  # httpx takes ever longer for each of many at once
                continue
            task = asyncio.create_task(self._one(number))
            under_way.add(task)
            task.add_done_callback(under_way.discard)
        await asyncio.gather(*under_way)

    async def _one(self, number: int) -> None:
        await self.one(self.client, self.ask(self.client, number))

    async def one(self, client: httpx.AsyncClient, request: httpx.Request) -> Answer:
        """Send a request and note what came of it."""
        began = time.monotonic()
        status, why = 0, ""
        try:
            status = (await self._sent(client, request)).status_code
        except httpx.HTTPError as error:
            why = type(error).__name__
        answer = Answer(began, time.monotonic() - began, request.method, request.url.path, status, why)
        self.answers.append(answer)
        return answer

    async def _sent(self, client: httpx.AsyncClient, request: httpx.Request) -> httpx.Response:
        try:
            return await client.send(request)
        except httpx.RemoteProtocolError:
            if not self.asks_again or request.method != "GET":
                raise
        self.again += 1
        return await client.send(request)

    def between(self, began: float, ended: float) -> list[Answer]:
        """Those that were sent in a span of monotonic time."""
        return [one for one in self.answers if began <= one.at <= ended]


def failed(some: list[Answer]) -> list[Answer]:
    """Those that got no answer, or a 5xx."""
    return [one for one in some if one.status == 0 or one.status >= 500]


def kinds(some: list[Answer]) -> str:
    """How many of each outcome, in words."""
    counted = Counter(str(one.status) if one.status else one.why for one in some)
    return ", ".join(f"{n} x {what}" for what, n in sorted(counted.items())) or "none"


def share(some: list[Answer], part: float) -> float:
    """The milliseconds within which this part of them was answered."""
    taken = sorted(one.seconds for one in some)
    return taken[min(len(taken) - 1, int(len(taken) * part))] * 1000 if taken else 0.0


async def deliveries(port: int, count: int, rate: float, make: Callable[[int], tuple[bytes, str]]) -> list[Answer]:
    """`count` webhooks at a steady `rate` a second over 24 connections, by hand: httpx's pool is too slow for it.

    `make(n)` gives a body and its signature. The time of each counts from when it was due.
    """
    answers: list[Answer] = []
    numbers = iter(range(count))
    began = time.monotonic() + 0.2

    async def carry() -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        for number in numbers:
            due = began + number / rate
            await asyncio.sleep(max(0.0, due - time.monotonic()))
            body, signature = make(number)
            head = (
                f"POST /webhooks/stripe HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
                f"Stripe-Signature: {signature}\r\nContent-Length: {len(body)}\r\n\r\n"
            )
            writer.write(head.encode() + body)
            answer = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
            length = re.search(r"content-length: (\d+)", answer, re.IGNORECASE)
            await reader.readexactly(int(length[1]) if length else 0)
            status = int(answer.split(" ", 2)[1])
            answers.append(Answer(due, time.monotonic() - due, "POST", "/webhooks/stripe", status))
        writer.close()

    await asyncio.gather(*(carry() for _connection in range(24)))
    return answers
