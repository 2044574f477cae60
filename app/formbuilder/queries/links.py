"""SQL about links that the office makes to a form, one statement a function."""

from collections.abc import Mapping, Sequence
from datetime import datetime

from app.core import db
from app.formbuilder.models import Link

_LINK = "SELECT l.id, l.public_id, l.form_id, l.posted, l.is_single, l.made_at, l.used_at FROM form_links l"


async def insert(
    form_id: int, public_ids: list[str], posted: Mapping[str, Sequence[str]], is_single: bool, by: int, now: datetime
) -> None:
    await db.run(
        """
        INSERT INTO form_links (public_id, form_id, posted, is_single, made_by, made_at)
        SELECT id, :form_id, CAST(:posted AS jsonb), :is_single, :by, :now
        FROM unnest(CAST(:ids AS text[])) AS id
        """,
        ids=public_ids,
        form_id=form_id,
        posted=posted,
        is_single=is_single,
        by=by,
        now=now,
    )


async def find(form_id: int, public_id: str) -> Link | None:
    return await db.one(
        Link, f"{_LINK} WHERE l.form_id = :form_id AND l.public_id = :id", form_id=form_id, id=public_id
    )


async def of_form(form_id: int, limit: int) -> list[Link]:
    """The newest first."""
    return await db.many(
        Link, f"{_LINK} WHERE l.form_id = :form_id ORDER BY l.id DESC LIMIT :limit", form_id=form_id, limit=limit
    )


async def use(link_id: int, entry_id: int, now: datetime) -> bool:
    """Use a link up; False when somebody did before."""
    return bool(
        await db.run(
            "UPDATE form_links SET used_at = :now, entry_id = :entry_id WHERE id = :id AND used_at IS NULL",
            id=link_id,
            entry_id=entry_id,
            now=now,
        )
    )


async def delete(form_id: int, public_id: str) -> int:
    return await db.run(
        "DELETE FROM form_links WHERE form_id = :form_id AND public_id = :id", form_id=form_id, id=public_id
    )


async def count(form_id: int) -> int:
    return int(await db.value("SELECT count(*) FROM form_links WHERE form_id = :form_id", form_id=form_id))
