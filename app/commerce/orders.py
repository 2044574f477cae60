"""Orders: placed, paid, ended. Paying and being let in are one transaction."""

import hashlib
import hmac
from collections.abc import Iterable, Sequence

import orjson
import structlog
from asyncpg import ForeignKeyViolationError

from app.access import entitlements
from app.accounts import merging, users
from app.commerce import refunds, timeline
from app.commerce.events import OrderFailed, OrderFlagged, OrderPaid
from app.commerce.models import OPEN_STATES, Buyer, Order, OrderFile, OrderItem, Quote, QuoteLine, Received, mismatch
from app.commerce.queries import carts as cart_queries
from app.commerce.queries import orders as queries
from app.commerce.queries import refunds as refund_queries
from app.commerce.queries import timeline as timeline_queries
from app.commerce.refunds import request as refund
from app.core import audit, clock, db, events
from app.core.errors import Conflict, NotFound
from app.core.i18n import _
from app.core.ids import public_id

__all__ = [
    "accept",
    "check_free",
    "file",
    "find",
    "find_by_public_id",
    "find_for_buyer",
    "items_by_order",
    "items_of",
    "last_of_guest",
    "mark_expired",
    "mark_failed",
    "mark_paid",
    "mark_processing",
    "mark_replaced",
    "of_member",
    "place",
    "refund",
    "reject",
    "to_give_back",
]

log = structlog.get_logger()


async def find(order_id: int) -> Order | None:
    """The order with this key, or None."""
    return await queries.order(order_id)


async def find_by_public_id(order_public_id: str) -> Order | None:
    """The order with this public id, whoever's it is, or None."""
    return await queries.order_by_public_id(order_public_id)


async def file(order_public_id: str) -> OrderFile | None:
    """The order with what is known of its buyer, for the back office."""
    return await queries.order_file(order_public_id)


async def items_of(order: Order) -> list[OrderItem]:
    """Its lines as they were sold."""
    return await queries.items([order.id])


async def items_by_order(some: Sequence[Order]) -> dict[int, list[OrderItem]]:
    """The lines of several orders, by order."""
    found: dict[int, list[OrderItem]] = {order.id: [] for order in some}
    for item in await queries.items(list(found)) if found else []:
        found[item.order_id].append(item)
    return found


async def of_member(user_id: int, *, before: int | None = None, limit: int = 20) -> list[Order]:
    """A member's orders that came to something, newest first; `before`: those with a smaller number."""
    return await queries.orders_of_user(user_id, before=before, limit=limit)


async def find_for_buyer(
    order_public_id: str, *, user_id: int | None = None, token_hash: bytes | None = None, session_id: str = ""
) -> Order | None:
    """The order, if the one who asks is its buyer: signed in, in the browser whose cart it came from, or with the id
    of its payment page, which nobody else was given. None otherwise.
    """
    order = await queries.order_by_public_id(order_public_id)
    if order is None:
        return None
    if user_id is not None and order.user_id == user_id:
        return order
    if order.cart_id is not None:
        theirs = (
            user_id is not None and order.user_id is None and order.cart_id == await cart_queries.cart_of_user(user_id)
        )
        if theirs or (token_hash is not None and order.cart_id == await cart_queries.cart_of_token(token_hash)):
            return order
    known = order.stripe_session_id
    return order if known is not None and hmac.compare_digest(known.encode(), session_id.encode()) else None


async def last_of_guest(cart_id: int) -> Order | None:
    """The order that this cart's guest placed last and has not paid, or None. Only for the browser with that cart."""
    return await queries.last_unpaid_of_guest(cart_id)


def quote_key(quote: Quote, buyer: Buyer, cart_id: int | None, reference: str = "") -> str:
    """What makes two orders the same: who buys what for how much, out of which cart or for which `reference`."""
    facts = [
        cart_id,
        buyer.user_id or buyer.email.lower(),
        sorted((line.product_id or 0, line.amount_minor) for line in quote.lines),
        quote.currency,
        str(quote.tax_percent),
        *([reference] if reference else []),
    ]
    return hashlib.sha256(orjson.dumps(facts)).hexdigest()


async def place(quote: Quote, buyer: Buyer, *, cart_id: int | None, reference: str = "") -> Order:
    """The pending order for this quote. While one is open the same one comes back, however often it is asked for;
    an order that comes from no cart says by `reference` what it is for.

    Raises Conflict when the things are no longer in the cart: just paid for, or merged into a member's.
    """
    try:
        return await _place(quote, buyer, cart_id, reference)
    except ForeignKeyViolationError as error:
        raise Conflict(_("Your cart has changed since that page was shown. Here it is as it stands now.")) from error


async def _place(quote: Quote, buyer: Buyer, cart_id: int | None, reference: str) -> Order:
    async with db.transaction():
        row = await queries.insert_order(
            quote,
            public_id=public_id(),
            quote_key=quote_key(quote, buyer, cart_id, reference),
            cart_id=cart_id,
            user_id=buyer.user_id,
            email=buyer.email,
            name=buyer.name,
            now=clock.now(),
        )
        if row.is_new:
            # While this waited for the order before it, that one may have been paid and have left the cart.
            if cart_id is not None and not await cart_queries.holds_all(cart_id, _products(quote.lines)):
                raise Conflict(_("Your cart has changed since that page was shown. Here it is as it stands now."))
            await queries.insert_items(row.id, quote)
            await timeline.note(row.id, "placed", lines=len(quote.lines), guest=buyer.user_id is None)
        order = await queries.order(row.id)
        assert order is not None
        return order


def _products(lines: Iterable[QuoteLine | OrderItem]) -> list[int]:
    return [line.product_id for line in lines if line.product_id is not None]


async def mark_paid(order_id: int, received: Received) -> bool:
    """Book a payment: the order is paid, its buyer has an account, every line is open, the cart is lighter.

    One transaction, and only the first call does it: False afterwards, and a second payment goes back. One that does
    not fit pays nothing: the order is flagged for a person. Publishes OrderPaid, or OrderFlagged.
    """
    async with db.transaction():
        order = await _locked(order_id)
        if order.is_paid:
            await _paid_again(order, received)
            return False
        anothers = await _of_another(order, received)
        wrong = anothers or mismatch(order, received)
        if wrong:
            await _flag(order, wrong, received, is_anothers=bool(anothers))
            return False
        await timeline.note(order_id, "paid", amount=received.amount_minor, told_by=received.told_by)
        # A flag goes with the right payment; what had come and does not fit must not be forgotten with it.
        await _give_back(order, await to_give_back(order) if order.flag else [])
        await _fulfil(order, session_id=received.session_id, payment_id=received.payment_id)
    log.info("order paid", order=order.public_id, told_by=received.told_by)
    return True


async def _of_another(order: Order, received: Received) -> str:
    """Why this payment cannot be for this order: another one has it. Empty when none has."""
    other = await queries.order_with(received.session_id, received.payment_id, but=order.id)
    return f"the payment is that of order {other.number}" if other is not None else ""


async def _paid_again(order: Order, received: Received) -> None:
    """More news of a payment for a paid order. If two of its payment pages were paid, the later payment goes back."""
    if await _of_another(order, received):
        # Rightly another's: neither a second payment of this order nor to be given back.
        log.error("a paid order was told the payment of another", order=order.public_id)
        return
    if order.stripe_payment_intent_id in (None, received.payment_id) or not received.payment_id:
        await queries.note_payment(order.id, session_id=received.session_id, payment_id=received.payment_id)
        return
    amount, currency = received.amount_minor, received.currency
    if await timeline_queries.odd_payment(order.id, received.payment_id) is not None or amount <= 0:
        return
    await timeline.note_once(order.id, "paid_again", told_by=received.payment_id, amount=amount, currency=currency)
    await refunds.give_back_whole(order, received.payment_id, amount, currency, reason=refunds.PAID_AGAIN)
    log.error("order paid a second time", order=order.public_id, payment=received.payment_id)


async def accept(order: Order, *, seen: str = "") -> int:
    """Open what a flagged order holds, because a person looked and decided so; the payment that came last pays it, and
    those before it go back: how many. Audited.

    `seen` is what was in question as that person saw it. Raises Conflict without a flag, when another payment came since, and
    when the money went back meanwhile.
    """
    async with db.transaction():
        locked = await _decided(order, "accept")
        if seen and seen != locked.in_question:
            raise Conflict(_("Another payment came for this order since you looked at it. Look at it again."))
        if await refund_queries.goes_back(order.id):
            raise Conflict(_("The payment of this order went back. There is nothing left to accept."))
        await timeline.note(order.id, "accepted")
        # An order knows one payment: what else came could never be given back from its page.
        before = [each for each in await to_give_back(order) if each.payment_id != locked.stripe_payment_intent_id]
        await _give_back(locked, before)
        await _fulfil(locked, session_id="", payment_id="")
        return len(before)


async def reject(order: Order) -> int:
    """End a flagged order, and give back, whole, each payment that came for it; how many. Audited.

    What is another order's payment stays there. The money goes by jobs that are safe to repeat. Raises Conflict
    without a flag.
    """
    async with db.transaction():
        locked = await _decided(order, "reject")
        came = await to_give_back(order)
        await queries.set_rejected(order.id, now=clock.now())
        await timeline.note(order.id, "rejected", payment=", ".join(payment.payment_id for payment in came))
        await _give_back(locked, came)
        return len(came)


async def _give_back(order: Order, came: list[db.Row]) -> None:
    for payment in came:
        await refunds.give_back_whole(
            order, payment.payment_id, payment.amount_minor, payment.currency, reason=refunds.REJECTED
        )


async def to_give_back(order: Order) -> list[db.Row]:
    """What would go back if this flagged order were rejected: `payment_id, amount_minor, currency` of each payment."""
    return await timeline_queries.flagged_payments(order.id)


async def _decided(order: Order, act: str) -> Order:
    """The flagged order, locked, with a line in the audit log of what a person decided about it."""
    locked = await _locked(order.id)
    if not locked.flag or locked.is_paid:
        raise Conflict(_("This order needs no decision."))
    await audit.record(
        f"order.{act}",
        "order",
        order.public_id,
        before={"flag": locked.flag},
        after={"flag": ""},
        summary=str(order.number),
    )
    return locked


async def _fulfil(order: Order, *, session_id: str, payment_id: str) -> None:
    """Everything that being paid means, in the caller's transaction, which holds the order's row."""
    paid = await queries.set_paid(order.id, session_id=session_id, payment_id=payment_id, now=clock.now())
    assert paid is not None
    user_id = await _account_of(paid)
    await queries.lock_buyer(user_id)
    lines = await queries.items([order.id])
    await _let_in(paid, user_id, lines)
    await cart_queries.delete_bought(paid.cart_id, user_id, _products(lines))
    await events.publish(OrderPaid(order.id))


async def _account_of(order: Order) -> int:
    """The buyer's account: who ordered, unless it was merged into another while they did; a guest's is made."""
    if order.user_id is not None:
        kept = await merging.kept_for(order.user_id)
        if kept is not None:
            await queries.set_user(order.id, kept.id)
        return kept.id if kept is not None else order.user_id
    person, made = await users.ensure(order.email, order.name)
    await queries.set_user(order.id, person.id)
    await timeline.note(order.id, "account", made=made)
    return person.id


async def _let_in(order: Order, user_id: int, lines: list[OrderItem]) -> None:
    had = await entitlements.owned(user_id, _products(lines))
    for line in lines:
        if line.product_id is None or line.product_id in had:
            continue
        if not await _grant(order, user_id, line, line.product_id):
            await timeline.note(order.id, "stays_closed", titles=[line.title])
    twice = [line for line in lines if line.product_id in had]
    if twice:
        await timeline.note(order.id, "bought_twice", titles=[line.title for line in twice])
        await refunds.give_back_later(order, sum(line.amount_minor for line in twice), reason=refunds.BOUGHT_TWICE)


async def _grant(order: Order, user_id: int, line: OrderItem, product_id: int) -> bool:
    """Open one line. What is free has the same cause as a free start, so what was closed for somebody stays closed."""
    is_free = line.amount_minor == 0
    return await entitlements.grant(
        user_id,
        product_id,
        source="free" if is_free else "order",
        source_ref=(entitlements.free_ref(user_id, product_id) if is_free else f"order:{order.public_id}:{line.id}"),
        note="" if is_free else str(order.number),
    )


async def check_free(order: Order, user_id: int) -> None:
    """Raises Conflict when all of a free order was closed for this person: there is nothing that it could open."""
    lines = await items_of(order)
    had = await entitlements.owned(user_id, _products(lines))
    closed = [
        line.title
        for line in lines
        if line.product_id is not None
        and line.product_id not in had
        and await entitlements.is_closed(entitlements.free_ref(user_id, line.product_id))
    ]
    if closed and len(closed) == len(lines):
        raise Conflict(_("Your access to %(title)s was closed. Write to us if that is wrong.", title=", ".join(closed)))


async def _flag(order: Order, wrong: str, received: Received, *, is_anothers: bool) -> None:
    """Show a payment that does not fit to a person, once. What is another order's stays with that."""
    if await timeline_queries.was_flagged(order.id, received.payment_id, wrong):
        return
    session_id, payment_id = ("", "") if is_anothers else (received.session_id, received.payment_id)
    # A payment that really came for this order matters more than one that belongs elsewhere.
    shown = order.flag if is_anothers and order.flag else wrong
    await queries.set_flag(order.id, shown, session_id=session_id, payment_id=payment_id)
    came = {} if is_anothers else {"came": received.amount_minor, "currency": received.currency}
    await timeline.note(order.id, "flagged", why=wrong, payment=received.payment_id, told_by=received.told_by, **came)
    await events.publish(OrderFlagged(order.id))
    log.error("payment does not fit its order", order=order.public_id, why=wrong)


async def mark_processing(order_id: int, received: Received) -> bool:
    """The buyer is done and the bank is not (a debit that takes days); False when the order is not pending."""
    async with db.transaction():
        await queries.lock_order(order_id)  # and its buyer before it, whom the note may name
        if not await queries.set_processing(order_id, payment_id=received.payment_id):
            return False
        await timeline.note(order_id, "processing", told_by=received.told_by)
        return True


async def mark_failed(order_id: int, *, reason: str, told_by: str = "") -> bool:
    """End an order whose payment was refused for good; False when it is not open. Publishes OrderFailed."""
    return await _close(order_id, "failed", reason, told_by)


async def mark_expired(order_id: int, *, told_by: str = "") -> bool:
    """End an order whose payment page closed unused; False when it is not pending. Publishes OrderFailed."""
    return await _close(order_id, "expired", "", told_by)


async def mark_replaced(order_id: int, *, told_by: str = "", unopened: bool = False) -> bool:
    """End an order that a later one from the same cart replaced; False when it is not pending, or, if it is to be
    `unopened`, has a payment page by now.
    """
    return await _close(order_id, "cancelled", "", told_by, unopened=unopened)


async def _close(order_id: int, state: str, failure: str, told_by: str, *, unopened: bool = False) -> bool:
    states, now = OPEN_STATES if state == "failed" else ("pending",), clock.now()
    async with db.transaction():
        await queries.lock_order(order_id)  # as above
        if not await queries.set_closed(order_id, state, failure=failure, states=states, now=now, unopened=unopened):
            return False
        await timeline.note(order_id, state, reason=failure, told_by=told_by)
        await events.publish(OrderFailed(order_id))
        return True


async def _locked(order_id: int) -> Order:
    order = await queries.lock_order(order_id)
    if order is None:
        raise NotFound()
    return order
