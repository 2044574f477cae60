"""What learning does when it hears of access, and its mail."""

from app.access import entitlements
from app.access.events import AccessGranted
from app.access.models import CLOSED, ENDED
from app.accounts import merging
from app.core import events, mail
from app.courses.events import LessonRemoved
from app.learning import enrolments, progress, queries
from app.learning.events import Enrolled


@events.on(AccessGranted)
async def enrol_on_access(event: AccessGranted) -> None:
    """Whoever may open a course is enrolled in it, unless that was taken back before the worker came to it; where the account
    was merged into another meanwhile, whose it is now.
    """
    kept = await merging.kept_for(event.user_id)
    user_id = event.user_id if kept is None else kept.id
    if event.course_id is not None and await _is_still_granted(user_id, event.course_id):
        # Who was enrolled before it was closed has heard of it, or is not to.
        since = None if event.again else event.entitlement_id
        await enrolments.enrol(user_id, event.course_id, since, quietly=event.quietly)


async def _is_still_granted(user_id: int, course_id: int) -> bool:
    """Whether there is a cause that is neither closed nor over. One that begins in a moment counts: clocks differ."""
    causes = (await entitlements.explain(user_id, course_id)).causes
    return any(cause.rule not in (CLOSED, ENDED) for cause in causes)


@events.on(LessonRemoved)
async def finish_without_lesson(event: LessonRemoved) -> None:
    """Whoever had done all but a lesson that was removed has finished the course. One that is only taken back may return."""
    await progress.finish_shortened(event.course_id)


@events.on(Enrolled)
async def mail_enrolment(event: Enrolled) -> None:
    """Tell a member that the course is open, once."""
    if event.quietly:
        return
    facts = await queries.mail_facts(event.user_id, event.course_id)
    if facts is not None:
        await mail.send(
            facts.email,
            "learning/enrolment",
            {
                "name": facts.name,
                "course": facts.title,
                "path": f"/learn/{facts.slug}",
                "lessons": facts.lesson_count,
                "seconds": facts.duration_seconds,
                "teacher": facts.instructor_name or "",
            },
            fact=f"enrolment:{event.user_id}:{event.course_id}",
        )
