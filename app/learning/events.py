"""What learning tells those to its right."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Enrolled:
    """A member was enrolled in a course for the first time; told again when its job is run again. `quietly`: nobody is mailed."""

    user_id: int
    course_id: int
    quietly: bool = False


@dataclass(frozen=True, slots=True)
class LessonCompleted:
    """A member finished a lesson."""

    user_id: int
    lesson_id: int


@dataclass(frozen=True, slots=True)
class CourseCompleted:
    """A member finished every lesson that the course has now."""

    user_id: int
    course_id: int
