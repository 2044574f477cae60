"""Forms sent a moment ago, so that the same one sent twice (a double click, an impatient retry) acts once."""

import asyncio
from dataclasses import dataclass
from datetime import datetime, timedelta

from app.core import clock, db

# The same form by the same person within this time of the first one's end is the same wish.
MOMENT = timedelta(seconds=5)
# Whoever has not ended a form after so long died of it, and the next one may take it on.
ABANDONED = timedelta(seconds=60)
_KEPT = timedelta(hours=1)
# Seconds: how long the second waits for the first, and between its looks.
_PATIENCE, _PAUSE, _LONGEST_PAUSE = 10.0, 0.05, 0.5


@dataclass(frozen=True, slots=True)
class Claim:
    """One taking on of a form. A later one of the same form always has a later time, so it tells them apart."""

    key: bytes
    at: datetime


async def claim(key: bytes) -> Claim | None:
    """Take the form with this key on; None when somebody has, or did a moment ago."""
    now = clock.now()
    taken = await db.value(
        """
        WITH forgotten AS (DELETE FROM submissions WHERE created_at < :long_ago AND key <> :key)
        INSERT INTO submissions (key, created_at) VALUES (:key, :now)
        ON CONFLICT (key) DO UPDATE SET created_at = excluded.created_at, location = NULL
            WHERE submissions.created_at < CASE WHEN submissions.location IS NULL
                THEN CAST(:abandoned AS timestamptz) ELSE CAST(:a_moment_ago AS timestamptz) END
        RETURNING true
        """,
        key=key,
        now=now,
        a_moment_ago=now - MOMENT,
        abandoned=now - ABANDONED,
        long_ago=now - _KEPT,
    )
    return Claim(key, now) if taken else None


async def finish(claim: Claim, location: str) -> None:
    """Remember where the form led, unless somebody else has taken it on since; from now on a moment is counted."""
    await db.run(
        """
        UPDATE submissions SET location = :location, created_at = greatest(created_at, :now)
        WHERE key = :key AND created_at = :at AND location IS NULL
        """,
        key=claim.key,
        at=claim.at,
        location=location,
        now=clock.now(),
    )


async def forget(claim: Claim) -> None:
    """It made nothing: the same form may be sent again."""
    await db.run(
        "DELETE FROM submissions WHERE key = :key AND created_at = :at AND location IS NULL",
        key=claim.key,
        at=claim.at,
    )


async def claim_or_outcome(key: bytes) -> Claim | str | None:
    """Take the form on, or say where the same form led; one that is in work is waited for, None when it takes too long."""
    until, pause = asyncio.get_running_loop().time() + _PATIENCE, _PAUSE
    while True:
        taken = await claim(key)
        if taken is not None:
            return taken
        location: str | None = await db.value("SELECT location FROM submissions WHERE key = :key", key=key)
        if location is not None:
            return location
        if asyncio.get_running_loop().time() > until:
            return None
        await db.release()
        await asyncio.sleep(pause)
        pause = min(pause * 1.5, _LONGEST_PAUSE)
