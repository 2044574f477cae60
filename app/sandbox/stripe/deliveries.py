"""Which event goes to which endpoint, when, and how often: the queue of webhook deliveries."""

from __future__ import annotations

import json
import random
from dataclasses import dataclass
from typing import Any

from app.sandbox.stripe import behaviour
from app.sandbox.stripe.store import Doc, Store
from app.sandbox.stripe.work import Work

LONGEST_BACKOFF = 60.0


@dataclass(frozen=True)
class Delivery:
    """One event on its way to one endpoint."""

    id: int
    event: str
    kind: str
    endpoint: str
    url: str
    state: str
    attempts: int
    due: float


def queue(work: Work, event: Doc) -> int:
    """Queue an event for every enabled endpoint that wants it. Gives the number of endpoints."""
    endpoints = [item for item in work.store.find("webhook_endpoint", oldest_first=True) if wants(item, event["type"])]
    for endpoint in endpoints:
        send_to(work, event, endpoint)
    return len(endpoints)


def wants(endpoint: Doc, kind: str) -> bool:
    """Whether an endpoint is enabled and listens to a type of event."""
    return endpoint["status"] == "enabled" and bool({"*", kind} & set(endpoint["enabled_events"]))


def send_to(work: Work, event: Doc, endpoint: Doc) -> None:
    """Queue an event for one endpoint, as the switches say."""
    switches = behaviour.current(work.store)
    now = work.account.clock.precise()
    due, rank = now + switches.delivery_delay, 0.0
    for copy in range(switches.delivery_copies):
        if switches.delivery_order != "in_order":
            due = _end_of_window(work.store, now, switches)
            rank = random.random() if switches.delivery_order == "shuffled" else -now - copy / 1e6  # noqa: S311
        work.store.db.execute(
            "INSERT INTO deliveries (event, kind, endpoint, url, state, due, rank)"
            " VALUES (?, ?, ?, ?, 'pending', ?, ?)",
            (event["id"], event["type"], endpoint["id"], endpoint["url"], due, rank),
        )
    work.account.wake()


def _end_of_window(store: Store, now: float, switches: behaviour.Behaviour) -> float:
    """Events gathered in one window share the moment at which they go out, and then their rank decides."""
    end = float(store.setting("window_end", 0.0))
    if not now < end <= now + switches.delivery_window + switches.delivery_delay:
        end = now + switches.delivery_window + switches.delivery_delay
        store.keep_setting("window_end", end)
    return end


def due_now(store: Store, now: float, limit: int = 100) -> list[Delivery]:
    """Deliveries whose time has come, in the order in which they are to go out."""
    rows = store.db.execute(
        "SELECT id, event, kind, endpoint, url, state, attempts, due FROM deliveries"
        " WHERE state = 'pending' AND due <= ? ORDER BY due, rank, id LIMIT ?",
        (now, limit),
    )
    return [Delivery(**dict(row)) for row in rows]


def next_due(store: Store) -> float | None:
    """When the next delivery is due."""
    row = store.db.execute("SELECT min(due) AS due FROM deliveries WHERE state = 'pending'").fetchone()
    return None if row["due"] is None else float(row["due"])


def release(store: Store, now: float) -> None:
    """Make everything that waits due at once, keeping its order."""
    store.db.execute("UPDATE deliveries SET due = ? WHERE state = 'pending' AND attempts = 0", (now,))


def record(work: Work, delivery: Delivery, *, status: int | None, answer: str, seconds: float) -> None:
    """Keep what an attempt brought, and plan the next one when it failed."""
    switches = behaviour.current(work.store)
    now = work.account.clock.precise()
    attempts = delivery.attempts + 1
    state, due = "pending", now + min(switches.delivery_backoff * 2 ** (attempts - 1), LONGEST_BACKOFF)
    if status is not None and 200 <= status < 300:
        state = "delivered"
    elif attempts >= switches.delivery_attempts:
        state = "failed"
    work.store.db.execute(
        "INSERT INTO attempts (delivery, at, seconds, status, answer) VALUES (?, ?, ?, ?, ?)",
        (delivery.id, now, seconds, status, answer[:500]),
    )
    work.store.db.execute(
        "UPDATE deliveries SET state = ?, attempts = ?, due = ? WHERE id = ?",
        (state, attempts, due, delivery.id),
    )


def pending_for(store: Store, event_id: str) -> int:
    """How many endpoints have not yet taken an event."""
    row = store.db.execute(
        "SELECT count(DISTINCT endpoint) AS n FROM deliveries WHERE event = ? AND state != 'delivered'",
        (event_id,),
    ).fetchone()
    return int(row["n"])


def shown(store: Store, *, event: str | None = None, state: str | None = None, limit: int = 50) -> list[Doc]:
    """Recent deliveries with their attempts, newest first, for people to look at."""
    rows = store.db.execute(
        "SELECT * FROM deliveries WHERE (? IS NULL OR event = ?) AND (? IS NULL OR state = ?) ORDER BY id DESC LIMIT ?",
        (event, event, state, state, limit),
    )
    return [{**dict(row), "tries": _attempts(store, row["id"])} for row in rows.fetchall()]


def _attempts(store: Store, delivery: int) -> list[dict[str, Any]]:
    rows = store.db.execute(
        "SELECT at, seconds, status, answer FROM attempts WHERE delivery = ? ORDER BY id", (delivery,)
    )
    return [dict(row) for row in rows]


def body_of(event: Doc) -> bytes:
    """The bytes that are signed and sent."""
    return json.dumps(event, indent=2).encode()
