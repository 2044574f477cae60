"""What the tests of kept pages share: a listening cache, and how often the framework was entered."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

from quart.typing import TestClientProtocol

from app import Lectern
from app.web.page_cache import PageCache


class Entries:
    """The requests that reached the framework, in order, as their scopes."""

    def __init__(self) -> None:
        self.scopes: list[dict[str, Any]] = []

    def __len__(self) -> int:
        return len(self.scopes)


@asynccontextmanager
async def keeping(app: Lectern) -> AsyncIterator[PageCache]:
    """The cache of an application while it listens; empty before and after."""
    cache = app.pages
    cache.listener.start()
    await until(lambda: cache.listener.is_live)
    try:
        yield cache
    finally:
        await cache.listener.stop()
        cache.clock, cache.is_shared = time.monotonic, True


async def until(holds: Callable[[], bool], *, seconds: float = 5.0) -> None:
    """Wait until something holds; fail after `seconds`."""
    async with asyncio.timeout(seconds):
        while not holds():  # noqa: ASYNC110 (the caches have no event for it)
            await asyncio.sleep(0.002)


async def text(client: TestClientProtocol, path: str, **headers: str) -> str:
    """The body of a page, which must be there."""
    answer = await client.get(path, headers={name.replace("_", "-"): value for name, value in headers.items()})
    assert answer.status_code == 200, (path, answer.status_code)
    return str(await answer.get_data(as_text=True))


async def how(client: TestClientProtocol, path: str, **headers: str) -> str:
    """What `Cache-Status` says: "hit", "miss" (drawn and kept) or "" (not the cache's)."""
    answer = await client.get(path, headers={name.replace("_", "-"): value for name, value in headers.items()})
    said = answer.headers.get("Cache-Status", "")
    return "hit" if said == "Lectern; hit" else "miss" if "fwd=" in said else ""
