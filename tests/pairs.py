"""Two at once: each pair of verbs on one thing, run together several times, with small pauses of chance.

A verb may do its work, do nothing, or refuse in clear words. Anything else (a deadlock, a constraint, a fault) fails
the pair, and so does a broken rule afterwards.
"""

import asyncio
import random
from collections.abc import Awaitable, Callable, Iterable
from itertools import combinations_with_replacement
from typing import Any

import pytest

from app.core import db
from app.core.errors import Refused

Verb = Callable[..., Awaitable[Any]]
ROUNDS = 3


def every_pair(verbs: dict[str, Verb]) -> Any:
    """One test a pair, a verb with itself too."""
    pairs = list(combinations_with_replacement(verbs, 2))
    return pytest.mark.parametrize(("one", "other"), pairs, ids=[f"{one} x {other}" for one, other in pairs])


async def together(*calls: Callable[[], Awaitable[Any]], allowed: Iterable[type[Exception]] = ()) -> list[Any]:
    """Begin all at the same moment, each on a connection of its own; what came of each (a refusal is an outcome)."""
    gate = asyncio.Barrier(len(calls))

    async def run(call: Callable[[], Awaitable[Any]]) -> Any:
        await gate.wait()
        await asyncio.sleep(random.random() * 0.003)
        try:
            async with db.hold():
                return await call()
        except (Refused, *allowed) as refusal:
            return refusal

    return list(await asyncio.gather(*(run(call) for call in calls)))


def status_of(answer: Any) -> int:
    """The status of an answer over HTTP, which must not be a fault of ours."""
    assert answer.status_code < 500, answer
    return int(answer.status_code)
