import asyncio
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.core import db
from app.core.errors import Conflict, Invalid, NotFound, Stale
from app.courses import courses, lessons, outlines, sections
from app.courses.models import LessonDetails, LessonItem, Moved, arranged, stepped
from tests.cast import Cast
from tests.courses.making import a_course, a_filled_course, a_lesson


async def order(course_id: int) -> list[list[str]]:
    outline = await outlines.of(course_id, published_only=False)
    for section in outline.sections:
        assert [lesson.position for lesson in section.lessons] == list(range(1, len(section.lessons) + 1))
    return [[lesson.title for lesson in section.lessons] for section in outline.sections]


async def test_a_lesson_starts_as_a_draft_at_the_end(cast: Cast) -> None:
    course = await a_filled_course((await cast.ines()).id)
    section = (await outlines.of(course.id)).sections[0]
    lesson = await lessons.create(section.public_id, "Four numbers", kind="text", by=None)
    assert (lesson.slug, lesson.state, lesson.position) == ("four-numbers-2", "draft", 3)
    found = await courses.find(course.id)
    assert found is not None
    assert found.lesson_count == 4
    for title, kind in (("", "text"), ("X", "audio"), ("x" * 151, "text")):
        with pytest.raises(Invalid):
            await lessons.create(section.public_id, title, kind=kind, by=None)


async def test_what_is_written_is_kept_as_clean_html(cast: Cast) -> None:
    course = await a_course()
    section = await sections.create(course.id, "A", by=None)
    lesson = await lessons.create(section, "One", kind="text", by=None)
    details = LessonDetails(
        title="One!", slug="one", summary="S", body_markdown="# Hi\n\n<script>", is_preview=True, state="published"
    )
    after = await lessons.edit(lesson.id, details, revision=lesson.revision, by=None)
    assert after.body_html == "<h2>Hi</h2>\n<p>&lt;script&gt;</p>\n"
    assert (after.duration_seconds, after.is_preview, after.state, after.revision) == (60, True, "published", 2)
    found = await courses.find(course.id)
    assert found is not None
    assert (found.lesson_count, found.preview_count) == (1, 1)
    with pytest.raises(Stale):
        await lessons.edit(lesson.id, details, revision=1, by=None)


async def test_a_text_takes_the_time_to_read_it_unless_its_author_says_otherwise(cast: Cast) -> None:
    course = await a_course()
    section = await sections.create(course.id, "A", by=None)
    lesson = await lessons.create(section, "One", kind="text", by=None)
    for revision, (minutes, seconds) in enumerate(((None, 300), (60, 3600), (None, 300)), 1):
        details = LessonDetails(title="One", body_markdown="word " * 1000, minutes=minutes)
        assert (await lessons.edit(lesson.id, details, revision=revision, by=None)).duration_seconds == seconds


async def test_lessons_of_one_course_have_different_addresses(cast: Cast) -> None:
    course = await a_filled_course((await cast.ines()).id)
    first, second = (await outlines.of(course.id)).lessons[:2]
    for slug in (second.slug, "Bad Slug", "completion"):
        with pytest.raises(Invalid) as refusal:
            await lessons.edit(first.id, LessonDetails(title="X", slug=slug, body_markdown="x"), revision=2, by=None)
        assert refusal.value.field == "slug"
    other = await a_course("Other")
    section = await sections.create(other.id, "A", by=None)
    assert (await lessons.create(section, "Four numbers", kind="text", by=None)).slug == first.slug


async def test_nothing_is_published_with_nothing_to_show(cast: Cast) -> None:
    course = await a_course()
    section = await sections.create(course.id, "A", by=None)
    for kind, field in (("text", "body_markdown"), ("video", "state")):
        lesson = await lessons.create(section, kind, kind=kind, by=None)
        with pytest.raises(Invalid) as refusal:
            await lessons.set_state(lesson.id, "published", by=None)
        assert refusal.value.field == field
        with pytest.raises(Invalid):
            await lessons.edit(lesson.id, LessonDetails(title="X", state="published"), revision=1, by=None)
    assert await db.value("SELECT count(*) FROM lessons WHERE state = 'published'") == 0


async def test_publishing_a_lesson_twice_is_noted_once(cast: Cast) -> None:
    course = await a_course()
    lesson = await a_lesson(await sections.create(course.id, "A", by=None), "One", published=False)
    for _n in range(2):
        assert (await lessons.set_state(lesson.id, "published", by=None)).state == "published"
    assert await db.value("SELECT count(*) FROM audit_log WHERE action = 'lesson.publish'") == 1


async def test_lessons_move_by_steps_over_the_edges_of_sections(cast: Cast) -> None:
    course = await a_filled_course((await cast.ines()).id)
    four, ranges, level, stops = (await outlines.of(course.id)).lessons
    await lessons.move(four.id, 1, by=None)
    assert await order(course.id) == [[ranges.title, four.title], [level.title, stops.title]]
    await lessons.move(four.id, 1, by=None)
    assert await order(course.id) == [[ranges.title], [four.title, level.title, stops.title]]
    await lessons.move(ranges.id, -1, by=None)
    await lessons.move(ranges.id, 1, by=None)
    assert await order(course.id) == [[], [ranges.title, four.title, level.title, stops.title]]
    await lessons.move(ranges.id, -1, by=None)
    assert await order(course.id) == [[ranges.title], [four.title, level.title, stops.title]]


async def test_a_lesson_is_dragged_into_another_section(cast: Cast) -> None:
    course = await a_filled_course((await cast.ines()).id)
    outline = await outlines.of(course.id)
    four, ranges, level, stops = outline.lessons
    bars, levels = outline.sections
    await lessons.arrange(levels.public_id, [level.public_id, four.public_id, stops.public_id], by=None)
    assert await order(course.id) == [[ranges.title], [level.title, four.title, stops.title]]
    for wrong in ([level.public_id], [level.public_id, four.public_id, stops.public_id, "x"], [four.public_id] * 3):
        with pytest.raises(Conflict):
            await lessons.arrange(levels.public_id, wrong, by=None)
    with pytest.raises(NotFound):
        await lessons.arrange("nothing", [], by=None)
    await lessons.arrange(bars.public_id, [ranges.public_id], by=None)
    other = await a_filled_course((await cast.rob()).id, "Other")
    foreign = (await outlines.of(other.id)).lessons[0]
    with pytest.raises(Conflict):
        await lessons.arrange(bars.public_id, [ranges.public_id, foreign.public_id], by=None)


async def lessons_now(course_id: int, section_id: int) -> list[LessonItem]:
    whole = await outlines.of(course_id, published_only=False)
    return next(section.lessons for section in whole.sections if section.id == section_id)


async def test_many_who_move_lessons_at_once_never_tear_the_order(cast: Cast) -> None:
    course = await a_filled_course((await cast.ines()).id)
    outline = await outlines.of(course.id)
    chosen = random.Random(7)

    async def act(number: int) -> None:
        lesson = chosen.choice(outline.lessons)
        if number % 3:
            await lessons.move(lesson.id, chosen.choice((-1, 1)), by=None)
        else:
            section = chosen.choice(outline.sections)
            now = await lessons_now(course.id, section.id)
            mixed = [x.public_id for x in now if x.id != lesson.id] + [lesson.public_id]
            try:
                await lessons.arrange(section.public_id, mixed, by=None)
            except Conflict:
                return

    await asyncio.gather(*(act(number) for number in range(24)))
    assert sorted(title for section in await order(course.id) for title in section) == sorted(
        lesson.title for lesson in outline.lessons
    )


async def test_a_lesson_goes_once_its_title_is_typed(cast: Cast) -> None:
    course = await a_filled_course((await cast.ines()).id)
    four, ranges, *_rest = (await outlines.of(course.id)).lessons
    with pytest.raises(Invalid):
        await lessons.remove(four.id, confirmation="four numbers", by=None)
    await lessons.remove(four.id, confirmation="Four numbers", by=None)
    assert (await order(course.id))[0] == [ranges.title]
    with pytest.raises(NotFound):
        await lessons.remove(four.id, confirmation="Four numbers", by=None)


# --- pure rules ---


def flat(places: dict[int, list[int]]) -> list[int]:
    return [lesson for lessons in places.values() for lesson in lessons]


outlines_of_numbers = st.lists(st.integers(0, 5), min_size=1, max_size=5).map(
    lambda sizes: {
        100 + section: list(range(sum(sizes[:section]), sum(sizes[: section + 1]))) for section in range(len(sizes))
    }
)


@given(outlines_of_numbers, st.data())
def test_any_order_of_a_section_with_lessons_of_others_loses_and_doubles_none(
    before: dict[int, list[int]], data: st.DataObject
) -> None:
    target = data.draw(st.sampled_from(sorted(before)))
    others = [lesson for section, members in before.items() if section != target for lesson in members]
    taken = data.draw(st.lists(st.sampled_from(others), unique=True)) if others else []
    wanted = data.draw(st.permutations([*before[target], *taken]))
    after = arranged(before, target, wanted)
    assert after[target] == wanted
    assert list(after) == list(before)
    assert sorted(flat(after)) == sorted(flat(before))


@given(outlines_of_numbers, st.lists(st.integers(-1, 20), max_size=8), st.integers(99, 106))
def test_an_order_that_does_not_fit_is_refused_whole(
    before: dict[int, list[int]], wanted: list[int], target: int
) -> None:
    try:
        after = arranged(before, target, wanted)
    except Moved:
        return
    assert sorted(flat(after)) == sorted(flat(before))


@given(outlines_of_numbers, st.lists(st.tuples(st.integers(0, 20), st.sampled_from([-1, 1])), max_size=20))
def test_any_steps_keep_every_lesson(before: dict[int, list[int]], steps: list[tuple[int, int]]) -> None:
    after = before
    for lesson, step in steps:
        try:
            after = stepped(after, lesson, step)
        except Moved:
            assert not any(lesson in members for members in before.values())
    assert sorted(flat(after)) == sorted(flat(before))
    assert list(after) == list(before)


@given(outlines_of_numbers, st.data())
def test_a_step_up_takes_back_a_step_down(before: dict[int, list[int]], data: st.DataObject) -> None:
    if not flat(before):
        return
    lesson = data.draw(st.sampled_from(flat(before)))
    down = stepped(before, lesson, 1)
    if down != before:
        assert stepped(down, lesson, -1) == before
