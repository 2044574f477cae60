"""Lessons: found, written, moved, published, removed."""

from asyncpg import UniqueViolationError

from app.core import clock, db, events, queue
from app.core.errors import Conflict, Invalid, NotFound, Stale
from app.core.i18n import _
from app.core.ids import public_id
from app.courses import jobs, prose
from app.courses.events import LessonRemoved
from app.courses.models import (
    KINDS,
    Lesson,
    LessonDetails,
    Moved,
    arranged,
    free_slug,
    is_slug,
    slug_of,
    stepped,
)
from app.courses.queries import lessons as queries
from app.courses.rights import changed, locked_lesson, locked_section
from app.web.request import Visitor


async def find(course_id: int, slug: str, *, published_only: bool = True) -> Lesson | None:
    """The lesson at this address of the course, or None. Drafts only when asked for."""
    return await queries.lesson_by_slug(course_id, slug, published_only=published_only)


async def find_by_id(lesson_id: int) -> Lesson | None:
    """The lesson with this key in whatever state, or None."""
    return await queries.lesson_by_id(lesson_id)


async def of_course(course_id: int, lesson_public_id: str) -> Lesson:
    """The lesson with this public id, if it is one of this course. Raises NotFound."""
    lesson = await queries.lesson_by_public_id(lesson_public_id)
    if lesson is None or lesson.course_id != course_id:
        raise NotFound
    return lesson


async def shows_free(upload_id: int) -> bool:
    """Whether a published free lesson of a published course shows this file now."""
    return await queries.is_upload_free(upload_id)


async def create(section_public_id: str, title: str, *, kind: str, by: Visitor | None, slug: str = "") -> Lesson:
    """A new draft at the end of a section. Without a slug it gets one from its title."""
    _check_title(title)
    if kind not in KINDS:
        raise Invalid(_("Choose text or video."), field="kind")
    async with db.transaction():
        course, section = await locked_section(section_public_id, by)
        wanted = slug or slug_of(title)
        if not is_slug(wanted):
            raise _bad_slug()
        new_id = public_id()
        lesson_id = await queries.insert_lesson(
            public_id=new_id,
            course_id=course.id,
            section_id=section.id,
            slug=free_slug(wanted, await queries.lesson_slugs_like(course.id, wanted)),
            title=title,
            kind=kind,
            now=clock.now(),
        )
        after = {"title": title, "kind": kind}
        await changed(course, "lesson.create", subject=("lesson", new_id), after=after, summary=title)
    return await _again(lesson_id)


async def edit(lesson_id: int, details: LessonDetails, *, revision: int, by: Visitor | None) -> Lesson:
    """Change what is written, if nobody saved it since `revision`. Raises Stale, Invalid for a field."""
    _check_title(details.title)
    html = prose.render(details.body_markdown)
    try:
        async with db.transaction():
            course, before = await locked_lesson(lesson_id, by)
            if before.revision != revision:
                raise Stale(_("Somebody saved this lesson after you opened it."))
            values = {name: getattr(details, name) for name in _WRITTEN}
            values |= {
                "slug": details.slug or before.slug,
                "body_html": html,
                "duration_seconds": _seconds(before, details),
            }
            if not is_slug(values["slug"]):
                raise _bad_slug()
            if await queries.is_lesson_slug_taken(course.id, values["slug"], lesson_id):
                raise _slug_taken()
            if details.state == "published":
                _check_publishable(before, details.body_markdown)
            await queries.update_lesson(lesson_id, values, clock.now())
            old = {name: getattr(before, name) for name in (*_WRITTEN, "duration_seconds")}
            new = {name: values[name] for name in old}
            await changed(
                course,
                "lesson.edit",
                subject=("lesson", before.public_id),
                before=old,
                after=new,
                summary=details.title,
            )
    except UniqueViolationError:
        raise _slug_taken() from None
    return await _again(lesson_id)


_WRITTEN = ("title", "slug", "summary", "body_markdown", "is_preview", "state")


def _seconds(lesson: Lesson, details: LessonDetails) -> int:
    if lesson.kind == "video":
        return lesson.duration_seconds
    return details.minutes * 60 if details.minutes else prose.reading_seconds(details.body_markdown)


async def set_state(lesson_id: int, state: str, *, by: Visitor | None) -> Lesson:
    """Publish a lesson or make a draft of it again. Twice is once. Raises Invalid when there is nothing to show."""
    async with db.transaction():
        course, lesson = await locked_lesson(lesson_id, by)
        if state == "published":
            _check_publishable(lesson, lesson.body_markdown)
        if await queries.set_lesson_state(lesson_id, state, clock.now()):
            await changed(
                course,
                "lesson.publish" if state == "published" else "lesson.unpublish",
                subject=("lesson", lesson.public_id),
                before={"state": lesson.state},
                after={"state": state},
                summary=lesson.title,
            )
    return await _again(lesson_id)


async def move(lesson_id: int, step: int, *, by: Visitor | None) -> None:
    """Move a lesson one place up (-1) or down (1), over the edge of its section into the next one."""
    async with db.transaction():
        course, lesson = await locked_lesson(lesson_id, by)
        before = await _places(course.id)
        after = stepped(before, lesson_id, step)
        if after != before:
            await _write_places(after)
            await changed(course, "course.arrange", subject=("lesson", lesson.public_id), summary=lesson.title)


async def arrange(section_public_id: str, order: list[str], *, by: Visitor | None) -> None:
    """Put the lessons of a section into this order of public ids; lessons of other sections may be among them.

    Raises Conflict when a lesson of the section is missing from the order, or one of it is gone.
    """
    async with db.transaction():
        course, section = await locked_section(section_public_id, by)
        keys = {row.public_id: row.id for row in await queries.places_of(course.id)}
        before = await _places(course.id)
        try:
            after = arranged(before, section.id, [keys[each] for each in order])
        except (Moved, KeyError):
            raise Conflict(_("The lessons have changed meanwhile. Look at them again.")) from None
        if after != before:
            await _write_places(after)
            await changed(
                course,
                "course.arrange",
                subject=("section", section_public_id),
                after={"lessons": order},
                summary=section.title,
            )


async def _places(course_id: int) -> dict[int, list[int]]:
    """The lessons of each section, sections and lessons in order."""
    places: dict[int, list[int]] = {row.id: [] for row in await queries.sections_of(course_id)}
    for row in await queries.places_of(course_id):
        places[row.section_id].append(row.id)
    return places


async def _write_places(places: dict[int, list[int]]) -> None:
    await queries.place_lessons(
        [(lesson, section, at) for section, lessons in places.items() for at, lesson in enumerate(lessons, 1)]
    )


async def remove(lesson_id: int, *, confirmation: str, by: Visitor | None) -> None:
    """Remove a lesson with what learners did in it, once its title is typed. Raises Invalid when that is wrong."""
    async with db.transaction():
        course, lesson = await locked_lesson(lesson_id, by)
        if confirmation.strip() != lesson.title:
            raise Invalid(_("Type the title exactly as it is written."), field="confirmation")
        for upload_id in (lesson.video_id, lesson.captions_id, lesson.poster_id):
            if upload_id is not None:
                await queue.enqueue(jobs.drop_unused_upload, upload_id=upload_id)
        await queries.hold_lessons(course.id)
        await queries.delete_lesson(lesson_id)
        await _write_places(await _places(course.id))
        before = {"title": lesson.title, "slug": lesson.slug, "body_markdown": lesson.body_markdown}
        await events.publish(LessonRemoved(course.id))
        await changed(
            course, "lesson.remove", subject=("lesson", lesson.public_id), before=before, summary=lesson.title
        )


def _check_title(title: str) -> None:
    if not title:
        raise Invalid(_("Give the lesson a title."), field="title")
    if len(title) > 150:
        raise Invalid(_("Use at most 150 characters."), field="title")


def _check_publishable(lesson: Lesson, body_markdown: str) -> None:
    if lesson.kind == "video" and lesson.video_id is None:
        raise Invalid(_("Upload the film before you publish the lesson."), field="state")
    if lesson.kind == "text" and not body_markdown.strip():
        raise Invalid(_("Write the text before you publish the lesson."), field="body_markdown")


def _bad_slug() -> Invalid:
    return Invalid(
        _(
            "Use small letters, digits and single hyphens, such as where-stops-gather. A few words are kept for our pages."
        ),
        field="slug",
    )


def _slug_taken() -> Invalid:
    return Invalid(_("Another lesson of this course has this address. Choose a different one."), field="slug")


async def _again(lesson_id: int) -> Lesson:
    lesson = await queries.lesson_by_id(lesson_id)
    if lesson is None:
        raise NotFound
    return lesson
