"""The outline of a course: sections and lessons, added, moved, renamed, removed."""

from dataclasses import asdict, fields

from quart import Response, redirect, request, url_for
from werkzeug.wrappers import Response as BaseResponse

from app.core import db, tokens
from app.core.errors import Invalid, NotFound
from app.core.i18n import _
from app.courses import lessons, outlines, sections
from app.courses.admin import admin
from app.courses.admin.frame import around, edited, seen
from app.courses.forms import RemovalForm, TitleForm
from app.courses.models import Course
from app.courses.sections import Removed
from app.web.flash import flash
from app.web.forms import submitted
from app.web.guards import requires
from app.web.render import page
from app.web.request import signed_in_user

_STEPS = {"up": -1, "down": 1}
_REMOVED = "removed-section"


@admin.get("/courses/<public_id>")
@requires("courses.view")
async def show_outline(public_id: str) -> Response:
    """Sections and lessons of a course, drafts too."""
    return await _outline_page(await seen(public_id))


async def _outline_page(course: Course, *, status: int = 200, forms: dict[str, TitleForm] | None = None) -> Response:
    outline = await outlines.of(course.id, published_only=False)
    return await page(
        "courses/admin/outline.html", status=status, outline=outline, forms=forms or {}, **around(course, "outline")
    )


@admin.post("/courses/<public_id>/sections")
@requires("courses.edit", once=True)
async def create_section(public_id: str) -> Response | BaseResponse:
    """Add a last section."""
    course = await edited(public_id)
    form = await submitted(TitleForm)
    if not form.validate():
        return await _outline_page(course, status=422, forms={"section": form})
    await sections.create(course.id, form.title.data, by=signed_in_user())
    return _to_outline(public_id)


@admin.post("/courses/<public_id>/section-order")
@requires("courses.edit")
async def update_section_order(public_id: str) -> BaseResponse:
    """Put the sections into the order that was dragged."""
    course = await edited(public_id)
    await sections.arrange(course.id, (await request.form).getlist("row"), by=signed_in_user())
    return _to_outline(public_id)


@admin.get("/courses/<public_id>/sections/<section_id>")
@requires("courses.edit")
async def show_section(public_id: str, section_id: str) -> Response:
    """A section's title, and the way to remove it."""
    course, section = await _course_and_section(public_id, section_id)
    return await _section_page(course, section, TitleForm(data={"title": section.title}))


async def _section_page(
    course: Course, section: db.Row, form: TitleForm, *, status: int = 200, removal: RemovalForm | None = None
) -> Response:
    return await page(
        "courses/admin/section.html",
        status=status,
        section=section,
        form=form,
        removal=removal or RemovalForm(),
        **around(course, "outline"),
    )


@admin.post("/courses/<public_id>/sections/<section_id>")
@requires("courses.edit")
async def update_section(public_id: str, section_id: str) -> Response | BaseResponse:
    """Give a section another title."""
    course, section = await _course_and_section(public_id, section_id)
    form = await submitted(TitleForm)
    if not form.validate():
        return await _section_page(course, section, form, status=422)
    await sections.rename(section_id, form.title.data, by=signed_in_user())
    return _to_outline(public_id)


@admin.post("/courses/<public_id>/sections/<section_id>/place")
@requires("courses.edit")
async def update_section_place(public_id: str, section_id: str) -> BaseResponse:
    """Move a section one up or down."""
    await _course_and_section(public_id, section_id)
    await sections.move(section_id, await _step(), by=signed_in_user())
    return _to_outline(public_id)


@admin.post("/courses/<public_id>/sections/<section_id>/removal")
@requires("courses.edit")
async def create_section_removal(public_id: str, section_id: str) -> Response | BaseResponse:
    """Remove a section: an empty one at once, one with lessons when its title was typed."""
    course, section = await _course_and_section(public_id, section_id)
    form = await submitted(RemovalForm)
    try:
        removed = await sections.remove(section_id, confirmation=form.confirmation.data or "", by=signed_in_user())
    except Invalid as error:
        form.refuse(error)
        title = TitleForm(data={"title": section.title})
        return await _section_page(course, section, title, status=422, removal=form)
    undo = ""
    if removed is not None:
        kept = tokens.sign(list(asdict(removed).values()), _REMOVED)
        undo = url_for(".create_section_restoration", public_id=public_id, kept=kept)
    flash(_("The section %(title)s is removed.", title=section.title), undo_url=undo)
    return _to_outline(public_id)


@admin.post("/courses/<public_id>/section-restorations")
@requires("courses.edit")
async def create_section_restoration(public_id: str) -> BaseResponse:
    """Put back an empty section that was removed a moment ago."""
    course = await edited(public_id)
    kept = tokens.unsign(request.args.get("kept", ""), _REMOVED, max_age=3600)
    if kept is None or len(kept) != len(fields(Removed)) or kept[0] != course.id:
        raise NotFound
    await sections.restore(Removed(*kept), by=signed_in_user())
    return _to_outline(public_id)


@admin.post("/courses/<public_id>/sections/<section_id>/lessons")
@requires("courses.edit", once=True)
async def create_lesson(public_id: str, section_id: str) -> Response | BaseResponse:
    """Add a draft at the end of a section."""
    course, section = await _course_and_section(public_id, section_id)
    form = await submitted(TitleForm)
    try:
        if form.validate():
            await lessons.create(section.public_id, form.title.data, kind=form.kind.data or "", by=signed_in_user())
            return _to_outline(public_id)
    except Invalid as error:
        form.refuse(error)
    return await _outline_page(course, status=422, forms={section_id: form})


@admin.post("/courses/<public_id>/sections/<section_id>/lesson-order")
@requires("courses.edit")
async def update_lesson_order(public_id: str, section_id: str) -> BaseResponse:
    """Put the lessons of a section into the order that was dragged; some may come from other sections."""
    await _course_and_section(public_id, section_id)
    await lessons.arrange(section_id, (await request.form).getlist("row"), by=signed_in_user())
    return _to_outline(public_id)


@admin.post("/courses/<public_id>/lessons/<lesson_id>/place")
@requires("courses.edit")
async def update_lesson_place(public_id: str, lesson_id: str) -> BaseResponse:
    """Move a lesson one up or down, into the next section at the edge of its own."""
    course = await edited(public_id)
    lesson = await lessons.of_course(course.id, lesson_id)
    await lessons.move(lesson.id, await _step(), by=signed_in_user())
    return _to_outline(public_id)


async def _step() -> int:
    try:
        return _STEPS[(await request.form).get("direction", "")]
    except KeyError:
        raise Invalid(_("Say up or down.")) from None


async def _course_and_section(public_id: str, section_id: str) -> tuple[Course, db.Row]:
    course = await edited(public_id)
    section = await sections.find(section_id)
    if section.course_id != course.id:
        raise NotFound
    return course, section


def _to_outline(public_id: str) -> BaseResponse:
    return redirect(url_for(".show_outline", public_id=public_id), 303)
