"""A lesson: its text, its states, its removal, and how learners will see it."""

from typing import Any

from quart import Response, redirect, request, url_for
from werkzeug.wrappers import Response as BaseResponse

from app.core.errors import Invalid, NotFound, Stale
from app.core.i18n import _
from app.courses import lessons, outlines, prose
from app.courses.admin import admin
from app.courses.admin.frame import around, edited, seen
from app.courses.forms import FileForm, LengthForm, LessonForm, PictureForm, RemovalForm, lesson_data
from app.courses.models import Course, Lesson, LessonDetails
from app.media import uploads
from app.web.flash import flash
from app.web.forms import BaseForm, submitted
from app.web.guards import requires
from app.web.render import page
from app.web.request import signed_in_user
from app.web.stale import catch_up, differing


@admin.get("/courses/<public_id>/lessons/<lesson_id>")
@requires("courses.edit")
async def show_lesson(public_id: str, lesson_id: str) -> Response:
    """The editor of a lesson."""
    course, lesson = await course_and_lesson(public_id, lesson_id)
    return await lesson_page(course, lesson)


async def course_and_lesson(public_id: str, lesson_id: str) -> tuple[Course, Lesson]:
    """Both, for somebody who may change them. Raises NotFound, Forbidden."""
    course = await edited(public_id)
    return course, await lessons.of_course(course.id, lesson_id)


async def lesson_page(
    course: Course,
    lesson: Lesson,
    *,
    form: LessonForm | None = None,
    status: int = 200,
    stored: list[tuple[str, str]] | None = None,
    file_forms: dict[str, BaseForm] | None = None,
    html: str | None = None,
) -> Response:
    """The editor: what is written on the left, switches and files on the right."""
    form = form or LessonForm(data=lesson_data(lesson))
    keys = [key for key in (lesson.video_id, lesson.captions_id, lesson.poster_id) if key is not None]
    kept = await uploads.find_many(keys)
    named = request.args.get("picture", "")
    picture = await uploads.find_by_public_id(named) if named else None
    forms = {role: FileForm() for role in ("video", "captions", "poster")}
    return await page(
        "courses/admin/lesson.html",
        status=status,
        lesson=lesson,
        form=form,
        stored=stored,
        html=prose.render(form.body_markdown.data or "") if html is None else html,
        files={role: kept.get(getattr(lesson, f"{role}_id") or 0) for role in ("video", "captions", "poster")},
        file_forms={**forms, "picture": PictureForm(), "length": LengthForm(), **(file_forms or {})},
        picture_path=uploads.path(picture) if picture and picture.is_public else "",
        picture_alt=request.args.get("alt", ""),
        **around(course, "outline"),
    )


@admin.post("/courses/<public_id>/lessons/<lesson_id>")
@requires("courses.edit")
async def update_lesson(public_id: str, lesson_id: str) -> Response | BaseResponse:
    """Keep what was written; somebody else's changes since are shown, never overwritten unseen."""
    course, lesson = await course_and_lesson(public_id, lesson_id)
    form = await submitted(LessonForm)
    if not form.validate():
        return await lesson_page(course, lesson, form=form, status=422)
    try:
        await lessons.edit(lesson.id, _details(form), revision=form.revision.data, by=signed_in_user())
    except Stale:
        course, lesson = await course_and_lesson(public_id, lesson_id)
        catch_up(form.revision, lesson.revision)
        # The minutes of a film are none that anybody typed.
        fixed = ("minutes",) if lesson.kind == "video" else ()
        stored = differing(form, lesson_data(lesson), but=("revision", *fixed))
        return await lesson_page(course, lesson, form=form, status=409, stored=stored)
    except Invalid as error:
        form.refuse(Invalid(error.message, field="published" if error.field == "state" else error.field))
        return await lesson_page(course, lesson, form=form, status=422)
    flash(_("The lesson is saved."))
    return redirect(url_for(".show_lesson", public_id=public_id, lesson_id=lesson_id), 303)


def _details(form: LessonForm) -> LessonDetails:
    return LessonDetails(
        title=form.title.data,
        slug=form.slug.data or "",
        summary=form.summary.data or "",
        body_markdown=form.body_markdown.data or "",
        minutes=form.minutes.data,
        is_preview=form.is_preview.data,
        state="published" if form.published.data else "draft",
    )


@admin.post("/courses/<public_id>/lessons/<lesson_id>/draft")
@requires("courses.edit")
async def show_draft(public_id: str, lesson_id: str) -> Response:
    """The text as it would look, without keeping it."""
    course, lesson = await course_and_lesson(public_id, lesson_id)
    return await lesson_page(course, lesson, form=await submitted(LessonForm))


@admin.post("/courses/<public_id>/lessons/<lesson_id>/publication")
@requires("courses.edit")
async def create_lesson_publication(public_id: str, lesson_id: str) -> BaseResponse:
    """Publish a lesson."""
    return await _set_state(public_id, lesson_id, "published")


@admin.post("/courses/<public_id>/lessons/<lesson_id>/withdrawal")
@requires("courses.edit")
async def create_lesson_withdrawal(public_id: str, lesson_id: str) -> BaseResponse:
    """Make a draft of it again."""
    return await _set_state(public_id, lesson_id, "draft")


async def _set_state(public_id: str, lesson_id: str, state: str) -> BaseResponse:
    _course, lesson = await course_and_lesson(public_id, lesson_id)
    try:
        await lessons.set_state(lesson.id, state, by=signed_in_user())
    except Invalid as error:
        flash(_("%(title)s: %(why)s", title=lesson.title, why=error.message), "bad")
    return redirect(url_for(".show_outline", public_id=public_id), 303)


@admin.get("/courses/<public_id>/lessons/<lesson_id>/removal")
@requires("courses.edit")
async def show_lesson_removal(public_id: str, lesson_id: str) -> Response:
    """What removing a lesson means, and the field that confirms it."""
    course, lesson = await course_and_lesson(public_id, lesson_id)
    return await page("courses/admin/removal.html", lesson=lesson, removal=RemovalForm(), **around(course, "outline"))


@admin.post("/courses/<public_id>/lessons/<lesson_id>/removal")
@requires("courses.edit")
async def create_lesson_removal(public_id: str, lesson_id: str) -> Response | BaseResponse:
    """Remove a lesson whose title was typed."""
    course, lesson = await course_and_lesson(public_id, lesson_id)
    form = await submitted(RemovalForm)
    try:
        await lessons.remove(lesson.id, confirmation=form.confirmation.data or "", by=signed_in_user())
    except Invalid as error:
        form.refuse(error)
        context: dict[str, Any] = around(course, "outline")
        return await page("courses/admin/removal.html", status=422, lesson=lesson, removal=form, **context)
    flash(_("The lesson %(title)s is removed.", title=lesson.title))
    return redirect(url_for(".show_outline", public_id=public_id), 303)


@admin.get("/courses/<public_id>/preview")
@requires("courses.view")
async def show_course_preview(public_id: str) -> BaseResponse:
    """The first lesson as learners will see it."""
    course = await seen(public_id)
    outline = await outlines.of(course.id, published_only=False)
    if not outline.lessons:
        flash(_("There is no lesson to look at yet."), "care")
        return redirect(url_for(".show_outline", public_id=public_id), 303)
    first = outline.lessons[0].public_id
    return redirect(url_for(".show_lesson_preview", public_id=public_id, lesson_id=first), 303)


@admin.get("/courses/<public_id>/lessons/<lesson_id>/preview")
@requires("courses.view")
async def show_lesson_preview(public_id: str, lesson_id: str) -> Response:
    """A lesson as learners will see it, drafts too."""
    course = await seen(public_id)
    lesson = await lessons.of_course(course.id, lesson_id)
    outline = await outlines.of(course.id, published_only=False)
    keys = [key for key in (lesson.video_id, lesson.captions_id, lesson.poster_id) if key is not None]
    found = await uploads.find_many(keys)
    here = next((item for item in outline.lessons if item.id == lesson.id), None)
    if here is None:  # removed since it was found
        raise NotFound
    return await page(
        "courses/admin/preview.html",
        lesson=lesson,
        outline=outline,
        here=here,
        media={key: uploads.address(upload, staff_id=signed_in_user().id) for key, upload in found.items()},
        **around(course, "outline"),
    )
