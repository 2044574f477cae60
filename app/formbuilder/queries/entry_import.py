"""SQL of entries that are brought as a file, one statement a function."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from app.core import db


async def lock_version(form_id: int) -> int:
    """What visitors answer now, or what is being built. The form is kept from others until the transaction ends."""
    found: int = await db.value(
        "SELECT coalesce(live_id, head_id) FROM forms WHERE id = :id FOR NO KEY UPDATE", id=form_id
    )
    return found


async def known(form_id: int, ids: Sequence[str]) -> set[str]:
    """Which of these are entries of the form already."""
    rows = await db.many(
        db.Row,
        "SELECT public_id FROM form_entries WHERE form_id = :form_id AND public_id = ANY(CAST(:ids AS text[]))",
        form_id=form_id,
        ids=list(ids),
    )
    return {row.public_id for row in rows}


async def insert(form_id: int, version_id: int, rows: list[dict[str, Any]], now: datetime) -> int:
    """Keep entries that count, and that nobody is told of; how many."""
    return await db.run(
        """
        INSERT INTO form_entries (public_id, form_id, version_id, state, answers, said, email, status, created_at,
                                  counted_at, read_at)
        SELECT r.public_id, :form_id, :version_id, 'received', r.answers, r.said, r.email, r.status, r.created_at,
               CAST(:now AS timestamptz), CAST(:now AS timestamptz)
        FROM jsonb_to_recordset(CAST(:rows AS jsonb))
             AS r (public_id text, answers jsonb, said text, email text, status text, created_at timestamptz)
        ON CONFLICT (public_id) DO NOTHING
        """,
        form_id=form_id,
        version_id=version_id,
        rows=rows,
        now=now,
    )
