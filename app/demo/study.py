"""How a student goes through a course: some finish, many are in the middle, some never begin."""

from datetime import UTC, datetime
from itertools import accumulate
from random import Random
from typing import NamedTuple

from app.demo.rhythm import HOURS
from app.demo.school import DemoCourse

DAY = 86_400.0

# Who they are, in hundredths of all students: never begin, stop somewhere, finish if there is time.
NEVER, STOPS = 0.12, 0.5

# Hours of study in UTC; the school's evening is two hours ahead. A table, since it is asked a million times.
_TABLE = 960
_BOUNDS = tuple(accumulate(HOURS))
STUDY_HOURS = tuple(
    (next(hour for hour, bound in enumerate(_BOUNDS) if bound >= (step + 0.5) / _TABLE * _BOUNDS[-1]) - 2) % 24
    for step in range(_TABLE)
)


class Completion(NamedTuple):
    """A lesson that was completed."""

    lesson: str
    completed_at: datetime


class Progress(NamedTuple):
    """What one student has done in one course.

    `completed` is in the order of the course and of time. `lesson` is the lesson that lies open now and
    `position` the second at which its video was stopped (0 for text); None when nothing lies open.
    """

    completed: tuple[Completion, ...]
    finished_at: datetime | None
    last_seen_at: datetime | None
    lesson: str | None
    position: int


UNTOUCHED = Progress((), None, None, None, 0)


class Syllabus(NamedTuple):
    """What `study` needs to know of a course."""

    lessons: tuple[tuple[str, int, bool], ...]  # slug, seconds, is it a video

    @classmethod
    def of(cls, course: DemoCourse) -> "Syllabus":
        """The lessons of `course`, in order."""
        return cls(tuple((lesson.slug, lesson.seconds, lesson.kind == "video") for lesson in course.lessons))


def moment(timestamp: float) -> datetime:
    """Aware UTC, to the second."""
    return datetime.fromtimestamp(int(timestamp), UTC)


def study(rng: Random, syllabus: Syllabus, begin: float, end: float, *, gave_up: bool = False) -> Progress:
    """One student's way from `begin` to `end`, both in seconds since 1970.

    `gave_up` is for those who asked for their money back: they saw two lessons at most.
    """
    draw = rng.random
    lessons = syllabus.lessons
    who = draw()
    if who < (0.55 if gave_up else NEVER):
        return UNTOUCHED
    if gave_up:
        wanted = 1 + int(draw() * 2)
    elif who < STOPS:  # most who stop, stop early
        wanted = int(draw() * draw() * len(lessons))
    else:
        wanted = len(lessons)
    pace = 2.4 if wanted == len(lessons) else 5.0  # days between two evenings, beside the one that is sure

    now = begin + 600.0  # at once, or on one of the next evenings
    if draw() > 0.45:
        now = max(now, _evening(begin + DAY * rng.expovariate(0.4), draw()))
    completed: list[Completion] = []
    for slug, seconds, _ in lessons[:wanted]:
        now += seconds * (0.8 + 0.7 * draw())
        if now >= end:
            break
        completed.append(Completion(slug, moment(now)))
        if draw() > 0.35:
            now = max(now, _evening(now + DAY * (0.8 + rng.expovariate(1 / pace)), draw()))
    if len(completed) == len(lessons):
        return Progress(tuple(completed), completed[-1].completed_at, completed[-1].completed_at, None, 0)
    return _left_open(draw(), lessons, tuple(completed), min(now, end - 60.0), begin)


def _left_open(
    draw: float,
    lessons: tuple[tuple[str, int, bool], ...],
    completed: tuple[Completion, ...],
    now: float,
    begin: float,
) -> Progress:
    """The next lesson, opened and left: a video at some second, a text at its beginning."""
    slug, seconds, is_video = lessons[len(completed)]
    last = completed[-1].completed_at if completed else None
    if not is_video and draw < 0.5:
        return Progress(completed, None, last, None, 0)
    seen = moment(max(now, begin))
    if last is not None and seen < last:
        seen = last
    return Progress(completed, None, seen, slug, int(seconds * (0.1 + 0.8 * draw)) if is_video else 0)


def _evening(timestamp: float, draw: float) -> float:
    """The same day at an hour at which people study; never earlier than the day itself."""
    spread = draw * _TABLE
    hour = STUDY_HOURS[int(spread)]
    return timestamp - timestamp % DAY + 3600.0 * (hour + spread % 1)
