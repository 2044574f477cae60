"""SQL of the timeline of orders: what happened to them, and what of it is asked about later."""

from datetime import datetime
from typing import Any

from app.commerce.models import OrderEvent
from app.core import db


async def insert(order_id: int, kind: str, detail: dict[str, Any], *, actor_id: int | None, now: datetime) -> None:
    await db.run(
        """
        INSERT INTO order_events (order_id, kind, detail, actor_id, created_at)
        VALUES (:order_id, :kind, CAST(:detail AS jsonb), :actor_id, :now)
        """,
        order_id=order_id,
        kind=kind,
        detail=detail,
        actor_id=actor_id,
        now=now,
    )


async def insert_once(order_id: int, kind: str, detail: dict[str, Any], *, now: datetime) -> bool:
    """Write a line of the timeline unless the same event told it before."""
    return bool(
        await db.run(
            """
            INSERT INTO order_events (order_id, kind, detail, created_at)
            SELECT :order_id, :kind, CAST(:detail AS jsonb), :now
            WHERE NOT EXISTS (SELECT 1 FROM order_events WHERE order_id = :order_id AND kind = :kind
                                AND detail ->> 'told_by' = CAST(:detail AS jsonb) ->> 'told_by')
            """,
            order_id=order_id,
            kind=kind,
            detail=detail,
            now=now,
        )
    )


async def of_order(order_id: int) -> list[OrderEvent]:
    return await db.many(
        OrderEvent,
        """
        SELECT e.kind, e.detail, u.name AS actor_name, e.created_at
        FROM order_events e LEFT JOIN users u ON u.id = e.actor_id
        WHERE e.order_id = :order_id ORDER BY e.id DESC
        """,
        order_id=order_id,
    )


async def odd_payment(order_id: int, payment_id: str) -> str | None:
    """As what a payment was written down that did not pay this order: `flagged` or `paid_again`; None: as neither."""
    found: str | None = await db.value(
        """
        SELECT kind FROM order_events
        WHERE order_id = :order_id AND (kind = 'flagged' AND detail ->> 'payment' = :payment_id
                                        OR kind = 'paid_again' AND detail ->> 'told_by' = :payment_id)
        ORDER BY id LIMIT 1
        """,
        order_id=order_id,
        payment_id=payment_id,
    )
    return found


async def was_flagged(order_id: int, payment_id: str, why: str) -> bool:
    """Whether this payment (or, of a payment without a name, this misfit) was shown to a person before."""
    found: bool = await db.value(
        """
        SELECT EXISTS (SELECT 1 FROM order_events WHERE order_id = :order_id AND kind = 'flagged'
                         AND coalesce(detail ->> 'payment', '') = :payment_id
                         AND (:payment_id <> '' OR detail ->> 'why' = :why))
        """,
        order_id=order_id,
        payment_id=payment_id,
        why=why,
    )
    return found


async def flagged_payments(order_id: int) -> list[db.Row]:
    """The payments (`payment_id, amount_minor, currency`) that came for an order, do not fit it, and were not rejected
    yet; not those of other orders.
    """
    return await db.many(
        db.Row,
        """
        SELECT DISTINCT ON (payment_id) payment_id, amount_minor, currency
        FROM (SELECT id, detail ->> 'payment' AS payment_id, CAST(detail ->> 'came' AS bigint) AS amount_minor,
                     detail ->> 'currency' AS currency
              FROM order_events WHERE order_id = :order_id AND kind = 'flagged') e
        WHERE payment_id <> '' AND amount_minor > 0
          AND NOT EXISTS (SELECT 1 FROM refunds r WHERE r.order_id = :order_id AND r.payment_id = e.payment_id
                            AND r.reason = 'rejected')
          AND NOT EXISTS (SELECT 1 FROM orders o WHERE o.id <> :order_id AND o.stripe_payment_intent_id = e.payment_id)
        ORDER BY payment_id, id
        """,
        order_id=order_id,
    )
