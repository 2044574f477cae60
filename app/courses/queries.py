"""All SQL of courses, one statement a function."""

from app.core import db
from app.courses.models import Course, Lesson

_COURSE = """
SELECT c.id, c.public_id, c.slug, c.title, c.promise, c.summary, c.level, c.language,
       c.topic_id, t.slug AS topic_slug, t.name AS topic_name,
       c.instructor_id, u.public_id AS instructor_public_id, u.name AS instructor_name,
       u.headline AS instructor_headline, u.biography AS instructor_biography,
       c.state, c.archived_from, c.outcomes, c.audience, c.not_for, c.included, c.faq, c.plate, c.plate_ground,
       c.position, c.lesson_count, c.duration_seconds, c.preview_count, c.revision,
       c.published_at, c.created_at, c.updated_at
FROM courses c
LEFT JOIN topics t ON t.id = c.topic_id
LEFT JOIN users u ON u.id = c.instructor_id
"""

_LESSON = """
SELECT id, public_id, course_id, section_id, slug, title, summary, kind, body_markdown, body_html,
       video_id, captions_id, poster_id, transcript, duration_seconds, is_preview, state, position, revision,
       created_at, updated_at
FROM lessons
"""


async def course(course_id: int) -> Course | None:
    return await db.one(Course, f"{_COURSE} WHERE c.id = :id", id=course_id)


async def course_by_slug(slug: str) -> Course | None:
    return await db.one(Course, f"{_COURSE} WHERE c.slug = :slug", slug=slug)


async def course_by_public_id(public_id: str) -> Course | None:
    return await db.one(Course, f"{_COURSE} WHERE c.public_id = :public_id", public_id=public_id)


async def outline_rows(course_id: int, *, published_only: bool) -> list[db.Row]:
    """One row a lesson, with its section; a section without lessons gives one row with nulls."""
    return await db.many(
        db.Row,
        """
        SELECT s.id AS section_id, s.public_id AS section_public_id, s.title AS section_title,
               s.position AS section_position,
               l.id, l.public_id, l.slug, l.title, l.summary, l.kind, l.duration_seconds, l.is_preview, l.state,
               l.position
        FROM sections s
        LEFT JOIN lessons l ON l.section_id = s.id
             AND (l.state = 'published' OR NOT CAST(:published_only AS boolean))
        WHERE s.course_id = :course_id
        ORDER BY s.position, l.position
        """,
        course_id=course_id,
        published_only=published_only,
    )


async def lesson_by_slug(course_id: int, slug: str, *, published_only: bool) -> Lesson | None:
    return await db.one(
        Lesson,
        f"""{_LESSON} WHERE course_id = :course_id AND slug = :slug
            AND (state = 'published' OR NOT CAST(:published_only AS boolean))""",
        course_id=course_id,
        slug=slug,
        published_only=published_only,
    )


async def lesson_by_id(lesson_id: int) -> Lesson | None:
    return await db.one(Lesson, f"{_LESSON} WHERE id = :id", id=lesson_id)
