"""All SQL of access, one statement a function."""

from datetime import datetime

from app.access.models import Entitlement
from app.core import db

_ENTITLEMENT = """
    SELECT e.id, e.public_id, e.user_id, e.product_id, p.title AS product_title, p.course_id, c.slug AS course_slug,
           e.source, e.source_ref, e.note, g.name AS granted_by_name, e.starts_at, e.ends_at, e.closed_at,
           e.closed_reason, e.created_at
    FROM entitlements e
    JOIN products p ON p.id = e.product_id
    LEFT JOIN courses c ON c.id = p.course_id
    LEFT JOIN users g ON g.id = e.granted_by
"""

_OPEN = "e.closed_at IS NULL AND e.starts_at <= :now AND (e.ends_at IS NULL OR e.ends_at > :now)"

# `order:abc` and everything below it, `order:abc:7`, by the index in byte order (";" follows ":").
_BELOW = "(e.source_ref = :ref OR (e.source_ref ~>=~ (:ref || ':') AND e.source_ref ~<~ (:ref || ';')))"


async def insert(
    *,
    public_id: str,
    user_id: int,
    product_id: int,
    source: str,
    source_ref: str,
    note: str,
    granted_by: int | None,
    ends_at: datetime | None,
    now: datetime,
) -> db.Row | None:
    """The new row's id and its course; None when this cause has its row already."""
    return await db.one(
        db.Row,
        """
        WITH made AS (
            INSERT INTO entitlements (public_id, user_id, product_id, source, source_ref, note, granted_by, starts_at,
                                      ends_at, created_at)
            VALUES (:public_id, :user_id, :product_id, :source, :source_ref, :note, :granted_by, :now, :ends_at, :now)
            ON CONFLICT (source_ref) DO NOTHING
            RETURNING id, product_id
        )
        SELECT made.id, p.course_id FROM made JOIN products p ON p.id = made.product_id
        """,
        public_id=public_id,
        user_id=user_id,
        product_id=product_id,
        source=source,
        source_ref=source_ref,
        note=note,
        granted_by=granted_by,
        ends_at=ends_at,
        now=now,
    )


async def close(source_ref: str, *, reason: str, now: datetime) -> list[db.Row]:
    """Close the rows of this cause, or of all causes below it (`order:abc` closes `order:abc:7`)."""
    return await db.many(
        db.Row,
        f"""
        UPDATE entitlements e SET closed_at = :now, closed_reason = :reason
        FROM products p
        WHERE p.id = e.product_id AND e.closed_at IS NULL
          AND {_BELOW}
        RETURNING e.id, e.user_id, p.course_id
        """,  # noqa: S608 (a constant)
        ref=source_ref,
        reason=reason,
        now=now,
    )


async def reopen(source_ref: str, *, reason: str) -> list[db.Row]:
    """Open the rows of this cause, or below it, that were closed for this reason."""
    return await db.many(
        db.Row,
        f"""
        UPDATE entitlements e SET closed_at = NULL, closed_reason = NULL
        FROM products p
        WHERE p.id = e.product_id AND e.closed_reason = :reason
          AND {_BELOW}
        RETURNING e.id, e.user_id, e.product_id, p.course_id
        """,  # noqa: S608 (a constant)
        ref=source_ref,
        reason=reason,
    )


async def allows(user_id: int, course_id: int, now: datetime) -> bool:
    found: bool = await db.value(
        f"""
        SELECT EXISTS (SELECT 1 FROM entitlements e JOIN products p ON p.id = e.product_id
                       WHERE e.user_id = :user_id AND p.course_id = :course_id AND {_OPEN})
        """,  # noqa: S608 (a constant)
        user_id=user_id,
        course_id=course_id,
        now=now,
    )
    return found


async def admits(user_id: int, course_id: int, upload_id: int, now: datetime) -> bool:
    """A film that was replaced is no lesson's any more, and may be seen to its end. One that several lessons share is
    open while one of them is published.
    """
    found: bool = await db.value(
        f"""
        SELECT EXISTS (SELECT 1 FROM entitlements e JOIN products p ON p.id = e.product_id
                       JOIN courses c ON c.id = p.course_id AND c.state <> 'draft'
                       WHERE e.user_id = :user_id AND p.course_id = :course_id AND {_OPEN})
           AND coalesce((SELECT bool_or(l.state = 'published') FROM lessons l
                         WHERE (l.video_id = :upload_id OR l.captions_id = :upload_id OR l.poster_id = :upload_id)
                           AND l.course_id = :course_id), true)
        """,  # noqa: S608 (a constant)
        user_id=user_id,
        course_id=course_id,
        upload_id=upload_id,
        now=now,
    )
    return found


async def of_course(user_id: int, course_id: int) -> list[Entitlement]:
    return await db.many(
        Entitlement,
        _ENTITLEMENT + " WHERE e.user_id = :user_id AND p.course_id = :course_id ORDER BY e.id DESC",
        user_id=user_id,
        course_id=course_id,
    )


async def of_person(user_id: int) -> list[Entitlement]:
    return await db.many(Entitlement, _ENTITLEMENT + " WHERE e.user_id = :user_id ORDER BY e.id DESC", user_id=user_id)


async def of_ref(source_ref: str) -> list[Entitlement]:
    return await db.many(
        Entitlement,
        f"{_ENTITLEMENT} WHERE {_BELOW} ORDER BY e.id",
        ref=source_ref,
    )


async def of_person_by_public_id(user_id: int, public_id: str) -> Entitlement | None:
    return await db.one(
        Entitlement,
        _ENTITLEMENT + " WHERE e.user_id = :user_id AND e.public_id = :public_id",
        user_id=user_id,
        public_id=public_id,
    )


async def open_courses(user_id: int, now: datetime) -> list[int]:
    rows = await db.many(
        db.Row,
        f"""
        SELECT DISTINCT p.course_id FROM entitlements e JOIN products p ON p.id = e.product_id
        WHERE e.user_id = :user_id AND p.course_id IS NOT NULL AND {_OPEN} ORDER BY p.course_id
        """,  # noqa: S608 (a constant)
        user_id=user_id,
        now=now,
    )
    return [row.course_id for row in rows]


async def owned(user_id: int, product_ids: list[int], now: datetime) -> set[int]:
    rows = await db.many(
        db.Row,
        f"""
        SELECT DISTINCT e.product_id FROM entitlements e
        WHERE e.user_id = :user_id AND e.product_id = ANY(:ids) AND e.ends_at IS NULL AND {_OPEN}
        """,  # noqa: S608 (a constant)
        user_id=user_id,
        ids=product_ids,
        now=now,
    )
    return {row.product_id for row in rows}


async def holders(product_id: int, user_ids: list[int], now: datetime) -> set[int]:
    rows = await db.many(
        db.Row,
        f"""
        SELECT DISTINCT e.user_id FROM entitlements e
        WHERE e.user_id = ANY(CAST(:ids AS bigint[])) AND e.product_id = :product_id AND e.ends_at IS NULL AND {_OPEN}
        """,  # noqa: S608 (a constant)
        ids=user_ids,
        product_id=product_id,
        now=now,
    )
    return {row.user_id for row in rows}


async def products() -> list[db.Row]:
    """Everything that can be given to a person."""
    return await db.many(db.Row, "SELECT id, public_id, title, is_active FROM products ORDER BY lower(title), id")


async def move(gone_id: int, kept_id: int, now: datetime) -> list[db.Row]:
    """Give one person's causes to another. "Free, to her, this product" is the same cause under her new id, unless she
    has it already.
    """
    return await db.many(
        db.Row,
        f"""
        UPDATE entitlements e SET user_id = :kept, source_ref =
            CASE WHEN e.source_ref = concat('free:', CAST(:gone AS bigint), ':', e.product_id)
                  AND NOT EXISTS (SELECT 1 FROM entitlements x
                                  WHERE x.source_ref = concat('free:', CAST(:kept AS bigint), ':', e.product_id))
                 THEN concat('free:', CAST(:kept AS bigint), ':', e.product_id) ELSE e.source_ref END
        FROM products p
        WHERE p.id = e.product_id AND e.user_id = :gone
        RETURNING e.id, e.product_id, p.course_id, {_OPEN} AS is_open
        """,  # noqa: S608 (a constant)
        gone=gone_id,
        kept=kept_id,
        now=now,
    )


async def delete_of(user_id: int) -> int:
    return await db.run("DELETE FROM entitlements WHERE user_id = :user_id", user_id=user_id)
