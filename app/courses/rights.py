"""Who may change which course, and what every change of one ends with."""

from collections.abc import Mapping
from typing import Any

from app.core import audit, clock, db, events
from app.core.errors import Conflict, Forbidden, Invalid, NotFound
from app.core.i18n import _
from app.courses.events import CourseChanged
from app.courses.models import Course, Lesson
from app.courses.queries import courses as queries
from app.courses.queries import lessons as lesson_queries
from app.web.request import Visitor


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


async def locked_lesson(lesson_id: int, by: Visitor | None) -> tuple[Course, Lesson]:
    """The lesson as it stands, and its course, held as by `locked`. Raises NotFound, also when it was just removed."""
    found = await lesson_queries.lesson_by_id(lesson_id)
    if found is None:
        raise NotFound
    course = await locked(found.course_id, by)
    # While the lock was waited for, somebody may have changed the lesson or taken it away.
    lesson = await lesson_queries.lesson_by_id(lesson_id)
    if lesson is None:
        raise NotFound
    return course, lesson


async def locked_section(section_public_id: str, by: Visitor | None) -> tuple[Course, db.Row]:
    """The section as it stands, and its course, held as by `locked`. Raises NotFound, also when it was just removed."""
    found = await lesson_queries.section_by_public_id(section_public_id)
    if found is None:
        raise NotFound
    course = await locked(found.course_id, by)
    section = await lesson_queries.section_by_public_id(section_public_id)
    if section is None:
        raise NotFound
    return course, section


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
