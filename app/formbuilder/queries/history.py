"""SQL about who changed a form and when, and versions that nobody needs any more."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from app.core import db


@dataclass(frozen=True, slots=True)
class LastChange:
    """Who changed a field last."""

    user_id: int | None
    name: str


async def last_change(form_id: int, field_id: str) -> LastChange | None:
    """Who made the newest version that is about this field."""
    return await db.one(
        LastChange,
        """
        SELECT v.made_by AS user_id, coalesce(u.name, '') AS name
        FROM form_versions v LEFT JOIN users u ON u.id = v.made_by
        WHERE v.form_id = :form_id AND v.subject = :subject ORDER BY v.number DESC LIMIT 1
        """,
        form_id=form_id,
        subject=field_id,
    )


async def subjects(form_id: int, beginning: str) -> list[str]:
    """What versions of a form are about that is called so."""
    rows = await db.many(
        db.Row,
        "SELECT DISTINCT subject FROM form_versions WHERE form_id = :form_id AND starts_with(subject, :beginning)",
        form_id=form_id,
        beginning=beginning,
    )
    return [row.subject for row in rows]


async def was_changed(form_id: int, number: int, at: datetime, by: int | None) -> bool:
    """Whether anybody but this person changed a form since then, or went back or on in it from this version."""
    return bool(
        await db.value(
            """
            SELECT EXISTS (SELECT 1 FROM form_versions v
                           WHERE v.form_id = :form_id AND v.made_at > :at AND v.made_by IS DISTINCT FROM CAST(:by AS bigint))
                OR EXISTS (SELECT 1 FROM forms f JOIN form_versions h ON h.id = f.head_id
                           WHERE f.id = :form_id AND h.number <> :number AND h.made_at <= :at)
            """,
            form_id=form_id,
            number=number,
            at=at,
            by=by,
        )
    )


@dataclass(frozen=True, slots=True)
class Stored:
    """A version with its definition as it is stored."""

    number: int
    words: str
    made_at: datetime
    made_by: str | None
    definition: Any


async def stored_versions(form_id: int, limit: int) -> list[Stored]:
    """The newest versions of a form, those first that were published once: for who looks for one that can be read."""
    return await db.many(
        Stored,
        """
        SELECT v.number, v.words, v.made_at, u.name AS made_by, v.definition
        FROM form_versions v LEFT JOIN users u ON u.id = v.made_by
        WHERE v.form_id = :form_id
        ORDER BY v.published_at IS NOT NULL DESC, v.number DESC LIMIT :limit
        """,
        form_id=form_id,
        limit=limit,
    )


async def delete_old_versions(before: datetime, kept: int, limit: int) -> int:
    """Delete versions made before then that were never published, shown, answered or begun, beyond the newest `kept` of
    their form; at most `limit` at a time. How many went.

    What came after one of them loses its parent: undo ends there.
    """
    return await db.run(
        """
        DELETE FROM form_versions WHERE id IN (
            SELECT v.id FROM form_versions v JOIN forms f ON f.id = v.form_id
            WHERE v.made_at < :before AND v.published_at IS NULL AND v.id <> f.head_id AND v.id IS DISTINCT FROM f.live_id
              AND v.number <= (SELECT max(n.number) FROM form_versions n WHERE n.form_id = v.form_id) - :kept
              AND (SELECT count(*) FROM form_versions n WHERE n.form_id = v.form_id AND n.number > v.number) >= :kept
              AND NOT EXISTS (SELECT 1 FROM form_entries e WHERE e.version_id = v.id)
              AND NOT EXISTS (SELECT 1 FROM form_drafts d WHERE d.version_id = v.id)
            ORDER BY v.id LIMIT :limit)
        """,
        before=before,
        kept=kept,
        limit=limit,
    )
