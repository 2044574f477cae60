import asyncio
from contextvars import Context
from datetime import datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.accounts import merging
from app.core import db
from app.core.errors import Conflict, Forbidden, Invalid, NotFound, Stale
from app.courses import courses, events, lessons, outlines, sections, topics
from app.courses.models import Course, CourseDetails, Topic, free_slug, is_slug, slug_of, slug_stem
from app.courses.queries import courses as queries
from tests.accounts.test_people import signed_in
from tests.cast import Cast, Person
from tests.courses.making import Somebody, a_course, a_filled_course, a_lesson
from tests.meeting import until_it_waits

AUTHOR = ("courses.edit", "courses.edit_any", "courses.publish")


def owner(person: Person) -> Somebody:
    return Somebody(person.id, *AUTHOR)


def details(course: object, **changes: object) -> CourseDetails:
    kept = {name: getattr(course, name) for name in CourseDetails.__dataclass_fields__}
    return CourseDetails(**{**kept, **changes})  # type: ignore[arg-type]


@pytest.fixture
def heard(monkeypatch: pytest.MonkeyPatch) -> list[object]:
    """The events published, in order."""
    found: list[object] = []
    publish = courses.events.publish

    async def listen(event: object) -> None:
        found.append(event)
        await publish(event)

    monkeypatch.setattr(courses.events, "publish", listen)
    return found


async def test_a_new_course_is_a_draft_taught_by_its_maker(cast: Cast, heard: list[object]) -> None:
    olga = await cast.olga()
    course = await courses.create(CourseDetails(title="Où sont les stops?"), by=owner(olga))
    assert (course.slug, course.state, course.instructor_name) == ("ou-sont-les-stops", "draft", "Olga Oster")
    assert heard == [events.CourseChanged(course.id)]
    assert await db.value("SELECT action FROM audit_log WHERE subject_id = :id", id=course.public_id) == "course.create"


async def test_two_courses_of_one_title_have_two_addresses(cast: Cast) -> None:
    assert [(await a_course()).slug for _n in range(3)] == ["reading-price", "reading-price-2", "reading-price-3"]


async def test_an_address_that_is_taken_or_odd_is_refused_beside_its_field(cast: Cast) -> None:
    await a_course()
    other = await a_course("Options")
    for slug in ("reading-price", "Reading", "a--b", "-a", "a/b", "new", "ü", "x" * 81, "../x"):
        with pytest.raises(Invalid) as refusal:
            await courses.edit(other.id, details(other, slug=slug), revision=other.revision, by=None)
        assert refusal.value.field == "slug"
    with pytest.raises(Invalid) as refusal:
        await courses.create(CourseDetails(title="X", slug="reading-price"), by=None)
    assert refusal.value.field == "slug"


async def test_a_new_topic_is_the_one_that_was_typed_whatever_its_letters(cast: Cast) -> None:
    names = ["C", "C++", "日本", "Физика"]
    keys = [await topics.ensure(name) for name in names]
    assert [topic.name for topic in await topics.all_topics()] == names
    assert [topic.slug for topic in await topics.all_topics()] == ["c", "c-2", "untitled-1", "untitled-1-2"]
    assert [await topics.ensure(name) for name in ("c", "c++", "日本", "физика")] == keys


async def test_two_courses_that_are_given_one_title_at_once_get_two_addresses(
    cast: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    look_up = queries.slugs_like

    async def overtaken(slug: str) -> set[str]:
        monkeypatch.setattr(queries, "slugs_like", look_up)
        found = await look_up(slug)
        await asyncio.create_task(a_course("Maps"), context=Context())
        return found

    monkeypatch.setattr(queries, "slugs_like", overtaken)
    assert (await a_course("Maps")).slug == "maps-2"


@pytest.mark.parametrize(("mine", "theirs", "names"), [("C++", "C", ["C", "C++"]), ("Maps", "maps", ["maps"])])
async def test_a_topic_that_somebody_makes_at_the_same_moment_is_not_taken_for_mine(
    cast: Cast, monkeypatch: pytest.MonkeyPatch, mine: str, theirs: str, names: list[str]
) -> None:
    look_up = queries.topics

    async def overtaken() -> list[Topic]:
        monkeypatch.setattr(queries, "topics", look_up)
        found = await look_up()
        await asyncio.create_task(topics.ensure(theirs), context=Context())
        return found

    monkeypatch.setattr(queries, "topics", overtaken)
    made = await topics.ensure(mine)
    assert [topic.name for topic in await topics.all_topics()] == names
    assert {topic.id: topic.name for topic in await topics.all_topics()}[made].lower() == mine.lower()


async def test_a_course_that_is_given_to_an_account_while_that_is_merged_goes_on_to_the_kept_one(
    cast: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    ines, kept, olga = await cast.ines(), await cast.sam(), await cast.olga()
    by, course = await signed_in(olga), await a_course()
    write = queries.update_details
    merges: list[asyncio.Task[Any]] = []

    async def overtaken(course_id: int, values: dict[str, Any], now: datetime) -> None:
        merge = merging.merge(ines.public_id, kept.public_id, by=by)
        merges.append(asyncio.create_task(merge, context=Context()))
        await until_it_waits(merges[0])
        await write(course_id, values, now)

    monkeypatch.setattr(queries, "update_details", overtaken)
    await courses.edit(course.id, details(course, instructor_id=ines.id), revision=course.revision, by=None)
    await merges[0]
    found = await courses.find(course.id)
    assert found is not None
    assert found.instructor_id == kept.id


async def test_a_course_that_is_given_away_and_a_merge_of_who_gives_and_gets_it_wait_for_each_other_in_no_circle(
    cast: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    ines, olga = await cast.ines(), await cast.olga()
    kept = await cast.person("Ines Ito", "ines.ito@example.org", role="instructor")
    by, course = await signed_in(olga), await a_course(teacher=ines.id)
    held = queries.lock_course
    merges: list[asyncio.Task[Any]] = []

    async def overtaken(course_id: int) -> Course | None:
        found = await held(course_id)
        if not merges:
            merge = merging.merge(ines.public_id, kept.public_id, by=by)
            merges.append(asyncio.create_task(merge, context=Context()))
            await until_it_waits(merges[0])
        return found

    monkeypatch.setattr(queries, "lock_course", overtaken)
    after = await courses.edit(course.id, details(course, instructor_id=kept.id), revision=course.revision, by=None)
    await merges[0]
    assert after.instructor_id == kept.id


async def test_edits_are_kept_and_noted_with_what_was_before(cast: Cast, heard: list[object]) -> None:
    ines = await cast.ines()
    course = await a_course(teacher=ines.id)
    topic = await topics.ensure("Price action")
    assert await topics.ensure("Price action") == topic
    heard.clear()
    after = await courses.edit(
        course.id,
        details(course, title="Reading", level="advanced", topic_id=topic, outcomes=["One", "Two"],
                faq=[{"question": "Why?", "answer": "So."}], plate="tidemark", plate_ground="ink"),
        revision=course.revision,
        by=Somebody(ines.id, "courses.edit"),
    )  # fmt: skip
    assert (after.title, after.level, after.topic_slug, after.outcomes) == (
        "Reading",
        "advanced",
        "price-action",
        ["One", "Two"],
    )
    assert (after.faq, after.art, after.revision) == ([{"question": "Why?", "answer": "So."}], "tidemark", 2)
    assert after.slug == "reading-price"
    assert heard == [events.CourseChanged(course.id)]
    row = await db.one(db.Row, "SELECT before, after FROM audit_log WHERE action = 'course.edit'")
    assert row is not None
    assert row.before["title"] == "Reading Price"
    assert row.after["title"] == "Reading"
    assert "slug" not in row.after


async def test_what_somebody_else_saved_is_never_overwritten_unseen(cast: Cast) -> None:
    course = await a_course()
    await courses.edit(course.id, details(course, title="First"), revision=1, by=None)
    with pytest.raises(Stale):
        await courses.edit(course.id, details(course, title="Second"), revision=1, by=None)
    found = await courses.find(course.id)
    assert found is not None
    assert found.title == "First"


async def test_of_two_who_save_at_once_one_is_told(cast: Cast) -> None:
    course = await a_course()

    async def save(title: str) -> str:
        try:
            return (await courses.edit(course.id, details(course, title=title), revision=1, by=None)).title
        except Stale:
            return "told"

    results = await asyncio.gather(*(save(f"Title {n}") for n in range(4)))
    assert results.count("told") == 3
    found = await courses.find(course.id)
    assert found is not None
    assert found.title in results


async def test_instructors_change_only_what_they_teach(cast: Cast) -> None:
    ines, bob = await cast.ines(), await cast.bob()
    mine, other = await a_course(teacher=ines.id), await a_course("Other")
    teacher = Somebody(ines.id, "courses.edit")
    await courses.edit(mine.id, details(mine, title="Mine", instructor_id=bob.id), revision=1, by=teacher)
    kept = await courses.editable(mine.public_id, by=teacher)
    assert (kept.title, kept.instructor_id) == ("Mine", ines.id)
    with pytest.raises(Forbidden):
        await courses.edit(other.id, details(other, title="Hers"), revision=1, by=teacher)
    with pytest.raises(Forbidden):
        await courses.editable(other.public_id, by=teacher)
    with pytest.raises(NotFound):
        await courses.editable("nothing", by=teacher)
    with pytest.raises(Forbidden):
        await courses.create(CourseDetails(title="New"), by=teacher)
    with pytest.raises(Forbidden):
        await courses.publish(mine.id, by=teacher)
    with pytest.raises(Forbidden):
        await sections.create(other.id, "Part", by=teacher)
    with pytest.raises(Forbidden):
        await courses.edit(mine.id, details(kept), revision=2, by=Somebody(bob.id))


async def test_a_member_cannot_be_made_the_instructor(cast: Cast) -> None:
    bob = await cast.bob()
    with pytest.raises(Invalid) as refusal:
        await a_course(teacher=bob.id)
    assert refusal.value.field == "instructor"


async def test_publishing_says_all_that_is_missing(cast: Cast) -> None:
    course = await a_course(promise="")
    with pytest.raises(Invalid) as refusal:
        await courses.publish(course.id, by=None)
    for word in ("promise", "instructor", "lesson"):
        assert word in refusal.value.message
    found = await courses.find(course.id)
    assert found is not None
    assert not found.is_published


async def test_publishing_twice_publishes_once(cast: Cast, heard: list[object]) -> None:
    course = await a_filled_course((await cast.ines()).id)
    heard.clear()
    first = await courses.publish(course.id, by=None)
    again = await courses.publish(course.id, by=None)
    assert first == again
    assert first.published_at is not None
    assert heard == [events.CourseChanged(course.id), events.CoursePublished(course.id)]
    assert await db.value("SELECT count(*) FROM audit_log WHERE action = 'course.publish'") == 1


async def test_a_draft_again_keeps_the_day_it_was_first_published(cast: Cast) -> None:
    course = await courses.publish((await a_filled_course((await cast.ines()).id)).id, by=None)
    draft = await courses.unpublish(course.id, by=None)
    assert (draft.state, draft.published_at) == ("draft", course.published_at)
    assert (await courses.publish(course.id, by=None)).published_at == course.published_at


async def test_an_archived_course_comes_back_as_it_was(cast: Cast) -> None:
    course = await courses.publish((await a_filled_course((await cast.ines()).id)).id, by=None)
    assert (await courses.archive(course.id, by=None)).state == "archived"
    assert (await courses.archive(course.id, by=None)).state == "archived"
    with pytest.raises(Conflict):
        await courses.publish(course.id, by=None)
    with pytest.raises(Conflict):
        await courses.edit(course.id, details(course, title="X"), revision=course.revision, by=None)
    with pytest.raises(Conflict):
        await sections.create(course.id, "Part", by=None)
    assert (await courses.restore(course.id, by=None)).state == "published"
    assert (await courses.restore(course.id, by=None)).state == "published"


async def test_a_published_course_keeps_its_promise_and_a_lesson(cast: Cast) -> None:
    course = await a_course(teacher=(await cast.ines()).id)
    section = await sections.create(course.id, "Only", by=None)
    lesson = await a_lesson(section, "Only one")
    course = await courses.publish(course.id, by=None)
    with pytest.raises(Invalid):
        await courses.edit(course.id, details(course, promise=""), revision=course.revision, by=None)
    with pytest.raises(Invalid):
        await lessons.set_state(lesson.id, "draft", by=None)
    with pytest.raises(Invalid):
        await lessons.remove(lesson.id, confirmation="Only one", by=None)
    with pytest.raises(Invalid):
        await sections.remove(section, confirmation="Only", by=None)
    assert len((await outlines.of(course.id)).lessons) == 1


async def test_counts_follow_the_published_lessons(cast: Cast) -> None:
    course = await a_filled_course((await cast.ines()).id)
    assert (course.lesson_count, course.duration_seconds, course.preview_count) == (4, 3 * 120 + 75, 0)
    first = (await outlines.of(course.id)).lessons[0]
    await lessons.set_state(first.id, "draft", by=None)
    found = await courses.find(course.id)
    assert found is not None
    assert (found.lesson_count, found.duration_seconds) == (3, 2 * 120 + 75)


@given(st.text(max_size=200))
def test_any_title_gives_an_address(title: str) -> None:
    slug = slug_of(title)
    assert is_slug(slug)
    assert is_slug(free_slug(slug, {slug, f"{slug}-2"}))
    assert slug_stem(free_slug(slug, {slug})).startswith(slug_stem(slug))


async def test_a_long_title_may_be_had_many_times(cast: Cast) -> None:
    olga, title = await cast.olga(), ("What a careful trader writes down " * 3).strip()
    course = await a_filled_course(olga.id)
    section = (await outlines.of(course.id)).sections[0]
    made = [await lessons.create(section.public_id, title, kind="text", by=None) for _ in range(4)]
    assert len({lesson.slug for lesson in made}) == 4
    again = [await courses.create(CourseDetails(title=title, instructor_id=olga.id), by=None) for _ in range(4)]
    assert len({one.slug for one in again}) == 4


def test_addresses_read_like_their_titles() -> None:
    assert slug_of("The Arithmetic of Risk") == "the-arithmetic-of-risk"
    assert slug_of("Größe & Maß: 10 % mehr") == "grosse-and-mass-10-mehr"
    assert slug_of("Don't") == "dont"
    assert slug_of("日本") == "untitled-1"
    assert slug_of("New") == "new-1"
