"""SQL of refunds."""

from datetime import datetime

from app.commerce.models import Refund
from app.core import db

_REFUND = """
    SELECT r.id, r.public_id, r.order_id, r.amount_minor, r.reason, r.state, r.attempt, r.stripe_refund_id, r.error, r.requested_by,
           u.name AS requested_by_name, r.created_at, r.finished_at, r.payment_id, r.currency
    FROM refunds r LEFT JOIN users u ON u.id = r.requested_by
"""


async def refund(refund_id: int) -> Refund | None:
    return await db.one(Refund, f"{_REFUND} WHERE r.id = :id", id=refund_id)


async def refund_by_public_id(public_id: str) -> Refund | None:
    return await db.one(Refund, f"{_REFUND} WHERE r.public_id = :public_id", public_id=public_id)


async def refund_by_stripe_id(stripe_refund_id: str) -> Refund | None:
    return await db.one(Refund, f"{_REFUND} WHERE r.stripe_refund_id = :id", id=stripe_refund_id)


async def refunds_of(order_id: int) -> list[Refund]:
    """What went back of the payment of an order, or is about to."""
    return await db.many(
        Refund, f"{_REFUND} WHERE r.order_id = :order_id AND r.payment_id IS NULL ORDER BY r.id DESC", order_id=order_id
    )


async def stranded(order_id: int) -> list[Refund]:
    """Payments that never paid the order and that could not be given back: of each the last try, when that failed."""
    return await db.many(
        Refund,
        f"""
        {_REFUND} WHERE r.order_id = :order_id AND r.payment_id IS NOT NULL AND r.state = 'failed'
          AND NOT EXISTS (SELECT 1 FROM refunds n WHERE n.order_id = r.order_id AND n.payment_id = r.payment_id
                            AND n.id > r.id)
        ORDER BY r.id
        """,  # noqa: S608 (a constant)
        order_id=order_id,
    )


async def goes_back(order_id: int) -> bool:
    """Whether anything of a payment that does not fit this order went back, or is about to."""
    found: bool = await db.value(
        """
        SELECT EXISTS (SELECT 1 FROM refunds WHERE order_id = :order_id AND payment_id IS NOT NULL AND state <> 'failed')
        """,
        order_id=order_id,
    )
    return found


async def delete_pending(refund_id: int) -> None:
    """Forget a refund that there is no need for: the money is back already."""
    await db.run("DELETE FROM refunds WHERE id = :id AND state = 'pending'", id=refund_id)


async def set_amount(refund_id: int, amount_minor: int) -> None:
    await db.run("UPDATE refunds SET amount_minor = :amount WHERE id = :id", id=refund_id, amount=amount_minor)


async def pending(before: datetime, limit: int) -> list[Refund]:
    """Refunds begun before then whose end is not known; those come first that nobody looked at for longest."""
    return await db.many(
        Refund,
        f"""
        {_REFUND} WHERE r.state = 'pending' AND r.created_at < :before
        ORDER BY coalesce(r.looked_at, r.created_at), r.id LIMIT :limit
        """,
        before=before,
        limit=limit,
    )


async def note_look(refund_id: int, now: datetime) -> None:
    """Remember that somebody asked how this refund stands, so that others come first next time."""
    await db.run("UPDATE refunds SET looked_at = :now WHERE id = :id", id=refund_id, now=now)


async def insert(
    *,
    public_id: str,
    order_id: int,
    amount_minor: int,
    reason: str,
    requested_by: int | None,
    stripe_refund_id: str | None,
    now: datetime,
    payment_id: str | None = None,
    currency: str | None = None,
) -> int | None:
    """A pending refund; None when one of this public id or this Stripe id is there already."""
    found: int | None = await db.value(
        """
        INSERT INTO refunds (public_id, order_id, amount_minor, reason, state, stripe_refund_id, requested_by, created_at,
                             payment_id, currency)
        VALUES (:public_id, :order_id, :amount, :reason, 'pending', :stripe_refund_id, :requested_by, :now,
                :payment_id, :currency)
        ON CONFLICT DO NOTHING RETURNING id
        """,
        public_id=public_id,
        order_id=order_id,
        amount=amount_minor,
        reason=reason,
        requested_by=requested_by,
        stripe_refund_id=stripe_refund_id,
        now=now,
        payment_id=payment_id,
        currency=currency,
    )
    return found


async def set_stripe_id(refund_id: int, stripe_refund_id: str) -> bool:
    return bool(
        await db.run(
            "UPDATE refunds SET stripe_refund_id = :stripe_id WHERE id = :id AND stripe_refund_id IS NULL",
            id=refund_id,
            stripe_id=stripe_refund_id,
        )
    )


async def raise_attempt(refund_id: int, attempt: int) -> bool:
    """Take another idempotency key for the next try; False when somebody did already."""
    return bool(
        await db.run(
            "UPDATE refunds SET attempt = attempt + 1 WHERE id = :id AND attempt = :attempt AND stripe_refund_id IS NULL",
            id=refund_id,
            attempt=attempt,
        )
    )


async def set_state(refund_id: int, state: str, *, error: str, now: datetime) -> bool:
    """Move a refund on; a failed one stays failed, and nothing becomes pending again. False: it stands there already."""
    return bool(
        await db.run(
            """
            UPDATE refunds SET state = :state, error = :error, finished_at = :now
            WHERE id = :id AND state <> :state AND state <> 'failed' AND :state <> 'pending'
            """,
            id=refund_id,
            state=state,
            error=error,
            now=now,
        )
    )


async def sums(order_id: int) -> db.Row:
    """`done` and `promised` (done or pending) minor units of an order's refunds."""
    row = await db.one(
        db.Row,
        """
        SELECT coalesce(sum(amount_minor) FILTER (WHERE state = 'succeeded'), 0)::bigint AS done,
               coalesce(sum(amount_minor) FILTER (WHERE state <> 'failed'), 0)::bigint AS promised
        FROM refunds WHERE order_id = :order_id AND payment_id IS NULL
        """,
        order_id=order_id,
    )
    assert row is not None
    return row
