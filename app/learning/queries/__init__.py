"""All SQL of learning, one statement a function."""

from datetime import date, datetime

from app.core import db
from app.learning.models import Classroom, ShelfCourse, Step

# The ledger's rule, as `app.access` has it.
_OPEN = "e.closed_at IS NULL AND e.starts_at <= :now AND (e.ends_at IS NULL OR e.ends_at > :now)"


async def shelf(user_id: int, now: datetime) -> list[ShelfCourse]:
    """The courses a member may open, most recent first, each with the lesson to continue with."""
    return await db.many(
        ShelfCourse,
        f"""
        WITH owned AS (
            SELECT p.course_id, max(e.starts_at) AS since
            FROM entitlements e JOIN products p ON p.id = e.product_id
            WHERE e.user_id = :user_id AND p.course_id IS NOT NULL AND {_OPEN}
            GROUP BY p.course_id
        )
        SELECT c.id, c.slug, c.title, c.plate, c.plate_ground, n.last_activity_at, n.completed_at,
               coalesce(x.total, 0) AS total, coalesce(x.done, 0) AS done,
               CASE WHEN x.is_open THEN x.slug END AS next_slug, CASE WHEN x.is_open THEN x.title END AS next_title,
               CASE WHEN x.is_open THEN x.kind END AS next_kind, CASE WHEN x.is_open THEN x.number END AS next_number,
               CASE WHEN x.is_open THEN x.duration_seconds END AS next_seconds,
               CASE WHEN x.is_open THEN x.position_seconds END AS next_position
        FROM owned o
        JOIN courses c ON c.id = o.course_id AND c.state IN ('published', 'archived')
        LEFT JOIN enrolments n ON n.course_id = c.id AND n.user_id = :user_id
        LEFT JOIN LATERAL (
            SELECT y.*, max(CASE WHEN y.id = n.last_lesson_id THEN y.number END) OVER () AS last_number
            FROM (
                SELECT l.id, l.slug, l.title, l.kind, l.duration_seconds, coalesce(lp.position_seconds, 0) AS position_seconds,
                       lp.completed_at IS NULL AS is_open, count(*) OVER () AS total,
                       count(lp.completed_at) OVER () AS done,
                       row_number() OVER (ORDER BY s.position, l.position) AS number
                FROM lessons l
                JOIN sections s ON s.id = l.section_id
                LEFT JOIN lesson_progress lp ON lp.lesson_id = l.id AND lp.user_id = :user_id
                WHERE l.course_id = c.id AND l.state = 'published'
            ) y
            ORDER BY y.is_open DESC, (y.id = n.last_lesson_id) IS TRUE DESC,
                     (y.number > coalesce(max(CASE WHEN y.id = n.last_lesson_id THEN y.number END) OVER (), 0)) DESC, y.number
            LIMIT 1
        ) x ON true
        ORDER BY coalesce(n.last_activity_at, o.since) DESC, c.id
        """,  # noqa: S608 (the fragment is a constant)
        user_id=user_id,
        now=now,
    )


async def classroom(course_slug: str, user_id: int, now: datetime) -> Classroom | None:
    return await db.one(
        Classroom,
        f"""
        SELECT c.id, c.public_id, c.slug, c.title, c.promise, c.plate, c.plate_ground, c.language, c.state,
               c.instructor_id, u.name AS instructor_name,
               EXISTS (SELECT 1 FROM entitlements e JOIN products p ON p.id = e.product_id
                       WHERE e.user_id = :user_id AND p.course_id = c.id AND {_OPEN}) AS allowed,
               n.enrolled_at, n.last_activity_at, n.last_lesson_id, n.completed_at
        FROM courses c
        LEFT JOIN users u ON u.id = c.instructor_id
        LEFT JOIN enrolments n ON n.course_id = c.id AND n.user_id = :user_id
        WHERE c.slug = :slug
        """,  # noqa: S608 (the fragment is a constant)
        slug=course_slug,
        user_id=user_id,
        now=now,
    )


async def steps(course_id: int, user_id: int, open_slug: str = "") -> list[Step]:
    """The published lessons in order with one member's progress; the open one with its text."""
    return await db.many(
        Step,
        """
        SELECT l.id, l.slug, l.title, l.kind, l.duration_seconds,
               CAST(row_number() OVER (ORDER BY s.position, l.position) AS int) AS number,
               s.id AS section_id, s.title AS section_title, lp.completed_at,
               coalesce(lp.position_seconds, 0) AS position_seconds, lp.updated_at,
               CASE WHEN l.slug = :open_slug THEN l.body_html END AS body_html,
               CASE WHEN l.slug = :open_slug THEN l.transcript END AS transcript,
               l.video_id, l.captions_id, l.poster_id
        FROM lessons l
        JOIN sections s ON s.id = l.section_id
        LEFT JOIN lesson_progress lp ON lp.lesson_id = l.id AND lp.user_id = :user_id
        WHERE l.course_id = :course_id AND l.state = 'published'
        ORDER BY s.position, l.position
        """,
        course_id=course_id,
        user_id=user_id,
        open_slug=open_slug,
    )


async def insert_enrolment(user_id: int, course_id: int, now: datetime) -> bool:
    """True when the member was not enrolled before."""
    return bool(
        await db.run(
            """
            INSERT INTO enrolments (user_id, course_id, enrolled_at) VALUES (:user_id, :course_id, :now)
            ON CONFLICT (user_id, course_id) DO NOTHING
            """,
            user_id=user_id,
            course_id=course_id,
            now=now,
        )
    )


async def is_enrolled_since(user_id: int, course_id: int, entitlement_id: int) -> bool:
    """Whether the member was enrolled only after this was granted: by a visit, say."""
    return bool(
        await db.value(
            """
            SELECT n.enrolled_at >= e.created_at FROM enrolments n, entitlements e
            WHERE n.user_id = :user_id AND n.course_id = :course_id AND e.id = :entitlement_id
            """,
            user_id=user_id,
            course_id=course_id,
            entitlement_id=entitlement_id,
        )
    )


async def note_visit(user_id: int, course_id: int, lesson_id: int, now: datetime, today: date) -> None:
    """The lesson was opened: where the member is, that they were active today. One statement.

    The lesson is held first: an author who removes it meanwhile waits, or has removed it and nothing is noted.
    """
    await db.run(
        """
        WITH held AS (
            SELECT id FROM lessons WHERE id = :lesson_id FOR KEY SHARE
        ), opened AS (
            INSERT INTO lesson_progress (user_id, lesson_id, course_id, first_opened_at, updated_at)
            SELECT :user_id, held.id, :course_id, :now, :now FROM held
            ON CONFLICT (user_id, lesson_id) DO NOTHING
        ), active AS (
            INSERT INTO learner_days (on_date, user_id) SELECT :today, :user_id FROM held ON CONFLICT DO NOTHING
        )
        INSERT INTO enrolments (user_id, course_id, enrolled_at, last_activity_at, last_lesson_id)
        SELECT :user_id, :course_id, :now, :now, held.id FROM held
        ON CONFLICT (user_id, course_id) DO UPDATE SET last_activity_at = :now, last_lesson_id = :lesson_id
        """,
        user_id=user_id,
        course_id=course_id,
        lesson_id=lesson_id,
        now=now,
        today=today,
    )


async def save_position(user_id: int, course_slug: str, lesson_slug: str, seconds: int, now: datetime) -> bool:
    """Write where a film was left, if the member may open the lesson and nothing later was written; whether it was.

    Not past its end, as far as anybody knows that: a recording that was cut off does not say how long it is.
    """
    return bool(
        await db.run(
            f"""
            INSERT INTO lesson_progress (user_id, lesson_id, course_id, position_seconds, first_opened_at, updated_at)
            SELECT :user_id, l.id, c.id, least(:seconds, nullif(l.duration_seconds, 0)), :now, :now
            FROM courses c JOIN lessons l ON l.course_id = c.id AND l.state = 'published'
            WHERE c.slug = :course AND c.state <> 'draft' AND l.slug = :lesson
              AND EXISTS (SELECT 1 FROM entitlements e JOIN products p ON p.id = e.product_id
                          WHERE e.user_id = :user_id AND p.course_id = c.id AND {_OPEN})
            ON CONFLICT (user_id, lesson_id) DO UPDATE
            SET position_seconds = excluded.position_seconds, updated_at = :now
            WHERE lesson_progress.updated_at <= :now
            """,  # noqa: S608 (the fragment is a constant)
            user_id=user_id,
            course=course_slug,
            lesson=lesson_slug,
            seconds=seconds,
            now=now,
        )
    )


async def mark_completed(user_id: int, course_id: int, lesson_id: int, now: datetime) -> bool:
    """True when the lesson was not completed before; False as well when it was removed meanwhile.

    `note_visit` comes first, in the same transaction: it keeps the lesson from being removed between the two.
    """
    return bool(
        await db.run(
            """
            INSERT INTO lesson_progress (user_id, lesson_id, course_id, first_opened_at, updated_at, completed_at)
            SELECT :user_id, id, :course_id, :now, :now, :now FROM lessons WHERE id = :lesson_id
            ON CONFLICT (user_id, lesson_id) DO UPDATE SET completed_at = :now, updated_at = :now
            WHERE lesson_progress.completed_at IS NULL
            """,
            user_id=user_id,
            course_id=course_id,
            lesson_id=lesson_id,
            now=now,
        )
    )


async def unmark_completed(user_id: int, lesson_id: int, now: datetime) -> bool:
    return bool(
        await db.run(
            """
            UPDATE lesson_progress SET completed_at = NULL, updated_at = :now
            WHERE user_id = :user_id AND lesson_id = :lesson_id AND completed_at IS NOT NULL
            """,
            user_id=user_id,
            lesson_id=lesson_id,
            now=now,
        )
    )


async def lock_enrolment(user_id: int, course_id: int) -> None:
    """Let two completions of one member follow each other, so that the last one sees all."""
    await db.value(
        "SELECT id FROM enrolments WHERE user_id = :user_id AND course_id = :course_id FOR UPDATE",
        user_id=user_id,
        course_id=course_id,
    )


async def count_completed(user_id: int, course_id: int, now: datetime) -> db.Row | None:
    """Write how many lessons are done and, once, when all were; `just_completed` tells that it was now."""
    return await db.one(
        db.Row,
        """
        WITH counted AS (
            SELECT count(*) AS total, count(lp.completed_at) AS done
            FROM lessons l LEFT JOIN lesson_progress lp ON lp.lesson_id = l.id AND lp.user_id = :user_id
            WHERE l.course_id = :course_id AND l.state = 'published'
        ), before AS (
            SELECT completed_at FROM enrolments WHERE user_id = :user_id AND course_id = :course_id
        )
        UPDATE enrolments n
        SET completed_count = counted.done,
            completed_at = CASE WHEN counted.done >= counted.total AND counted.total > 0
                                THEN coalesce(n.completed_at, :now) ELSE n.completed_at END,
            last_activity_at = :now
        FROM counted, before
        WHERE n.user_id = :user_id AND n.course_id = :course_id
        RETURNING counted.done, counted.total, before.completed_at IS NULL AND n.completed_at IS NOT NULL AS just_completed
        """,
        user_id=user_id,
        course_id=course_id,
        now=now,
    )


async def who_did_all(course_id: int) -> list[int]:
    """Learners who have done all lessons of a course and had not finished it."""
    rows = await db.many(
        db.Row,
        """
        SELECT n.user_id
        FROM enrolments n
        JOIN lessons l ON l.course_id = n.course_id AND l.state = 'published'
        LEFT JOIN lesson_progress lp ON lp.lesson_id = l.id AND lp.user_id = n.user_id
        WHERE n.course_id = :course_id AND n.completed_at IS NULL AND n.completed_count > 0
        GROUP BY n.user_id HAVING count(l.id) = count(lp.completed_at) ORDER BY n.user_id
        """,
        course_id=course_id,
    )
    return [row.user_id for row in rows]


async def finish(user_id: int, course_id: int, now: datetime) -> bool:
    """Finish a course for somebody who has done all its lessons, without calling that a visit; whether it is finished by this.

    The enrolment is locked by whoever asks.
    """
    return bool(
        await db.run(
            """
            WITH counted AS (
                SELECT count(*) AS total, count(lp.completed_at) AS done
                FROM lessons l LEFT JOIN lesson_progress lp ON lp.lesson_id = l.id AND lp.user_id = :user_id
                WHERE l.course_id = :course_id AND l.state = 'published'
            )
            UPDATE enrolments n SET completed_count = counted.done, completed_at = :now FROM counted
            WHERE n.user_id = :user_id AND n.course_id = :course_id AND n.completed_at IS NULL
              AND counted.total > 0 AND counted.done = counted.total
            """,
            user_id=user_id,
            course_id=course_id,
            now=now,
        )
    )


async def finished_by_week(user_id: int, since: datetime, zone: str) -> list[db.Row]:
    """Lessons finished in each week (its Monday) since then."""
    return await db.many(
        db.Row,
        """
        SELECT CAST(date_trunc('week', completed_at AT TIME ZONE :zone) AS date) AS week, count(*) AS lessons
        FROM lesson_progress WHERE user_id = :user_id AND completed_at >= :since
        GROUP BY 1 ORDER BY 1
        """,
        user_id=user_id,
        since=since,
        zone=zone,
    )


async def enrolments_of(user_id: int) -> list[db.Row]:
    """Every course a member is or was enrolled in, with how far they came."""
    return await db.many(
        db.Row,
        """
        SELECT c.public_id AS course_public_id, c.slug, c.title, c.lesson_count, n.enrolled_at, n.last_activity_at,
               n.completed_at, n.completed_count
        FROM enrolments n JOIN courses c ON c.id = n.course_id
        WHERE n.user_id = :user_id ORDER BY coalesce(n.last_activity_at, n.enrolled_at) DESC, n.id DESC
        """,
        user_id=user_id,
    )


async def mail_facts(user_id: int, course_id: int) -> db.Row | None:
    """What the enrolment mail says."""
    return await db.one(
        db.Row,
        """
        SELECT u.email, u.name, c.title, c.slug, c.lesson_count, c.duration_seconds, i.name AS instructor_name
        FROM users u, courses c LEFT JOIN users i ON i.id = c.instructor_id
        WHERE u.id = :user_id AND c.id = :course_id
        """,
        user_id=user_id,
        course_id=course_id,
    )


async def delete_of(user_id: int) -> None:
    """Everything of one person; the triggers keep `learners` and the figures right."""
    await db.run("DELETE FROM lesson_progress WHERE user_id = :user_id", user_id=user_id)
    await db.run("DELETE FROM enrolments WHERE user_id = :user_id", user_id=user_id)
    await db.run("DELETE FROM learner_days WHERE user_id = :user_id", user_id=user_id)
    await db.run("DELETE FROM learners WHERE user_id = :user_id", user_id=user_id)
