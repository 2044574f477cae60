"""What Stripe tells, in whatever order and however often, and what the shop does about it.

Each handler takes the event's object and answers a sentence when there was nothing to do. All the doing is in guarded
verbs, so duplicates and late comers change nothing. https://docs.stripe.com/webhooks, https://docs.stripe.com/checkout/fulfillment
"""

from collections.abc import Awaitable, Callable
from typing import Any

from app.commerce import checkouts, orders, refunds, timeline
from app.commerce.models import Order, Received
from app.commerce.queries import orders as queries
from app.gateways import payments
from app.gateways.payments import id_of

Handler = Callable[[dict[str, Any], str], Awaitable[str]]

HANDLED = ""
UNKNOWN_KIND = "This kind of event is not used."
UNKNOWN_ORDER = "No order of this school belongs to it."


async def handle(kind: str, payload: dict[str, Any]) -> str:
    """Act on one event; a sentence says why there was nothing to do, an empty one that it was handled."""
    handler = _HANDLERS.get(kind)
    if handler is None:
        return UNKNOWN_KIND
    return await handler(payload["data"]["object"], str(payload["id"]))


async def _checkout(found: dict[str, Any], event_id: str) -> str:
    """`checkout.session.completed`, `…expired` and `…async_payment_succeeded`: the page says how it stands."""
    order = await _order_of(found, session_id=found["id"])
    if order is None:
        return UNKNOWN_ORDER
    await checkouts.settle(order, payments.as_checkout(found), told_by=event_id)
    return HANDLED


async def _checkout_failed(found: dict[str, Any], event_id: str) -> str:
    """`checkout.session.async_payment_failed`: the bank took its time and said no."""
    order = await _order_of(found, session_id=found["id"])
    if order is None:
        return UNKNOWN_ORDER
    await orders.mark_failed(order.id, reason="bank", told_by=event_id)
    return HANDLED


async def _payment_succeeded(found: dict[str, Any], event_id: str) -> str:
    """`payment_intent.succeeded`: may come before the page's own event, or instead of it."""
    order = await _order_of(found, payment_id=found["id"])
    if order is None:
        return UNKNOWN_ORDER
    received = Received(
        found.get("amount_received") or 0, str(found.get("currency")).upper(), payment_id=found["id"], told_by=event_id
    )
    await orders.mark_paid(order.id, received)
    return HANDLED


async def _payment_refused(found: dict[str, Any], event_id: str) -> str:
    """`payment_intent.payment_failed`: one try failed. The page stays open for another, and so does the order."""
    order = await _order_of(found, payment_id=found["id"])
    if order is None:
        return UNKNOWN_ORDER
    error = found.get("last_payment_error") or {}
    why = error.get("decline_code") or error.get("code") or ""
    await timeline.note_once(order.id, "payment_refused", told_by=event_id, why=why, said=error.get("message") or "")
    return HANDLED


async def _charge_refunded(found: dict[str, Any], event_id: str) -> str:
    """`charge.refunded`: says that something went back, and often not what, so it is asked for."""
    payment_id = id_of(found.get("payment_intent"))
    order = await _order_of(found, payment_id=payment_id)
    if order is None:
        return UNKNOWN_ORDER
    listed = (found.get("refunds") or {}).get("data")
    told = (
        [payments.as_refund(item) for item in listed] if listed else await payments.gateway().list_refunds(payment_id)
    )
    for refund in told:
        await refunds.record(order.id, refund)
    return HANDLED


async def _refund(found: dict[str, Any], event_id: str) -> str:
    """`refund.created`, `.updated`, `.failed`: ours, or made in Stripe's dashboard."""
    payment_id = id_of(found.get("payment_intent"))
    order = await _order_of(found, payment_id=payment_id)
    if order is None:
        return UNKNOWN_ORDER
    await refunds.record(order.id, payments.as_refund(found))
    return HANDLED


_HANDLERS: dict[str, Handler] = {
    "checkout.session.completed": _checkout,
    "checkout.session.async_payment_succeeded": _checkout,
    "checkout.session.async_payment_failed": _checkout_failed,
    "checkout.session.expired": _checkout,
    "payment_intent.succeeded": _payment_succeeded,
    "payment_intent.payment_failed": _payment_refused,
    "charge.refunded": _charge_refunded,
    "refund.created": _refund,
    "refund.updated": _refund,
    "refund.failed": _refund,
}
KINDS = tuple(_HANDLERS)


async def _order_of(found: dict[str, Any], *, session_id: str = "", payment_id: str = "") -> Order | None:
    """The order that an object is about: by the reference that we gave it, else by its own id."""
    reference = found.get("client_reference_id") or (found.get("metadata") or {}).get("order")
    order = await queries.order_by_public_id(str(reference)) if reference else None
    if order is None and session_id:
        order = await queries.order_by_session(session_id)
    if order is None and payment_id:
        order = await queries.order_by_payment(payment_id) or await queries.order_giving_back(payment_id)
    return order
