"""Writing the demo school into an empty database: its words through SQL, its year of members through COPY."""

import json
import secrets
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path

from app.accounts import hashing
from app.config import Config
from app.core import clock, db, settings
from app.core.ids import public_id
from app.core.money import included_tax
from app.courses import prose
from app.demo.history import DemoHistory, Enrolment, Order, stream
from app.demo.school import DemoCourse, DemoLesson, DemoSchool, DemoVideo, load_school
from app.media import uploads

SEED = 2026
PASSWORD = "meridian"  # noqa: S105 (a demo on one's own machine; bin/run prints it)
TAX_PERCENT = Decimal(24)  # Estonia's rate since July 2025
OWNER = "marta-lindqvist"


@dataclass(slots=True)
class Keys:
    """The database's keys of what the history refers to by name."""

    members: dict[int, int]
    orders: dict[int, tuple[int, str, int]]
    items: dict[tuple[int, str], int]
    courses: dict[str, int]
    products: dict[str, int]
    lessons: dict[tuple[str, str], int]


async def run(config: Config, *, members: int) -> bool:
    """Fill an empty database; False (and nothing done) when it has people already.

    Writes the sign-ins to `demo.json` in the data folder last, so that a run that was killed is seen as unfinished.
    """
    async with db.hold():
        if await db.value("SELECT EXISTS (SELECT 1 FROM users WHERE role = 'member')"):
            return False
        school = load_school()
        now = clock.now().replace(microsecond=0)
        await _empty_half_done()
        await _write_settings(school, config)
        films = await _store_films(school)
        async with db.transaction():
            teachers = await _write_staff(school, now)
            keys = Keys({}, {}, {}, {}, {}, {})
            await _write_courses(school, teachers, films, keys, now)
        password_hash = await hashing.hashed(PASSWORD)
        async with db.transaction():
            await db.run("UPDATE users SET password_hash = :hash WHERE role <> 'member'", hash=password_hash)
            # Two a member, as a school of this age has; the last one is a checkout that is still open.
            for part in stream(SEED, school=school, until=now, members=members, chunk=20_000):
                await _write_history(part, keys, school)
            learner = await _choose_learner(password_hash, now)
        for table in (
            "users",
            "orders",
            "order_items",
            "entitlements",
            "enrolments",
            "lesson_progress",
            "learner_days",
        ):
            await db.script(f"ANALYZE {table}")
    _write_sign_ins(config.data_dir, school, learner)
    return True


async def _empty_half_done() -> None:
    """Take away what a killed seed left: the school's words without its members."""
    async with db.transaction():
        for table in ("prices", "products", "lessons", "sections", "courses", "topics", "uploads", "users"):
            await db.run(f"DELETE FROM {table}")  # noqa: S608 (names of our own)


async def _write_settings(school: DemoSchool, config: Config) -> None:
    titles = {course.slug: course.title for course in school.courses}
    numbers = {(c.slug, lesson.slug): n for c in school.courses for n, lesson in enumerate(c.lessons, 1)}
    await settings.save_school(
        name=school.name,
        strapline=school.sentence.rstrip("."),
        description=school.description,
        hue=school.hue,
        currency=school.currency,
        time_zone=school.time_zone,
        mail_sender=f"{school.mail_from_name} <{school.mail_from_address}>",
        tax_percent=str(TAX_PERCENT),
        legal_line=school.colophon.owner,
        disclaimer=school.colophon.notice,
        home_title=school.home.title,
        home_lead=school.home.lead,
        home_art=school.home.plate,
        home_art_label=school.home.plate_alternative,
        home_art_caption=school.home.plate_caption,
        home_key=[
            {
                "mark": key.mark,
                "text": key.text,
                "label": f"{titles[key.course]}, lesson {numbers[key.course, key.lesson]}",
                "path": f"/courses/{key.course}",
            }
            for key in school.home.plate_key
        ],
        home_excerpt=school.home.extract.text,
        home_excerpt_from=f"{school.home.extract.course}/{school.home.extract.lesson}",
        home_voices=[
            {"quote": voice.quote, "by": f"{voice.name}, {voice.place}. {titles[voice.course]}"}
            for voice in school.home.voices
        ],
    )


async def _store_films(school: DemoSchool) -> dict[str, tuple[int, int, int]]:
    """Put the films, their captions and posters into storage; their upload keys by the film's name."""
    found: dict[str, tuple[int, int, int]] = {}
    for course in school.courses:
        for lesson in course.lessons:
            if lesson.video is not None:
                found[lesson.video.slug] = (
                    await _store(lesson.video.file, "video"),
                    await _store(lesson.video.captions, "captions"),
                    await _store(lesson.video.poster, "image"),
                )
    return found


async def _store(path: Path, kind: str) -> int:
    with path.open("rb") as file:
        stored = await uploads.store(file, path.name, kind=kind, owner_id=None)
    return stored.id


async def _write_staff(school: DemoSchool, now: datetime) -> dict[str, int]:
    """The teachers (the first of them owns the school), somebody for the desk and somebody for questions."""
    people = [
        (t.slug, t.name, t.email, "owner" if t.slug == OWNER else "instructor", t.line, t.teaches)
        for t in school.teachers
    ]
    people.append(("admin", "Henrik Saar", "henrik@meridian.example", "admin", "Keeps the school running.", ""))
    people.append(("support", "Leila Haddad", "leila@meridian.example", "support", "Answers what students ask.", ""))
    keys: dict[str, int] = {}
    for slug, name, email, role, headline, biography in people:
        keys[slug] = await db.value(
            """
            INSERT INTO users (public_id, email, name, role, email_verified_at, headline, biography, created_at)
            VALUES (:public_id, :email, :name, :role, :joined, :headline, :biography, :joined) RETURNING id
            """,
            public_id=public_id(),
            email=email,
            name=name,
            role=role,
            headline=headline,
            biography=biography,
            joined=now - timedelta(days=560),
        )
    return keys


async def _write_courses(
    school: DemoSchool,
    teachers: dict[str, int],
    films: dict[str, tuple[int, int, int]],
    keys: Keys,
    now: datetime,
) -> None:
    topics = {
        slug: await db.value(
            "INSERT INTO topics (slug, name, position) VALUES (:slug, :name, :position) RETURNING id",
            slug=slug,
            name=name,
            position=position,
        )
        for position, (slug, name) in enumerate(school.topics.items(), 1)
    }
    for course in school.courses:
        course_id = await _write_course(course, topics[course.topics[0]], teachers[course.instructor], now)
        keys.courses[course.slug] = course_id
        for position, section in enumerate(course.sections, 1):
            section_id = await db.value(
                """
                INSERT INTO sections (public_id, course_id, title, position)
                VALUES (:public_id, :course_id, :title, :position) RETURNING id
                """,
                public_id=public_id(),
                course_id=course_id,
                title=section.title,
                position=position,
            )
            for place, lesson in enumerate(section.lessons, 1):
                film = films[lesson.video.slug] if lesson.video else (None, None, None)
                lesson_id = await _write_lesson(course_id, section_id, place, lesson, film, now)
                keys.lessons[course.slug, lesson.slug] = lesson_id
        keys.products[course.slug] = await _write_product(course, course_id, now)


async def _write_course(course: DemoCourse, topic_id: int, instructor_id: int, now: datetime) -> int:
    published_at = now - timedelta(days=course.age_days)
    course_id: int = await db.value(
        """
        INSERT INTO courses (public_id, slug, title, promise, summary, level, language, topic_id, instructor_id, state,
                             outcomes, audience, not_for, included, faq, plate_ground, position, lesson_count,
                             duration_seconds, preview_count, published_at, created_at, updated_at)
        VALUES (:public_id, :slug, :title, :promise, :summary, :level, :language, :topic_id, :instructor_id, 'published',
                :outcomes, :audience, :not_for, :included, CAST(:faq AS jsonb), :plate_ground, :position, :lesson_count,
                :duration_seconds, :preview_count, :published_at, :published_at, :published_at)
        RETURNING id
        """,
        public_id=public_id(),
        slug=course.slug,
        title=course.title,
        promise=course.promise,
        summary=course.subtitle,
        level=course.level,
        language=course.language,
        topic_id=topic_id,
        instructor_id=instructor_id,
        outcomes=list(course.outcomes),
        audience=list(course.for_you),
        not_for=list(course.not_for_you),
        included=list(course.included),
        faq=[{"question": item.question, "answer": item.answer} for item in course.faq],
        plate_ground=course.plate_ground,
        position=course.position,
        lesson_count=len(course.lessons),
        duration_seconds=course.seconds,
        preview_count=sum(lesson.free_preview for lesson in course.lessons),
        published_at=published_at,
    )
    return course_id


async def _write_lesson(
    course_id: int,
    section_id: int,
    position: int,
    lesson: DemoLesson,
    film: tuple[int | None, int | None, int | None],
    now: datetime,
) -> int:
    lesson_id: int = await db.value(
        """
        INSERT INTO lessons (public_id, course_id, section_id, slug, title, kind, body_markdown, body_html, video_id,
                             captions_id, poster_id, transcript, duration_seconds, is_preview, state, position,
                             created_at, updated_at)
        VALUES (:public_id, :course_id, :section_id, :slug, :title, :kind, :markdown, :html, :video_id, :captions_id,
                :poster_id, CAST(:transcript AS jsonb), :seconds, :is_preview, 'published', :position, :now, :now)
        RETURNING id
        """,
        public_id=public_id(),
        course_id=course_id,
        section_id=section_id,
        slug=lesson.slug,
        title=lesson.title,
        kind=lesson.kind,
        markdown=lesson.body,
        html=prose.render(lesson.body),
        video_id=film[0],
        captions_id=film[1],
        poster_id=film[2],
        transcript=_transcript(lesson.video),
        seconds=lesson.seconds,
        is_preview=lesson.free_preview,
        position=position,
        now=now,
    )
    return lesson_id


def _transcript(video: DemoVideo | None) -> list[dict[str, float | str]]:
    return [{"start": cue.start, "text": cue.text} for cue in video.transcript] if video else []


async def _write_product(course: DemoCourse, course_id: int, now: datetime) -> int:
    published_at = now - timedelta(days=course.age_days)
    product_id: int = await db.value(
        """
        INSERT INTO products (public_id, slug, kind, title, course_id, created_at, updated_at)
        VALUES (:public_id, :slug, 'course', :title, :course_id, :at, :at) RETURNING id
        """,
        public_id=public_id(),
        slug=course.slug,
        title=course.title,
        course_id=course_id,
        at=published_at,
    )
    await db.run(
        "INSERT INTO prices (product_id, currency, amount_minor, created_at) VALUES (:id, :currency, :amount, :at)",
        id=product_id,
        currency=course.currency,
        amount=course.price,
        at=published_at,
    )
    return product_id


async def _write_history(part: DemoHistory, keys: Keys, school: DemoSchool) -> None:
    """One part of the year, table after table; identities are taken from their sequences in one go."""
    member_ids = await _reserve("users", len(part.members))
    for member, user_id in zip(part.members, member_ids, strict=True):
        keys.members[member.number] = user_id
    seen = _last_seen(part.enrolments)
    await db.copy(
        "users",
        ["id", "public_id", "email", "name", "role", "email_verified_at", "country", "created_at", "last_seen_at"],
        [
            (
                keys.members[m.number],
                public_id(),
                m.email,
                m.name,
                "member",
                m.joined_at,
                m.country,
                m.joined_at,
                seen.get(m.number),
            )
            for m in part.members
        ],
    )
    await _write_orders(part, keys, school)
    await _write_access(part.enrolments, keys)
    await _write_learning(part.enrolments, keys)


async def _reserve(table: str, count: int) -> list[int]:
    """The next `count` identities of a table."""
    if not count:
        return []
    rows = await db.many(
        db.Row,
        "SELECT nextval(pg_get_serial_sequence(:table, 'id')) AS id FROM generate_series(1, :count)",
        table=table,
        count=count,
    )
    return [row.id for row in rows]


def _last_seen(enrolments: Iterable[Enrolment]) -> dict[int, datetime]:
    found: dict[int, datetime] = {}
    for enrolment in enrolments:
        at = enrolment.progress.last_seen_at
        if at is not None:
            found[enrolment.member] = max(at, found.get(enrolment.member, at))
    return found


async def _write_orders(part: DemoHistory, keys: Keys, school: DemoSchool) -> None:
    people = {member.number: member for member in part.members}
    missing = [order.member for order in part.orders if order.member not in people]
    buyers = {m: (people[m].email, people[m].name) for m in people}
    if missing:
        rows = await db.many(
            db.Row,
            "SELECT id, email, name FROM users WHERE id = ANY(:ids)",
            ids=[keys.members[number] for number in missing],
        )
        by_id = {row.id: (row.email, row.name) for row in rows}
        buyers.update({number: by_id[keys.members[number]] for number in missing})
    titles = {course.slug: course.title for course in school.courses}
    order_ids = await _reserve("orders", len(part.orders))
    numbers = await db.many(
        db.Row, "SELECT nextval('order_numbers') AS n FROM generate_series(1, :count)", count=len(part.orders)
    )
    item_ids = iter(await _reserve("order_items", sum(len(order.lines) for order in part.orders)))
    orders, items, events = [], [], []
    for order, order_id, number in zip(part.orders, order_ids, numbers, strict=True):
        order_public_id = public_id()
        keys.orders[order.number] = (order_id, order_public_id, number.n)
        taxes = [included_tax(line.price, TAX_PERCENT) for line in order.lines]
        orders.append(_order_row(order, order_id, order_public_id, number.n, keys, buyers[order.member], sum(taxes)))
        for line, tax in zip(order.lines, taxes, strict=True):
            item_id = next(item_ids)
            keys.items[order.number, line.course] = item_id
            items.append((item_id, order_id, keys.products[line.course], titles[line.course], line.price, tax))
        events += _order_events(order, order_id)
    await db.copy("orders", _ORDER_COLUMNS, orders)
    await db.copy("order_items", ["id", "order_id", "product_id", "title", "amount_minor", "tax_minor"], items)
    await db.copy("order_events", ["order_id", "kind", "detail", "created_at"], events)
    await db.copy(
        "refunds", _REFUND_COLUMNS, [_refund_row(order, keys) for order in part.orders if order.state == "refunded"]
    )


_ORDER_COLUMNS = [
    "id", "public_id", "number", "user_id", "email", "name", "state", "currency", "subtotal_minor", "tax_minor",
    "tax_percent", "tax_label", "total_minor", "refunded_minor", "quote_key", "payment_method", "failure",
    "created_at", "paid_at", "closed_at",
]  # fmt: skip
_REFUND_COLUMNS = [
    "public_id", "order_id", "amount_minor", "reason", "state", "stripe_refund_id", "created_at", "finished_at",
]  # fmt: skip


def _order_row(
    order: Order, order_id: int, order_public_id: str, number: int, keys: Keys, buyer: tuple[str, str], tax: int
) -> tuple[object, ...]:
    card = f"{order.card_brand} •••• {order.card_last4}" if order.card_brand else ""
    refunded = order.total if order.state == "refunded" else 0
    return (
        order_id, order_public_id, number, keys.members[order.member], *buyer, order.state, order.currency,
        order.total - tax, tax, TAX_PERCENT, "VAT", order.total, refunded, f"demo:{order_public_id}", card,
        order.failure or "", order.placed_at, order.paid_at, order.closed_at,
    )  # fmt: skip


def _order_events(order: Order, order_id: int) -> list[tuple[object, ...]]:
    found: list[tuple[object, ...]] = [(order_id, "placed", {}, order.placed_at)]
    if order.paid_at is not None:
        found.append((order_id, "paid", {"amount": order.total}, order.paid_at))
    if order.closed_at is not None and order.state in ("refunded", "failed", "expired"):
        found.append((order_id, order.state, {"amount": order.total}, order.closed_at))
    return found


def _refund_row(order: Order, keys: Keys) -> tuple[object, ...]:
    order_id, order_public_id, _number = keys.orders[order.number]
    return (
        public_id(), order_id, order.total, "Asked within 30 days", "succeeded", f"re_demo_{order_public_id}",
        order.closed_at, order.closed_at,
    )  # fmt: skip


async def _write_access(enrolments: list[Enrolment], keys: Keys) -> None:
    rows = []
    for e in enrolments:
        user_id, product_id = keys.members[e.member], keys.products[e.course]
        if e.order is None:
            source, ref, note = "free", f"free:{user_id}:{product_id}", ""
        else:
            _order_id, order_public_id, number = keys.orders[e.order]
            source, ref, note = "order", f"order:{order_public_id}:{keys.items[e.order, e.course]}", str(number)
        closed = "refunded" if e.ended_at else None
        rows.append(
            (public_id(), user_id, product_id, source, ref, note, e.enrolled_at, e.ended_at, closed, e.enrolled_at)
        )
    await db.copy(
        "entitlements",
        [
            "public_id",
            "user_id",
            "product_id",
            "source",
            "source_ref",
            "note",
            "starts_at",
            "closed_at",
            "closed_reason",
            "created_at",
        ],
        rows,
    )


async def _write_learning(enrolments: list[Enrolment], keys: Keys) -> None:
    enrolled: list[tuple[object, ...]] = []
    progress: list[tuple[object, ...]] = []
    days: set[tuple[object, int]] = set()
    for e in enrolments:
        user_id, course_id, study = keys.members[e.member], keys.courses[e.course], e.progress
        last = study.lesson or (study.completed[-1].lesson if study.completed else None)
        last_id = keys.lessons[e.course, last] if last else None
        enrolled.append(
            (user_id, course_id, e.enrolled_at, study.last_seen_at, last_id, study.finished_at, len(study.completed))
        )
        for done in study.completed:
            lesson_id = keys.lessons[e.course, done.lesson]
            progress.append((user_id, lesson_id, course_id, 0, done.completed_at, done.completed_at, done.completed_at))
            days.add((done.completed_at.date(), user_id))
        if study.lesson is not None and study.last_seen_at is not None:
            lesson_id = keys.lessons[e.course, study.lesson]
            progress.append(
                (user_id, lesson_id, course_id, study.position, study.last_seen_at, study.last_seen_at, None)
            )
            days.add((study.last_seen_at.date(), user_id))
    await db.copy(
        "enrolments",
        [
            "user_id",
            "course_id",
            "enrolled_at",
            "last_activity_at",
            "last_lesson_id",
            "completed_at",
            "completed_count",
        ],
        enrolled,
    )
    await db.copy(
        "lesson_progress",
        ["user_id", "lesson_id", "course_id", "position_seconds", "first_opened_at", "updated_at", "completed_at"],
        progress,
    )
    await _write_days(days)


async def _write_days(days: set[tuple[object, int]]) -> None:
    """Days with activity; a member may have been active on one in an earlier part too."""
    await db.run(
        """
        INSERT INTO learner_days (on_date, user_id)
        SELECT * FROM unnest(CAST(:dates AS date[]), CAST(:ids AS bigint[])) ON CONFLICT DO NOTHING
        """,
        dates=[day for day, _user in days],
        ids=[user for _day, user in days],
    )


async def _choose_learner(password_hash: str, now: datetime) -> db.Row:
    """A member in the middle of something, whom the demo signs in as."""
    learner = await db.one(
        db.Row,
        """
        UPDATE users SET password_hash = :hash, last_seen_at = :now
        WHERE id = (
            SELECT n.user_id FROM enrolments n
            JOIN courses c ON c.id = n.course_id
            JOIN entitlements e ON e.user_id = n.user_id AND e.closed_at IS NULL
            WHERE n.completed_count BETWEEN 1 AND c.lesson_count - 1
            GROUP BY n.user_id
            ORDER BY count(DISTINCT n.course_id) >= 2 DESC, max(n.last_activity_at) DESC LIMIT 1
        )
        RETURNING email, name
        """,
        hash=password_hash,
        now=now,
    )
    assert learner is not None
    return learner


def _write_sign_ins(folder: Path, school: DemoSchool, learner: db.Row) -> None:
    owner = next(teacher for teacher in school.teachers if teacher.slug == OWNER)
    other = next(teacher for teacher in school.teachers if teacher.slug != OWNER)
    people = {
        "owner": {"name": owner.name, "email": owner.email, "password": PASSWORD},
        "instructor": {"name": other.name, "email": other.email, "password": PASSWORD},
        "support": {"name": "Leila Haddad", "email": "leila@meridian.example", "password": PASSWORD},
        "member": {"name": learner.name, "email": learner.email, "password": PASSWORD},
    }
    folder.mkdir(parents=True, exist_ok=True)
    half = folder / f"demo.json.{secrets.token_hex(4)}"
    half.write_text(json.dumps(people, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    half.rename(folder / "demo.json")
