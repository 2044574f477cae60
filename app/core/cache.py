"""Redis, for what may be lost: limits, hot copies, live fan-out. The product goes on without it.

Every call answers None (or does nothing) while Redis is away. Only the call that finds it away waits; after that a
task of its own asks every second, and nobody waits until Redis has answered it.
"""

import asyncio
import secrets
from collections.abc import Awaitable, Callable
from typing import TypeVar

import redis.asyncio as redis
import structlog
from redis.exceptions import RedisError

log = structlog.get_logger()
T = TypeVar("T")

_client: "redis.Redis | None" = None
_asking: "asyncio.Task[None] | None" = None
# The pool holds a hundred connections and fails beyond them. Whoever sends as many requests at once must not be able to
# make Redis look away, and the limits begin anew in this process: the others wait for their turn.
_AT_ONCE = 64
_room = asyncio.Semaphore(_AT_ONCE)
_TIMEOUT = 0.5
_PAUSE = 1.0


def configure(url: str) -> None:
    """Say where Redis is (redis://, rediss://, unix://); an empty address means none."""
    global _client, _room
    _room = asyncio.Semaphore(_AT_ONCE)
    _client = (
        redis.Redis.from_url(url, socket_timeout=_TIMEOUT, socket_connect_timeout=_TIMEOUT, decode_responses=False)
        if url
        else None
    )


async def close() -> None:
    """Close the connections."""
    global _client, _asking
    if _asking is not None:
        _asking.cancel()
        _asking = None
    if _client is not None:
        client, _client = _client, None
        await client.aclose()


async def call(use: Callable[["redis.Redis"], Awaitable[T]]) -> T | None:
    """Do something with the client; None when there is no Redis, or it is away."""
    global _asking
    try:
        async with _room:
            if _client is None or _asking is not None:
                return None
            return await use(_client)
    except (RedisError, OSError, TimeoutError) as error:
        if _asking is None and _client is not None:
            log.warning("redis is away", error=type(error).__name__)
            _asking = asyncio.create_task(_ask_until_it_answers(_client))
        return None


async def _ask_until_it_answers(client: "redis.Redis") -> None:
    global _asking
    while True:
        await asyncio.sleep(_PAUSE)
        try:
            await client.ping()
        except (RedisError, OSError, TimeoutError):
            continue
        log.info("redis is back")
        _asking = None
        return


async def is_up() -> bool:
    """True when Redis answers."""
    return bool(await call(lambda client: client.ping()))


async def version(name: str) -> int | None:
    """A mark that says whether a hot copy is stale; None while Redis is away (then do not trust the copy)."""
    found = await call(lambda client: client.get(f"v:{name}"))
    if found is None:
        # A missing key and an absent Redis look alike: set it once, so that later reads can tell.
        return await bump(name)
    return int(found)


async def bump(name: str) -> int | None:
    """Make every hot copy of `name` stale, in all processes.

    The mark is drawn, not counted: a Redis that forgot everything must not come to an old one a second time.
    """
    mark = secrets.randbits(62)
    return mark if await call(lambda client: client.set(f"v:{name}", mark)) else None
