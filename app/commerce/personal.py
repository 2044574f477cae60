"""What a person bought. Orders that were paid stay with their name for as long as the tax office may ask for them."""

from collections.abc import AsyncIterator, Mapping
from datetime import timedelta
from typing import Any

from app.commerce import letters, orders, refunds, timeline
from app.commerce.queries import personal as queries
from app.core import clock, db, personal, queue
from app.core.i18n import _
from app.core.personal import File, Subject
from app.core.settings import school

_YEAR = timedelta(days=366)


@personal.exports("orders")
async def orders_of(subject: Subject) -> AsyncIterator[Mapping[str, Any]]:
    """Your orders with their lines, refunds and what happened to them; receipts lie in the folder receipts."""
    async for row in db.stream(db.Row, "SELECT public_id FROM orders WHERE user_id = :id ORDER BY id", id=subject.id):
        order = await orders.find_by_public_id(row.public_id)
        if order is None:
            continue
        yield {
            "number": order.number,
            "state": order.state,
            "email": order.email,
            "name": order.name,
            "currency": order.currency,
            "subtotal_minor": order.subtotal_minor,
            "tax_minor": order.tax_minor,
            "tax_percent": str(order.tax_percent),
            "total_minor": order.total_minor,
            "refunded_minor": order.refunded_minor,
            "paid_with": order.payment_method,
            "placed": order.created_at,
            "paid": order.paid_at,
            "lines": [
                {"title": line.title, "amount_minor": line.amount_minor, "tax_minor": line.tax_minor}
                for line in await orders.items_of(order)
            ],
            "refunds": [
                {"amount_minor": one.amount_minor, "state": one.state, "at": one.created_at}
                for one in await refunds.of(order)
            ],
            "events": [{"what": event.what, "at": event.at} for event in await timeline.of(order)],
        }


@personal.exports("cart")
async def cart_of(subject: Subject) -> AsyncIterator[Mapping[str, Any]]:
    """What lies in your cart."""
    async for row in db.stream(
        db.Row,
        """
        SELECT p.title, i.added_at FROM carts c JOIN cart_items i ON i.cart_id = c.id JOIN products p ON p.id = i.product_id
        WHERE c.user_id = :id ORDER BY i.added_at
        """,
        id=subject.id,
    ):
        yield {"title": row.title, "added": row.added_at}


@personal.files("receipts")
async def receipts_of(subject: Subject) -> AsyncIterator[File]:
    """The receipt of each paid order, as text."""
    async for row in db.stream(
        db.Row,
        "SELECT public_id FROM orders WHERE user_id = :id AND paid_at IS NOT NULL ORDER BY id",
        id=subject.id,
    ):
        order = await orders.find_by_public_id(row.public_id)
        if order is not None:
            yield File(f"receipts/{order.number}.txt", _once((await letters.receipt_text(order)).encode()))


async def _once(content: bytes) -> AsyncIterator[bytes]:
    yield content


@personal.knows("orders")
async def names_on_orders(subject: Subject) -> list[str]:
    """Addresses and names that were typed at the checkout."""
    return await queries.names_of(subject.id)


@personal.hinders("orders")
async def money_under_way(subject: Subject) -> str:
    """Whoever is erased can no longer be given money back."""
    if await queries.has_open(subject.id):
        return _("A payment or a refund of this person is still on its way. It has to be finished first.")
    return ""


@personal.erases("orders")
async def forget(subject: Subject) -> None:
    """Cart, unpaid orders, and paid ones that are old enough. Younger ones wait for `forget_old_orders`."""
    await queries.delete_cart(subject.id)
    addresses = [word.lower() for word in subject.words if "@" in word]
    await queries.forget_unpaid(subject.id, addresses, queries.NOBODY)
    await queries.forget_paid(subject.id, queries.NOBODY, before=await _kept_since())
    await queries.forget_words(subject.id, list(subject.words))


@queue.every("41 4 * * *")
@queue.job()
async def forget_old_orders() -> None:
    """Take name and address from paid orders of people who were erased, when the school's years for them are over."""
    await queries.forget_paid(None, queries.NOBODY, before=await _kept_since())


async def _kept_since() -> Any:
    return clock.now() - _YEAR * (await school()).kept_years
