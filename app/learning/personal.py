"""What a person learned, and how far they came."""

from collections.abc import AsyncIterator, Mapping
from typing import Any

from app.core import db, personal
from app.core.personal import Subject
from app.learning import queries


@personal.exports("learning")
async def learning(subject: Subject) -> AsyncIterator[Mapping[str, Any]]:
    """The courses that you began, with every lesson that you opened and how far you came."""
    async for row in db.stream(
        db.Row,
        """
        SELECT c.title AS course, n.enrolled_at, n.completed_at AS course_completed_at, l.title AS lesson,
               p.first_opened_at, p.position_seconds, p.completed_at, p.updated_at
        FROM enrolments n JOIN courses c ON c.id = n.course_id
        LEFT JOIN lesson_progress p ON p.user_id = n.user_id AND p.course_id = n.course_id
        LEFT JOIN lessons l ON l.id = p.lesson_id
        WHERE n.user_id = :id ORDER BY n.id, p.first_opened_at
        """,
        id=subject.id,
    ):
        yield {
            "course": row.course,
            "begun": row.enrolled_at,
            "course_completed": row.course_completed_at,
            "lesson": row.lesson,
            "opened": row.first_opened_at,
            "left_at_second": row.position_seconds,
            "completed": row.completed_at,
            "last": row.updated_at,
        }


@personal.exports("days")
async def days(subject: Subject) -> AsyncIterator[Mapping[str, Any]]:
    """The days on which you opened a lesson."""
    async for row in db.stream(
        db.Row, "SELECT on_date FROM learner_days WHERE user_id = :id ORDER BY on_date", id=subject.id
    ):
        yield {"on": row.on_date}


@personal.erases("learning")
async def forget(subject: Subject) -> None:
    """All of it; the figures of days that are over are added up anew without it."""
    await queries.delete_of(subject.id)
