"""Courses: found, made, changed, published, archived."""

from app.courses import queries
from app.courses.models import Course


async def find(course_id: int) -> Course | None:
    """The course with this key in whatever state, or None. What is shown to visitors must be `is_published`."""
    return await queries.course(course_id)


async def find_by_slug(slug: str) -> Course | None:
    """The course at this address in whatever state, or None. What is shown to visitors must be `is_published`."""
    return await queries.course_by_slug(slug)


async def find_by_public_id(public_id: str) -> Course | None:
    """The course with this public id in whatever state, or None."""
    return await queries.course_by_public_id(public_id)
