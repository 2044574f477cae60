"""Which server and which event loop: the same pages on each in turn, over and over, in one run on one database."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from dataclasses import dataclass, field
from statistics import median

from tests.bench import load
from tests.bench.load import Load, Request
from tests.bench.pages import chosen
from tests.bench.people import People
from tests.bench.servers import Serving
from tests.bench.stack import Stack

PAGES = ("home-member", "learn")
# What could be chosen instead of the product's own command, which comes first. Not among them: rloop, which has no unix
# sockets (0.5.0), on which the embedded PostgreSQL and Redis listen.
OTHERS: tuple[tuple[str, str, tuple[str, ...]], ...] = (
    ("granian", "uvloop", ()),
    ("granian", "asyncio", ()),
    ("granian", "uvloop", ("--runtime-mode", "st")),
    ("granian", "uvloop", ("--runtime-mode", "mt", "--runtime-threads", "2")),
    ("granian", "uvloop", ("--backpressure", "16")),
    ("granian", "uvloop", ("--backlog", "4096")),
    ("uvicorn", "uvloop", ()),
    ("hypercorn", "uvloop", ()),
)


@dataclass(slots=True)
class Choice:
    """A server with what it did, for each page a list of passes."""

    serving: Serving
    at_one: dict[str, list[Load]] = field(default_factory=dict)
    at_many: dict[str, list[Load]] = field(default_factory=dict)
    memory: list[int] = field(default_factory=list)

    @property
    def name(self) -> str:
        return " ".join([self.serving.server, self.serving.loop, *self.serving.options])


def choices(workers: int) -> list[Choice]:
    """Those of them that are installed here."""
    return [
        Choice(Serving(workers, server, loop, options))
        for server, loop, options in OTHERS
        if importlib.util.find_spec(server) and (loop == "asyncio" or importlib.util.find_spec(loop))
    ]


def compare(stack: Stack, found: People, *, passes: int, seconds: float, say: Callable[[str], None]) -> list[Choice]:
    """Measure each server `passes` times, in turn."""
    measured = choices(stack.serving.workers)
    for number in range(passes):
        for choice in measured:
            say(f"pass {number + 1} of {passes}: {choice.name}")
            _measure(stack, found, choice, seconds)
    return measured


def _measure(stack: Stack, found: People, choice: Choice, seconds: float) -> None:
    stack.serving = choice.serving
    stack.start_school()
    stack.start_reference()
    scratch = stack.folder / "requests"
    asked = {"hello": (stack.reference_port, [Request("/hello", {"Host": "localhost"})])}
    asked |= {page.name: (stack.port, page.requests(found, 1)) for page in chosen(",".join(PAGES))}
    try:
        for name, (port, requests) in asked.items():
            load.measure(port, requests, connections=32, seconds=1, scratch=scratch)
            one = load.measure(port, requests, connections=1, seconds=seconds, scratch=scratch)
            many = load.measure(port, requests, connections=32, seconds=seconds, scratch=scratch)
            choice.at_one.setdefault(name, []).append(one)
            choice.at_many.setdefault(name, []).append(many)
        choice.memory.append(stack.web_memory())
    finally:
        stack.stop_child("reference")
        stack.stop_child("web")


def drawn(measured: list[Choice]) -> str:
    """The table of the servers, in Markdown."""
    names = ["hello", *PAGES]
    lines = ["| server | " + " | ".join(f"{name}: req/s | p50 / p99 ms | p50 at one" for name in names) + " | MiB |"]
    lines.append("|---" * (2 + 3 * len(names)) + "|")
    for choice in measured:
        cells = [choice.name]
        for name in names:
            many, one = choice.at_many[name], choice.at_one[name]
            cells.append(f"{median(each.rate for each in many):.0f}")
            cells.append(f"{median(each.p50 for each in many):.1f} / {median(each.p99 for each in many):.0f}")
            cells.append(f"{median(each.p50 for each in one):.2f}")
        lines.append("| " + " | ".join([*cells, f"{median(choice.memory) / 2**20:.0f}"]) + " |")
    return "\n".join(lines)
