"""Who may change which course, and what every change of one ends with."""

from collections.abc import Mapping
from typing import Any

from app.core import audit, clock, events
from app.core.errors import Conflict, Forbidden, Invalid, NotFound
from app.core.i18n import _
from app.courses.events import CourseChanged
from app.courses.models import Course
from app.courses.queries import courses as queries
from app.web.request import Visitor


class Stale(Conflict):
    """Somebody saved this since the form was opened."""


def may_edit(course: Course, by: Visitor | None) -> bool:
    """Whether this person may change the course: anyone's, or one that they teach. None is the system itself."""
    if by is None or by.can("courses.edit_any"):
        return True
    return by.can("courses.edit") and course.instructor_id == by.id


async def locked(course_id: int, by: Visitor | None, *, capability: str | None = None) -> Course:
    """The course, held for the rest of the transaction by somebody who may change it. Raises NotFound, Forbidden."""
    course = await queries.lock_course(course_id)
    if course is None:
        raise NotFound
    allowed = by is None or by.can(capability) if capability else may_edit(course, by)
    if not allowed:
        raise Forbidden(_("This course is taught by somebody else."))
    if course.state == "archived" and capability is None:
        raise Conflict(_("This course is archived. Take it out of the archive to change it."))
    return course


async def changed(
    course: Course,
    action: str,
    *,
    subject: tuple[str, str] | None = None,
    before: Mapping[str, Any] | None = None,
    after: Mapping[str, Any] | None = None,
    summary: str = "",
) -> None:
    """End a change: count the lessons anew, note it, tell those who show the course. Raises Invalid."""
    counted = await queries.refresh_counts(course.id, clock.now())
    if counted is not None and counted.state == "published" and counted.lesson_count == 0:
        raise Invalid(_("A published course keeps at least one published lesson. Unpublish the course first."))
    kind, name = subject or ("course", course.public_id)
    await audit.record(action, kind, name, before=before, after=after, summary=summary or course.title)
    await events.publish(CourseChanged(course.id))
