"""SQL of orders and their lines."""

from collections.abc import Sequence
from datetime import datetime

from app.commerce.models import Order, OrderFile, OrderItem, Quote
from app.core import db

_COLUMNS = """
    id, public_id, number, user_id, cart_id, email, name, state, currency, subtotal_minor, tax_minor, tax_percent,
    tax_label, total_minor, refunded_minor, checkout_attempt, stripe_session_id, stripe_session_url,
    stripe_payment_intent_id, payment_method, failure, flag, created_at, paid_at, closed_at
"""
_ORDER = f"SELECT {_COLUMNS} FROM orders"  # noqa: S608 (a constant)


async def order(order_id: int) -> Order | None:
    return await db.one(Order, f"{_ORDER} WHERE id = :id", id=order_id)


async def order_by_public_id(public_id: str) -> Order | None:
    return await db.one(Order, f"{_ORDER} WHERE public_id = :public_id", public_id=public_id)


async def order_file(public_id: str) -> OrderFile | None:
    return await db.one(
        OrderFile,
        f"""
        SELECT {", ".join(f"o.{name.strip()}" for name in _COLUMNS.split(","))},
               u.public_id AS customer_id, u.name AS customer_name, u.email AS customer_email,
               u.created_at AS customer_since, f.orders, f.spent_minor, f.currencies, f.refunded_orders,
               (SELECT coalesce(sum(amount_minor), 0)::bigint FROM refunds r
                WHERE r.order_id = o.id AND r.state <> 'failed' AND r.payment_id IS NULL) AS promised_minor,
               EXISTS (SELECT 1 FROM refunds r WHERE r.order_id = o.id AND r.state = 'failed'
                         AND r.payment_id IS NOT NULL) AS has_stranded
        FROM orders o
        LEFT JOIN users u ON u.id = o.user_id
        CROSS JOIN LATERAL (
            SELECT count(*) AS orders, coalesce(sum(x.total_minor - x.refunded_minor), 0)::bigint AS spent_minor,
                   count(DISTINCT x.currency) AS currencies,
                   count(*) FILTER (WHERE x.refunded_minor > 0) AS refunded_orders
            FROM orders x WHERE x.user_id = o.user_id AND x.paid_at IS NOT NULL
        ) f
        WHERE o.public_id = :public_id
        """,  # noqa: S608 (constants)
        public_id=public_id,
    )


async def order_by_session(session_id: str) -> Order | None:
    return await db.one(Order, f"{_ORDER} WHERE stripe_session_id = :session_id", session_id=session_id)


async def order_by_payment(payment_id: str) -> Order | None:
    return await db.one(Order, f"{_ORDER} WHERE stripe_payment_intent_id = :payment_id", payment_id=payment_id)


async def order_giving_back(payment_id: str) -> Order | None:
    """The order for which this payment goes back without having paid it."""
    return await db.one(
        Order,
        f"{_ORDER} WHERE id = (SELECT max(order_id) FROM refunds WHERE payment_id = :payment_id)",  # noqa: S608 (a constant)
        payment_id=payment_id,
    )


async def order_with(session_id: str, payment_id: str, *, but: int) -> Order | None:
    """Another order that has this payment page or this payment."""
    return await db.one(
        Order,
        f"""
        {_ORDER} WHERE id <> :but AND (stripe_session_id = nullif(:session_id, '')
                                       OR stripe_payment_intent_id = nullif(:payment_id, '')) LIMIT 1
        """,
        but=but,
        session_id=session_id,
        payment_id=payment_id,
    )


async def orders_of_user(user_id: int, *, before: int | None, limit: int) -> list[Order]:
    """Orders that came to something, or may yet."""
    return await db.many(
        Order,
        f"""
        {_ORDER} WHERE user_id = :user_id AND state NOT IN ('expired', 'cancelled')
          AND (CAST(:before AS bigint) IS NULL OR number < :before)
        ORDER BY number DESC LIMIT :limit
        """,
        user_id=user_id,
        before=before,
        limit=limit,
    )


async def orders_before(before: int | None, limit: int) -> list[Order]:
    """The newest orders, or the newest of those before one."""
    return await db.many(
        Order,
        f"{_ORDER} WHERE id < coalesce(CAST(:before AS bigint), 9223372036854775807) ORDER BY id DESC LIMIT :limit",
        before=before,
        limit=limit,
    )


async def last_unpaid_of_guest(cart_id: int) -> Order | None:
    return await db.one(
        Order,
        f"{_ORDER} WHERE cart_id = :cart_id AND user_id IS NULL AND paid_at IS NULL ORDER BY id DESC LIMIT 1",
        cart_id=cart_id,
    )


async def lock_order(order_id: int) -> Order | None:
    """Kept from others until the transaction ends, and before it its buyer from who merges or erases accounts: they hold people
    before orders.
    """
    await db.run(
        "SELECT 1 FROM users WHERE id = (SELECT user_id FROM orders WHERE id = :id) FOR KEY SHARE", id=order_id
    )
    return await db.one(Order, f"{_ORDER} WHERE id = :id FOR UPDATE", id=order_id)


async def insert_order(
    quote: Quote,
    *,
    public_id: str,
    quote_key: str,
    cart_id: int | None,
    user_id: int | None,
    email: str,
    name: str,
    now: datetime,
) -> db.Row:
    """The open order of this key: `id` and whether it `is_new`. Its name follows the form that was sent last."""
    row = await db.one(
        db.Row,
        """
        INSERT INTO orders (public_id, user_id, cart_id, email, name, state, currency, subtotal_minor, tax_minor,
                            tax_percent, tax_label, total_minor, quote_key, created_at)
        VALUES (:public_id, :user_id, :cart_id, :email, :name, 'pending', :currency, :subtotal, :tax, :tax_percent,
                :tax_label, :total, :quote_key, :now)
        ON CONFLICT (quote_key) WHERE state IN ('pending', 'processing') DO UPDATE SET name = excluded.name
        RETURNING id, xmax = 0 AS is_new
        """,
        public_id=public_id,
        user_id=user_id,
        cart_id=cart_id,
        email=email,
        name=name,
        currency=quote.currency,
        subtotal=quote.subtotal_minor,
        tax=quote.tax_minor,
        tax_percent=quote.tax_percent,
        tax_label=quote.tax_label,
        total=quote.total_minor,
        quote_key=quote_key,
        now=now,
    )
    assert row is not None
    return row


async def insert_items(order_id: int, quote: Quote) -> None:
    await db.run(
        """
        INSERT INTO order_items (order_id, product_id, title, amount_minor, tax_minor)
        SELECT :order_id, line.* FROM unnest(CAST(:products AS bigint[]), CAST(:titles AS text[]),
                                            CAST(:amounts AS bigint[]), CAST(:taxes AS bigint[])) AS line
        """,
        order_id=order_id,
        products=[line.product_id for line in quote.lines],
        titles=[line.title for line in quote.lines],
        amounts=[line.amount_minor for line in quote.lines],
        taxes=[line.tax_minor for line in quote.lines],
    )


async def items(order_ids: Sequence[int]) -> list[OrderItem]:
    return await db.many(
        OrderItem,
        """
        SELECT i.id, i.order_id, i.product_id, i.title, i.amount_minor, i.tax_minor, c.slug AS course_slug,
               coalesce(c.plate, '') AS plate, coalesce(c.plate_ground, '') AS plate_ground,
               e.starts_at, e.ends_at, e.closed_at AS access_closed_at
        FROM order_items i
        JOIN orders o ON o.id = i.order_id
        LEFT JOIN products p ON p.id = i.product_id
        LEFT JOIN courses c ON c.id = p.course_id
        LEFT JOIN LATERAL (
            -- What was free may have the cause of a free start; of two, that which the order itself made.
            SELECT starts_at, ends_at, closed_at FROM entitlements
            WHERE source_ref IN ('order:' || o.public_id || ':' || i.id,
                                 CASE WHEN i.amount_minor = 0 AND o.paid_at IS NOT NULL
                                      THEN 'free:' || o.user_id || ':' || i.product_id END)
            ORDER BY source DESC LIMIT 1
        ) e ON true
        WHERE i.order_id = ANY(:ids) ORDER BY i.order_id, i.id
        """,
        ids=list(order_ids),
    )


async def set_session(order_id: int, *, attempt: int, session_id: str, url: str) -> bool:
    """Remember the payment page of an order that has none yet; False also for one that ended meanwhile."""
    return bool(
        await db.run(
            """
            UPDATE orders SET stripe_session_id = :session_id, stripe_session_url = :url
            WHERE id = :id AND stripe_session_id IS NULL AND checkout_attempt = :attempt AND state = 'pending'
            """,
            id=order_id,
            attempt=attempt,
            session_id=session_id,
            url=url,
        )
    )


async def raise_attempt(order_id: int, attempt: int) -> bool:
    """Take another idempotency key for the next try; False when somebody did already."""
    return bool(
        await db.run(
            """
            UPDATE orders SET checkout_attempt = checkout_attempt + 1
            WHERE id = :id AND checkout_attempt = :attempt AND stripe_session_id IS NULL
            """,
            id=order_id,
            attempt=attempt,
        )
    )


async def set_paid(order_id: int, *, session_id: str, payment_id: str, now: datetime) -> Order | None:
    """Pay an order, whatever unpaid state it is in: money that came is true. None: it was paid before."""
    return await db.one(
        Order,
        f"""
        UPDATE orders SET state = 'paid', paid_at = :now, closed_at = NULL, failure = '', flag = '',
                          stripe_session_id = coalesce(stripe_session_id, nullif(:session_id, '')),
                          stripe_payment_intent_id = coalesce(nullif(:payment_id, ''), stripe_payment_intent_id)
        WHERE id = :id AND state IN ('pending', 'processing', 'failed', 'expired', 'cancelled')
        RETURNING {_COLUMNS}
        """,  # noqa: S608 (a constant)
        id=order_id,
        session_id=session_id,
        payment_id=payment_id,
        now=now,
    )


async def note_payment(order_id: int, *, session_id: str, payment_id: str) -> bool:
    """Fill in what a later event tells about an order that is paid."""
    return bool(
        await db.run(
            """
            UPDATE orders SET stripe_session_id = coalesce(stripe_session_id, nullif(:session_id, '')),
                              stripe_payment_intent_id = coalesce(stripe_payment_intent_id, nullif(:payment_id, ''))
            WHERE id = :id AND ((stripe_session_id IS NULL AND :session_id <> '')
                                OR (stripe_payment_intent_id IS NULL AND :payment_id <> ''))
            """,
            id=order_id,
            session_id=session_id,
            payment_id=payment_id,
        )
    )


async def set_user(order_id: int, user_id: int) -> None:
    await db.run("UPDATE orders SET user_id = :user_id WHERE id = :id", id=order_id, user_id=user_id)


async def set_method(order_id: int, method: str) -> bool:
    return bool(
        await db.run(
            "UPDATE orders SET payment_method = :method WHERE id = :id AND payment_method <> :method",
            id=order_id,
            method=method,
        )
    )


async def set_processing(order_id: int, *, payment_id: str) -> bool:
    return bool(
        await db.run(
            """
            UPDATE orders SET state = 'processing',
                              stripe_payment_intent_id = coalesce(nullif(:payment_id, ''), stripe_payment_intent_id)
            WHERE id = :id AND state = 'pending'
            """,
            id=order_id,
            payment_id=payment_id,
        )
    )


async def set_closed(
    order_id: int, state: str, *, failure: str, states: Sequence[str], now: datetime, unopened: bool = False
) -> bool:
    """End an order without a payment; False when it is in none of `states` (any more), or, if it is to be `unopened`, has a
    payment page by now.
    """
    return bool(
        await db.run(
            """
            UPDATE orders SET state = :state, failure = :failure, closed_at = :now
            WHERE id = :id AND state = ANY(:states) AND flag = '' AND (NOT :unopened OR stripe_session_id IS NULL)
            """,
            id=order_id,
            state=state,
            failure=failure,
            states=list(states),
            now=now,
            unopened=unopened,
        )
    )


async def set_flag(order_id: int, flag: str, *, session_id: str, payment_id: str) -> bool:
    """Mark an unpaid order for a person, with the payment that does not fit; False when it is paid."""
    return bool(
        await db.run(
            """
            UPDATE orders SET flag = :flag,
                              stripe_session_id = coalesce(stripe_session_id, nullif(:session_id, '')),
                              stripe_payment_intent_id = coalesce(nullif(:payment_id, ''), stripe_payment_intent_id)
            WHERE id = :id AND paid_at IS NULL
            """,
            id=order_id,
            flag=flag,
            session_id=session_id,
            payment_id=payment_id,
        )
    )


async def set_rejected(order_id: int, *, now: datetime) -> None:
    """End a flagged order, whatever unpaid state it is in."""
    await db.run(
        "UPDATE orders SET state = 'cancelled', flag = '', closed_at = :now WHERE id = :id AND paid_at IS NULL",
        id=order_id,
        now=now,
    )


async def set_refunded(order_id: int, state: str, refunded_minor: int) -> bool:
    return bool(
        await db.run(
            """
            UPDATE orders SET state = :state, refunded_minor = :refunded
            WHERE id = :id AND (state, refunded_minor) <> (:state, :refunded)
            """,
            id=order_id,
            state=state,
            refunded=refunded_minor,
        )
    )


async def others_open(cart_id: int, order_id: int, *, later: bool = False) -> list[Order]:
    """Earlier (or `later`) orders of this cart that still wait for a payment; a free one waits for its mail and harms nobody."""
    return await db.many(
        Order,
        f"""
        {_ORDER} WHERE cart_id = :cart_id AND id <> :id AND (id > :id) = :later AND state = 'pending' AND total_minor > 0
        ORDER BY id
        """,
        cart_id=cart_id,
        id=order_id,
        later=later,
    )


async def waiting(before: datetime, limit: int) -> list[Order]:
    """Unpaid, unflagged orders made before then; those come first that nobody asked about for longest."""
    return await db.many(
        Order,
        f"""
        {_ORDER} WHERE state IN ('pending', 'processing') AND flag = '' AND created_at < :before
        ORDER BY coalesce(looked_at, created_at), id LIMIT :limit
        """,
        before=before,
        limit=limit,
    )


async def note_look(order_id: int, now: datetime) -> None:
    """Remember that somebody asked how this order stands, so that others come first next time."""
    await db.run("UPDATE orders SET looked_at = :now WHERE id = :id", id=order_id, now=now)


async def lock_buyer(user_id: int) -> None:
    """Let the payments of one person be booked one after the other, until the transaction ends."""
    await db.run("SELECT pg_advisory_xact_lock(hashtext('commerce.buyer'), CAST(:user_id AS integer))", user_id=user_id)
