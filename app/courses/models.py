"""Courses, sections and lessons as plain data, and their rules that need no database."""

from dataclasses import dataclass
from datetime import datetime

LEVELS = ("beginner", "intermediate", "advanced")


@dataclass(frozen=True, slots=True)
class Topic:
    """What a course is about; courses are filtered by it."""

    id: int
    slug: str
    name: str
    position: int


@dataclass(frozen=True, slots=True)
class Course:
    """A course with its topic and its instructor's name. `duration_seconds` and the counts are of published lessons."""

    id: int
    public_id: str
    slug: str
    title: str
    promise: str
    summary: str
    level: str
    language: str
    topic_id: int | None
    topic_slug: str | None
    topic_name: str | None
    instructor_id: int | None
    instructor_public_id: str | None
    instructor_name: str | None
    instructor_headline: str | None
    instructor_biography: str | None
    state: str  # draft | published | archived
    archived_from: str | None
    outcomes: list[str]
    audience: list[str]
    not_for: list[str]
    included: list[str]
    faq: list[dict[str, str]]  # question, answer
    plate: str
    plate_ground: str
    position: int
    lesson_count: int
    duration_seconds: int
    preview_count: int
    revision: int
    published_at: datetime | None
    created_at: datetime
    updated_at: datetime

    @property
    def is_published(self) -> bool:
        return self.state == "published"

    @property
    def art(self) -> str:
        """The name of a plate under static/art, or '' when a picture was uploaded."""
        return "" if self.plate.startswith("/") else self.plate or self.slug

    @property
    def picture_url(self) -> str:
        """The address of the uploaded picture, or ''."""
        return self.plate if self.plate.startswith("/") else ""


@dataclass(frozen=True, slots=True)
class LessonItem:
    """A lesson as a line of the outline; `number` counts through the course from 1."""

    id: int
    public_id: str
    slug: str
    title: str
    summary: str
    kind: str  # text | video
    duration_seconds: int
    is_preview: bool
    state: str  # draft | published
    position: int
    number: int


@dataclass(frozen=True, slots=True)
class Section:
    """A part of a course with its lessons in order."""

    id: int
    public_id: str
    title: str
    position: int
    lessons: list[LessonItem]

    @property
    def duration_seconds(self) -> int:
        return sum(lesson.duration_seconds for lesson in self.lessons)


@dataclass(frozen=True, slots=True)
class Outline:
    """All sections of a course in order."""

    course_id: int
    sections: list[Section]

    @property
    def lessons(self) -> list[LessonItem]:
        """Every lesson in the order in which it is learned."""
        return [lesson for section in self.sections for lesson in section.lessons]


@dataclass(frozen=True, slots=True)
class Lesson:
    """A lesson whole. `transcript` is a list of {"start": seconds, "text": …}; the *_id are uploads."""

    id: int
    public_id: str
    course_id: int
    section_id: int
    slug: str
    title: str
    summary: str
    kind: str
    body_markdown: str
    body_html: str
    video_id: int | None
    captions_id: int | None
    poster_id: int | None
    transcript: list[dict[str, float | str]]
    duration_seconds: int
    is_preview: bool
    state: str
    position: int
    revision: int
    created_at: datetime
    updated_at: datetime
