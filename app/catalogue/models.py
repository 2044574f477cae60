"""What is for sale, as plain data, and the pure rules of the catalogue's filters."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from app.core.numbers import whole_number
from app.courses.models import Pictured

LEVELS = ("beginner", "intermediate", "advanced")
SORTS = ("suggested", "newest", "price", "length", "title")
PAGE_SIZE = 8


@dataclass(frozen=True, slots=True)
class Offer:
    """A product with its current price. `amount_minor` is gross; 0 is free."""

    product_id: int
    slug: str
    title: str
    kind: str
    course_id: int
    course_slug: str
    plate: str
    plate_ground: str
    amount_minor: int
    currency: str
    is_active: bool
    is_published: bool

    @property
    def is_for_sale(self) -> bool:
        return self.is_active and self.is_published

    @property
    def art(self) -> str:
        """What `ui.cover` draws when there is no picture: a named plate, or one drawn from the slug."""
        return "" if self.plate.startswith("/") else self.plate or self.course_slug

    @property
    def picture_url(self) -> str:
        """The address of the uploaded picture, or ''."""
        return self.plate if self.plate.startswith("/") else ""


@dataclass(frozen=True, slots=True)
class CourseCard(Pictured):
    """A published course in a list; without a price it is shown and not yet sold."""

    id: int
    slug: str
    title: str
    promise: str
    summary: str
    level: str
    topic_name: str | None
    lesson_count: int
    duration_seconds: int
    preview_count: int
    plate: str
    plate_ground: str
    amount_minor: int | None
    currency: str | None
    total: int = 0


@dataclass(frozen=True, slots=True)
class CoursePage(Pictured):
    """A published course with all that its page says."""

    id: int
    public_id: str
    slug: str
    title: str
    promise: str
    summary: str
    level: str
    language: str
    outcomes: list[str]
    audience: list[str]
    not_for: list[str]
    included: list[str]
    faq: list[dict[str, str]]
    plate: str
    plate_ground: str
    lesson_count: int
    duration_seconds: int
    preview_count: int
    updated_at: datetime
    topic_slug: str | None
    topic_name: str | None
    instructor_id: int | None
    instructor_name: str | None
    instructor_headline: str | None
    product_id: int | None
    product_slug: str | None
    is_active: bool | None
    amount_minor: int | None
    currency: str | None

    @property
    def is_for_sale(self) -> bool:
        return bool(self.is_active) and self.amount_minor is not None


@dataclass(frozen=True, slots=True)
class Teacher:
    """Somebody who teaches a published course. `slug` is their address; `biography` has blank lines between paragraphs."""

    id: int
    slug: str
    name: str
    headline: str
    biography: str

    @property
    def paragraphs(self) -> list[str]:
        return [part.strip() for part in self.biography.replace("\r\n", "\n").split("\n\n") if part.strip()]


@dataclass(frozen=True, slots=True)
class Facet:
    """One choice of a filter, with how many courses it leads to."""

    value: str
    label: str
    count: int


@dataclass(frozen=True, slots=True)
class Search:
    """What the address of the catalogue asks for. Unknown values are dropped, never an error."""

    q: str = ""
    levels: tuple[str, ...] = ()
    topics: tuple[str, ...] = ()
    preview: bool = False
    sort: str = "suggested"
    page: int = 1

    @property
    def is_filtered(self) -> bool:
        return bool(self.q or self.levels or self.topics or self.preview)

    @property
    def set_count(self) -> int:
        return len(self.levels) + len(self.topics) + self.preview

    def pairs(self, **changes: Any) -> list[tuple[str, str]]:
        """The query parameters of this search, with some changed; defaults are left out."""
        state: dict[str, Any] = {
            "q": self.q,
            "level": self.levels,
            "topic": self.topics,
            "preview": "1" if self.preview else "",
            "sort": self.sort if self.sort != "suggested" else "",
            "page": str(self.page) if self.page > 1 else "",
            **changes,
        }
        found: list[tuple[str, str]] = []
        for name, values in state.items():
            for value in values if isinstance(values, tuple) else (values,):
                if value:
                    found.append((name, str(value)))
        return found


@dataclass(frozen=True, slots=True)
class Results:
    """A page of courses and what may be chosen further."""

    courses: list[CourseCard]
    total: int
    levels: list[Facet] = field(default_factory=list)
    topics: list[Facet] = field(default_factory=list)

    @property
    def pages(self) -> int:
        return max(1, -(-self.total // PAGE_SIZE))


def read_search(arguments: Any) -> Search:
    """The search of a query string (a MultiDict)."""
    sort = arguments.get("sort", "suggested")
    return Search(
        q=" ".join(arguments.get("q", "").replace("\x00", "").split())[:100],
        levels=tuple(level for level in LEVELS if level in arguments.getlist("level")),
        topics=tuple(
            dict.fromkeys(slug[:80] for slug in arguments.getlist("topic")[:20] if slug and "\x00" not in slug)
        ),
        preview=bool(arguments.get("preview")),
        sort=sort if sort in SORTS else "suggested",
        page=whole_number(arguments.get("page"), 4) or 1,
    )
