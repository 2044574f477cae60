"""Courses for tests, written straight into the tables: `await a_course()` is published, priced and has lessons."""

from dataclasses import dataclass

from app.core import clock, db
from app.core.ids import public_id


@dataclass(frozen=True, slots=True)
class MadeCourse:
    """What a test needs to know of a course it made."""

    id: int
    public_id: str
    slug: str
    product_id: int | None
    lesson_ids: list[int]


async def a_course(
    slug: str = "reading-price",
    title: str = "Reading Price",
    *,
    price: int | None = 24900,
    currency: str = "EUR",
    lessons: int = 3,
    previews: int = 1,
    state: str = "published",
    level: str = "beginner",
    topic: str | None = None,
    instructor_id: int | None = None,
    position: int = 0,
) -> MadeCourse:
    """A course with `lessons` text lessons in one section, the first `previews` of them free; no price: no product."""
    now = clock.now()
    course_public_id = public_id()
    topic_id = None
    if topic is not None:
        topic_id = await db.value(
            "INSERT INTO topics (slug, name) VALUES (:slug, :name)"
            " ON CONFLICT (slug) DO UPDATE SET name = excluded.name RETURNING id",
            slug=topic,
            name=topic.replace("-", " ").capitalize(),
        )
    course_id = await db.value(
        """
        INSERT INTO courses (public_id, slug, title, promise, summary, level, topic_id, instructor_id, state, position,
                             lesson_count, duration_seconds, preview_count, published_at, created_at, updated_at)
        VALUES (:public_id, :slug, :title, 'You can describe any chart.', 'Bars, levels and failed moves.', :level,
                :topic_id, :instructor_id, :state, :position, :lessons, :seconds, :previews, :now, :now, :now)
        RETURNING id
        """,
        public_id=course_public_id,
        slug=slug,
        title=title,
        level=level,
        topic_id=topic_id,
        instructor_id=instructor_id,
        state=state,
        position=position,
        lessons=lessons,
        seconds=lessons * 300,
        previews=previews,
        now=now,
    )
    section_id = await db.value(
        "INSERT INTO sections (public_id, course_id, title, position) VALUES (:p, :c, 'What a bar is', 1) RETURNING id",
        p=public_id(),
        c=course_id,
    )
    lesson_ids = [
        await _lesson(course_id, section_id, number, is_preview=number <= previews) for number in range(1, lessons + 1)
    ]
    product_id = await _product(course_id, slug, title, price, currency) if price is not None else None
    return MadeCourse(course_id, course_public_id, slug, product_id, lesson_ids)


async def _lesson(course_id: int, section_id: int, number: int, *, is_preview: bool) -> int:
    lesson_id: int = await db.value(
        """
        INSERT INTO lessons (public_id, course_id, section_id, slug, title, kind, body_markdown, body_html,
                             duration_seconds, is_preview, state, position, created_at, updated_at)
        VALUES (:public_id, :course_id, :section_id, :slug, :title, 'text', 'Words.', '<p>Words of the lesson.</p>',
                300, :is_preview, 'published', :number, :now, :now)
        RETURNING id
        """,
        public_id=public_id(),
        course_id=course_id,
        section_id=section_id,
        slug=f"lesson-{number}",
        title=f"Lesson number {number}",
        is_preview=is_preview,
        number=number,
        now=clock.now(),
    )
    return lesson_id


async def _product(course_id: int, slug: str, title: str, price: int, currency: str) -> int:
    product_id: int = await db.value(
        """
        INSERT INTO products (public_id, slug, kind, title, course_id, created_at, updated_at)
        VALUES (:public_id, :slug, 'course', :title, :course_id, :now, :now) RETURNING id
        """,
        public_id=public_id(),
        slug=slug,
        title=title,
        course_id=course_id,
        now=clock.now(),
    )
    await db.run(
        "INSERT INTO prices (product_id, currency, amount_minor, created_at) VALUES (:p, :c, :a, :now)",
        p=product_id,
        c=currency,
        a=price,
        now=clock.now(),
    )
    return product_id
