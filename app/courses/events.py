"""What happens to courses."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class CourseChanged:
    """Anything about a course, its sections or its lessons is different now; pages that show it are stale."""

    course_id: int


@dataclass(frozen=True, slots=True)
class CoursePublished:
    """A course can be seen by everyone from now on."""

    course_id: int


@dataclass(frozen=True, slots=True)
class LessonRemoved:
    """A lesson is gone for good, with what learners did in it; it may have been taken back before."""

    course_id: int
