"""SQL of what orders hold about a person."""

from datetime import datetime

from app.core import db

NOBODY = "erased@erased.invalid"


async def names_of(user_id: int) -> list[str]:
    """Of orders that were paid: what stands on others may be anybody's address."""
    rows = await db.many(
        db.Row, "SELECT DISTINCT email, name FROM orders WHERE user_id = :id AND paid_at IS NOT NULL", id=user_id
    )
    return [text for row in rows for text in (row.email, row.name) if text]


async def has_open(user_id: int) -> bool:
    """Whether money is on its way: an order whose payment is not settled, or a refund."""
    found: bool = await db.value(
        """
        SELECT EXISTS (SELECT 1 FROM orders WHERE user_id = :id AND (state = 'processing' OR flag <> ''))
            OR EXISTS (SELECT 1 FROM refunds r JOIN orders o ON o.id = r.order_id
                       WHERE o.user_id = :id AND r.state = 'pending')
        """,
        id=user_id,
    )
    return found


async def forget_unpaid(user_id: int, addresses: list[str], nobody: str) -> int:
    """Name and address of orders that came to nothing; of those placed as a guest too, with one of these addresses, once
    they have ended: one that is open may be paid yet, and makes the account of its address then.
    """
    return await db.run(
        """
        UPDATE orders SET email = :nobody, name = '', stripe_session_url = NULL, failure = ''
        WHERE paid_at IS NULL
          AND (user_id = :id
               OR user_id IS NULL AND lower(email) = ANY(CAST(:addresses AS text[])) AND closed_at IS NOT NULL AND flag = '')
        """,
        id=user_id,
        addresses=addresses,
        nobody=nobody,
    )


async def forget_paid(user_id: int | None, nobody: str, *, before: datetime) -> int:
    """Name and address of paid orders of people who were erased, once nobody may ask for them any more."""
    return await db.run(
        """
        UPDATE orders o SET email = :nobody, name = '', stripe_session_url = NULL
        FROM users u
        WHERE u.id = o.user_id AND (u.erased_at IS NOT NULL OR u.id = :id) AND o.paid_at < :before AND o.email <> :nobody
          AND (CAST(:id AS bigint) IS NULL OR u.id = :id)
        """,
        id=user_id,
        nobody=nobody,
        before=before,
    )


async def forget_words(user_id: int, words: list[str]) -> None:
    """Texts that were typed about an order and name the person."""
    await db.run(
        """
        UPDATE order_events e SET detail = audit_erased(e.detail, CAST(:words AS text[]), false)
        FROM orders o WHERE o.id = e.order_id AND o.user_id = :id
          AND audit_holds(CAST(e.detail AS text), CAST(:words AS text[]))
        """,
        id=user_id,
        words=words,
    )
    await db.run(
        """
        UPDATE refunds r SET reason = '[erased]', error = ''
        FROM orders o WHERE o.id = r.order_id AND o.user_id = :id
          AND audit_holds(r.reason || ' ' || r.error, CAST(:words AS text[]))
        """,
        id=user_id,
        words=words,
    )


async def delete_cart(user_id: int) -> None:
    await db.run("DELETE FROM merged_carts WHERE user_id = :id", id=user_id)
    await db.run("DELETE FROM carts WHERE user_id = :id", id=user_id)
