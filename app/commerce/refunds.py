"""Money given back: asked for in a transaction, sent outside of one, recorded when it is known how it went."""

from dataclasses import replace
from datetime import timedelta

import structlog

from app.access import entitlements
from app.commerce import timeline
from app.commerce.events import OrderRefunded, OrderRegained
from app.commerce.models import Order, Refund, state_after_refunds
from app.commerce.queries import orders as order_queries
from app.commerce.queries import refunds as queries
from app.commerce.queries import timeline as timeline_queries
from app.core import audit, clock, db, events, queue
from app.core.errors import Conflict, Invalid, NotFound
from app.core.i18n import _
from app.core.ids import public_id
from app.core.money import format_money
from app.gateways import payments

log = structlog.get_logger()

# The reasons that the shop itself gives; a person's reason is free text.
BOUGHT_TWICE = "bought twice"
PAID_AGAIN = "paid again"
REJECTED = "rejected"
# A refund that was begun is given this long before a scheduled job looks after it.
PATIENCE = timedelta(minutes=2)


class NotPaidYet(Exception):
    """A refund was told of before its payment; the news is taken up again later."""


async def of(order: Order) -> list[Refund]:
    """The refunds of an order, newest first."""
    return await queries.refunds_of(order.id)


async def request(order: Order, amount_minor: int, *, reason: str, ref: str, requested_by: int) -> Refund:
    """Begin to give money back: a pending refund, and a job that finishes it should this process die.

    `ref` becomes the refund's public id, so a form that is sent twice refunds once. Audited. Raises Conflict for an
    order that is not paid and Invalid for more than is left of it.
    """
    async with db.transaction():
        locked = await order_queries.lock_order(order.id)
        if locked is None or not locked.is_paid:
            raise Conflict(_("Only a paid order can be refunded."))
        known = await queries.refund_by_public_id(ref)
        if known is not None and known.order_id == order.id:
            return known
        left = locked.total_minor - (await queries.sums(order.id)).promised
        if amount_minor <= 0 or amount_minor > left:
            most = format_money(left, locked.currency)
            raise Invalid(_("At most %(most)s can be given back.", most=most), field="amount")
        begun = await _insert(locked, amount_minor, reason=reason, ref=ref, requested_by=requested_by)
        after = {"amount_minor": amount_minor, "currency": locked.currency, "reason": reason}
        await audit.record("order.refund", "order", locked.public_id, after=after, summary=str(locked.number))
        return begun


async def give_back_later(order: Order, amount_minor: int, *, reason: str) -> None:
    """Begin to give money back without a person asking, in the caller's transaction; nothing for a free order."""
    if amount_minor > 0:
        await _insert(order, amount_minor, reason=reason, ref=public_id(), requested_by=None)


async def give_back_whole(
    order: Order, payment_id: str, amount_minor: int, currency: str, *, reason: str, requested_by: int | None = None
) -> None:
    """Begin to give back all of a payment that did not pay this order, in the caller's transaction. What the order
    says of its own payment stays as it is.
    """
    await _insert(
        order,
        amount_minor,
        reason=reason,
        ref=public_id(),
        requested_by=requested_by,
        payment_id=payment_id,
        currency=currency,
    )


async def stranded(order: Order) -> list[Refund]:
    """Payments that did not pay this order and could not be given back: a person must do something."""
    return await queries.stranded(order.id)


async def send_again(order: Order, ref: str, *, requested_by: int) -> Refund:
    """Try once more to give a stranded payment back; `ref` is the try that failed. Audited.

    Raises Conflict when somebody dealt with it already.
    """
    async with db.transaction():
        failed = await _stranded(order, ref)
        begun = await _insert(
            order,
            failed.amount_minor,
            reason=failed.reason,
            ref=public_id(),
            requested_by=requested_by,
            payment_id=failed.payment_id,
            currency=failed.currency,
        )
        await _audit_stranded(order, failed, "again")
        return begun


async def settle_by_hand(order: Order, ref: str, *, requested_by: int) -> None:
    """Write down that a person gave a stranded payment back in another way. Audited.

    Raises Conflict when somebody dealt with it already.
    """
    async with db.transaction():
        failed = await _stranded(order, ref)
        refund_id = await queries.insert(
            public_id=public_id(),
            order_id=order.id,
            amount_minor=failed.amount_minor,
            reason=failed.reason,
            requested_by=requested_by,
            stripe_refund_id=None,
            now=clock.now(),
            payment_id=failed.payment_id,
            currency=failed.currency,
        )
        assert refund_id is not None
        await queries.set_state(refund_id, "succeeded", error="", now=clock.now())
        await timeline.note(order.id, "given_back_by_hand", amount=failed.amount_minor, currency=failed.currency)
        await _audit_stranded(order, failed, "by hand")


async def _stranded(order: Order, ref: str) -> Refund:
    await order_queries.lock_order(order.id)
    for failed in await queries.stranded(order.id):
        if failed.public_id == ref:
            return failed
    raise Conflict(_("Somebody dealt with this payment already."))


async def _audit_stranded(order: Order, failed: Refund, how: str) -> None:
    after = {"amount_minor": failed.amount_minor, "currency": failed.currency, "payment": failed.payment_id, "how": how}
    await audit.record("order.refund", "order", order.public_id, after=after, summary=str(order.number))


async def _insert(
    order: Order,
    amount_minor: int,
    *,
    reason: str,
    ref: str,
    requested_by: int | None,
    payment_id: str | None = None,
    currency: str | None = None,
) -> Refund:
    refund_id = await queries.insert(
        public_id=ref,
        order_id=order.id,
        amount_minor=amount_minor,
        reason=reason,
        requested_by=requested_by,
        stripe_refund_id=None,
        now=clock.now(),
        payment_id=payment_id,
        currency=currency,
    )
    if refund_id is None:
        raise Conflict(_("This refund was made already."))
    if payment_id is None:
        await timeline.note(order.id, "refund_begun", amount=amount_minor, reason=reason)
    elif requested_by is not None:
        await timeline.note(order.id, "give_back_begun", amount=amount_minor, currency=currency)
    # A person sees the result at once, because the request performs it too; both ways use one idempotency key.
    await queue.enqueue_named(
        [("commerce.perform_refund", {"refund_id": refund_id})],
        after=timedelta(seconds=30) if requested_by is not None else None,
    )
    return await _again(refund_id)


async def perform(refund_id: int) -> Refund:
    """Send a pending refund to the payment service and record the answer; safe to repeat.

    Raises payments.Unavailable when no answer came: it stays pending.
    """
    refund, order = await _both(refund_id)
    if refund.state != "pending":
        return refund
    if refund.is_booked and order.is_paid_elsewhere:
        await _book(refund, order)
        return await _again(refund_id)
    payment_id = refund.payment_id or order.stripe_payment_intent_id
    if payment_id is None:
        await _fail(refund, order, _("The payment of this order is not known."))
        return await _again(refund_id)
    try:
        answer = await _sent_before(refund, payment_id) or await _send(refund, payment_id)
    except payments.Unavailable as error:
        if error.answered:  # Stripe would repeat this answer for the same key
            await queries.raise_attempt(refund.id, refund.attempt)
        raise
    except (payments.Refused, payments.Declined) as error:
        if not refund.is_booked and getattr(error, "code", "") == "charge_already_refunded":
            await queries.delete_pending(refund.id)  # it went back in Stripe's dashboard: that has its own row
            return replace(refund, state="succeeded")
        await _fail(refund, order, str(error))
    else:
        await record(order.id, answer)
    return await _again(refund_id)


async def _send(refund: Refund, payment_id: str) -> payments.Refund:
    return await payments.gateway().refund(
        payment_id,
        refund.amount_minor if refund.is_booked else None,
        reference=refund.public_id,
        reason="duplicate" if refund.reason in (BOUGHT_TWICE, PAID_AGAIN) else "requested_by_customer",
        idempotency_key=refund.idempotency_key,
    )


async def _sent_before(refund: Refund, payment_id: str) -> payments.Refund | None:
    """What the payment service knows of this refund. A fresh one need not be asked for: its key protects it.

    Stripe forgets keys after a day, and a second try may go under another key, so those are looked up first.
    """
    is_fresh = refund.attempt == 1 and clock.now() - refund.created_at < PATIENCE
    if refund.stripe_refund_id is None and is_fresh:
        return None
    for known in await payments.gateway().list_refunds(payment_id):
        if known.refund_id == refund.stripe_refund_id or known.reference == refund.public_id:
            return known
    return None


async def record(order_id: int, told: payments.Refund) -> bool:
    """Write down what is known of a refund, ours or made in Stripe's dashboard; False when it was known before.

    A full refund closes what the order opened; a partial one keeps it. Publishes OrderRefunded when money went.
    Of a payment that never paid the order only that is written down; of one that nobody knows, nothing.
    Raises NotPaidYet when the payment has not been booked.
    """
    async with db.transaction():
        order = await order_queries.lock_order(order_id)
        if order is None:
            raise NotFound()
        payment_id = told.payment_id or order.stripe_payment_intent_id or ""
        is_booked = order.is_paid and payment_id == (order.stripe_payment_intent_id or payment_id)
        if not is_booked and await timeline_queries.odd_payment(order.id, payment_id) is None:
            if order.is_paid:
                return False
            raise NotPaidYet(order.public_id)
        refund = await _row_of(order, told, None if is_booked else payment_id)
        if not await queries.set_state(refund.id, told.state, error=told.failure, now=clock.now()):
            return False
        if refund.is_booked:
            await _recount(order)
        if told.state != "succeeded":
            await _tell_failure(order, refund, told.failure)
        elif refund.is_booked:
            await timeline.note(order.id, "refunded", amount=told.amount_minor, refund=told.refund_id)
            await events.publish(OrderRefunded(order.id, refund.id))
        else:
            await _note_given_back(order, refund, told)
        return True


async def _note_given_back(order: Order, refund: Refund, told: payments.Refund) -> None:
    """All, or what was left, of a payment that never paid the order is on its way back."""
    await queries.set_amount(refund.id, told.amount_minor)
    was = await timeline_queries.odd_payment(order.id, refund.payment_id or "")
    await timeline.note(
        order.id,
        "second_given_back" if was == "paid_again" else "rejected_given_back",
        amount=told.amount_minor,
        currency=told.currency,
        refund=told.refund_id,
    )


async def _row_of(order: Order, told: payments.Refund, odd_payment_id: str | None) -> Refund:
    """The refund's row: by Stripe's id, by ours, or a new one when it was made elsewhere."""
    known = await queries.refund_by_stripe_id(told.refund_id)
    if known is None and told.reference:
        ours = await queries.refund_by_public_id(told.reference)
        known = ours if ours is not None and ours.order_id == order.id else None
    if known is None:
        refund_id = await queries.insert(
            public_id=public_id(),
            order_id=order.id,
            amount_minor=told.amount_minor,
            reason="",
            requested_by=None,
            stripe_refund_id=told.refund_id,
            now=clock.now(),
            payment_id=odd_payment_id,
            currency=told.currency if odd_payment_id else None,
        )
        assert refund_id is not None  # the order is locked, so nobody else writes its refunds
        return await _again(refund_id)
    if known.stripe_refund_id is None:
        await queries.set_stripe_id(known.id, told.refund_id)
    return known


async def _recount(order: Order) -> None:
    """Let the order's state follow the sum of what went back."""
    done = min((await queries.sums(order.id)).done, order.total_minor)
    state = state_after_refunds(order, done)
    await order_queries.set_refunded(order.id, state, done)
    if state == "refunded" and order.state != "refunded":
        closed = await entitlements.close(f"order:{order.public_id}", reason="refunded")
        if closed:
            await timeline.note(order.id, "access_closed", count=closed)
    elif order.state == "refunded" and state != "refunded":
        # The money did not arrive after all: what only its going had closed is open again.
        opened = await entitlements.reopen(f"order:{order.public_id}", reason="refunded")
        if opened:
            await timeline.note(order.id, "access_opened", count=opened)
        await events.publish(OrderRegained(order.id))


async def _book(refund: Refund, order: Order) -> None:
    """Record a refund whose money goes back by hand, because Stripe does not know the payment."""
    async with db.transaction():
        locked = await order_queries.lock_order(order.id)
        if locked is None or not await queries.set_state(refund.id, "succeeded", error="", now=clock.now()):
            return
        await _recount(locked)
        await timeline.note(order.id, "refunded", amount=refund.amount_minor)
        await events.publish(OrderRefunded(order.id, refund.id))


async def _fail(refund: Refund, order: Order, error: str) -> None:
    async with db.transaction():
        if await queries.set_state(refund.id, "failed", error=error[:300], now=clock.now()):
            await _tell_failure(order, refund, error)


async def _tell_failure(order: Order, refund: Refund, error: str) -> None:
    kind = "refund_failed" if refund.is_booked else "give_back_failed"
    await timeline.note(order.id, kind, amount=refund.amount_minor, currency=refund.currency, error=error)
    await queue.enqueue_named([("commerce.alert_refund_failed", {"refund_id": refund.id})])


async def _both(refund_id: int) -> tuple[Refund, Order]:
    refund = await _again(refund_id)
    order = await order_queries.order(refund.order_id)
    assert order is not None
    return refund, order


async def _again(refund_id: int) -> Refund:
    refund = await queries.refund(refund_id)
    if refund is None:
        raise NotFound()
    return refund
