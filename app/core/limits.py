"""Rate limits: fixed windows counted in Redis, or in this process while Redis is away."""

import time
from collections.abc import Sequence
from dataclasses import dataclass

from app.core import cache
from app.core.errors import TooMany


@dataclass(frozen=True, slots=True)
class Limit:
    """At most `count` in `seconds`, for each key."""

    count: int
    seconds: int


# Anonymous and signed-in reads are not limited here; a proxy or the page cache stands before them.
SENSITIVE = Limit(10, 10)
WRITE = Limit(100, 10)
# Programs: those of one person, and all that come from one place.
API = Limit(120, 60)
API_ADDRESS = Limit(600, 60)


@dataclass(frozen=True, slots=True)
class Left:
    """How many more uses there are until the window ends, in `seconds`."""

    count: int
    seconds: int


_local: dict[str, tuple[float, int]] = {}
_LOCAL_KEYS = 50_000
# To look through all of them takes milliseconds, so whoever fills them must not bring that upon every request.
_SWEEP_EVERY = 1.0
_swept_at = 0.0

# One round trip, atomic: count, and start the window at the first.
_COUNT = """
local found = {}
for i, key in ipairs(KEYS) do
    found[2 * i - 1] = redis.call('INCR', key)
    if found[2 * i - 1] == 1 then redis.call('EXPIRE', key, ARGV[1]) end
    found[2 * i] = redis.call('TTL', key)
end
return found
"""


_SPEND = """
local used = redis.call('INCRBY', KEYS[1], ARGV[2])
if used == tonumber(ARGV[2]) then redis.call('EXPIRE', KEYS[1], ARGV[1]) end
return {used, redis.call('TTL', KEYS[1])}
"""


async def check(name: str, key: str | Sequence[str], limit: Limit) -> Left:
    """Count one use of `name` by `key`, or by each of several; what the one that is nearest to its end has left.

    Raises TooMany when one is more than the limit allows.
    """
    keys = [f"limit:{name}:{limit.seconds}:{each}" for each in ([key] if isinstance(key, str) else key)]
    # Counted here as well: when Redis goes away, or a flood makes it seem so, nothing begins anew.
    here = [_count_here(each, limit) for each in keys]
    counted = await cache.call(lambda client: client.eval(_COUNT, len(keys), *keys, limit.seconds))
    uses = [*here, *zip(counted[::2], counted[1::2], strict=True)] if counted else here
    for used, wait in uses:
        if used > limit.count:
            raise TooMany(retry_after=max(1, wait))
    used, wait = max(uses)
    return Left(limit.count - used, max(1, wait))


async def used(name: str, key: str, limit: Limit) -> int:
    """How often `key` was counted in the window of now, without counting."""
    full = f"limit:{name}:{limit.seconds}:{key}"
    found = await cache.call(lambda client: client.get(full))
    if found is not None:
        return int(found)
    until, here = _local.get(full, (0.0, 0))
    return here if until > time.monotonic() else 0


async def count(name: str, key: str, limit: Limit) -> int:
    """Count one use of `name` by `key`, and say how many there were in this window; nothing is refused."""
    full = f"limit:{name}:{limit.seconds}:{key}"
    here, _wait = _count_here(full, limit)
    counted = await cache.call(lambda client: client.eval(_COUNT, 1, full, limit.seconds))
    return int(counted[0]) if counted else here


async def spend(name: str, key: str, amount: int, limit: Limit) -> None:
    """Use up so much at once of what `key` has of `name` in a window. Raises TooMany when that is more than is left."""
    full = f"limit:{name}:{limit.seconds}:{key}"
    here = _count_here(full, limit, amount)
    counted = await cache.call(lambda client: client.eval(_SPEND, 1, full, limit.seconds, amount))
    for used, wait in (here, *([tuple(counted)] if counted else [])):
        if used > limit.count:
            raise TooMany(retry_after=max(1, wait))


async def take_turn(name: str, key: str, seconds: int) -> None:
    """One use of `name` by `key` in `seconds`, of however many that come at once. Raises TooMany for the others."""
    full = f"limit:{name}:turn:{key}"
    here = _count_here(full, Limit(1, seconds))
    counted = await cache.call(lambda client: client.eval(_COUNT, 1, full, seconds))
    used, wait = counted if counted else here
    if used > 1:
        raise TooMany(retry_after=max(1, wait))


async def forget(name: str, key: str, limit: Limit) -> None:
    """Let `key` begin anew: what it was counted for turned out well."""
    full = f"limit:{name}:{limit.seconds}:{key}"
    _local.pop(full, None)
    await cache.call(lambda client: client.delete(full))


def _count_here(key: str, limit: Limit, amount: int = 1) -> tuple[int, int]:
    now = time.monotonic()
    if len(_local) > _LOCAL_KEYS and now >= _swept_at + _SWEEP_EVERY:
        _sweep(now)
    until, used = _local.get(key, (now + limit.seconds, 0))
    if until <= now:
        until, used = now + limit.seconds, 0
    _local[key] = (until, used + amount)
    return used + amount, int(until - now) + 1


def _sweep(now: float) -> None:
    """Forget what is over; and the oldest, when twice as many are left as there should be."""
    global _swept_at
    _swept_at = now
    for stale in [key for key, (until, _used) in _local.items() if until <= now]:
        del _local[stale]
    if len(_local) > 2 * _LOCAL_KEYS:
        for oldest in list(_local)[:-_LOCAL_KEYS]:
            del _local[oldest]


async def forget_all() -> None:
    """Forget every count, here and in Redis (tests)."""
    _local.clear()

    async def clear(client):  # type: ignore[no-untyped-def]
        async for key in client.scan_iter("limit:*"):
            await client.delete(key)
        return True

    await cache.call(clear)
