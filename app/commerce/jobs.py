"""What commerce does in the background: Stripe's news, mail, refunds, and looking after what was left undone."""

from datetime import timedelta

import structlog

from app.accounts import consents
from app.commerce import carts, checkouts, letters, orders, refunds, stripe_events
from app.commerce.events import OrderFailed, OrderFlagged, OrderPaid, OrderRefunded
from app.commerce.queries import carts as cart_queries
from app.commerce.queries import orders as order_queries
from app.commerce.queries import refunds as refund_queries
from app.core import clock, db, events, queue, webhooks
from app.gateways import payments

log = structlog.get_logger()

# So many refunds are looked after in one go; the others have their turn five minutes later.
REFUNDS_AT_ONCE = 100
# Stripe tries for three days by itself; and keeps its news for thirty.
UNDELIVERED_SINCE = timedelta(days=7)
SWEEP_PAUSE = timedelta(seconds=20)


@webhooks.handles("stripe")
@queue.job(attempts=8, first_delay=timedelta(seconds=5))
async def handle_stripe_event(webhook_id: int) -> None:
    """Act on a stored delivery. What fails is tried again, and shows as failed meanwhile."""
    delivery = await webhooks.load(webhook_id)
    if delivery is None or delivery.state in ("handled", "ignored"):
        return
    try:
        nothing_to_do = await stripe_events.handle(delivery.type, delivery.payload)
    except Exception as error:
        await webhooks.mark(webhook_id, "failed", f"{type(error).__name__}: {error}"[:500])
        raise
    await webhooks.mark(webhook_id, "ignored" if nothing_to_do else "handled", nothing_to_do or None)


@events.on(OrderPaid)
async def mail_confirmation(event: OrderPaid) -> None:
    """Tell the buyer what was bought, once."""
    await letters.confirm_order(event.order_id)


@events.on(OrderPaid)
async def keep_consents(event: OrderPaid) -> None:
    """What a guest agreed to at the checkout belongs to the account that the payment made."""
    order = await orders.find(event.order_id)
    if order is not None and order.user_id is not None:
        await consents.adopt(f"order:{order.public_id}", order.user_id)


@events.on(OrderPaid)
async def alert_owner_of_order(event: OrderPaid) -> None:
    """Tell the owner about a sale, once."""
    await letters.tell_owner_of_order(event.order_id)


@events.on(OrderPaid)
async def look_up_payment(event: OrderPaid) -> None:
    """Ask how the order was paid (the card's last digits), and whether money went back before we knew of the payment."""
    order = await orders.find(event.order_id)
    if order is None or order.stripe_payment_intent_id is None:
        return
    payment = await payments.gateway().find_payment(order.stripe_payment_intent_id)
    if payment is None:
        return
    if payment.method:
        await order_queries.set_method(order.id, payment.method)
    for refund in payment.refunds:
        await refunds.record(order.id, refund)


@events.on(OrderFailed)
async def mail_failure(event: OrderFailed) -> None:
    """Tell the buyer that the bank did not pay."""
    await letters.tell_of_failure(event.order_id)


@events.on(OrderFlagged)
async def alert_owner_of_flag(event: OrderFlagged) -> None:
    """Tell the owner that a payment does not fit its order."""
    await letters.tell_owner_of_flag(event.order_id)


@events.on(OrderRefunded)
async def mail_refund(event: OrderRefunded) -> None:
    """Tell the buyer that money is on its way back, once for each refund."""
    await letters.confirm_refund(event.refund_id)


@queue.job(attempts=5)
async def alert_refund_failed(refund_id: int) -> None:
    """Tell the owner that a refund did not go through."""
    await letters.tell_owner_of_failed_refund(refund_id)


@queue.job(attempts=8)
async def perform_refund(refund_id: int) -> None:
    """Send a refund that was begun; safe to repeat. One that turned out not to be needed is gone."""
    if await refund_queries.refund(refund_id) is not None:
        await refunds.perform(refund_id)


@queue.job(attempts=5)
async def close_replaced(order_id: int) -> None:
    """Close the payment pages of earlier orders from the same cart."""
    await checkouts.close_replaced(order_id)


@queue.every("*/5 * * * *")
@queue.job(attempts=1)
async def finish_refunds() -> None:
    """Take up refunds whose end is not known: begun and then lost, or still on their way at the bank."""
    for refund in await refund_queries.pending(clock.now() - refunds.PATIENCE, REFUNDS_AT_ONCE):
        await refund_queries.note_look(refund.id, clock.now())
        try:
            await refunds.perform(refund.id)
        except payments.Unavailable:
            log.warning("refund waits", refund=refund.public_id)
            return
        except Exception as error:
            # One refund that cannot be finished must not keep all others from it.
            log.error("refund not finished", refund=refund.public_id, error=type(error).__name__, exc_info=error)


@queue.every("*/10 * * * *")
@queue.job(attempts=1)
async def reconcile() -> None:
    """Ask Stripe about orders that wait for long: a webhook may have been lost."""
    await checkouts.reconcile(older_than=timedelta(minutes=15))


@queue.every("7 * * * *")
@queue.job(attempts=1)
async def fetch_lost_events() -> None:
    """Take in what Stripe could not deliver (we were away, the endpoint was off); what is known already stays once.

    Stripe gives the newest first, so after a long outage one run does not reach the oldest: it remembers how far it
    came, and the next one goes on there.
    """
    if not payments.is_configured():
        return
    mark = await webhooks.sweep_mark("stripe")
    since = mark.since if mark is not None else clock.now() - UNDELIVERED_SINCE
    try:
        found = await payments.gateway().list_undelivered(stripe_events.KINDS, since, mark.before if mark else "")
    except payments.Refused:
        await webhooks.set_sweep_mark("stripe", None)  # where we were is forgotten there: from the top again
        raise
    for event in found.events:
        if await webhooks.store("stripe", event.id, event.kind, event.payload):
            log.warning("lost event fetched", provider="stripe", kind=event.kind, event_id=event.id)
    async with db.transaction():
        await webhooks.set_sweep_mark("stripe", webhooks.SweepMark(found.before, since) if found.before else None)
        if found.before:
            await queue.enqueue_named([("commerce.fetch_lost_events", {})], after=SWEEP_PAUSE)


@queue.every("30 3 * * *")
@queue.job(attempts=1)
async def forget_stale_carts() -> None:
    """Forget guests' carts that nobody has touched for long."""
    await cart_queries.delete_stale(clock.now() - carts.STALE)
    await cart_queries.delete_merged(clock.now() - carts.UNDER_WAY)
