"""The list of courses in the back office."""

from app.core.i18n import lazy
from app.web.tables import Choice, Column, Empty, Listing, Search, Select, Toggle

LEVEL_LABELS = {
    "beginner": lazy("New to this"),
    "intermediate": lazy("Some practice"),
    "advanced": lazy("Experienced"),
}
STATE_LABELS = {"draft": lazy("Draft"), "published": lazy("Published"), "archived": lazy("Archived")}

COURSES = Listing(
    name="courses",
    select="""c.public_id, c.title, c.slug, c.state, c.level, u.name AS instructor, t.name AS topic,
              c.lesson_count AS lessons, c.duration_seconds AS length, c.updated_at AS changed,
              '/admin/courses/' || c.public_id AS url, c.instructor_id IS NOT DISTINCT FROM :viewer_id AS is_mine""",
    source="courses c LEFT JOIN users u ON u.id = c.instructor_id LEFT JOIN topics t ON t.id = c.topic_id",
    key="c.id",
    columns=[
        Column("title", lazy("Course"), sort="lower(c.title)"),
        Column("state", lazy("State")),
        Column("topic", lazy("Topic"), sort="lower(t.name)", nullable=True, priority="wide"),
        Column("level", lazy("Level"), priority="wide"),
        Column("instructor", lazy("Instructor"), sort="lower(u.name)", nullable=True, priority="mid"),
        Column("lessons", lazy("Lessons"), sort="c.lesson_count", align="end", priority="mid", descending_first=True),
        Column(
            "length", lazy("Length"), sort="c.duration_seconds", align="end", priority="wide", descending_first=True
        ),
        Column("changed", lazy("Changed"), sort="c.updated_at", align="end", descending_first=True),
    ],
    filters=[
        Search("q", lazy("Title, promise or address"), ["c.title", "c.promise", "c.slug"]),
        Select("state", lazy("Any state"), "c.state", [Choice(value, label) for value, label in STATE_LABELS.items()]),
        Select("level", lazy("Any level"), "c.level", [Choice(value, label) for value, label in LEVEL_LABELS.items()]),
        Select("topic", lazy("Any topic"), "t.slug"),
        Toggle("mine", lazy("Taught by me"), "c.instructor_id = :viewer_id"),
    ],
    sort="title",
    empty=Empty(
        lazy("No course yet"),
        lazy("A course begins with its title. Sections and lessons follow, and nobody sees it until you publish it."),
        "/admin/courses/new",
        lazy("Make the first course"),
    ),
)
