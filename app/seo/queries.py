"""All SQL of seo, one statement a function."""

from app.core import db


async def published(limit: int) -> list[db.Row]:
    """Every page about a course that anyone may read: the course (without a lesson), and each of its free lessons."""
    return await db.many(
        db.Row,
        """
        SELECT c.slug, l.slug AS lesson_slug, coalesce(l.updated_at, c.updated_at) AS changed_at
        FROM courses c
        CROSS JOIN LATERAL (
            SELECT NULL AS slug, NULL AS updated_at, 0 AS id
            UNION ALL
            SELECT slug, updated_at, id FROM lessons
            WHERE course_id = c.id AND is_preview AND state = 'published'
        ) l
        WHERE c.state = 'published'
        ORDER BY c.position, c.id, l.id LIMIT :limit
        """,
        limit=limit,
    )
