"""What a member learns and how far, as plain data, and the rule of what comes next."""

from dataclasses import dataclass
from datetime import datetime

from app.courses.models import Pictured


@dataclass(frozen=True, slots=True)
class ShelfCourse(Pictured):
    """A course that a member may open, with the lesson to continue with. `next_slug` is None when all is done."""

    id: int
    slug: str
    title: str
    plate: str
    plate_ground: str
    last_activity_at: datetime | None
    completed_at: datetime | None
    total: int
    done: int
    next_slug: str | None
    next_title: str | None
    next_kind: str | None
    next_number: int | None
    next_seconds: int | None
    next_position: int | None

    @property
    def is_done(self) -> bool:
        return self.total > 0 and self.done >= self.total


@dataclass(frozen=True, slots=True)
class Classroom(Pictured):
    """A course as one member finds it. `allowed` is the ledger's answer; `last_lesson_id` where they were."""

    id: int
    public_id: str
    slug: str
    title: str
    promise: str
    plate: str
    plate_ground: str
    language: str
    state: str
    instructor_id: int | None
    instructor_name: str | None
    allowed: bool
    enrolled_at: datetime | None
    last_activity_at: datetime | None
    last_lesson_id: int | None
    completed_at: datetime | None


@dataclass(frozen=True, slots=True)
class Step:
    """A lesson of the course with one member's progress. The long fields are filled for the open lesson only."""

    id: int
    slug: str
    title: str
    kind: str
    duration_seconds: int
    number: int
    section_id: int
    section_title: str
    completed_at: datetime | None
    position_seconds: int
    updated_at: datetime | None
    body_html: str | None
    transcript: list[dict[str, float | str]] | None
    video_id: int | None
    captions_id: int | None
    poster_id: int | None


@dataclass(frozen=True, slots=True)
class Progress:
    """All steps of a course in order, and what follows from them."""

    steps: list[Step]

    @property
    def total(self) -> int:
        return len(self.steps)

    @property
    def done(self) -> int:
        return sum(step.completed_at is not None for step in self.steps)

    @property
    def sections(self) -> list[tuple[str, list[Step]]]:
        """The steps by section, in order."""
        found: list[tuple[int, str, list[Step]]] = []
        for step in self.steps:
            if not found or found[-1][0] != step.section_id:
                found.append((step.section_id, step.section_title, []))
            found[-1][2].append(step)
        return [(title, steps) for _id, title, steps in found]

    def step(self, slug: str) -> Step | None:
        """The lesson of this slug, or None."""
        return next((step for step in self.steps if step.slug == slug), None)

    def before(self, step: Step) -> Step | None:
        """The lesson before this one."""
        return next((other for other in reversed(self.steps) if other.number < step.number), None)

    def after(self, step: Step) -> Step | None:
        """The lesson after this one."""
        return next((other for other in self.steps if other.number > step.number), None)

    def following(self, last_lesson_id: int | None) -> Step | None:
        """Where to continue: the open lesson, else the first unfinished after it, else the first unfinished at all."""
        last = next((step for step in self.steps if step.id == last_lesson_id), None)
        open_steps = [step for step in self.steps if step.completed_at is None]
        if last is not None and last in open_steps:
            return last
        later = [step for step in open_steps if last is not None and step.number > last.number]
        return next(iter(later or open_steps), None)
