"""The member area: the shelf, a course's outline, the lesson."""

from datetime import date

from quart import Blueprint, Response, redirect, request, url_for
from werkzeug.wrappers import Response as BaseResponse

from app.access import entitlements
from app.access.models import CLOSED, ENDED
from app.core.errors import Forbidden, Invalid, NotFound
from app.core.i18n import _, format_day
from app.core.limits import Limit
from app.core.numbers import whole_number
from app.core.settings import school
from app.learning import progress
from app.learning.models import Classroom, Progress, Step
from app.media import uploads
from app.web import acting, plots
from app.web.flash import flash
from app.web.guards import signed_in
from app.web.render import page
from app.web.request import Visitor, signed_in_user

routes = Blueprint("learning", __name__, url_prefix="/learn")


@routes.get("")
@signed_in()
async def list_courses() -> Response:
    """My courses, with the lesson to continue with on top."""
    person = signed_in_user()
    shelf = await progress.shelf(person.id)
    weeks = await progress.rhythm(person.id, (await school()).zone)
    here = {course.slug for course in shelf}
    causes = await entitlements.causes_of(person.id)
    return await page(
        "learning/shelf.html",
        shelf=shelf,
        current=next((course for course in shelf if course.next_slug), None),
        rhythm=_plot(weeks) if any(count for _week, count in weeks) else None,
        finished=sum(count for _week, count in weeks),
        # What went from the shelf says why on its own page; without a word it would only be missing.
        gone={
            cause.course_slug: cause.product_title
            for cause in causes
            if cause.course_slug and cause.course_slug not in here and cause.rule in (CLOSED, ENDED)
        },
    )


@routes.get("/<course_slug>")
@signed_in()
async def show_course(course_slug: str) -> Response | BaseResponse:
    """The outline of a course with what is done and what comes next."""
    person = signed_in_user()
    room = await _room(course_slug, person)
    if not _may_enter(room, person):
        return await _closed(room, person)
    done = await progress.of(room.id, person.id)
    return await page(
        "learning/course.html",
        room=room,
        progress=done,
        following=done.following(room.last_lesson_id),
        is_rehearsal=not room.allowed,
    )


@routes.get("/<course_slug>/access")
@signed_in()
async def show_access(course_slug: str) -> Response:
    """Why this person may open the course, or why not."""
    person = signed_in_user()
    room = await _room(course_slug, person)
    return await page(
        "learning/access.html",
        room=room,
        explanation=await entitlements.explain(person.id, room.id),
        by_role=person.can("courses.view"),
    )


@routes.get("/<course_slug>/<lesson_slug>")
@signed_in()
async def show_lesson(course_slug: str, lesson_slug: str) -> Response:
    """A lesson: the film or the text, where one is in the course, and on to the next."""
    person = signed_in_user()
    room = await _room(course_slug, person)
    if not _may_enter(room, person):
        return await _closed(room, person)
    done = await progress.of(room.id, person.id, open_slug=lesson_slug)
    step = _step(done, lesson_slug)
    if room.allowed and acting.current() is None:  # who looks as a member leaves no trace of learning
        await progress.note_visit(person.id, room, step)
    return await page(
        "learning/lesson.html",
        room=room,
        progress=done,
        step=step,
        before=done.before(step),
        after=done.after(step),
        media=await _media(step, room, person),
        is_rehearsal=not room.allowed,
    )


@routes.post("/<course_slug>/<lesson_slug>/completion")
@signed_in()
async def create_completion(course_slug: str, lesson_slug: str) -> BaseResponse | Response:
    """Mark the lesson done and go on to the next one."""
    entered = await _entered(course_slug, lesson_slug)
    if entered is None:  # the page of the lesson says what closed it
        return redirect(url_for(".show_lesson", course_slug=course_slug, lesson_slug=lesson_slug), 303)
    person, room, done, step = entered
    finished = await progress.complete(person.id, room, step)
    after = done.after(step)
    if finished:
        flash(_("You have finished %(course)s.", course=room.title))
    if after is None or finished:
        return redirect(url_for(".show_course", course_slug=course_slug), 303)
    return redirect(url_for(".show_lesson", course_slug=course_slug, lesson_slug=after.slug), 303)


@routes.post("/<course_slug>/<lesson_slug>/completion/removal")
@signed_in()
async def delete_completion(course_slug: str, lesson_slug: str) -> BaseResponse:
    """Mark the lesson not done."""
    entered = await _entered(course_slug, lesson_slug)
    if entered is not None:
        person, room, _done, step = entered
        await progress.reopen(person.id, room, step)
    return redirect(url_for(".show_lesson", course_slug=course_slug, lesson_slug=lesson_slug), 303)


@routes.post("/<course_slug>/<lesson_slug>/position")
@signed_in(limit=Limit(60, 10))
async def update_position(course_slug: str, lesson_slug: str) -> Response:
    """Keep the second the film is at; sent by the player, answered with nothing."""
    position = whole_number((await request.form).get("position"), 6)
    if position is None:
        await _still_entered(course_slug, lesson_slug)  # a closed course says nothing else
        raise Invalid(_("That is not a place in the film."), field="position")
    if not await progress.save_position(signed_in_user().id, course_slug, lesson_slug, position):
        await _still_entered(course_slug, lesson_slug)  # says why not
    return Response(status=204)


async def _room(course_slug: str, person: Visitor) -> Classroom:
    room = await progress.classroom(course_slug, person.id)
    if room is None or (room.state == "draft" and not _may_rehearse(room, person)):
        raise NotFound()
    return room


def _may_enter(room: Classroom, person: Visitor) -> bool:
    return room.allowed or _may_rehearse(room, person)


def _may_rehearse(room: Classroom, person: Visitor) -> bool:
    """Staff see a course as a learner does; nothing is recorded then."""
    return person.can("courses.edit_any") or (person.can("courses.edit") and room.instructor_id == person.id)


async def _closed(room: Classroom, person: Visitor) -> Response:
    return await page(
        "learning/closed.html",
        status=403,
        room=room,
        explanation=await entitlements.explain(person.id, room.id),
    )


async def _still_entered(course_slug: str, lesson_slug: str) -> None:
    if await _entered(course_slug, lesson_slug) is None:
        raise Forbidden(_("This course is not open to you any more."))


async def _entered(course_slug: str, lesson_slug: str) -> tuple[Visitor, Classroom, Progress, Step] | None:
    """The member's own lesson, for a write; staff without access cannot write progress. None when it was open once."""
    person = signed_in_user()
    room = await _room(course_slug, person)
    if not room.allowed:
        if (await entitlements.explain(person.id, room.id)).causes:
            return None
        raise NotFound(_("This course is not on your shelf."))
    done = await progress.of(room.id, person.id)
    return person, room, done, _step(done, lesson_slug)


def _step(done: Progress, lesson_slug: str) -> Step:
    step = done.step(lesson_slug)
    if step is None:
        raise NotFound(_("This lesson is not (or no longer) part of the course."))
    return step


async def _media(step: Step, room: Classroom, person: Visitor) -> dict[str, str]:
    ids = {"video": step.video_id, "captions": step.captions_id, "poster": step.poster_id}
    if step.kind != "video" or not any(ids.values()):
        return {}
    found = await uploads.find_many([upload_id for upload_id in ids.values() if upload_id is not None])
    return {
        name: uploads.address(found[upload_id], learner=(person.id, room.id))
        if room.allowed
        else uploads.address(found[upload_id], staff_id=person.id)
        for name, upload_id in ids.items()
        if upload_id is not None and upload_id in found
    }


def _plot(weeks: list[tuple[str, int]]) -> plots.BarPlot:
    return plots.bars(
        [count for _week, count in weeks],
        labels=[format_day(date.fromisoformat(week), "d MMM") for week, _count in weeks],
        heads=(_("Week of"), _("Lessons finished")),
    )
