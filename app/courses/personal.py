"""Who teaches stands on the page of a course."""

from collections.abc import AsyncIterator, Mapping, Sequence
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


@personal.shares("courses")
async def in_titles(_subject: Subject, names: Sequence[str]) -> list[str]:
    """Names that stand in the title of a course, a section or a lesson."""
    found = await db.many(
        db.Row,
        """
        SELECT asked.word FROM unnest(CAST(:names AS text[])) asked (word)
        WHERE EXISTS (SELECT FROM courses c WHERE strpos(lower(c.title), lower(asked.word)) > 0)
           OR EXISTS (SELECT FROM sections s WHERE strpos(lower(s.title), lower(asked.word)) > 0)
           OR EXISTS (SELECT FROM lessons l WHERE strpos(lower(l.title), lower(asked.word)) > 0)
        """,
        names=list(names),
    )
    return [row.word for row in found]


@personal.hinders("teaching")
async def still_teaches(subject: Subject) -> str:
    """A course must not be left without the one it names."""
    title = await db.value("SELECT title FROM courses WHERE instructor_id = :id ORDER BY id LIMIT 1", id=subject.id)
    return (
        _("The course “%(title)s” names this person as its teacher. Give it to somebody else first.", title=title)
        if title
        else ""
    )
