"""Events: what one domain tells those to its right.

`await publish(OrderPaid(order_id=7))` inside a transaction enqueues one job for each subscriber in that same
transaction, so the outbox and the queue are one thing. Events carry ids; subscribers re-read state.
"""

from collections.abc import Awaitable, Callable
from dataclasses import asdict
from datetime import timedelta
from functools import wraps
from typing import Any, TypeVar

from app.core import db, queue

E = TypeVar("E")

_subscribers: dict[type, list[str]] = {}


def on(
    event: type[E], *, attempts: int | None = None, first_delay: timedelta = timedelta(seconds=10)
) -> Callable[[Callable[[E], Awaitable[None]]], Callable[[E], Awaitable[None]]]:
    """Subscribe a coroutine function to an event; each delivery is a job of its own, retried by itself."""

    def register(function: Callable[[E], Awaitable[None]]) -> Callable[[E], Awaitable[None]]:
        @wraps(function)
        async def deliver(**fields: Any) -> None:
            await function(event(**fields))

        queue.job(attempts=attempts, first_delay=first_delay)(deliver)
        _subscribers.setdefault(event, []).append(queue.job_name(deliver))
        return function

    return register


async def publish(event: Any) -> None:
    """Tell every subscriber of this event, once the current transaction commits. Outside one it raises."""
    if not db.in_transaction():
        raise RuntimeError(f"{type(event).__name__} was published outside a transaction")
    await queue.enqueue_named([(name, asdict(event)) for name in _subscribers.get(type(event), [])])
