"""What a visitor finds: the list of courses with its filters, and the front page."""

from collections import Counter

from app.catalogue import queries
from app.catalogue.models import LEVELS, CourseCard, CoursePage, Facet, Results, Search, Teacher
from app.core import db
from app.core.i18n import _
from app.courses.models import slug_of


async def find(search: Search) -> Results:
    """The courses of this search's page, with what may be chosen further. A page past the end is empty."""
    courses = await queries.search_courses(search)
    counted = await queries.facets(search.q)
    levels: Counter[str] = Counter()
    topics: dict[str, Facet] = {}
    for row in counted:
        # A choice is counted under the other filters, so that its number is what choosing it would show.
        free_enough = row.is_preview or not search.preview
        levels[row.level] += row.count if free_enough and (not search.topics or row.topic in search.topics) else 0
        if row.topic is not None:
            so_far = topics[row.topic].count if row.topic in topics else 0
            fits = free_enough and (not search.levels or row.level in search.levels)
            topics[row.topic] = Facet(row.topic, row.topic_name, so_far + (row.count if fits else 0))
    return Results(
        courses,
        total=courses[0].total if courses else 0,
        levels=[Facet(level, level_name(level), levels[level]) for level in LEVELS if level in levels],
        topics=list(topics.values()),
    )


async def front_page() -> list[CourseCard]:
    """The first courses of the shelf, in the owner's order."""
    return await queries.first_courses(6)


async def course_page(slug: str) -> CoursePage | None:
    """A published course with price and teacher, or None."""
    return await queries.course_page(slug)


async def teachers() -> list[Teacher]:
    """Those who teach published courses. Two of the same name get addresses of their own."""
    found: list[Teacher] = []
    taken: set[str] = set()
    for row in await queries.teachers():
        slug = slug_of(row.name) or "teacher"
        if slug in taken:
            slug = f"{slug}-{row.id}"
        taken.add(slug)
        found.append(Teacher(row.id, slug, row.name, row.headline, row.biography))
    return found


async def teacher(slug: str) -> Teacher | None:
    """The teacher at this address, or None."""
    return next((person for person in await teachers() if person.slug == slug), None)


async def taught_by(teacher: Teacher) -> list[CourseCard]:
    """The published courses that a teacher teaches."""
    return await queries.courses_of(teacher.id)


async def excerpt_source(path: str) -> db.Row | None:
    """The free lesson named `course/lesson`, for the line under an excerpt; None when it is not (or no longer) free."""
    course, _slash, lesson = path.partition("/")
    return await queries.free_lesson(course, lesson) if course and lesson else None


async def first_free_lesson() -> db.Row | None:
    """The first lesson that anyone may open."""
    return await queries.first_free_lesson()


def level_name(level: str) -> str:
    """How a level is called on the page."""
    return {
        "beginner": _("New to this"),
        "intermediate": _("Some practice"),
        "advanced": _("Experienced"),
    }[level]
