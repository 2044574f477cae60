"""Lessons: found, written, moved, published, removed."""

from app.courses import queries
from app.courses.models import Lesson


async def find(course_id: int, slug: str, *, published_only: bool = True) -> Lesson | None:
    """The lesson at this address of the course, or None. Drafts only when asked for."""
    return await queries.lesson_by_slug(course_id, slug, published_only=published_only)


async def find_by_id(lesson_id: int) -> Lesson | None:
    """The lesson with this key in whatever state, or None."""
    return await queries.lesson_by_id(lesson_id)
