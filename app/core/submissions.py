"""Forms sent a moment ago, so that the same one sent twice (a double click, an impatient retry) acts once."""

import asyncio
from datetime import timedelta

from app.core import clock, db

# The same form by the same person within this time is the same wish.
MOMENT = timedelta(seconds=5)
_KEPT = timedelta(hours=1)
_LOOKS, _PAUSE = 100, 0.05


async def claim(key: bytes) -> bool:
    """Take the form with this key on; False when somebody did a moment ago."""
    now = clock.now()
    taken = await db.value(
        """
        WITH forgotten AS (DELETE FROM submissions WHERE created_at < :long_ago AND key <> :key)
        INSERT INTO submissions (key, created_at) VALUES (:key, :now)
        ON CONFLICT (key) DO UPDATE SET created_at = excluded.created_at, location = NULL
            WHERE submissions.created_at < :a_moment_ago
        RETURNING true
        """,
        key=key,
        now=now,
        a_moment_ago=now - MOMENT,
        long_ago=now - _KEPT,
    )
    return bool(taken)


async def finish(key: bytes, location: str) -> None:
    """Remember where the form led."""
    await db.run("UPDATE submissions SET location = :location WHERE key = :key", key=key, location=location)


async def forget(key: bytes) -> None:
    """It made nothing: the same form may be sent again."""
    await db.run("DELETE FROM submissions WHERE key = :key", key=key)


async def outcome(key: bytes) -> str | None:
    """Where the form that was claimed by somebody else led, waited for; None when it made nothing or takes too long."""
    for _look in range(_LOOKS):
        found = await db.one(db.Row, "SELECT location FROM submissions WHERE key = :key", key=key)
        if found is None or found.location is not None:
            return found.location if found is not None else None
        await db.release()
        await asyncio.sleep(_PAUSE)
    return None
