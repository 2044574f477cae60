"""Redis, for what may be lost: limits, hot copies, live fan-out. The product goes on without it.

Every call answers None (or does nothing) while Redis is away, and asks again after a few seconds.
"""

import time
from collections.abc import Awaitable, Callable
from typing import TypeVar

import redis.asyncio as redis
import structlog
from redis.exceptions import RedisError

log = structlog.get_logger()
T = TypeVar("T")

_client: "redis.Redis | None" = None
_away_until = 0.0
_PAUSE = 3.0


def configure(url: str) -> None:
    """Say where Redis is (redis://, rediss://, unix://); an empty address means none."""
    global _client, _away_until
    _client = (
        redis.Redis.from_url(url, socket_timeout=0.5, socket_connect_timeout=0.5, decode_responses=False)
        if url
        else None
    )
    _away_until = 0.0


async def close() -> None:
    """Close the connections."""
    global _client
    if _client is not None:
        client, _client = _client, None
        await client.aclose()


async def call(use: Callable[["redis.Redis"], Awaitable[T]]) -> T | None:
    """Do something with the client; None when there is no Redis, or it is away."""
    global _away_until
    if _client is None or time.monotonic() < _away_until:
        return None
    try:
        return await use(_client)
    except (RedisError, OSError, TimeoutError) as error:
        _away_until = time.monotonic() + _PAUSE
        log.warning("redis is away", error=type(error).__name__)
        return None


async def is_up() -> bool:
    """True when Redis answers."""
    return bool(await call(lambda client: client.ping()))


async def version(name: str) -> int | None:
    """A counter that says whether a hot copy is stale; None while Redis is away (then do not trust the copy)."""
    found = await call(lambda client: client.get(f"v:{name}"))
    if found is None:
        # A missing key and an absent Redis look alike: set it once, so that later reads can tell.
        return await bump(name)
    return int(found)


async def bump(name: str) -> int | None:
    """Make every hot copy of `name` stale, in all processes."""
    return await call(lambda client: client.incr(f"v:{name}"))
