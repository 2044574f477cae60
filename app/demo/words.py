"""Writing the demo school's words and films into the database: settings, staff, courses, prices."""

from datetime import datetime, timedelta
from pathlib import Path

from app.core import db, settings
from app.core.ids import public_id
from app.courses import prose
from app.demo.keys import TAX_PERCENT, Keys
from app.demo.school import DemoCourse, DemoLesson, DemoSchool, DemoVideo
from app.media import uploads

OWNER = "marta-lindqvist"


async def write_settings(school: DemoSchool) -> None:
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


async def store_films(school: DemoSchool) -> dict[str, tuple[int, int, int]]:
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


async def write_staff(school: DemoSchool, now: datetime) -> dict[str, int]:
    """The teachers (the first of them owns the school), somebody for the desk and somebody for questions."""
    people = [
        (t.slug, t.name, t.email, "owner" if t.slug == OWNER else "instructor", t.line, t.biography.strip())
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
    await _write_role(now - timedelta(days=200))
    return keys


async def _write_role(at: datetime) -> None:
    """A role of the school's own, for somebody who is to come."""
    await db.run(
        """
        INSERT INTO roles (key, name, description, capabilities, created_at, updated_at)
        VALUES ('bookkeeper', 'Bookkeeper', 'Sees orders, gives money back, changes nothing else.',
                CAST(:capabilities AS text[]), :at, :at)
        """,
        capabilities=["admin.enter", "dashboard.view", "orders.view", "orders.refund", "orders.export"],
        at=at,
    )


async def write_courses(
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
