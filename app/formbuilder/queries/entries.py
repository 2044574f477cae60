"""SQL about entries, one statement a function."""

from datetime import datetime
from typing import Any

from app.core import db
from app.formbuilder.models import Entry

_ENTRY = """
SELECT e.id, e.public_id, e.form_id, e.version_id, e.state, e.answers, e.email, e.user_id, e.created_at,
       e.read_at IS NOT NULL AS is_read, e.is_starred
FROM form_entries e
"""


async def insert_entry(values: dict[str, Any]) -> int | None:
    """The entry's key; None when this page has sent one already."""
    found: int | None = await db.value(
        """
        INSERT INTO form_entries (public_id, form_id, version_id, state, answers, said, email, user_id, stamp, address,
                                  user_agent, began_at, created_at)
        VALUES (:public_id, :form_id, :version_id, :state, CAST(:answers AS jsonb), :said, :email, :user_id, :stamp,
                :address, :user_agent, :began_at, :created_at)
        ON CONFLICT (form_id, stamp) DO NOTHING RETURNING id
        """,
        **values,
    )
    return found


async def entry(form_id: int, public_id: str) -> Entry | None:
    return await db.one(
        Entry, f"{_ENTRY} WHERE e.form_id = :form_id AND e.public_id = :id", form_id=form_id, id=public_id
    )


async def entry_by_id(entry_id: int) -> Entry | None:
    return await db.one(Entry, f"{_ENTRY} WHERE e.id = :id", id=entry_id)


async def entry_of_stamp(form_id: int, stamp: bytes) -> Entry | None:
    """What this page has sent."""
    return await db.one(
        Entry, f"{_ENTRY} WHERE e.form_id = :form_id AND e.stamp = :stamp", form_id=form_id, stamp=stamp
    )


async def count(form_id: int, most: int) -> int:
    """How many entries the form has that are not spam, counted up to `most`."""
    return int(
        await db.value(
            """
            SELECT count(*) FROM (SELECT 1 FROM form_entries WHERE form_id = :form_id AND state NOT IN ('spam', 'refused', 'binned')
                                  AND given_up_at IS NULL LIMIT :most) AS found
            """,
            form_id=form_id,
            most=most,
        )
    )


async def has_answer(form_id: int, answer: dict[str, Any], but: int | None = None) -> bool:
    """Whether an entry of the form, but for this one, has this answer ({field id: answer})."""
    return bool(
        await db.value(
            """
            SELECT EXISTS (SELECT 1 FROM form_entries WHERE form_id = :form_id AND state NOT IN ('spam', 'refused', 'binned')
                           AND given_up_at IS NULL AND answers @> CAST(:answer AS jsonb)
                           AND id IS DISTINCT FROM CAST(:but AS bigint))
            """,
            form_id=form_id,
            answer=answer,
            but=but,
        )
    )


async def has_address(form_id: int, field_id: str, address: str, but: int | None = None) -> bool:
    """Whether an entry of the form, but for this one, has this mail address as an answer to this field, in whatever letters."""
    return bool(
        await db.value(
            """
            SELECT EXISTS (SELECT 1 FROM form_entries WHERE form_id = :form_id AND state NOT IN ('spam', 'refused', 'binned')
                           AND given_up_at IS NULL AND lower(answers ->> CAST(:field_id AS text)) = lower(CAST(:address AS text))
                           AND id IS DISTINCT FROM CAST(:but AS bigint))
            """,
            form_id=form_id,
            field_id=field_id,
            address=address,
            but=but,
        )
    )


async def mark_read(entry_id: int, now: datetime) -> None:
    await db.run("UPDATE form_entries SET read_at = :now WHERE id = :id AND read_at IS NULL", id=entry_id, now=now)


async def latest(form_id: int) -> Entry | None:
    """The newest entry that counts."""
    return await db.one(
        Entry,
        f"{_ENTRY} WHERE e.form_id = :form_id AND e.state = 'received' ORDER BY e.created_at DESC, e.id DESC LIMIT 1",
        form_id=form_id,
    )
