"""SQL of the reports of forms, one statement a function. Each reads a bounded number of rows, or an index alone."""

from collections.abc import AsyncIterator
from datetime import date, datetime

from app.core import db


def newest_entries(form_id: int, since: datetime, most: int) -> AsyncIterator[db.Row]:
    """Answers that count, newest first."""
    return db.stream(
        db.Row,
        """
        SELECT answers, began_at, created_at FROM form_entries
        WHERE form_id = :form_id AND state = 'received' AND created_at >= :since
        ORDER BY created_at DESC, id DESC LIMIT :most
        """,
        form_id=form_id,
        since=since,
        most=most,
    )


async def per_day(form_id: int, since: datetime, zone: str) -> dict[date, int]:
    """How many entries came on each day that had any."""
    rows = await db.many(
        db.Row,
        """
        SELECT CAST(created_at AT TIME ZONE :zone AS date) AS day, count(*) AS number FROM form_entries
        WHERE form_id = :form_id AND state = 'received' AND created_at >= :since GROUP BY 1
        """,
        form_id=form_id,
        since=since,
        zone=zone,
    )
    return {row.day: row.number for row in rows}


def newest_drafts(form_id: int, since: datetime, most: int) -> AsyncIterator[db.Row]:
    """What was begun, and whether it was sent in the end."""
    return db.stream(
        db.Row,
        """
        SELECT step, posted, entry_id IS NOT NULL AS is_done FROM form_drafts
        WHERE form_id = :form_id AND updated_at >= :since ORDER BY updated_at DESC LIMIT :most
        """,
        form_id=form_id,
        since=since,
        most=most,
    )
