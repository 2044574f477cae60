"""SQL about what pays an entry, and what it holds of options that are not without end; one statement a function."""

from collections.abc import Sequence
from datetime import datetime

from app.core import db


async def order_id_of(entry_id: int) -> int | None:
    found: int | None = await db.value("SELECT order_id FROM form_entries WHERE id = :id", id=entry_id)
    return found


async def entry_of_order(order_id: int) -> int | None:
    """The entry that this order pays."""
    found: int | None = await db.value("SELECT id FROM form_entries WHERE order_id = :id", id=order_id)
    return found


async def set_order(entry_id: int, order_id: int) -> bool:
    return bool(
        await db.run(
            "UPDATE form_entries SET order_id = :order_id WHERE id = :id AND state = 'unpaid'",
            id=entry_id,
            order_id=order_id,
        )
    )


async def set_score(entry_id: int, score: float | None, outcome: str) -> None:
    await db.run(
        "UPDATE form_entries SET score = CAST(CAST(:score AS text) AS numeric), outcome = :outcome WHERE id = :id",
        id=entry_id,
        score=None if score is None else str(score),
        outcome=outcome,
    )


async def waiting(before: datetime, since: datetime, limit: int) -> list[db.Row]:
    """`id, order_id` of unpaid entries that came before then, oldest first, that were not given up, or came since then."""
    return await db.many(
        db.Row,
        """
        SELECT id, order_id FROM form_entries WHERE state = 'unpaid' AND created_at < :before
          AND (given_up_at IS NULL OR created_at > :since) ORDER BY created_at LIMIT :limit
        """,
        before=before,
        since=since,
        limit=limit,
    )


async def held(form_id: int, field_ids: Sequence[str]) -> list[db.Row]:
    """`field_id, option, quantity`: what entries that count, or may yet, hold. The form is locked."""
    return await db.many(
        db.Row,
        """
        SELECT s.field_id, s.option, sum(s.quantity)::bigint AS quantity
        FROM form_stock s JOIN form_entries e ON e.id = s.entry_id
        WHERE s.form_id = :form_id AND s.field_id = ANY(CAST(:fields AS text[])) AND e.state NOT IN ('spam', 'refused', 'binned')
        GROUP BY s.field_id, s.option
        """,
        form_id=form_id,
        fields=list(field_ids),
    )


async def hold(form_id: int, entry_id: int, field_id: str, option: str, quantity: int) -> None:
    await db.run(
        """
        INSERT INTO form_stock (form_id, field_id, option, entry_id, quantity)
        VALUES (:form_id, :field_id, :option, :entry_id, :quantity)
        ON CONFLICT (form_id, field_id, option, entry_id) DO NOTHING
        """,
        form_id=form_id,
        entry_id=entry_id,
        field_id=field_id,
        option=option,
        quantity=quantity,
    )


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
