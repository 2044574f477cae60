"""Files of courses and lessons: uploaded, replaced, taken away, put back."""

from collections.abc import Awaitable, Callable
from typing import BinaryIO, cast

from quart import Response, redirect, request, url_for
from werkzeug.datastructures import FileStorage
from werkzeug.wrappers import Response as BaseResponse

from app.core import tokens
from app.core.errors import Invalid, NotFound, TooLarge
from app.core.i18n import _
from app.courses import courses, files
from app.courses.admin import admin
from app.courses.admin.frame import edited
from app.courses.admin.lessons import course_and_lesson, lesson_page
from app.courses.forms import FileForm, LengthForm, PictureForm
from app.courses.models import Course, Lesson
from app.media import uploads
from app.media.models import Upload
from app.web.bodies import brings
from app.web.flash import flash
from app.web.forms import BaseForm, submitted
from app.web.guards import requires
from app.web.render import page
from app.web.request import signed_in_user

_EARLIER = "earlier-file"


@admin.post("/courses/<public_id>/lessons/<lesson_id>/video")
@requires("courses.edit")
@brings(uploads.VIDEO_BODY)
async def create_video(public_id: str, lesson_id: str) -> Response | BaseResponse:
    """Give a lesson its film."""
    return await _attach(public_id, lesson_id, "video")


@admin.post("/courses/<public_id>/lessons/<lesson_id>/captions")
@requires("courses.edit")
@brings(uploads.IMAGE_BODY)
async def create_captions(public_id: str, lesson_id: str) -> Response | BaseResponse:
    """Give a film its captions; they become the transcript."""
    return await _attach(public_id, lesson_id, "captions")


@admin.post("/courses/<public_id>/lessons/<lesson_id>/poster")
@requires("courses.edit")
@brings(uploads.IMAGE_BODY)
async def create_poster(public_id: str, lesson_id: str) -> Response | BaseResponse:
    """Give a film the picture that stands there before it plays."""
    return await _attach(public_id, lesson_id, "poster")


async def _attach(public_id: str, lesson_id: str, role: str) -> Response | BaseResponse:
    course, lesson = await course_and_lesson(public_id, lesson_id)
    form = await submitted(FileForm)
    try:
        brought, earlier = await files.bring(lesson.id, role, *_sent(form), by=signed_in_user())
    except (Invalid, TooLarge) as error:
        form.refuse(Invalid(error.message, field="file"))
        return await _refused(course, lesson, {role: form})
    if earlier is not None:
        _say(_("The file is replaced."), course, lesson, role, earlier, instead_of=brought)
    return _to_lesson(course, lesson)


def _sent(form: FileForm | PictureForm) -> tuple[BinaryIO, str]:
    """The file of a form, and its name. Raises Invalid when there is none."""
    sent = form.file.data
    if not isinstance(sent, FileStorage) or not sent.filename:
        raise Invalid(_("Choose a file first."), field="file")
    return cast(BinaryIO, sent.stream), sent.filename


async def _picture(
    form: FileForm | PictureForm, then: Callable[[Upload], Awaitable[object]] | None = None
) -> Upload | None:
    """The picture of a form once it is kept, for everyone; None when the form says what is wrong with it."""
    try:
        source, name = _sent(form)
        return await uploads.store(source, name, kind="image", owner_id=signed_in_user().id, is_public=True, then=then)
    except (Invalid, TooLarge) as error:
        form.refuse(Invalid(error.message, field="file"))
        return None


async def _refused(course: Course, lesson: Lesson, forms: dict[str, BaseForm]) -> Response:
    return await lesson_page(course, lesson, status=422, file_forms=forms)


@admin.post("/courses/<public_id>/lessons/<lesson_id>/files/<role>/removal")
@requires("courses.edit")
async def create_file_removal(public_id: str, lesson_id: str, role: str) -> Response | BaseResponse:
    """Take a file away from a lesson; it can be put back for a day."""
    course, lesson = await course_and_lesson(public_id, lesson_id)
    if role not in files.ROLES:
        raise NotFound
    try:
        earlier = await files.attach(lesson.id, role, None, by=signed_in_user())
    except Invalid as error:
        form = FileForm()
        form.refuse(Invalid(error.message, field="file"))
        return await _refused(course, lesson, {role: form})
    if earlier is not None:
        _say(_("The file is taken away."), course, lesson, role, earlier, instead_of=None)
    return _to_lesson(course, lesson)


@admin.post("/courses/<public_id>/lessons/<lesson_id>/files/<role>/restoration")
@requires("courses.edit")
async def create_file_restoration(public_id: str, lesson_id: str, role: str) -> BaseResponse:
    """Put back the file that a lesson had before."""
    course, lesson = await course_and_lesson(public_id, lesson_id)
    earlier = tokens.unsign(request.args.get("earlier", ""), _EARLIER, max_age=3600)
    if not earlier or len(earlier) != 4 or earlier[:2] != [lesson.id, role]:
        raise NotFound
    upload = await uploads.find(earlier[2])
    if upload is None:
        raise NotFound
    await files.put_back(lesson.id, role, upload, instead_of=earlier[3], by=signed_in_user())
    return _to_lesson(course, lesson)


def _say(text: str, course: Course, lesson: Lesson, role: str, earlier: int, *, instead_of: int | None) -> None:
    signed = tokens.sign([lesson.id, role, earlier, instead_of], _EARLIER)
    undo = url_for(
        ".create_file_restoration",
        public_id=course.public_id,
        lesson_id=lesson.public_id,
        role=role,
        earlier=signed,
    )
    flash(text, undo_url=undo)


@admin.post("/courses/<public_id>/lessons/<lesson_id>/length")
@requires("courses.edit")
async def update_length(public_id: str, lesson_id: str) -> Response | BaseResponse:
    """Say how long a film is whose file does not."""
    course, lesson = await course_and_lesson(public_id, lesson_id)
    form = await submitted(LengthForm)
    try:
        await files.set_length(lesson.id, form.seconds(), by=signed_in_user())
    except Invalid as error:
        form.refuse(error)
        return await _refused(course, lesson, {"length": form})
    return _to_lesson(course, lesson)


@admin.post("/courses/<public_id>/lessons/<lesson_id>/pictures")
@requires("courses.edit")
@brings(uploads.IMAGE_BODY)
async def create_picture(public_id: str, lesson_id: str) -> Response | BaseResponse:
    """Keep a picture for the text, and show how it is written there."""
    course, lesson = await course_and_lesson(public_id, lesson_id)
    form = await submitted(PictureForm)
    upload = await _picture(form) if form.validate() else None
    if upload is None:
        return await _refused(course, lesson, {"picture": form})
    return _to_lesson(course, lesson, picture=upload.public_id, alt=form.alt.data or "")


@admin.post("/courses/<public_id>/picture")
@requires("courses.edit")
@brings(uploads.IMAGE_BODY)
async def create_course_picture(public_id: str) -> Response | BaseResponse:
    """Show a picture instead of the plate."""
    course = await edited(public_id)
    form = await submitted(FileForm)

    async def show(upload: Upload) -> None:
        await courses.set_picture(course.id, uploads.path(upload), by=signed_in_user())

    if await _picture(form, show) is None:
        return await page("courses/admin/picture.html", status=422, course=course, form=form)
    return _to_picture(public_id)


@admin.get("/courses/<public_id>/picture")
@requires("courses.edit")
async def show_course_picture(public_id: str) -> Response:
    """The picture of a course, and the form that changes it; also a part of the page of details."""
    return await page("courses/admin/picture.html", course=await edited(public_id), form=FileForm())


@admin.post("/courses/<public_id>/picture/removal")
@requires("courses.edit")
async def create_course_picture_removal(public_id: str) -> BaseResponse:
    """Go back to the plate; the picture can be put back for a day."""
    course = await edited(public_id)
    picture = await courses.set_picture(course.id, "", by=signed_in_user())
    if picture:
        earlier = tokens.sign([course.id, "picture", picture], _EARLIER)
        undo = url_for(".create_course_picture_restoration", public_id=public_id, earlier=earlier)
        flash(_("The picture is taken away."), undo_url=undo)
    return _to_picture(public_id)


@admin.post("/courses/<public_id>/picture/restoration")
@requires("courses.edit")
async def create_course_picture_restoration(public_id: str) -> BaseResponse:
    """Put back the picture that was taken away."""
    course = await edited(public_id)
    earlier = tokens.unsign(request.args.get("earlier", ""), _EARLIER, max_age=3600)
    if not earlier or earlier[:2] != [course.id, "picture"]:
        raise NotFound
    await courses.put_picture_back(course.id, earlier[2], by=signed_in_user())
    return _to_picture(public_id)


def _to_lesson(course: Course, lesson: Lesson, picture: str | None = None, alt: str | None = None) -> BaseResponse:
    ids = {"public_id": course.public_id, "lesson_id": lesson.public_id}
    return redirect(url_for(".show_lesson", picture=picture, alt=alt, **ids), 303)  # type: ignore[arg-type]


def _to_picture(public_id: str) -> BaseResponse:
    return redirect(url_for(".show_course_picture", public_id=public_id), 303)
