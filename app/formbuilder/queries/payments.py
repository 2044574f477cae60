"""SQL about what pays an entry, and what it holds of options that are not without end; one statement a function."""

from collections.abc import Sequence
from datetime import datetime

from app.commerce.models import OPEN_STATES, PAID_STATES
from app.core import db


async def order_id_of(entry_id: int) -> int | None:
    found: int | None = await db.value("SELECT order_id FROM form_entries WHERE id = :id", id=entry_id)
    return found


async def form_of_order(order_id: int) -> int | None:
    """The form whose entry this order pays."""
    found: int | None = await db.value("SELECT form_id FROM form_entries WHERE order_id = :id", id=order_id)
    return found


async def lock_entry_of_order(order_id: int) -> int | None:
    """The entry that this order pays, kept from others until the transaction ends."""
    found: int | None = await db.value("SELECT id FROM form_entries WHERE order_id = :id FOR UPDATE", id=order_id)
    return found


async def set_order(entry_id: int, order_id: int) -> bool:
    """What pays an entry that waits for it."""
    return bool(
        await db.run(
            "UPDATE form_entries SET order_id = :order_id WHERE id = :id AND state = 'unpaid'",
            id=entry_id,
            order_id=order_id,
        )
    )


async def set_free_order(entry_id: int, order_id: int) -> bool:
    """What opens the free products of an entry that counts; False when something does already."""
    return bool(
        await db.run(
            "UPDATE form_entries SET order_id = :order_id WHERE id = :id AND order_id IS NULL AND state = 'received'",
            id=entry_id,
            order_id=order_id,
        )
    )


async def ask_to_pay(entry_id: int, until: datetime, now: datetime) -> bool:
    """Let a mailed link lead to the payment of an unpaid entry; until somebody follows it, the entry takes nothing."""
    done = await db.run(
        "UPDATE form_entries SET pay_until = :until, given_up_at = coalesce(given_up_at, :now) WHERE id = :id AND state = 'unpaid'",
        id=entry_id,
        until=until,
        now=now,
    )
    if done:
        await give_back(entry_id)
    return bool(done)


async def set_pay_until(entry_id: int, until: datetime | None) -> bool:
    """Let the mailed link of an unpaid entry lead to its payment for longer, or not any more; False when none leads there."""
    return bool(
        await db.run(
            "UPDATE form_entries SET pay_until = :until WHERE id = :id AND state = 'unpaid' AND pay_until IS NOT NULL",
            id=entry_id,
            until=until,
        )
    )


async def pay_until(entry_id: int) -> datetime | None:
    """Until when the mailed link of an unpaid entry leads to its payment; None when none was mailed."""
    found: datetime | None = await db.value(
        "SELECT pay_until FROM form_entries WHERE id = :id AND state = 'unpaid'", id=entry_id
    )
    return found


async def set_score(entry_id: int, score: float | None, outcome: str) -> None:
    await db.run(
        "UPDATE form_entries SET score = CAST(CAST(:score AS text) AS numeric), outcome = :outcome WHERE id = :id",
        id=entry_id,
        score=None if score is None else str(score),
        outcome=outcome,
    )


async def forgotten(before: datetime, since: datetime, limit: int) -> list[db.Row]:
    """`id, order_id, is_paid` of unpaid entries that came before then and whose order was paid, or ended, or is none.

    One that was given up is among them only while it came after `since`, and if its order was paid after all; and one that was
    thrown away unpaid, while its money came after `since` and did not go back.
    """
    return await db.many(
        db.Row,
        """
        (SELECT e.id, e.order_id, coalesce(o.state = ANY(CAST(:paid AS text[])), false) AS is_paid
         FROM form_entries e LEFT JOIN orders o ON o.id = e.order_id
         WHERE e.state = 'unpaid' AND e.created_at < :before
           AND (e.given_up_at IS NULL AND (o.id IS NULL OR o.state <> ALL(CAST(:open AS text[])))
                OR e.created_at > :since AND o.state = ANY(CAST(:paid AS text[])))
         ORDER BY e.created_at LIMIT :limit)
        UNION ALL
        (SELECT e.id, e.order_id, true FROM orders o JOIN form_entries e ON e.order_id = o.id
         WHERE o.paid_at > :since AND o.paid_at < :before AND o.state <> 'refunded'
           AND e.state = 'binned' AND e.binned_from = 'unpaid'
         ORDER BY o.paid_at LIMIT :limit)
        """,
        before=before,
        since=since,
        limit=limit,
        paid=list(PAID_STATES),
        open=list(OPEN_STATES),
    )


async def held(form_id: int, field_ids: Sequence[str], but: int | None = None) -> list[db.Row]:
    """`field_id, option, quantity`: what entries that count, or may yet, hold; all but one entry.

    Public pages are drawn from this, and kept: no other table may be named here that does not announce its changes.
    """
    return await db.many(
        db.Row,
        """
        SELECT field_id, option, sum(quantity)::bigint AS quantity FROM form_stock
        WHERE form_id = :form_id AND field_id = ANY(CAST(:fields AS text[])) AND is_held
          AND entry_id IS DISTINCT FROM CAST(:but AS bigint)
        GROUP BY field_id, option
        """,
        form_id=form_id,
        fields=list(field_ids),
        but=but,
    )


async def hold(form_id: int, entry_id: int, field_id: str, option: str, quantity: int) -> None:
    await db.run(
        """
        INSERT INTO form_stock (form_id, field_id, option, entry_id, quantity, is_held)
        SELECT CAST(:form_id AS bigint), CAST(:field_id AS text), CAST(:option AS text), e.id, CAST(:quantity AS integer),
               e.state NOT IN ('spam', 'refused', 'binned')
        FROM form_entries e WHERE e.id = :entry_id
        ON CONFLICT (form_id, field_id, option, entry_id) DO NOTHING
        """,
        form_id=form_id,
        entry_id=entry_id,
        field_id=field_id,
        option=option,
        quantity=quantity,
    )


async def held_by(entry_id: int) -> list[db.Row]:
    """`field_id, option, quantity`: what an entry took and did not give back, though it may lie in the bin by now."""
    return await db.many(db.Row, "SELECT field_id, option, quantity FROM form_stock WHERE entry_id = :id", id=entry_id)


async def give_back(entry_id: int) -> int:
    """What an entry held is free again; how many options."""
    return await db.run("DELETE FROM form_stock WHERE entry_id = :id", id=entry_id)


async def give_up(entry_id: int, now: datetime) -> bool:
    """An unpaid entry holds nothing any more and counts for no limit; False when it did not already, or is paid."""
    done = await db.run(
        "UPDATE form_entries SET given_up_at = :now WHERE id = :id AND state = 'unpaid' AND given_up_at IS NULL",
        id=entry_id,
        now=now,
    )
    if done:
        await give_back(entry_id)
    return bool(done)


async def keep(entry_id: int) -> None:
    """It was paid after all."""
    await db.run("UPDATE form_entries SET given_up_at = NULL WHERE id = :id", id=entry_id)


async def is_held(entry_id: int) -> bool:
    """Whether it was not given up."""
    return bool(await db.value("SELECT given_up_at IS NULL FROM form_entries WHERE id = :id", id=entry_id))
