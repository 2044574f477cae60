"""The SQL of joining what two accounts of one person learned."""

from datetime import datetime

from app.core import db


async def counts(gone_id: int, kept_id: int) -> db.Row:
    """In how many courses the first is enrolled, and in how many of them both."""
    found = await db.one(
        db.Row,
        """
        SELECT count(*) AS courses, count(k.id) AS in_both
        FROM enrolments g LEFT JOIN enrolments k ON k.course_id = g.course_id AND k.user_id = :kept
        WHERE g.user_id = :gone
        """,
        gone=gone_id,
        kept=kept_id,
    )
    assert found is not None
    return found


async def join_enrolments(gone_id: int, kept_id: int) -> None:
    """Of two enrolments in one course: since the earlier one, done at the earlier, last there where it was later."""
    await db.run(
        """
        UPDATE enrolments k SET
            enrolled_at = least(k.enrolled_at, g.enrolled_at),
            completed_at = least(k.completed_at, g.completed_at),
            last_lesson_id = CASE WHEN coalesce(g.last_activity_at, '-infinity') > coalesce(k.last_activity_at, '-infinity')
                                  THEN g.last_lesson_id ELSE k.last_lesson_id END,
            last_activity_at = greatest(k.last_activity_at, g.last_activity_at)
        FROM enrolments g
        WHERE g.user_id = :gone AND k.user_id = :kept AND k.course_id = g.course_id
        """,
        gone=gone_id,
        kept=kept_id,
    )


async def drop_joined_enrolments(gone_id: int, kept_id: int) -> None:
    await db.run(
        """
        DELETE FROM enrolments g USING enrolments k
        WHERE g.user_id = :gone AND k.user_id = :kept AND k.course_id = g.course_id
        """,
        gone=gone_id,
        kept=kept_id,
    )


async def move_enrolments(gone_id: int, kept_id: int) -> None:
    await db.run("UPDATE enrolments SET user_id = :kept WHERE user_id = :gone", gone=gone_id, kept=kept_id)


async def join_progress(gone_id: int, kept_id: int) -> None:
    """Of two states of one lesson the further: done if either is, and the later place in the film."""
    await db.run(
        """
        UPDATE lesson_progress k SET
            completed_at = least(k.completed_at, g.completed_at),
            position_seconds = greatest(k.position_seconds, g.position_seconds),
            first_opened_at = least(k.first_opened_at, g.first_opened_at),
            updated_at = greatest(k.updated_at, g.updated_at)
        FROM lesson_progress g
        WHERE g.user_id = :gone AND k.user_id = :kept AND k.lesson_id = g.lesson_id
        """,
        gone=gone_id,
        kept=kept_id,
    )


async def drop_joined_progress(gone_id: int, kept_id: int) -> None:
    await db.run(
        """
        DELETE FROM lesson_progress g USING lesson_progress k
        WHERE g.user_id = :gone AND k.user_id = :kept AND k.lesson_id = g.lesson_id
        """,
        gone=gone_id,
        kept=kept_id,
    )


async def move_progress(gone_id: int, kept_id: int) -> int:
    return await db.run("UPDATE lesson_progress SET user_id = :kept WHERE user_id = :gone", gone=gone_id, kept=kept_id)


async def count_completed(user_id: int, now: datetime) -> list[int]:
    """Count anew how many lessons are done in each course; the courses that the two halves finished together."""
    rows = await db.many(
        db.Row,
        """
        WITH counted AS (
            SELECT n.id, count(l.id) AS total, count(lp.completed_at) AS done, n.completed_at IS NOT NULL AS was_done
            FROM enrolments n
            JOIN lessons l ON l.course_id = n.course_id AND l.state = 'published'
            LEFT JOIN lesson_progress lp ON lp.lesson_id = l.id AND lp.user_id = n.user_id
            WHERE n.user_id = :user_id GROUP BY n.id
        ), written AS (
            UPDATE enrolments n SET completed_count = c.done,
                completed_at = CASE WHEN c.done = c.total THEN coalesce(n.completed_at, :now) ELSE n.completed_at END
            FROM counted c WHERE c.id = n.id
            RETURNING n.course_id, c.done = c.total AND NOT c.was_done AS just_done
        )
        SELECT course_id FROM written WHERE just_done ORDER BY course_id
        """,
        user_id=user_id,
        now=now,
    )
    return [row.course_id for row in rows]


async def copy_days(gone_id: int, kept_id: int) -> None:
    await db.run(
        """
        INSERT INTO learner_days (on_date, user_id) SELECT on_date, :kept FROM learner_days WHERE user_id = :gone
        ON CONFLICT DO NOTHING
        """,
        gone=gone_id,
        kept=kept_id,
    )


async def drop_days(user_id: int) -> None:
    await db.run("DELETE FROM learner_days WHERE user_id = :id", id=user_id)
