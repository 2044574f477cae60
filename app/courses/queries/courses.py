"""All SQL about courses and topics, one statement a function."""

from datetime import datetime
from typing import Any

from app.core import db
from app.courses.models import Course, Topic, slug_stem

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


async def course(course_id: int) -> Course | None:
    return await db.one(Course, f"{_COURSE} WHERE c.id = :id", id=course_id)


async def course_by_slug(slug: str) -> Course | None:
    return await db.one(Course, f"{_COURSE} WHERE c.slug = :slug", slug=slug)


async def course_by_public_id(public_id: str) -> Course | None:
    return await db.one(Course, f"{_COURSE} WHERE c.public_id = :public_id", public_id=public_id)


async def courses_before(before: int | None, limit: int) -> list[Course]:
    """The newest courses, or the newest of those before one."""
    return await db.many(
        Course,
        f"{_COURSE} WHERE c.id < coalesce(CAST(:before AS bigint), 9223372036854775807) ORDER BY c.id DESC LIMIT :limit",
        before=before,
        limit=limit,
    )


async def lock_course(course_id: int) -> Course | None:
    """The course as it stands, kept from others until the transaction ends: one at a time changes an outline.

    Learners' rows refer to the course while they write; a stronger lock would wait for them, and they for it.
    """
    await db.run("SELECT 1 FROM courses WHERE id = :id FOR NO KEY UPDATE", id=course_id)
    return await course(course_id)


async def insert_course(public_id: str, values: dict[str, Any], now: datetime) -> int:
    course_id: int = await db.value(
        """
        INSERT INTO courses (public_id, slug, title, promise, summary, level, language, topic_id, instructor_id,
                             outcomes, audience, not_for, included, faq, plate, plate_ground, position,
                             created_at, updated_at)
        VALUES (:public_id, :slug, :title, :promise, :summary, :level, :language, :topic_id, :instructor_id,
                :outcomes, :audience, :not_for, :included, CAST(:faq AS jsonb), :plate, :plate_ground,
                (SELECT coalesce(max(position), 0) + 1 FROM courses), :now, :now)
        RETURNING id
        """,
        public_id=public_id,
        now=now,
        **values,
    )
    return course_id


async def update_details(course_id: int, values: dict[str, Any], now: datetime) -> None:
    await db.run(
        """
        UPDATE courses
        SET slug = :slug, title = :title, promise = :promise, summary = :summary, level = :level, language = :language,
            topic_id = :topic_id, instructor_id = :instructor_id, outcomes = :outcomes, audience = :audience,
            not_for = :not_for, included = :included, faq = CAST(:faq AS jsonb), plate = :plate,
            plate_ground = :plate_ground, revision = revision + 1, updated_at = :now
        WHERE id = :id
        """,
        id=course_id,
        now=now,
        **values,
    )


async def set_plate(course_id: int, plate: str, now: datetime) -> None:
    await db.run(
        "UPDATE courses SET plate = :plate, revision = revision + 1, updated_at = :now WHERE id = :id",
        id=course_id,
        plate=plate,
        now=now,
    )


async def publish(course_id: int, now: datetime) -> bool:
    return bool(
        await db.run(
            """
            UPDATE courses SET state = 'published', published_at = coalesce(published_at, :now), updated_at = :now
            WHERE id = :id AND state = 'draft'
            """,
            id=course_id,
            now=now,
        )
    )


async def unpublish(course_id: int, now: datetime) -> bool:
    return bool(
        await db.run(
            "UPDATE courses SET state = 'draft', updated_at = :now WHERE id = :id AND state = 'published'",
            id=course_id,
            now=now,
        )
    )


async def archive(course_id: int, now: datetime) -> bool:
    return bool(
        await db.run(
            """
            UPDATE courses SET state = 'archived', archived_from = state, updated_at = :now
            WHERE id = :id AND state <> 'archived'
            """,
            id=course_id,
            now=now,
        )
    )


async def restore(course_id: int, now: datetime) -> bool:
    return bool(
        await db.run(
            """
            UPDATE courses SET state = coalesce(archived_from, 'draft'), archived_from = NULL, updated_at = :now
            WHERE id = :id AND state = 'archived'
            """,
            id=course_id,
            now=now,
        )
    )


async def refresh_counts(course_id: int, now: datetime) -> db.Row | None:
    """Count the published lessons anew; the course's state and count after that."""
    return await db.one(
        db.Row,
        """
        UPDATE courses c
        SET lesson_count = n.lessons, duration_seconds = n.seconds, preview_count = n.previews, updated_at = :now
        FROM (
            SELECT count(*) AS lessons, coalesce(sum(duration_seconds), 0) AS seconds,
                   count(*) FILTER (WHERE is_preview) AS previews
            FROM lessons WHERE course_id = :id AND state = 'published'
        ) n
        WHERE c.id = :id
        RETURNING c.state, c.lesson_count
        """,
        id=course_id,
        now=now,
    )


async def is_slug_taken(slug: str, but_of: int | None = None) -> bool:
    return bool(
        await db.value(
            "SELECT EXISTS (SELECT 1 FROM courses WHERE slug = :slug AND id IS DISTINCT FROM CAST(:but AS bigint))",
            slug=slug,
            but=but_of,
        )
    )


async def slugs_like(slug: str) -> set[str]:
    """The slug and its numbered kin, as far as they are taken."""
    rows = await db.many(db.Row, "SELECT slug FROM courses WHERE starts_with(slug, :stem)", stem=slug_stem(slug))
    return {row.slug for row in rows}


async def topics() -> list[Topic]:
    return await db.many(Topic, "SELECT id, slug, name, position FROM topics ORDER BY position, name, id")


async def topic_named(name: str) -> int | None:
    """The key of the first topic that is called so, in small or capital letters."""
    found: int | None = await db.value(
        "SELECT id FROM topics WHERE lower(name) = lower(:name) ORDER BY id LIMIT 1", name=name
    )
    return found


async def insert_topic(slug: str, name: str) -> int | None:
    """The key of a new last topic; None when there is one with this slug."""
    topic_id: int | None = await db.value(
        """
        INSERT INTO topics (slug, name, position)
        VALUES (:slug, :name, (SELECT coalesce(max(position), 0) + 1 FROM topics))
        ON CONFLICT (slug) DO NOTHING
        RETURNING id
        """,
        slug=slug,
        name=name,
    )
    return topic_id


# Who may edit the courses that they teach: by a built-in role, or by one that the school made. That they are no member is
# said once more for the index, in which members are not.
_MAY_TEACH = """
    u.role <> 'member' AND (u.role IN ('owner', 'admin', 'instructor')
     OR EXISTS (SELECT FROM roles r WHERE r.key = u.role AND 'courses.edit' = ANY(r.capabilities)))
"""


async def teachers() -> list[db.Row]:
    """People who may teach, by name."""
    return await db.many(
        db.Row,
        f"SELECT u.id, u.name FROM users u WHERE {_MAY_TEACH} AND u.state = 'active' ORDER BY lower(u.name), u.id",  # noqa: S608 (a constant)
    )


async def titles() -> list[db.Row]:
    """Slug and title of every course that is not put away, by title; 1,000 at most."""
    return await db.many(
        db.Row, "SELECT slug, title FROM courses WHERE state <> 'archived' ORDER BY lower(title), id LIMIT 1000"
    )


async def is_teacher(user_id: int) -> bool:
    """Whether somebody may teach, held until the transaction ends: whoever closes the account then finds what it teaches."""
    return bool(
        await db.value(
            f"SELECT true FROM users u WHERE u.id = :id AND u.state = 'active' AND {_MAY_TEACH} FOR SHARE",  # noqa: S608 (a constant)
            id=user_id,
        )
    )


async def is_plate_used(plate: str) -> bool:
    return bool(await db.value("SELECT EXISTS (SELECT 1 FROM courses WHERE plate = :plate)", plate=plate))


async def count_taught(user_id: int) -> int:
    """How many courses a person teaches."""
    found: int = await db.value("SELECT count(*) FROM courses WHERE instructor_id = :id", id=user_id)
    return found


async def change_teacher(old_id: int, new_id: int) -> int:
    """Let one person teach what another taught; how many courses."""
    return await db.run("UPDATE courses SET instructor_id = :new WHERE instructor_id = :old", old=old_id, new=new_id)
