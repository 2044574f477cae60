"""SQL about what was handed on of each entry, one statement a function."""

from datetime import datetime
from typing import Any

from app.core import db
from app.formbuilder.models import Delivery

_DELIVERY = """
SELECT d.id, d.entry_id, d.integration_id, d.connection_id, d.state, d.outcome, d.remote_id, d.attempts, d.exchanges, d.error,
       d.next_at, d.claimed_until, d.created_at, d.sent_at
FROM form_deliveries d
"""


async def insert_delivery(
    entry_id: int, integration_id: str, connection_id: int | None, state: str, outcome: str, error: str, now: datetime
) -> int | None:
    """Its key; None when this entry's way there is planned already."""
    found: int | None = await db.value(
        """
        INSERT INTO form_deliveries (entry_id, integration_id, connection_id, state, outcome, error, next_at, created_at)
        VALUES (:entry_id, :integration_id, :connection_id, :state, :outcome, :error, :now, :now)
        ON CONFLICT (entry_id, integration_id) DO NOTHING RETURNING id
        """,
        entry_id=entry_id,
        integration_id=integration_id,
        connection_id=connection_id,
        state=state,
        outcome=outcome,
        error=error,
        now=now,
    )
    return found


async def delivery(delivery_id: int) -> Delivery | None:
    return await db.one(Delivery, f"{_DELIVERY} WHERE d.id = :id", id=delivery_id)


async def of_entry(entry_id: int) -> list[Delivery]:
    return await db.many(Delivery, f"{_DELIVERY} WHERE d.entry_id = :id ORDER BY d.id", id=entry_id)


async def of_connection(connection_id: int, state: str | None, before: int | None, limit: int) -> list[Delivery]:
    """The newest first; `before` is the id that the last page ended with."""
    return await db.many(
        Delivery,
        f"""
        {_DELIVERY} WHERE d.connection_id = :connection_id AND (CAST(:state AS text) IS NULL OR d.state = :state)
        AND (CAST(:before AS bigint) IS NULL OR d.id < :before) ORDER BY d.id DESC LIMIT :limit
        """,
        connection_id=connection_id,
        state=state,
        before=before,
        limit=limit,
    )


async def claim(delivery_id: int, now: datetime, until: datetime) -> Delivery | None:
    """Take a delivery that is due, of an entry that counts, and that nobody is sending; None when there is nothing to do
    (now)."""
    taken = await db.value(
        """
        UPDATE form_deliveries d SET attempts = d.attempts + 1, claimed_until = :until
        WHERE d.id = :id AND d.state = 'waiting' AND d.next_at <= :now
          AND (d.claimed_until IS NULL OR d.claimed_until <= :now)
          AND NOT EXISTS (SELECT 1 FROM form_connections c WHERE c.id = d.connection_id AND c.paused_until > :now)
          AND EXISTS (SELECT 1 FROM form_entries e WHERE e.id = d.entry_id AND e.state = 'received')
        RETURNING d.id
        """,
        id=delivery_id,
        now=now,
        until=until,
    )
    return None if taken is None else await delivery(delivery_id)


async def due_at(delivery_id: int) -> datetime | None:
    """When to look at a waiting delivery again; None for one that does not wait, or whose entry does not count."""
    found: datetime | None = await db.value(
        """
        SELECT greatest(d.next_at, d.claimed_until, c.paused_until)
        FROM form_deliveries d JOIN form_entries e ON e.id = d.entry_id AND e.state = 'received'
        LEFT JOIN form_connections c ON c.id = d.connection_id
        WHERE d.id = :id AND d.state = 'waiting'
        """,
        id=delivery_id,
    )
    return found


async def lead_to(delivery_id: int, connection_id: int) -> None:
    """It goes to this account from now on."""
    await db.run(
        "UPDATE form_deliveries SET connection_id = :connection_id WHERE id = :id",
        id=delivery_id,
        connection_id=connection_id,
    )


async def finish(
    claimed: Delivery,
    state: str,
    outcome: str,
    remote_id: str,
    now: datetime,
    exchanges: list[Any],
    error: str,
) -> bool:
    """Write how it ended: sent, skipped or held. False when this attempt is not the last one any more: attempts are counted anew
    when it is sent again, a claim is never the same."""
    return bool(
        await db.run(
            """
            UPDATE form_deliveries SET state = :state, outcome = :outcome, remote_id = :remote_id, error = :error,
                   exchanges = CAST(:exchanges AS jsonb), claimed_until = NULL,
                   sent_at = CASE WHEN :state = 'sent' THEN CAST(:now AS timestamptz) END
            WHERE id = :id AND state = 'waiting' AND attempts = :attempt AND claimed_until = :claim
            """,
            id=claimed.id,
            attempt=claimed.attempts,
            claim=claimed.claimed_until,
            state=state,
            outcome=outcome,
            remote_id=remote_id[:200],
            now=now,
            exchanges=exchanges,
            error=error[:1000],
        )
    )


async def put_off(claimed: Delivery, next_at: datetime, exchanges: list[Any], error: str) -> bool:
    """Let it wait until then. False when this attempt is not the last one any more."""
    return bool(
        await db.run(
            """
            UPDATE form_deliveries SET next_at = :next_at, exchanges = CAST(:exchanges AS jsonb), error = :error,
                   claimed_until = NULL
            WHERE id = :id AND state = 'waiting' AND attempts = :attempt AND claimed_until = :claim
            """,
            id=claimed.id,
            attempt=claimed.attempts,
            claim=claimed.claimed_until,
            next_at=next_at,
            exchanges=exchanges,
            error=error[:1000],
        )
    )


async def wait_again(delivery_id: int, now: datetime) -> bool:
    """Give a held or sent delivery its attempts again; False when it waits, was skipped, or its answers are gone."""
    return bool(
        await db.run(
            """
            UPDATE form_deliveries d SET state = 'waiting', attempts = 0, next_at = :now, claimed_until = NULL, error = ''
            WHERE d.id = :id AND d.state IN ('held', 'sent')
              AND EXISTS (SELECT 1 FROM form_entries e WHERE e.id = d.entry_id AND e.emptied_at IS NULL)
            """,
            id=delivery_id,
            now=now,
        )
    )


async def hurry(delivery_id: int, now: datetime) -> bool:
    """Make a waiting delivery due; False for one that somebody is sending, that does not wait, or whose service asked us to
    wait."""
    return bool(
        await db.run(
            """
            UPDATE form_deliveries d SET next_at = :now
            WHERE d.id = :id AND d.state = 'waiting' AND (d.claimed_until IS NULL OR d.claimed_until <= :now)
              AND NOT EXISTS (SELECT 1 FROM form_connections c WHERE c.id = d.connection_id AND c.paused_until > :now)
            """,
            id=delivery_id,
            now=now,
        )
    )


async def held_of(connection_id: int, limit: int) -> list[int]:
    """Held deliveries of a connection, oldest first."""
    rows = await db.many(
        db.Row,
        "SELECT id FROM form_deliveries WHERE connection_id = :id AND state = 'held' ORDER BY id LIMIT :limit",
        id=connection_id,
        limit=limit,
    )
    return [row.id for row in rows]


async def held_of_form(form_id: int, limit: int) -> list[int]:
    """Held deliveries of a form's entries, oldest first."""
    rows = await db.many(
        db.Row,
        """
        SELECT d.id FROM form_deliveries d JOIN form_entries e ON e.id = d.entry_id
        WHERE e.form_id = :id AND d.state = 'held' ORDER BY d.id LIMIT :limit
        """,
        id=form_id,
        limit=limit,
    )
    return [row.id for row in rows]


_SHOWN = """
SELECT d.id, d.state, d.outcome, d.remote_id, d.attempts, d.exchanges, d.error, d.integration_id, d.created_at, d.sent_at,
       greatest(d.next_at, d.claimed_until, c.paused_until) AS due_at, c.paused_until, c.public_id AS connection, c.name,
       c.provider, e.public_id AS entry, e.email, e.state AS entry_state, e.emptied_at IS NOT NULL AS is_emptied
FROM form_deliveries d JOIN form_entries e ON e.id = d.entry_id JOIN forms f ON f.id = e.form_id
LEFT JOIN form_connections c ON c.id = d.connection_id
"""


async def shown(form: str, delivery_id: int) -> db.Row | None:
    """A delivery of a form with whose it is and where it leads."""
    return await db.one(db.Row, f"{_SHOWN} WHERE f.public_id = :form AND d.id = :id", form=form, id=delivery_id)


async def shown_of_entry(form: str, entry: str) -> list[db.Row]:
    """The same for each way that an entry goes."""
    return await db.many(
        db.Row,
        f"{_SHOWN} WHERE f.public_id = :form AND e.public_id = :entry ORDER BY d.id",
        form=form,
        entry=entry,
    )


async def forgotten(before: datetime, limit: int) -> list[int]:
    """Waiting deliveries that were due long ago: the job that should have looked at them is lost."""
    rows = await db.many(
        db.Row,
        """
        SELECT d.id FROM form_deliveries d JOIN form_entries e ON e.id = d.entry_id AND e.state = 'received'
        LEFT JOIN form_connections c ON c.id = d.connection_id
        WHERE d.state = 'waiting' AND d.next_at < :before AND (d.claimed_until IS NULL OR d.claimed_until < :before)
          AND (c.paused_until IS NULL OR c.paused_until < :before)
        ORDER BY d.next_at LIMIT :limit
        """,
        before=before,
        limit=limit,
    )
    return [row.id for row in rows]


async def form_of(form_id: int) -> str:
    """The public id of a form."""
    return str(await db.value("SELECT public_id FROM forms WHERE id = :id", id=form_id))


async def is_emptied(entry_id: int) -> bool:
    """Whether the answers of an entry were taken out."""
    return bool(await db.value("SELECT emptied_at IS NOT NULL FROM form_entries WHERE id = :id", id=entry_id))


async def asked(entry_id: int) -> db.Row | None:
    """What an entry answered (`title`, `answered`), and the form as visitors see it now (`live`)."""
    return await db.one(
        db.Row,
        """
        SELECT f.title, v.definition AS answered, coalesce(l.definition, v.definition) AS live
        FROM form_entries e JOIN forms f ON f.id = e.form_id JOIN form_versions v ON v.id = e.version_id
        LEFT JOIN form_versions l ON l.id = f.live_id
        WHERE e.id = :id
        """,
        id=entry_id,
    )


async def forget_exchanges(before: datetime) -> int:
    """Forget what was said on deliveries that are done and as old as this; how many."""
    return await db.run_in_batches(
        """
        UPDATE form_deliveries SET exchanges = '[]' WHERE id IN (
            SELECT id FROM form_deliveries
            WHERE exchanges <> '[]' AND created_at < :before AND state IN ('sent', 'skipped')
            ORDER BY created_at LIMIT :batch)
        """,
        before=before,
    )
