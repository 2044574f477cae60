"""The list of courses, a new one, details, and the states of a course."""

from quart import Response, redirect, url_for
from werkzeug.wrappers import Response as BaseResponse

from app.core.errors import Invalid, Stale
from app.core.i18n import _
from app.courses import courses, topics
from app.courses.admin import admin
from app.courses.admin.frame import around, edited, seen
from app.courses.forms import DetailsForm, NewCourseForm, details_data, lines
from app.courses.listing import COURSES
from app.courses.models import Course, CourseDetails
from app.web import tables
from app.web.flash import flash
from app.web.forms import submitted
from app.web.guards import requires
from app.web.render import page
from app.web.request import signed_in_user
from app.web.stale import catch_up, differing
from app.web.tables import Choice


@admin.get("/courses")
@requires("courses.view")
async def list_courses() -> Response:
    """Every course, whatever its state."""
    choices = {"topic": [Choice(topic.slug, topic.name) for topic in await topics.all_topics()]}
    binds = {"viewer_id": signed_in_user().id}
    return await tables.show(COURSES, "courses/admin/courses.html", binds=binds, choices=choices)


@admin.get("/courses/new")
@requires("courses.edit_any")
async def show_new_course() -> Response:
    """The form with which a course begins."""
    return await page("courses/admin/new.html", form=NewCourseForm())


@admin.post("/courses")
@requires("courses.edit_any", once=True)
async def create_course() -> Response | BaseResponse:
    """Make a draft and go on to its outline."""
    form = await submitted(NewCourseForm)
    if not form.validate():
        return await page("courses/admin/new.html", status=422, form=form)
    details = CourseDetails(title=form.title.data, promise=form.promise.data or "")
    course = await courses.create(details, by=signed_in_user())
    return redirect(url_for(".show_outline", public_id=course.public_id), 303)


@admin.get("/courses/<public_id>/details")
@requires("courses.edit")
async def show_details(public_id: str) -> Response:
    """What a course says of itself."""
    course = await edited(public_id)
    return await _details_page(course, DetailsForm(data=details_data(course)))


@admin.post("/courses/<public_id>/details")
@requires("courses.edit")
async def update_details(public_id: str) -> Response | BaseResponse:
    """Keep what was typed; somebody else's changes since are shown, never overwritten unseen."""
    course = await edited(public_id)
    form = await submitted(DetailsForm)
    form.offer(course, await topics.all_topics(), await courses.teachers())
    if not form.validate():
        return await _details_page(course, form, status=422)
    try:
        details = await _details(form)
        await courses.edit(course.id, details, revision=form.revision.data, by=signed_in_user())
    except Stale:
        # The next save is made against what is shown beside the form now.
        course = await edited(public_id)
        catch_up(form.revision, course.revision)
        return await _details_page(course, form, status=409, is_stale=True)
    except Invalid as error:
        form.refuse(error)
        return await _details_page(course, form, status=422)
    flash(_("The details are saved."))
    return redirect(url_for(".show_details", public_id=public_id), 303)


async def _details(form: DetailsForm) -> CourseDetails:
    topic_id = int(form.topic.data) if form.topic.data else None
    if form.new_topic.data:
        topic_id = await topics.ensure(form.new_topic.data)
    questions = [
        {"question": entry.question.data, "answer": entry.answer.data or ""}
        for entry in form.faq
        if entry.question.data
    ]
    return CourseDetails(
        title=form.title.data,
        slug=form.slug.data,
        promise=form.promise.data or "",
        summary=form.summary.data or "",
        level=form.level.data,
        language=form.language.data,
        topic_id=topic_id,
        instructor_id=int(form.instructor.data) if form.instructor.data else None,
        outcomes=lines(form.outcomes.data),
        audience=lines(form.audience.data),
        not_for=lines(form.not_for.data),
        included=lines(form.included.data),
        faq=questions,
        plate=form.plate.data or "",
        plate_ground=form.plate_ground.data or "",
    )


async def _details_page(course: Course, form: DetailsForm, *, status: int = 200, is_stale: bool = False) -> Response:
    form.offer(course, await topics.all_topics(), await courses.teachers())
    may_assign = signed_in_user().can("courses.edit_any")
    # Who may not choose the instructor has typed none.
    fixed = () if may_assign else ("instructor",)
    stored = differing(form, details_data(course), but=("revision", *fixed)) if is_stale else None
    if is_stale and course.picture_url:
        # It may have come since, and nobody who was not offered it meant to take it away.
        form.plate.data = course.picture_url
    blank = sum(1 for entry in form.faq if not entry.question.data and not entry.answer.data)
    for _n in range(max(0, 2 - blank)):
        if len(form.faq) < 30:
            form.faq.append_entry()
    return await page(
        "courses/admin/details.html",
        status=status,
        form=form,
        stored=stored,
        may_assign=may_assign,
        **around(course, "details"),
    )


@admin.post("/courses/<public_id>/publication")
@requires("courses.publish")
async def create_publication(public_id: str) -> BaseResponse:
    """Show the course to everyone, or say what is missing."""
    course = await seen(public_id)
    try:
        await courses.publish(course.id, by=signed_in_user())
    except Invalid as error:
        flash(_("Not published yet. %(why)s", why=error.message), "bad")
    else:
        flash(_("%(title)s is published.", title=course.title))
    return _to_outline(public_id)


@admin.post("/courses/<public_id>/withdrawal")
@requires("courses.publish")
async def create_withdrawal(public_id: str) -> BaseResponse:
    """Make a draft of it again."""
    course = await courses.unpublish((await seen(public_id)).id, by=signed_in_user())
    undo = url_for(".create_publication", public_id=public_id)
    flash(
        _("%(title)s is a draft again. Those who have it cannot open it until it is published.", title=course.title),
        undo_url=undo,
    )
    return _to_outline(public_id)


@admin.post("/courses/<public_id>/archival")
@requires("courses.publish")
async def create_archival(public_id: str) -> BaseResponse:
    """Put it away."""
    course = await courses.archive((await seen(public_id)).id, by=signed_in_user())
    undo = url_for(".create_restoration", public_id=public_id)
    flash(_("%(title)s is in the archive.", title=course.title), undo_url=undo)
    return redirect(url_for(".list_courses"), 303)


@admin.post("/courses/<public_id>/restoration")
@requires("courses.publish")
async def create_restoration(public_id: str) -> BaseResponse:
    """Take it out of the archive."""
    course = await courses.restore((await seen(public_id)).id, by=signed_in_user())
    flash(_("%(title)s is back.", title=course.title))
    return _to_outline(public_id)


def _to_outline(public_id: str) -> BaseResponse:
    return redirect(url_for(".show_outline", public_id=public_id), 303)
