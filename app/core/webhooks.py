"""Inbound webhooks: stored once, answered at once, handled by a job, readable and replayable ever after."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from app.core import clock, db, queue

# Providers deliver again for days, not months; until then a delivery can be read, replayed, and known as a double.
KEPT = timedelta(days=90)

_handlers: dict[str, queue.JobFunction] = {}


def handles(provider: str) -> Callable[[queue.JobFunction], queue.JobFunction]:
    """Make a job (registered with `@job` below this line) the one that handles a provider's deliveries."""

    def register(function: queue.JobFunction) -> queue.JobFunction:
        _handlers[provider] = function
        return function

    return register


async def store(provider: str, event_id: str, kind: str, payload: dict[str, Any]) -> bool:
    """Keep one delivery and enqueue its provider's handler; False when this event is known already."""
    async with db.transaction():
        webhook_id = await db.value(
            """
            INSERT INTO webhook_events (provider, event_id, type, payload, state, received_at)
            VALUES (:provider, :event_id, :type, CAST(:payload AS jsonb), 'received', :now)
            ON CONFLICT (provider, event_id) DO NOTHING RETURNING id
            """,
            provider=provider,
            event_id=event_id,
            type=kind,
            payload=payload,
            now=clock.now(),
        )
        if webhook_id is None:
            return False
        await queue.enqueue(_handlers[provider], webhook_id=webhook_id)
        return True


async def load(webhook_id: int) -> Any:
    """The stored delivery (`id, provider, event_id, type, payload, state`), or None."""
    return await db.one(
        db.Row,
        "SELECT id, provider, event_id, type, payload, state FROM webhook_events WHERE id = :id",
        id=webhook_id,
    )


async def mark(webhook_id: int, state: str, error: str | None = None) -> None:
    """Write how a delivery ended: `handled`, `ignored` (a kind we do not use) or `failed`."""
    await db.run(
        """
        UPDATE webhook_events SET state = :state, error = :error, handled_at = :now, attempts = attempts + 1
        WHERE id = :id
        """,
        id=webhook_id,
        state=state,
        error=error,
        now=clock.now(),
    )


async def replay(webhook_id: int) -> bool:
    """Handle a stored delivery again; False when it is unknown, or nothing handles its provider (any more)."""
    async with db.transaction():
        provider = await db.value("SELECT provider FROM webhook_events WHERE id = :id FOR UPDATE", id=webhook_id)
        if provider not in _handlers:
            return False
        await db.run("UPDATE webhook_events SET state = 'received', error = NULL WHERE id = :id", id=webhook_id)
        await queue.forget_failed(_handlers[provider], "webhook_id", webhook_id)
        await queue.enqueue(_handlers[provider], once=f"replay:{webhook_id}", webhook_id=webhook_id)
        return True


@dataclass(frozen=True, slots=True)
class SweepMark:
    """How far a search for lost deliveries came that has not reached the oldest: it goes on before this event."""

    before: str
    since: datetime


async def sweep_mark(provider: str) -> SweepMark | None:
    """Where the last search for lost deliveries of this provider stopped; None when it reached its end."""
    kept = await db.value("SELECT value FROM settings WHERE name = :name", name=f"webhooks.{provider}")
    return SweepMark(kept["before"], datetime.fromisoformat(kept["since"])) if kept else None


async def set_sweep_mark(provider: str, mark: SweepMark | None) -> None:
    """Remember where to go on, or (None) that there is nothing left."""
    if mark is None:
        await db.run("DELETE FROM settings WHERE name = :name", name=f"webhooks.{provider}")
        return
    await db.run(
        """
        INSERT INTO settings (name, value) VALUES (:name, CAST(:value AS jsonb))
        ON CONFLICT (name) DO UPDATE SET value = excluded.value
        """,
        name=f"webhooks.{provider}",
        value={"before": mark.before, "since": mark.since.isoformat()},
    )


async def prune() -> int:
    """Forget deliveries that were dealt with and are old; how many. What failed, or waits, stays for a person."""
    # The condition stands outside too: one that is replayed meanwhile is looked at again, and stays.
    return await db.run_in_batches(
        """
        DELETE FROM webhook_events WHERE state IN ('handled', 'ignored') AND received_at < :before AND id IN (
            SELECT id FROM webhook_events WHERE state IN ('handled', 'ignored') AND received_at < :before
            ORDER BY received_at LIMIT :batch)
        """,
        before=clock.now() - KEPT,
    )
