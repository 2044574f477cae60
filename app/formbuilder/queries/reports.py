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


def newest_begun(form_id: int, since: datetime, most: int) -> AsyncIterator[db.Row]:
    """What was begun: drafts, and whether they were sent in the end; and at which question pages were left that never were
    (those have a field). The newest `most` of each."""
    return db.stream(
        db.Row,
        """
        (SELECT d.step, d.posted, d.entry_id IS NOT NULL AS is_done, NULL AS field_id FROM form_drafts d
         WHERE d.form_id = :form_id AND d.updated_at >= :since ORDER BY d.updated_at DESC LIMIT :most)
        UNION ALL
        (SELECT '', '{}', false, l.field_id FROM form_left l
         WHERE l.form_id = :form_id AND l.left_at >= :since
           AND NOT EXISTS (SELECT 1 FROM form_entries e WHERE e.form_id = l.form_id AND e.stamp = l.stamp)
         ORDER BY l.left_at DESC LIMIT :most)
        """,
        form_id=form_id,
        since=since,
        most=most,
    )


def unfinished(form_id: int) -> AsyncIterator[db.Row]:
    """What was begun and not sent, the oldest first."""
    return db.stream(
        db.Row,
        """
        SELECT d.id, d.posted, d.email, d.created_at AS began, d.updated_at AS touched, v.number AS version, u.name AS member
        FROM form_drafts d JOIN form_versions v ON v.id = d.version_id LEFT JOIN users u ON u.id = d.user_id
        WHERE d.form_id = :form_id AND d.entry_id IS NULL ORDER BY d.updated_at, d.id
        """,
        form_id=form_id,
    )
