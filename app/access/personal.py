"""What a person may use, and why."""

from collections.abc import AsyncIterator, Mapping
from typing import Any

from app.access import queries
from app.core import db, personal
from app.core.personal import Subject


@personal.exports("access")
async def access(subject: Subject) -> AsyncIterator[Mapping[str, Any]]:
    """What you may use, from when until when, and why."""
    async for row in db.stream(
        db.Row,
        """
        SELECT p.title, e.source, e.note, e.starts_at, e.ends_at, e.closed_at, e.closed_reason, e.created_at
        FROM entitlements e JOIN products p ON p.id = e.product_id WHERE e.user_id = :id ORDER BY e.id
        """,
        id=subject.id,
    ):
        yield {
            "product": row.title,
            "because": row.source,
            "note": row.note,
            "from": row.starts_at,
            "until": row.ends_at,
            "closed": row.closed_at,
            "closed_because": row.closed_reason,
            "at": row.created_at,
        }


@personal.erases("access")
async def forget(subject: Subject) -> None:
    """All of it: nobody is left who could use it."""
    await queries.delete_of(subject.id)
