"""Courses, for programs."""

from typing import Any

from quart import Blueprint, Response

from app.courses.models import Course
from app.courses.queries import courses as queries
from app.web.api import listed
from app.web.guards import api

routes = Blueprint("courses_api", __name__, url_prefix="/api/v1")


@routes.get("/courses")
@api("courses.view")
async def list_courses() -> Response:
    """Every course, drafts and archived ones too, newest first."""
    return await listed("courses", queries.courses_before, lambda course: course.id, _drawn)


def _drawn(course: Course) -> dict[str, Any]:
    return {
        "id": course.public_id,
        "slug": course.slug,
        "title": course.title,
        "summary": course.summary,
        "state": course.state,
        "level": course.level,
        "language": course.language,
        "topic": course.topic_slug,
        "instructor": {"id": course.instructor_public_id, "name": course.instructor_name}
        if course.instructor_public_id
        else None,
        "lesson_count": course.lesson_count,
        "duration_seconds": course.duration_seconds,
        "published_at": course.published_at,
        "created_at": course.created_at,
        "updated_at": course.updated_at,
    }
