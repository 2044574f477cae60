import asyncio

import pytest

from app.core import db, queue
from app.core.errors import Conflict, Invalid
from app.courses import courses, lessons, outlines, sections
from app.media import uploads
from tests.cast import Cast
from tests.courses.making import a_course, a_filled_course, a_film, a_lesson


async def titles(course_id: int) -> list[str]:
    outline = await outlines.of(course_id, published_only=False)
    assert [section.position for section in outline.sections] == list(range(1, len(outline.sections) + 1))
    return [section.title for section in outline.sections]


async def three(cast: Cast) -> tuple[int, list[str]]:
    course = await a_course()
    return course.id, [await sections.create(course.id, title, by=None) for title in ("A", "B", "C")]


async def test_sections_are_added_renamed_and_moved(cast: Cast) -> None:
    course_id, (a, _b, c) = await three(cast)
    await sections.rename(a, "Alpha", by=None)
    await sections.move(c, -1, by=None)
    assert await titles(course_id) == ["Alpha", "C", "B"]
    await sections.move(a, -1, by=None)  # it is the first already
    await sections.move(a, 1, by=None)
    assert await titles(course_id) == ["C", "Alpha", "B"]
    for title in ("", "x" * 151):
        with pytest.raises(Invalid):
            await sections.rename(a, title, by=None)


async def test_an_order_that_is_not_all_of_them_is_refused(cast: Cast) -> None:
    course_id, (a, b, c) = await three(cast)
    for wrong in ([a, b], [a, b, c, "x"], [a, a, b], [a, b, "x"], []):
        with pytest.raises(Conflict):
            await sections.arrange(course_id, wrong, by=None)
    await sections.arrange(course_id, [c, a, b], by=None)
    assert await titles(course_id) == ["C", "A", "B"]


async def test_two_who_put_sections_in_order_at_once_leave_one_of_the_orders(cast: Cast) -> None:
    course_id, (a, b, c) = await three(cast)
    await asyncio.gather(
        *(sections.arrange(course_id, order, by=None) for order in ([c, b, a], [b, a, c], [a, c, b], [c, a, b]))
    )
    assert await titles(course_id) in (["C", "B", "A"], ["B", "A", "C"], ["A", "C", "B"], ["C", "A", "B"])


async def test_somebody_adds_a_section_while_another_puts_them_in_order(cast: Cast) -> None:
    course_id, (a, b, c) = await three(cast)
    results = await asyncio.gather(
        sections.create(course_id, "D", by=None),
        sections.arrange(course_id, [c, b, a], by=None),
        return_exceptions=True,
    )
    assert results[1] is None or isinstance(results[1], Conflict)
    assert sorted(await titles(course_id)) == ["A", "B", "C", "D"]


async def test_an_empty_section_goes_at_once_and_comes_back_in_its_place(cast: Cast) -> None:
    course_id, (_a, b, _c) = await three(cast)
    removed = await sections.remove(b, by=None)
    assert removed is not None
    assert await titles(course_id) == ["A", "C"]
    await sections.restore(removed, by=None)
    await sections.restore(removed, by=None)
    assert await titles(course_id) == ["A", "B", "C"]
    assert await sections.remove(b, by=None) == removed


async def test_a_section_with_lessons_asks_for_its_title(cast: Cast) -> None:
    course = await a_filled_course((await cast.ines()).id)
    first = (await outlines.of(course.id)).sections[0]
    for wrong in ("", "what a bar is", "What a bar"):
        with pytest.raises(Invalid) as refusal:
            await sections.remove(first.public_id, confirmation=wrong, by=None)
        assert refusal.value.field == "confirmation"
    assert await sections.remove(first.public_id, confirmation="What a bar is ", by=None) is None
    assert await titles(course.id) == ["Levels"]
    found = await courses.find(course.id)
    assert found is not None
    assert found.lesson_count == 2
    # The film of the lesson that went with it is gone too.
    await queue.drain()
    assert await db.value("SELECT count(*) FROM uploads") == 0


async def test_a_film_that_another_lesson_still_has_is_kept(cast: Cast) -> None:
    course = await a_course()
    section = await sections.create(course.id, "A", by=None)
    lesson = await a_lesson(section, "One", kind="video")
    film = await a_film()
    from app.courses import files

    other = await lessons.create(section, "Two", kind="video", by=None)
    for each in (lesson, other):
        await files.attach(each.id, "video", film, by=None)
    await lessons.remove(lesson.id, confirmation="One", by=None)
    await queue.drain(ignore_delays=True)
    assert await uploads.find(film.id) is not None
    assert await db.value("SELECT count(*) FROM uploads") == 1
