"""Who teaches stands on the page of a course."""

from collections.abc import AsyncIterator, Mapping
from typing import Any

from app.core import db, personal
from app.core.i18n import _
from app.core.personal import Subject


@personal.exports("teaching")
async def teaching(subject: Subject) -> AsyncIterator[Mapping[str, Any]]:
    """The courses that name you as their teacher."""
    async for row in db.stream(
        db.Row, "SELECT title, state, created_at FROM courses WHERE instructor_id = :id ORDER BY id", id=subject.id
    ):
        yield {"course": row.title, "state": row.state, "at": row.created_at}


@personal.hinders("teaching")
async def still_teaches(subject: Subject) -> str:
    """A course must not be left without the one it names."""
    title = await db.value("SELECT title FROM courses WHERE instructor_id = :id ORDER BY id LIMIT 1", id=subject.id)
    return (
        _("The course “%(title)s” names this person as its teacher. Give it to somebody else first.", title=title)
        if title
        else ""
    )
