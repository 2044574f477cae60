"""A steady stream of requests that does not wait for answers, and what it measured."""

from __future__ import annotations

import asyncio
import itertools
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

import httpx

from tests.faults.people import Answer

Ask = Callable[[httpx.AsyncClient, int], "httpx.Request"]


@dataclass
class Load:
    """`rate` requests a second, made by `ask(client, n)`, until stopped."""

    client: httpx.AsyncClient
    ask: Ask
    rate: float
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
            if wait > 0:
                await asyncio.sleep(wait)
            if self._stopping.is_set():
                break
            task = asyncio.create_task(self._one(number))
            under_way.add(task)
            task.add_done_callback(under_way.discard)
        await asyncio.gather(*under_way)

    async def _one(self, number: int) -> None:
        request = self.ask(self.client, number)
        began = time.monotonic()
        status, why = 0, ""
        try:
            status = (await self.client.send(request)).status_code
        except httpx.HTTPError as error:
            why = type(error).__name__
        self.answers.append(Answer(began, time.monotonic() - began, request.method, request.url.path, status, why))

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


def window(some: list[Answer]) -> float:
    """Seconds from the first to the last failure."""
    bad = [one.at for one in failed(some)]
    return max(bad) - min(bad) if bad else 0.0
