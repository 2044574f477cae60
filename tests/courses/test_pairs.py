"""Two authors at once on one course: every pair of verbs."""

from dataclasses import asdict, dataclass
from functools import partial
from typing import Any

import pytest

from app import Lectern
from app.catalogue import products
from app.commerce import carts
from app.commerce.carts import Whose
from app.core import db
from app.core.errors import Stale
from app.courses import courses, files, lessons, sections
from app.courses.models import Course, CourseDetails, LessonDetails
from tests.cast import Cast
from tests.meeting import Meeting
from tests.pairs import every_pair, together
from tests.school import a_course


@dataclass
class Place:
    """A published course of two sections with two lessons each, and a member who may want it."""

    course: Course
    ann: int
    sections: list[str]
    lessons: list[Any]


async def publish(at: Place) -> Any:
    return await courses.publish(at.course.id, by=None)


async def unpublish(at: Place) -> Any:
    return await courses.unpublish(at.course.id, by=None)


async def archive(at: Place) -> Any:
    return await courses.archive(at.course.id, by=None)


async def restore(at: Place) -> Any:
    return await courses.restore(at.course.id, by=None)


async def edit(at: Place) -> Any:
    details = {name: getattr(at.course, name) for name in asdict(CourseDetails(title=""))}
    return await courses.edit(
        at.course.id, CourseDetails(**{**details, "title": "Another"}), revision=at.course.revision, by=None
    )


async def set_price(at: Place) -> Any:
    return await products.set_price(at.course.id, 19900, "EUR")


async def set_other_price(at: Place) -> Any:
    return await products.set_price(at.course.id, 9900, "EUR")


async def stop_selling(at: Place) -> Any:
    return await products.stop_selling(at.course.id)


async def buy(at: Place) -> Any:
    return await carts.add(Whose(user_id=at.ann), at.course.slug)


async def add_section(at: Place) -> Any:
    return await sections.create(at.course.id, "More", by=None)


async def rename_section(at: Place) -> Any:
    return await sections.rename(at.sections[0], "Renamed", by=None)


async def move_section(at: Place) -> Any:
    return await sections.move(at.sections[0], 1, by=None)


async def order_sections(at: Place) -> Any:
    return await sections.arrange(at.course.id, at.sections[::-1], by=None)


async def remove_section(at: Place) -> Any:
    return await sections.remove(at.sections[0], confirmation="What a bar is", by=None)


async def add_lesson(at: Place) -> Any:
    return await lessons.create(at.sections[0], "New", kind="text", by=None)


async def edit_lesson(at: Place) -> Any:
    first = at.lessons[0]
    details = LessonDetails(title=first.title, body_markdown="Other words", state="published")
    return await lessons.edit(first.id, details, revision=first.revision, by=None)


async def move_lesson(at: Place) -> Any:
    return await lessons.move(at.lessons[0].id, 1, by=None)


async def order_lessons(at: Place) -> Any:
    return await lessons.arrange(at.sections[0], [at.lessons[1].public_id, at.lessons[0].public_id], by=None)


async def withdraw_lesson(at: Place) -> Any:
    return await lessons.set_state(at.lessons[0].id, "draft", by=None)


async def publish_film(at: Place) -> Any:
    return await lessons.set_state(at.lessons[1].id, "published", by=None)


async def take_film_away(at: Place) -> Any:
    return await files.attach(at.lessons[1].id, "video", None, by=None)


async def remove_lesson(at: Place) -> Any:
    return await lessons.remove(at.lessons[0].id, confirmation=at.lessons[0].title, by=None)


VERBS = {
    verb.__name__: verb
    for verb in (
        publish,
        unpublish,
        archive,
        restore,
        edit,
        set_price,
        set_other_price,
        stop_selling,
        buy,
        add_section,
        rename_section,
        move_section,
        order_sections,
        remove_section,
        add_lesson,
        edit_lesson,
        move_lesson,
        order_lessons,
        withdraw_lesson,
        publish_film,
        take_film_away,
        remove_lesson,
    )
}


async def a_place(cast: Cast) -> Place:
    ines, ann = await cast.ines(), await cast.ann()
    made = await a_course(lessons=2, previews=0, instructor_id=ines.id)
    await db.run(
        """
        WITH film AS (
            INSERT INTO uploads (public_id, kind, storage_key, file_name, content_type, size_bytes, checksum, created_at)
            VALUES ('film', 'video', 'film', 'a.webm', 'video/webm', 1, 'x', now()) RETURNING id
        )
        UPDATE lessons SET kind = 'video', state = 'draft', video_id = film.id FROM film WHERE lessons.id = :id
        """,
        id=made.lesson_ids[1],
    )
    levels = await sections.create(made.id, "Levels", by=None)
    last = await lessons.create(levels, "Where stops gather", kind="text", by=None)
    await db.run("UPDATE lessons SET body_markdown = 'Words' WHERE id = :id", id=last.id)
    await lessons.set_state(last.id, "published", by=None)
    course = await courses.find(made.id)
    assert course is not None
    found = await db.many(db.Row, "SELECT public_id FROM sections ORDER BY position")
    rows = await db.many(db.Row, "SELECT id, public_id, title, revision FROM lessons ORDER BY section_id, position")
    return Place(course, ann.id, [row.public_id for row in found], rows)


async def course_is_sound(course_id: int) -> None:
    """What holds of a course whatever two authors did to it."""
    course = await courses.find(course_id)
    assert course is not None
    counted = await db.value("SELECT count(*) FROM lessons WHERE course_id = :id AND state = 'published'", id=course_id)
    if course.state != "archived":
        assert course.lesson_count == counted
    assert course.state != "published" or counted > 0
    places = await db.many(
        db.Row, "SELECT position FROM sections WHERE course_id = :id ORDER BY position", id=course_id
    )
    assert [row.position for row in places] == list(range(1, len(places) + 1))
    for row in await db.many(
        db.Row,
        "SELECT array_agg(position ORDER BY position) AS found FROM lessons WHERE course_id = :id GROUP BY section_id",
        id=course_id,
    ):
        assert row.found == list(range(1, len(row.found) + 1))
    assert await db.value("SELECT count(*) FROM prices WHERE replaced_at IS NULL") == 1
    # A published film is there to be seen.
    assert not await db.value(
        "SELECT count(*) FROM lessons WHERE kind = 'video' AND state = 'published' AND video_id IS NULL"
    )


@every_pair(VERBS)
async def test_two_authors_act_on_one_course(app: Lectern, cast: Cast, one: str, other: str) -> None:
    at = await a_place(cast)
    outcomes = await together(*(partial(VERBS[name], at) for name in (one, other)))
    await course_is_sound(at.course.id)
    if one == other in ("edit", "edit_lesson"):
        assert [type(outcome) for outcome in outcomes].count(Stale) == 1, "one of two savers is told"
    if one == other in ("remove_lesson", "remove_section"):
        action = "lesson.remove" if one == "remove_lesson" else "section.remove"
        assert await db.value("SELECT count(*) FROM audit_log WHERE action = :action", action=action) == 1


async def test_without_the_lock_pairs_of_verbs_would_break_a_course(
    app: Lectern, cast: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The negative control: look without holding, and one of two savers is overwritten unseen."""
    from app.courses import rights

    at = await a_place(cast)

    async def unlocked(course_id: int) -> Course | None:
        return await courses.find(course_id)

    changed, both = lessons.queries.update_lesson, Meeting(2)

    async def slow(*arguments: Any) -> None:
        await both.wait()
        await changed(*arguments)

    monkeypatch.setattr(rights.queries, "lock_course", unlocked)
    monkeypatch.setattr(lessons.queries, "update_lesson", slow)
    outcomes = await together(partial(edit_lesson, at), partial(edit_lesson, at))
    assert Stale not in [type(outcome) for outcome in outcomes]
