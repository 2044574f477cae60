"""All SQL of the catalogue, one statement a function."""

from datetime import datetime

from app.catalogue.models import PAGE_SIZE, CourseCard, CoursePage, Offer, Search
from app.core import db

_OFFERED = """
    p.id AS product_id, p.title, p.kind, c.id AS course_id, c.slug AS course_slug, c.plate, c.plate_ground,
    r.amount_minor, r.currency, p.is_active, c.state = 'published' AS is_published
"""
_OFFER = f"""
    SELECT p.slug, {_OFFERED}
    FROM products p
    JOIN courses c ON c.id = p.course_id
    JOIN prices r ON r.product_id = p.id AND r.replaced_at IS NULL
"""  # noqa: S608 (a constant)

_CARD = """
    SELECT c.id, c.slug, c.title, c.promise, c.summary, c.level, t.name AS topic_name, c.lesson_count,
           c.duration_seconds, c.preview_count, c.plate, c.plate_ground, r.amount_minor, r.currency,
           count(*) OVER () AS total
    FROM courses c
    LEFT JOIN topics t ON t.id = c.topic_id
    LEFT JOIN products p ON p.course_id = c.id AND p.is_active
    LEFT JOIN prices r ON r.product_id = p.id AND r.replaced_at IS NULL
"""

# Words of title, promise and summary by full text; a part of a title, or of a lesson's, as it is typed.
_MATCHES = """
    (:q = '' OR c.search @@ websearch_to_tsquery('english', :q) OR position(lower(:q) IN lower(c.title)) > 0
     OR EXISTS (SELECT 1 FROM lessons l WHERE l.course_id = c.id AND l.state = 'published'
                AND position(lower(:q) IN lower(l.title)) > 0))
"""

_ORDERS = {
    "suggested": "c.position, c.id",
    "newest": "c.published_at DESC, c.id DESC",
    "price": "r.amount_minor NULLS LAST, c.position, c.id",
    "length": "c.duration_seconds, c.id",
    "title": "lower(c.title), c.id",
}


async def offer(slug: str) -> Offer | None:
    return await db.one(Offer, _OFFER + " WHERE p.slug = :slug", slug=slug)


async def offers_named(slugs: list[str]) -> list[Offer]:
    """Under the names that were asked for: what has such a name now, else what had it before."""
    return await db.many(
        Offer,
        f"""
        SELECT DISTINCT ON (asked.slug) asked.slug, {_OFFERED}
        FROM unnest(CAST(:slugs AS text[])) asked (slug)
        JOIN products p ON p.slug = asked.slug OR asked.slug = ANY(p.former_slugs)
        JOIN courses c ON c.id = p.course_id
        JOIN prices r ON r.product_id = p.id AND r.replaced_at IS NULL
        ORDER BY asked.slug, p.slug = asked.slug DESC, p.id DESC
        """,  # noqa: S608 (a constant)
        slugs=slugs,
    )


async def offers(product_ids: list[int]) -> list[Offer]:
    return await db.many(Offer, _OFFER + " WHERE p.id = ANY(:ids) ORDER BY p.id", ids=product_ids)


async def offer_of_course(course_id: int) -> Offer | None:
    return await db.one(Offer, _OFFER + " WHERE p.course_id = :course_id", course_id=course_id)


async def search_courses(search: Search) -> list[CourseCard]:
    return await db.many(
        CourseCard,
        f"""
        {_CARD}
        WHERE c.state = 'published' AND {_MATCHES}
          AND (CAST(:levels AS text[]) = '{{}}' OR c.level = ANY(:levels))
          AND (CAST(:topics AS text[]) = '{{}}' OR t.slug = ANY(:topics))
          AND (NOT :preview OR c.preview_count > 0)
        ORDER BY {_ORDERS[search.sort]}
        LIMIT :size OFFSET :skip
        """,
        q=search.q,
        levels=list(search.levels),
        topics=list(search.topics),
        preview=search.preview,
        size=PAGE_SIZE,
        skip=(search.page - 1) * PAGE_SIZE,
    )


async def facets(q: str) -> list[db.Row]:
    """How many published courses match the words, for each level, topic and whether a lesson is free."""
    return await db.many(
        db.Row,
        f"""
        SELECT c.level, t.slug AS topic, t.name AS topic_name, t.position, c.preview_count > 0 AS is_preview, count(*) AS count
        FROM courses c LEFT JOIN topics t ON t.id = c.topic_id
        WHERE c.state = 'published' AND {_MATCHES}
        GROUP BY c.level, t.slug, t.name, t.position, c.preview_count > 0
        ORDER BY t.position, t.name
        """,  # noqa: S608 (the fragments are constants)
        q=q,
    )


async def first_courses(count: int) -> list[CourseCard]:
    return await db.many(CourseCard, _CARD + " WHERE c.state = 'published' ORDER BY c.position, c.id LIMIT :n", n=count)


async def courses_of(instructor_id: int) -> list[CourseCard]:
    """The published courses that somebody teaches."""
    return await db.many(
        CourseCard,
        _CARD + " WHERE c.state = 'published' AND c.instructor_id = :id ORDER BY c.position, c.id LIMIT 50",
        id=instructor_id,
    )


async def course_page(slug: str) -> CoursePage | None:
    return await db.one(
        CoursePage,
        """
        SELECT c.id, c.public_id, c.slug, c.title, c.promise, c.summary, c.level, c.language, c.outcomes, c.audience,
               c.not_for, c.included, c.faq, c.plate, c.plate_ground, c.lesson_count, c.duration_seconds,
               c.preview_count, c.updated_at, t.slug AS topic_slug, t.name AS topic_name, c.instructor_id,
               u.name AS instructor_name, u.headline AS instructor_headline, p.id AS product_id,
               p.slug AS product_slug, p.is_active, r.amount_minor, r.currency
        FROM courses c
        LEFT JOIN topics t ON t.id = c.topic_id
        LEFT JOIN users u ON u.id = c.instructor_id
        LEFT JOIN products p ON p.course_id = c.id
        LEFT JOIN prices r ON r.product_id = p.id AND r.replaced_at IS NULL
        WHERE c.slug = :slug AND c.state = 'published'
        """,
        slug=slug,
    )


async def teachers() -> list[db.Row]:
    """Those who teach a published course, in the order of their first one."""
    return await db.many(
        db.Row,
        """
        SELECT u.id, u.name, u.headline, u.biography, min(c.position) AS first
        FROM users u JOIN courses c ON c.instructor_id = u.id AND c.state = 'published'
        GROUP BY u.id, u.name, u.headline, u.biography ORDER BY first, u.id
        """,
    )


async def free_lesson(course_slug: str, lesson_slug: str) -> db.Row | None:
    """The line under an excerpt: a free lesson of a published course."""
    return await db.one(
        db.Row,
        """
        SELECT l.title, l.kind, l.duration_seconds, c.title AS course_title, u.name AS instructor_name
        FROM lessons l JOIN courses c ON c.id = l.course_id LEFT JOIN users u ON u.id = c.instructor_id
        WHERE c.slug = :course AND l.slug = :lesson AND c.state = 'published' AND l.state = 'published' AND l.is_preview
        """,
        course=course_slug,
        lesson=lesson_slug,
    )


async def first_free_lesson() -> db.Row | None:
    return await db.one(
        db.Row,
        """
        SELECT c.slug AS course_slug, l.slug AS lesson_slug, l.kind
        FROM lessons l JOIN courses c ON c.id = l.course_id JOIN sections s ON s.id = l.section_id
        WHERE c.state = 'published' AND l.state = 'published' AND l.is_preview
        ORDER BY c.position, c.id, s.position, l.position LIMIT 1
        """,
    )


async def lock_course(course_id: int) -> None:
    """Keep the course from others until the transaction ends: one at a time gives it a price, and with the first a product."""
    await db.run("SELECT 1 FROM courses WHERE id = :id FOR NO KEY UPDATE", id=course_id)


async def insert_course_product(*, public_id: str, course_id: int, now: datetime) -> int:
    """The product of a course, made when missing and called like the course; its id."""
    found: int = await db.value(
        """
        INSERT INTO products (public_id, slug, kind, title, course_id, created_at, updated_at)
        SELECT :public_id, c.slug, 'course', c.title, c.id, :now, :now FROM courses c WHERE c.id = :course_id
        ON CONFLICT (course_id) DO UPDATE SET updated_at = excluded.updated_at
        RETURNING id
        """,
        public_id=public_id,
        course_id=course_id,
        now=now,
    )
    return found


async def make_way(course_id: int, now: datetime) -> int | None:
    """Free the slug of a course from a product that has it still, although its own course has another by now; whose it is.

    Courses may exchange their slugs before either product has followed, so it cannot always have its right one at once. One
    at a time, until the transaction ends: of two that make way for each other, each would wait for the other.
    """
    await db.run("SELECT pg_advisory_xact_lock(hashtext('catalogue.slug'), 0)")
    found: int | None = await db.value(
        """
        UPDATE products p SET slug = p.public_id, updated_at = :now,
               former_slugs = array_append(array_remove(p.former_slugs, p.slug), p.slug)
        FROM courses c WHERE c.id = :course_id AND p.slug = c.slug AND p.course_id <> c.id
        RETURNING p.course_id
        """,
        course_id=course_id,
        now=now,
    )
    return found


async def follow_course(course_id: int, now: datetime) -> int:
    """Let the product carry its course's title and slug; how many rows changed."""
    return await db.run(
        """
        UPDATE products p SET title = c.title, slug = c.slug, updated_at = :now,
               former_slugs = CASE WHEN p.slug IN (c.slug, p.public_id) THEN p.former_slugs
                                   ELSE array_append(array_remove(p.former_slugs, p.slug), p.slug) END
        FROM courses c WHERE c.id = :course_id AND p.course_id = c.id AND (p.title, p.slug) <> (c.title, c.slug)
        """,
        course_id=course_id,
        now=now,
    )


async def replace_price(product_id: int, *, amount_minor: int, currency: str, now: datetime) -> bool:
    """End the current price and begin another; False when it is the same already."""
    same = await db.value(
        """
        SELECT amount_minor = :amount AND currency = :currency FROM prices
        WHERE product_id = :id AND replaced_at IS NULL FOR UPDATE
        """,
        id=product_id,
        amount=amount_minor,
        currency=currency,
    )
    if same:
        return False
    await db.run(
        "UPDATE prices SET replaced_at = :now WHERE product_id = :id AND replaced_at IS NULL", id=product_id, now=now
    )
    await db.run(
        "INSERT INTO prices (product_id, currency, amount_minor, created_at) VALUES (:id, :currency, :amount, :now)",
        id=product_id,
        currency=currency,
        amount=amount_minor,
        now=now,
    )
    return True


async def set_active(course_id: int, active: bool, now: datetime) -> int:
    return await db.run(
        "UPDATE products SET is_active = :active, updated_at = :now WHERE course_id = :course_id AND is_active <> :active",
        course_id=course_id,
        active=active,
        now=now,
    )


async def price_history(course_id: int) -> list[db.Row]:
    return await db.many(
        db.Row,
        """
        SELECT r.amount_minor, r.currency, r.created_at, r.replaced_at
        FROM prices r JOIN products p ON p.id = r.product_id
        WHERE p.course_id = :course_id ORDER BY r.id DESC LIMIT 50
        """,
        course_id=course_id,
    )
