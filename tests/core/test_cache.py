"""Redis goes away: nobody waits for it twice, and an empty one does not bring old marks back."""

import asyncio
from collections.abc import AsyncIterator

import pytest
import redis.asyncio as redis

from app import Lectern
from app.config import Config
from app.core import cache, limits
from app.core.errors import TooMany
from app.core.limits import Limit
from tests.faults.proxy import Proxy
from tests.servers import Servers


@pytest.fixture
async def line(app: Lectern, config: Config, running: Servers, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Proxy]:
    """Redis goes through a proxy for the time of a test, and is asked more often whether it is back."""
    monkeypatch.setattr(cache, "_PAUSE", 0.05)
    proxy = Proxy(running.redis_url.removeprefix("unix://").partition("?")[0]).start()
    await cache.close()
    cache.configure(f"redis://127.0.0.1:{proxy.port}/0")
    try:
        yield proxy
    finally:
        await cache.close()
        proxy.be()
        proxy.stop()
        cache.configure(config.redis_url.reveal())


async def test_only_the_first_call_waits_for_a_silent_redis_and_its_return_is_noticed(line: Proxy) -> None:
    assert await cache.is_up()
    line.be("blackhole")
    assert await cache.version("school") is None
    asked = 0

    async def ask(client: redis.Redis) -> object:
        nonlocal asked
        asked += 1
        return await client.get("anything")

    for _time in range(50):
        assert await cache.call(ask) is None
    assert asked == 0
    line.be()
    for _look in range(60):
        if await cache.is_up():
            break
        await asyncio.sleep(0.05)
    assert await cache.version("school") is not None


async def test_limits_are_counted_in_the_process_while_redis_is_away(line: Proxy) -> None:
    line.be("refuse")
    for _time in range(3):
        await limits.check("faults", "ann", Limit(3, 60))
    with pytest.raises(TooMany):
        await limits.check("faults", "ann", Limit(3, 60))


async def test_a_redis_that_forgot_everything_does_not_come_to_an_old_mark_again(
    app: Lectern, running: Servers
) -> None:
    first = await cache.version("school")
    client = redis.Redis.from_url(running.redis_url)
    await client.flushall()
    await client.aclose()
    second = await cache.version("school")
    assert first is not None
    assert second not in (None, first)
    assert await cache.version("school") == second
