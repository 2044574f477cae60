"""All SQL about sections and lessons, one statement a function."""

from datetime import datetime
from typing import Any

from app.core import db
from app.courses.models import Lesson, slug_stem

_LESSON = """
SELECT id, public_id, course_id, section_id, slug, title, summary, kind, body_markdown, body_html,
       video_id, captions_id, poster_id, transcript, duration_seconds, is_preview, state, position, revision,
       created_at, updated_at
FROM lessons
"""


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


async def lesson_by_public_id(public_id: str) -> Lesson | None:
    return await db.one(Lesson, f"{_LESSON} WHERE public_id = :public_id", public_id=public_id)


async def section_by_public_id(public_id: str) -> db.Row | None:
    return await db.one(
        db.Row,
        """
        SELECT id, public_id, course_id, title, position,
               (SELECT count(*) FROM lessons l WHERE l.section_id = s.id) AS lesson_count
        FROM sections s WHERE public_id = :public_id
        """,
        public_id=public_id,
    )


async def sections_of(course_id: int) -> list[db.Row]:
    return await db.many(
        db.Row,
        "SELECT id, public_id, title, position FROM sections WHERE course_id = :course_id ORDER BY position",
        course_id=course_id,
    )


async def insert_section(public_id: str, course_id: int, title: str) -> int | None:
    """A new last section; its key, None when it is there already."""
    section_id: int | None = await db.value(
        """
        INSERT INTO sections (public_id, course_id, title, position)
        VALUES (:public_id, :course_id, :title,
                (SELECT coalesce(max(position), 0) + 1 FROM sections WHERE course_id = :course_id))
        ON CONFLICT (public_id) DO NOTHING
        RETURNING id
        """,
        public_id=public_id,
        course_id=course_id,
        title=title,
    )
    return section_id


async def rename_section(section_id: int, title: str) -> None:
    await db.run("UPDATE sections SET title = :title WHERE id = :id", id=section_id, title=title)


async def delete_section(section_id: int) -> None:
    await db.run("DELETE FROM sections WHERE id = :id", id=section_id)


async def place_sections(section_ids: list[int]) -> None:
    """Give the sections the positions 1, 2, 3 … in this order."""
    await db.run(
        """
        UPDATE sections s SET position = n.position
        FROM unnest(CAST(:ids AS bigint[])) WITH ORDINALITY AS n (id, position)
        WHERE s.id = n.id AND s.position <> n.position
        """,
        ids=section_ids,
    )


async def places_of(course_id: int) -> list[db.Row]:
    """Where each lesson of a course stands: id, public_id, section_id, in order."""
    return await db.many(
        db.Row,
        """
        SELECT l.id, l.public_id, l.section_id
        FROM lessons l JOIN sections s ON s.id = l.section_id
        WHERE l.course_id = :course_id ORDER BY s.position, l.position
        """,
        course_id=course_id,
    )


async def place_lessons(places: list[tuple[int, int, int]]) -> None:
    """Give each lesson (id, section, position) its place."""
    await db.run(
        """
        UPDATE lessons l SET section_id = n.section_id, position = n.position
        FROM unnest(CAST(:ids AS bigint[]), CAST(:sections AS bigint[]), CAST(:positions AS integer[]))
             AS n (id, section_id, position)
        WHERE l.id = n.id AND (l.section_id, l.position) <> (n.section_id, n.position)
        """,
        ids=[place[0] for place in places],
        sections=[place[1] for place in places],
        positions=[place[2] for place in places],
    )


async def lesson_slugs_like(course_id: int, slug: str) -> set[str]:
    """The slug and its numbered kin, as far as lessons of the course have them."""
    rows = await db.many(
        db.Row,
        "SELECT slug FROM lessons WHERE course_id = :course_id AND starts_with(slug, :stem)",
        course_id=course_id,
        stem=slug_stem(slug),
    )
    return {row.slug for row in rows}


async def is_lesson_slug_taken(course_id: int, slug: str, but_of: int) -> bool:
    return bool(
        await db.value(
            "SELECT EXISTS (SELECT 1 FROM lessons WHERE course_id = :course_id AND slug = :slug AND id <> :but)",
            course_id=course_id,
            slug=slug,
            but=but_of,
        )
    )


async def insert_lesson(
    *, public_id: str, course_id: int, section_id: int, slug: str, title: str, kind: str, now: datetime
) -> int:
    """A new draft at the end of the section; its key."""
    lesson_id: int = await db.value(
        """
        INSERT INTO lessons (public_id, course_id, section_id, slug, title, kind, position, created_at, updated_at)
        VALUES (:public_id, :course_id, :section_id, :slug, :title, :kind,
                (SELECT coalesce(max(position), 0) + 1 FROM lessons WHERE section_id = :section_id), :now, :now)
        RETURNING id
        """,
        public_id=public_id,
        course_id=course_id,
        section_id=section_id,
        slug=slug,
        title=title,
        kind=kind,
        now=now,
    )
    return lesson_id


async def update_lesson(lesson_id: int, values: dict[str, Any], now: datetime) -> None:
    await db.run(
        """
        UPDATE lessons
        SET slug = :slug, title = :title, summary = :summary, body_markdown = :body_markdown, body_html = :body_html,
            duration_seconds = :duration_seconds, is_preview = :is_preview, state = :state,
            revision = revision + 1, updated_at = :now
        WHERE id = :id
        """,
        id=lesson_id,
        now=now,
        **values,
    )


async def set_lesson_state(lesson_id: int, state: str, now: datetime) -> bool:
    return bool(
        await db.run(
            """
            UPDATE lessons SET state = :state, revision = revision + 1, updated_at = :now
            WHERE id = :id AND state <> :state
            """,
            id=lesson_id,
            state=state,
            now=now,
        )
    )


async def set_video(lesson_id: int, video_id: int | None, seconds: int, now: datetime) -> None:
    await db.run(
        """
        UPDATE lessons SET video_id = :video_id, duration_seconds = :seconds, updated_at = :now
        WHERE id = :id
        """,
        id=lesson_id,
        video_id=video_id,
        seconds=seconds,
        now=now,
    )


async def set_captions(lesson_id: int, captions_id: int | None, transcript: list[Any], now: datetime) -> None:
    await db.run(
        """
        UPDATE lessons SET captions_id = :captions_id, transcript = CAST(:transcript AS jsonb), updated_at = :now
        WHERE id = :id
        """,
        id=lesson_id,
        captions_id=captions_id,
        transcript=transcript,
        now=now,
    )


async def set_poster(lesson_id: int, poster_id: int | None, now: datetime) -> None:
    await db.run(
        "UPDATE lessons SET poster_id = :poster_id, updated_at = :now WHERE id = :id",
        id=lesson_id,
        poster_id=poster_id,
        now=now,
    )


async def hold_lessons(course_id: int) -> None:
    """Keep learners out of all lessons of a course until the transaction ends. They hold the lesson that they open before
    their enrolment; whoever takes a lesson away changes enrolments, and then the places of the other lessons.
    """
    await db.value(
        "SELECT count(*) FROM (SELECT id FROM lessons WHERE course_id = :id ORDER BY id FOR UPDATE) held", id=course_id
    )


async def delete_lesson(lesson_id: int) -> None:
    await db.run("DELETE FROM lessons WHERE id = :id", id=lesson_id)


async def is_upload_used(upload_id: int) -> bool:
    return bool(
        await db.value(
            """
            SELECT EXISTS (
                SELECT 1 FROM lessons WHERE video_id = :id OR captions_id = :id OR poster_id = :id
            )
            """,
            id=upload_id,
        )
    )


async def is_upload_free(upload_id: int) -> bool:
    return bool(
        await db.value(
            """
            SELECT EXISTS (
                SELECT 1 FROM lessons l JOIN courses c ON c.id = l.course_id
                WHERE (l.video_id = :id OR l.captions_id = :id OR l.poster_id = :id)
                  AND l.is_preview AND l.state = 'published' AND c.state = 'published'
            )
            """,
            id=upload_id,
        )
    )


async def uploads_of_section(section_id: int) -> list[int]:
    """The files of all lessons of a section."""
    rows = await db.many(
        db.Row,
        """
        SELECT file_id FROM lessons l, LATERAL (VALUES (l.video_id), (l.captions_id), (l.poster_id)) AS f (file_id)
        WHERE l.section_id = :section_id AND file_id IS NOT NULL
        """,
        section_id=section_id,
    )
    return [row.file_id for row in rows]
