"""Courses for tests, made by the product's own verbs."""

import io

from app.courses import courses, files, lessons, sections
from app.courses.models import Course, CourseDetails, Lesson, LessonDetails
from app.media import uploads
from app.media.models import Upload
from app.web.request import Visitor
from tests.media import files as samples


class Somebody:
    """A person as verbs know one: with a key and what they may do."""

    public_id = email = name = role = ""

    def __init__(self, id: int, *capabilities: str) -> None:
        self.id = id
        self._capabilities = capabilities

    def can(self, capability: str) -> bool:
        return capability in self._capabilities


async def a_course(
    title: str = "Reading Price",
    *,
    promise: str = "Read a bare chart.",
    by: Visitor | None = None,
    teacher: int | None = None,
) -> Course:
    """A draft with nothing in it."""
    return await courses.create(CourseDetails(title=title, promise=promise, instructor_id=teacher), by=by)


async def a_lesson(section: str, title: str, *, kind: str = "text", published: bool = True, words: int = 400) -> Lesson:
    """A lesson with a text, or with a film of 75 seconds."""
    lesson = await lessons.create(section, title, kind=kind, by=None)
    if kind == "video":
        await files.attach(lesson.id, "video", await a_film(), by=None)
    details = LessonDetails(title=title, body_markdown="word " * words, state="published" if published else "draft")
    return await lessons.edit(lesson.id, details, revision=lesson.revision, by=None)


async def a_film(seconds: float | None = 75.4) -> Upload:
    return await uploads.store(io.BytesIO(samples.webm(seconds)), "film.webm", kind="video", owner_id=None)


async def some_captions() -> Upload:
    return await uploads.store(io.BytesIO(samples.CAPTIONS.encode()), "en.vtt", kind="captions", owner_id=None)


async def a_filled_course(teacher: int, title: str = "Reading Price") -> Course:
    """A draft of two sections: a text and a film, then two texts. Ready to be published."""
    course = await a_course(title, teacher=teacher)
    bars = await sections.create(course.id, "What a bar is", by=None)
    levels = await sections.create(course.id, "Levels", by=None)
    await a_lesson(bars, "Four numbers")
    await a_lesson(bars, "Ranges", kind="video")
    await a_lesson(levels, "A level is not a line")
    await a_lesson(levels, "Where stops gather")
    found = await courses.find(course.id)
    assert found is not None
    return found
