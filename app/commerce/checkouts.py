"""From a placed order to its payment page, and what became of that page."""

import asyncio
from dataclasses import dataclass
from datetime import timedelta

import structlog

from app.accounts import users
from app.commerce import orders, timeline
from app.commerce.models import CHECKOUT_LIFETIME, CHECKOUT_REUSE, CONFIRMATION_LIFETIME, Buyer, Order, Quote, Received
from app.commerce.queries import orders as queries
from app.core import clock, db, limits, mail, queue, tokens
from app.core.errors import Conflict, Unavailable
from app.core.i18n import _, locale
from app.gateways import payments

log = structlog.get_logger()

CONFIRMATION = "free-order"
# Anybody can type anybody's address: so many mails about free orders may one get.
CONFIRMATIONS = limits.Limit(5, 60 * 60)
_app_url = ""


class _Gone(Exception):
    """The order's payment page is closed; a new order is needed."""


@dataclass(frozen=True, slots=True)
class Next:
    """Where the buyer goes from here: to the payment page, or (when `url` is empty) to see how the order stands."""

    order: Order
    url: str = ""


@dataclass(frozen=True, slots=True)
class Returns:
    """Where the payment page leads back to: after paying, and after giving up. The same each time for one order."""

    success_url: str
    cancel_url: str


def configure(app_url: str) -> None:
    """Say where the payment page leads back to; called once by create_app()."""
    global _app_url
    _app_url = app_url.rstrip("/")


async def start(quote: Quote, buyer: Buyer, *, cart_id: int) -> Next:
    """Place the order of a quote, or take up the open one, and lead the buyer on.

    What is free is paid for a member at once, and for a guest once the link in a mail was used. Raises Unavailable
    while the payment service is away; the order stays, and the next try takes it up.
    """
    for _attempt in range(3):
        order = await orders.place(quote, buyer, cart_id=cart_id)
        try:
            return await _free(order) if order.is_free else await _page(order)
        except _Gone:
            await orders.mark_expired(order.id, told_by="checkout")
    raise Unavailable(_("The payment page could not be opened. Please try again."))


async def resume(order: Order, returns: Returns) -> Next:
    """The payment page of an order that was placed elsewhere than in the cart, opened now or before.

    Raises Unavailable while the payment service is away, and Conflict when the page has closed.
    """
    if order.is_paid:
        return Next(order)
    if not order.is_open:
        raise Conflict(_("The payment page of this order has closed."))
    try:
        return await _page(order, returns)
    except _Gone:
        await orders.mark_expired(order.id, told_by="checkout")
        raise Conflict(_("The payment page of this order has closed.")) from None


async def open_free(order: Order) -> None:
    """Open what a free order holds that was placed elsewhere than in the cart: for a member at once, for a guest once the
    link in a mail was used. Safe to repeat.

    Raises Conflict when all of it was closed for that person, TooMany when the address got enough of these mails.
    """
    if not order.is_free:
        raise ValueError(f"order {order.public_id} costs something")
    if order.is_open:
        try:
            await _free(order)
        except _Gone:
            await orders.mark_expired(order.id, told_by="checkout")


async def replace(order: Order) -> bool:
    """End an open order that another one took the place of, its payment page first; False when it was paid meanwhile."""
    await _replace(order)
    current = await queries.order(order.id)
    return current is not None and not current.is_paid and not current.is_open


async def _free(order: Order) -> Next:
    if order.user_id is not None:
        await orders.check_free(order, order.user_id)
        await orders.mark_paid(order.id, Received(0, order.currency, told_by="free"))
        return Next(order)
    if clock.now() - order.created_at > CONFIRMATION_LIFETIME:
        raise _Gone
    await limits.check("free-order", order.email.lower(), CONFIRMATIONS)
    url = f"{_app_url}/checkout/confirmations/{tokens.sign(order.public_id, CONFIRMATION)}"
    async with db.transaction():
        titles = [item.title for item in await orders.items_of(order)]
        sent = await mail.send(
            order.email,
            "commerce/free_confirmation",
            {"url": url, "name": order.name, "titles": titles},
            fact=f"order:{order.id}:free-confirmation",
        )
        if sent:
            await timeline.note(order.id, "confirmation_asked")
    return Next(order)


async def order_to_confirm(token: str) -> Order | None:
    """The free order behind the link of a mail; None when the link is wrong or too old."""
    found = tokens.unsign(token, CONFIRMATION, int(CONFIRMATION_LIFETIME.total_seconds()))
    order = await queries.order_by_public_id(found) if isinstance(found, str) else None
    return order if order is not None and order.is_free else None


async def confirm(order: Order) -> bool:
    """The owner of the address wants the free order; False when it was confirmed before.

    Raises Conflict when what it holds was closed for that person.
    """
    person = await users.find_by_email(order.email)
    if person is not None:
        await orders.check_free(order, person.id)
    return await orders.mark_paid(order.id, Received(0, order.currency, told_by="confirmation"))


async def _page(order: Order, returns: Returns | None = None) -> Next:
    if order.state == "processing":
        return Next(order)
    try:
        if order.stripe_session_id is not None:
            return await _page_again(order, order.stripe_session_id)
        if clock.now() - order.created_at > CHECKOUT_REUSE:
            raise _Gone
        return Next(order, await _open(order, returns or _to_cart(order)))
    except payments.Busy:
        return Next(order, await _opened_elsewhere(order))
    except payments.Unavailable as error:
        if error.answered:
            await queries.raise_attempt(order.id, order.checkout_attempt)
        raise Unavailable(
            _("We cannot reach the payment service. Your cart is kept: please try again in a minute.")
        ) from error
    except (payments.Refused, payments.Declined) as error:
        log.error("payment page refused", order=order.public_id, error=str(error))
        raise Unavailable(
            _("The payment service did not accept this order. Nothing was charged; please write to us.")
        ) from error


async def _page_again(order: Order, session_id: str) -> Next:
    checkout = await payments.gateway().find_checkout(session_id)
    if checkout is None or checkout.state == "expired":
        raise _Gone
    if checkout.state == "open":
        # Whoever goes back to an earlier order of the cart means that one by now.
        for later in await queries.others_open(order.cart_id, order.id, later=True) if order.cart_id else []:
            await _replace(later)
        return Next(order, checkout.url)
    await settle(order, checkout, told_by="checkout")
    return Next(order)


def _to_cart(order: Order) -> Returns:
    return Returns(
        f"{_app_url}/checkout/success?order={order.public_id}&session_id={{CHECKOUT_SESSION_ID}}",
        f"{_app_url}/cart?payment=stopped",
    )


async def _open(order: Order, returns: Returns) -> str:
    lines = await orders.items_of(order)
    checkout = await payments.gateway().open_checkout(
        payments.CheckoutRequest(
            reference=order.public_id,
            idempotency_key=order.idempotency_key,
            lines=tuple(payments.Line(line.title, line.amount_minor) for line in lines),
            currency=order.currency,
            email=order.email,
            success_url=returns.success_url,
            cancel_url=returns.cancel_url,
            # From the order, not from now: a second try must be the same request.
            expires_at=order.created_at + CHECKOUT_LIFETIME,
            locale=locale(),
        )
    )
    async with db.transaction():
        await queries.lock_order(order.id)  # and its buyer before it, whom the note names
        stored = await queries.set_session(
            order.id, attempt=order.checkout_attempt, session_id=checkout.session_id, url=checkout.url
        )
        if stored:
            await timeline.note(order.id, "checkout_opened", session=checkout.session_id)
            await queue.enqueue_named([("commerce.close_replaced", {"order_id": order.id})])
    return checkout.url if stored else await _page_of_another_try(order, checkout)


async def _page_of_another_try(order: Order, opened: payments.Checkout) -> str:
    """The page that this order has by now. If it is another one, that which was just opened must not be paid too.

    Raises Conflict when the order ended meanwhile.
    """
    current = await queries.order(order.id)
    if current is not None and current.stripe_session_id == opened.session_id:
        return opened.url
    await payments.gateway().expire_checkout(opened.session_id)
    if current is not None and not current.is_open and not current.is_paid:  # a later order took its place
        raise Conflict(_("The payment page of this order has closed."))
    if current is None or not current.stripe_session_url:
        raise payments.Unavailable("another try is under way")
    return current.stripe_session_url


async def _opened_elsewhere(order: Order) -> str:
    """The payment page that another click on the same button is opening just now."""
    for _look in range(20):
        await db.release()
        await asyncio.sleep(0.25)
        current = await queries.order(order.id)
        if current is not None and current.stripe_session_url:
            return current.stripe_session_url
    raise Unavailable(_("We cannot reach the payment service. Your cart is kept: please try again in a minute."))


async def settle(order: Order, checkout: payments.Checkout, *, told_by: str) -> None:
    """Book what a payment page says, asked for or told by a webhook."""
    received = Received(
        checkout.amount_minor, checkout.currency, checkout.session_id, checkout.payment_id, told_by=told_by
    )
    if checkout.is_paid:
        await orders.mark_paid(order.id, received)
    elif checkout.state == "complete":
        await orders.mark_processing(order.id, received)
    elif checkout.state == "expired" and _is_page_of(order, checkout):
        await orders.mark_expired(order.id, told_by=told_by)


def _is_page_of(order: Order, checkout: payments.Checkout) -> bool:
    """The page of an overtaken try is closed at once: that ends no order whose page is another one, or is just being opened."""
    if order.stripe_session_id is None:
        return order.checkout_attempt == 1
    return order.stripe_session_id == checkout.session_id


async def close_replaced(order_id: int) -> None:
    """Close the payment pages of earlier orders from the same cart, so that one cart is paid once. One that ended unpaid before
    this ran has taken no other's place.
    """
    order = await queries.order(order_id)
    if order is None or order.cart_id is None or not (order.is_open or order.is_paid):
        return
    for other in await queries.others_open(order.cart_id, order.id):
        await _replace(other)


async def _replace(other: Order) -> None:
    if other.stripe_session_id is None:
        if await orders.mark_replaced(other.id, told_by="replaced", unopened=True):
            return
        other = await queries.order(other.id) or other  # its page was opened a moment ago, or it ended
    if other.stripe_session_id is None:
        return
    try:
        await payments.gateway().expire_checkout(other.stripe_session_id)
    except payments.Refused:  # not open any more: paid, or expired by itself
        checkout = await payments.gateway().find_checkout(other.stripe_session_id)
        if checkout is not None:
            await settle(other, checkout, told_by="replaced")
    else:
        await orders.mark_replaced(other.id, told_by="replaced")


async def reconcile(*, older_than: timedelta, limit: int = 200) -> int:
    """Ask the payment service about orders that wait for long (a webhook was lost); how many were looked at."""
    waiting = await queries.waiting(clock.now() - older_than, limit)
    for order in waiting:
        await queries.note_look(order.id, clock.now())
        try:
            await _reconcile(order)
        except payments.Unavailable:
            raise
        except Exception as error:
            # One order that cannot be settled must not keep all younger ones from it.
            log.error("order not reconciled", order=order.public_id, error=type(error).__name__, exc_info=error)
    return len(waiting)


async def _reconcile(order: Order) -> None:
    if order.stripe_session_id is not None:
        checkout = await payments.gateway().find_checkout(order.stripe_session_id)
        if checkout is None:
            await orders.mark_expired(order.id, told_by="reconciliation")
        else:
            await settle(order, checkout, told_by="reconciliation")
    elif clock.now() - order.created_at > (CONFIRMATION_LIFETIME if order.is_free else CHECKOUT_LIFETIME):
        await orders.mark_expired(order.id, told_by="reconciliation")
