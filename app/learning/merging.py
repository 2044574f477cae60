"""What merging two accounts means for learning: of what was learned in both, the further counts."""

from app.accounts import merging
from app.core import clock, events
from app.core.i18n import ngettext
from app.learning.events import CourseCompleted
from app.learning.queries import merging as queries


async def _preview(gone_id: int, kept_id: int) -> list[str]:
    found = await queries.counts(gone_id, kept_id)
    said = []
    if found.courses:
        said.append(
            ngettext(
                "Enrolment and progress in %(num)s course.",
                "Enrolments and progress in %(num)s courses.",
                found.courses,
            )
        )
    if found.in_both:
        said.append(
            ngettext(
                "%(num)s course was begun in both: of each lesson the further counts.",
                "%(num)s courses were begun in both: of each lesson the further counts.",
                found.in_both,
            )
        )
    return said


async def _move(gone_id: int, kept_id: int) -> dict[str, int]:
    found = await queries.counts(gone_id, kept_id)
    await queries.join_enrolments(gone_id, kept_id)
    await queries.drop_joined_enrolments(gone_id, kept_id)
    await queries.move_enrolments(gone_id, kept_id)
    await queries.join_progress(gone_id, kept_id)
    await queries.drop_joined_progress(gone_id, kept_id)
    lessons = await queries.move_progress(gone_id, kept_id)
    for course_id in await queries.count_completed(kept_id, clock.now()):
        await events.publish(CourseCompleted(kept_id, course_id))
    await queries.copy_days(gone_id, kept_id)
    await queries.drop_days(gone_id)
    return {"enrolments": found.courses, "lessons": lessons}


merging.register(merging.Step("learning", _preview, _move))
