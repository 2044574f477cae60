"""The timeline of an order: one line a thing that happened, in the transaction in which it happened."""

from typing import Any

from app.commerce.models import OrderEvent
from app.commerce.queries import orders as queries
from app.core import audit, clock


async def note(order_id: int, kind: str, **detail: Any) -> None:
    """Write one line; who acts now is written with it."""
    kept = {key: value for key, value in detail.items() if value not in ("", None)}
    await queries.insert_event(order_id, kind, kept, actor_id=audit.current_actor().user_id, now=clock.now())


async def of(order_id: int) -> list[OrderEvent]:
    """What happened to an order, newest first."""
    return await queries.events(order_id)


async def note_once(order_id: int, kind: str, *, told_by: str, **detail: Any) -> bool:
    """Write one line for what this event told, unless it is written already."""
    kept = {key: value for key, value in detail.items() if value not in ("", None)}
    return await queries.insert_event_once(order_id, kind, {**kept, "told_by": told_by}, now=clock.now())
