"""Courses, sections and lessons as plain data, and their rules that need no database."""

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

from app.core.i18n import _

LEVELS = ("beginner", "intermediate", "advanced")
GROUNDS = ("", "stone", "solid", "ink", "plain")
KINDS = ("text", "video")


class Pictured:
    """How anything that shows a course draws it, from its `plate` and `slug`."""

    __slots__ = ()
    plate: str
    slug: str

    @property
    def art(self) -> str:
        """What `ui.cover` draws when there is no picture: the plate that was chosen, or one made from the slug."""
        return "" if self.plate.startswith("/") else self.plate or self.slug

    @property
    def picture_url(self) -> str:
        """The address of the uploaded picture, or ''."""
        return self.plate if self.plate.startswith("/") else ""


@dataclass(frozen=True, slots=True)
class Topic:
    """What a course is about; courses are filtered by it."""

    id: int
    slug: str
    name: str
    position: int


@dataclass(frozen=True, slots=True)
class Course(Pictured):
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


@dataclass(frozen=True, slots=True, kw_only=True)
class CourseDetails:
    """What an author decides about a course. An empty slug is made from the title."""

    title: str
    slug: str = ""
    promise: str = ""
    summary: str = ""
    level: str = "beginner"
    language: str = "en"
    topic_id: int | None = None
    instructor_id: int | None = None
    outcomes: list[str] = field(default_factory=list)
    audience: list[str] = field(default_factory=list)
    not_for: list[str] = field(default_factory=list)
    included: list[str] = field(default_factory=list)
    faq: list[dict[str, str]] = field(default_factory=list)
    plate: str = ""
    plate_ground: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class LessonDetails:
    """What an author decides about a lesson, apart from its files. An empty slug keeps the one it has.

    `minutes`: what a text with its exercises takes; None is the time to read it.
    """

    title: str
    slug: str = ""
    summary: str = ""
    body_markdown: str = ""
    minutes: int | None = None
    is_preview: bool = False
    state: str = "draft"


# --- rules ---

_SLUG = re.compile(r"[a-z0-9]+(?:-[a-z0-9]+)*")
SLUG_LENGTH = 80
# Words that are, or may become, addresses of their own beside courses and lessons.
RESERVED_SLUGS = frozenset({"new", "access", "preview", "completion", "position", "search", "certificate"})
_LETTERS = str.maketrans(
    {"ß": "ss", "æ": "ae", "ø": "o", "ł": "l", "đ": "d", "þ": "th", "ı": "i", "œ": "oe", "&": " and "}
)


def slug_of(title: str) -> str:
    """An address made of a title's letters: "Où sont les stops?" becomes "ou-sont-les-stops"."""
    plain = unicodedata.normalize("NFKD", title.lower().translate(_LETTERS)).encode("ascii", "ignore").decode()
    slug = re.sub(r"[^a-z0-9]+", "-", plain.replace("'", "")).strip("-")[:SLUG_LENGTH].rstrip("-")
    return slug if slug and slug not in RESERVED_SLUGS else f"{slug or 'untitled'}-1"


def is_slug(text: str) -> bool:
    """Whether this can be the address of a course or a lesson."""
    return bool(_SLUG.fullmatch(text)) and len(text) <= SLUG_LENGTH and text not in RESERVED_SLUGS


def slug_stem(slug: str) -> str:
    """What an address and its numbered kin begin with: a long one is cut, so that there is room for a number."""
    return slug[: SLUG_LENGTH - 6].rstrip("-")


def free_slug(wanted: str, taken: set[str]) -> str:
    """`wanted`, or the first of `wanted-2`, `wanted-3` … that is not `taken`: those that begin with its `slug_stem`."""
    number, slug = 1, wanted
    while slug in taken:
        number += 1
        slug = f"{slug_stem(wanted)}-{number}"
    return slug


def missing_to_publish(course: Course) -> list[str]:
    """Why a course cannot be published yet, a sentence for each reason."""
    reasons = []
    if not course.promise:
        reasons.append(_("Say in one sentence what one can do after the course: its promise."))
    if course.instructor_id is None:
        reasons.append(_("Name the instructor."))
    if course.lesson_count == 0:
        reasons.append(_("Publish at least one lesson."))
    return reasons


class Moved(Exception):
    """What was to be put in order is no longer what is there."""


def arranged(sections: dict[int, list[int]], target: int, wanted: Sequence[int]) -> dict[int, list[int]]:
    """The lessons of each section after `target` was given the order `wanted`, which may take in lessons of others.

    Raises Moved when `wanted` leaves out a lesson of the target, repeats one, or holds one that is not of this course.
    """
    known = {lesson for lessons in sections.values() for lesson in lessons}
    chosen = set(wanted)
    if len(chosen) != len(wanted) or not chosen <= known or not set(sections.get(target, [-1])) <= chosen:
        raise Moved
    return {
        section: list(wanted) if section == target else [lesson for lesson in lessons if lesson not in chosen]
        for section, lessons in sections.items()
    }


def stepped(sections: dict[int, list[int]], lesson: int, step: int) -> dict[int, list[int]]:
    """The lessons of each section after one moved up (-1) or down (1), over the edge into the next section.

    At the very top or bottom nothing changes. Raises Moved when there is no such lesson.
    """
    moved = {section: list(lessons) for section, lessons in sections.items()}
    order = list(moved)
    home = next((section for section in order if lesson in moved[section]), None)
    if home is None:
        raise Moved
    at = moved[home].index(lesson)
    beyond = order.index(home) + step
    if 0 <= at + step < len(moved[home]):
        moved[home][at], moved[home][at + step] = moved[home][at + step], moved[home][at]
    elif 0 <= beyond < len(order):
        moved[home].remove(lesson)
        moved[order[beyond]].insert(len(moved[order[beyond]]) if step < 0 else 0, lesson)
    return moved
