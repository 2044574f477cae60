"""The passes: each page between two measurements of what it is compared with, and the median over all passes."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from statistics import fmean, median

import brotli

from tests.bench import load
from tests.bench.load import Load, Request
from tests.bench.pages import Page
from tests.bench.people import People
from tests.bench.stack import Stack

CONNECTIONS = 32
HELLO, LIST = "/hello", "/list"


@dataclass(frozen=True, slots=True)
class Measure:
    """How long: seconds of each measurement, of warming up before the first, and how many passes."""

    seconds: float = 4
    warm: float = 2
    passes: int = 3


QUICK = Measure(seconds=2, warm=1, passes=1)


@dataclass(slots=True)
class Result:
    """A row of the table. The lists have an entry for each pass; ratios are at 32 connections."""

    name: str
    title: str
    status: int = 0
    queries: int = 0
    html: int = 0
    wire: int = 0
    at_one: list[Load] = field(default_factory=list)
    at_many: list[Load] = field(default_factory=list)
    by_hand: list[Load] = field(default_factory=list)
    to_hello: list[float] = field(default_factory=list)
    to_list: list[float] = field(default_factory=list)
    to_hand: list[float] = field(default_factory=list)

    def note(self, one: Load, many: Load, hello: list[Load], listing: list[Load], hand: Load | None) -> None:
        """Add a pass."""
        self.at_one.append(one)
        self.at_many.append(many)
        self.to_hello.append(many.rate / fmean(each.rate for each in hello))
        self.to_list.append(many.rate / fmean(each.rate for each in listing))
        if hand is not None:
            self.by_hand.append(hand)
            self.to_hand.append(many.rate / hand.rate)

    @property
    def failures(self) -> int:
        """Requests that were refused or broken, in all passes."""
        return sum(each.refused + each.broken for each in (*self.at_one, *self.at_many))


def middle(loads: list[Load]) -> Load:
    """The median of each figure."""
    return Load(
        rate=median(each.rate for each in loads),
        p50=median(each.p50 for each in loads),
        p99=median(each.p99 for each in loads),
        requests=sum(each.requests for each in loads),
        refused=sum(each.refused for each in loads),
        broken=sum(each.broken for each in loads),
    )


class Bench:
    """Measures pages of a running stack."""

    def __init__(self, stack: Stack, people: People, how: Measure, say: Callable[[str], None]) -> None:
        self._stack = stack
        self._people = people
        self._how = how
        self._say = say
        self._warmed: set[str] = set()
        self._scratch = stack.folder / "requests"
        self.hello: list[Load] = []
        self.listing: list[Load] = []
        self.hello_at_one: list[Load] = []
        self.listing_at_one: list[Load] = []

    def run(self, pages: list[Page], queries: dict[str, int]) -> list[Result]:
        """All passes over all pages."""
        results = [self._look(page, queries.get(page.name, 0)) for page in pages]
        for number in range(self._how.passes):
            before = self._references()
            for page, result in zip(pages, results, strict=True):
                self._say(f"pass {number + 1} of {self._how.passes}: {page.title}")
                one = self.school(page, 1)
                many = self.school(page, CONNECTIONS)
                hand = self._reference(f"/hand/{page.name}", CONNECTIONS) if page.hand else None
                after = self._references()
                result.note(one, many, [before[0], after[0]], [before[1], after[1]], hand)
                before = after
            self.hello_at_one.append(self._reference(HELLO, 1))
            self.listing_at_one.append(self._reference(LIST, 1))
        return results

    def school(self, page: Page, connections: int) -> Load:
        """One measurement of a page of the school."""
        seconds = max(self._how.seconds, page.least)
        number = int(page.once * (seconds + 1)) if page.once else 2000
        requests = page.requests(self._people, number)
        if not page.once:
            self._measure(self._stack.port, requests, connections, self._how.warm)
        return self._measure(self._stack.port, requests, connections, seconds)

    def _references(self) -> tuple[Load, Load]:
        hello, listing = self._reference(HELLO, CONNECTIONS), self._reference(LIST, CONNECTIONS)
        self.hello.append(hello)
        self.listing.append(listing)
        return hello, listing

    def _reference(self, path: str, connections: int) -> Load:
        requests = [Request(path, {"Host": "localhost", "Accept-Encoding": "br, gzip"})]
        if path not in self._warmed:
            self._measure(self._stack.reference_port, requests, connections, self._how.warm)
            self._warmed.add(path)
        return self._measure(self._stack.reference_port, requests, connections, self._how.seconds)

    def _measure(self, port: int, requests: list[Request], connections: int, seconds: float) -> Load:
        return load.measure(port, requests, connections=connections, seconds=seconds, scratch=self._scratch)

    def _look(self, page: Page, queries: int) -> Result:
        """Ask once, for the size; a page that does not answer as it should is not worth measuring."""
        [request, *_] = page.requests(self._people, 1)
        status, headers, body = asyncio.run(load.ask(self._stack.port, request))
        if status >= 400:
            raise RuntimeError(f"{page.title} answers {status}: {body[:200]!r}")
        plain = brotli.decompress(body) if headers.get("content-encoding") == "br" else body
        return Result(page.name, page.title, status, queries, len(plain), len(body))
