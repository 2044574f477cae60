"""Who has a form open in the builder. Kept in Redis for a minute: without it nobody is warned, and nothing else changes."""

import json
from typing import Any

from redis.asyncio import Redis

from app.core import cache, clock

GONE_AFTER_SECONDS = 60


async def seen(form_id: int, user_id: int, name: str) -> list[str]:
    """Note that this person has the form open now; the names of the others, in order."""
    now, key = clock.now().timestamp(), f"form-editors:{form_id}"
    told = json.dumps([name, now])

    async def note(client: Redis) -> Any:
        await client.hset(key, str(user_id), told)
        await client.expire(key, GONE_AFTER_SECONDS)
        return await client.hgetall(key)

    names = []
    for who, text in (await cache.call(note) or {}).items():
        other, at = json.loads(text)
        if int(who) != user_id and now - at < GONE_AFTER_SECONDS:
            names.append(str(other))
    return sorted(names)
