"""Progress: what was opened, how far, what is done. Every write may come twice and changes nothing then."""

from datetime import timedelta
from zoneinfo import ZoneInfo

from app.core import clock, db, events
from app.core.errors import Invalid
from app.core.i18n import _
from app.core.settings import school
from app.learning import queries
from app.learning.events import CourseCompleted, LessonCompleted
from app.learning.models import Classroom, Progress, ShelfCourse, Step

WEEKS = 12
_VISIT = timedelta(minutes=5)
LONGEST = 24 * 3600


async def shelf(user_id: int) -> list[ShelfCourse]:
    """The courses a member may open, most recent first."""
    return await queries.shelf(user_id, clock.now())


async def classroom(course_slug: str, user_id: int) -> Classroom | None:
    """A course as this member finds it; None when there is none of that name."""
    return await queries.classroom(course_slug, user_id, clock.now())


async def of(course_id: int, user_id: int, *, open_slug: str = "") -> Progress:
    """The member's progress in a course; the lesson `open_slug` comes with its text."""
    return Progress(await queries.steps(course_id, user_id, open_slug))


async def note_visit(user_id: int, room: Classroom, step: Step) -> None:
    """Remember that the lesson was opened; the same one is noted every five minutes at most."""
    now = clock.now()
    recent = room.last_activity_at is not None and now - room.last_activity_at < _VISIT
    if recent and room.last_lesson_id == step.id:
        return
    today = now.astimezone((await school()).zone).date()
    await queries.note_visit(user_id, room.id, step.id, now, today)


async def save_position(user_id: int, course_slug: str, lesson_slug: str, seconds: int) -> bool:
    """Keep the second a film was left at; False when the member may not open it, or something later is kept.

    One statement, since every player sends it every few seconds. Raises Invalid for what cannot be a position.
    """
    if not 0 <= seconds <= LONGEST:
        raise Invalid(_("That is not a place in the film."), field="position")
    return await queries.save_position(user_id, course_slug, lesson_slug, seconds, clock.now())


async def complete(user_id: int, room: Classroom, step: Step) -> bool:
    """Mark a lesson done; True when that finished the course. Doing it again changes nothing."""
    now = clock.now()
    today = now.astimezone((await school()).zone).date()
    async with db.transaction():
        await queries.note_visit(user_id, room.id, step.id, now, today)
        await queries.lock_enrolment(user_id, room.id)
        if not await queries.mark_completed(user_id, room.id, step.id, now):
            return False
        await events.publish(LessonCompleted(user_id, step.id))
        counted = await queries.count_completed(user_id, room.id, now)
        finished = counted is not None and bool(counted.just_completed)
        if finished:
            await events.publish(CourseCompleted(user_id, room.id))
        return finished


async def reopen(user_id: int, room: Classroom, step: Step) -> None:
    """Take "done" back. A course that was finished once stays finished."""
    now = clock.now()
    async with db.transaction():
        await queries.lock_enrolment(user_id, room.id)
        if await queries.unmark_completed(user_id, step.id, now):
            await queries.count_completed(user_id, room.id, now)


async def finish_shortened(course_id: int) -> None:
    """Finish a course for everybody who has done all lessons that are left of it. Doing it again changes nothing."""
    for user_id in await queries.who_did_all(course_id):
        async with db.transaction():
            await queries.lock_enrolment(user_id, course_id)
            if await queries.finish(user_id, course_id, clock.now()):
                await events.publish(CourseCompleted(user_id, course_id))


async def rhythm(user_id: int, zone: ZoneInfo) -> list[tuple[str, int]]:
    """Lessons finished in each of the last twelve weeks, as (ISO day of the Monday, count), oldest first."""
    today = clock.now().astimezone(zone).date()
    monday = today - timedelta(days=today.weekday())
    first = monday - timedelta(weeks=WEEKS - 1)
    since = clock.now() - timedelta(weeks=WEEKS + 1)
    counted = {row.week: row.lessons for row in await queries.finished_by_week(user_id, since, zone.key)}
    weeks = [first + timedelta(weeks=n) for n in range(WEEKS)]
    return [(week.isoformat(), counted.get(week, 0)) for week in weeks]
