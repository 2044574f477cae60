"""Two devices of one member, or a member and an author, at once on one lesson: every pair of verbs."""

import asyncio
from functools import partial
from typing import Any

import asyncpg
import pytest

from app import Lectern
from app.access import entitlements
from app.core import db, limits
from app.courses import lessons
from app.courses.models import LessonDetails
from app.courses.queries import lessons as lesson_queries
from app.learning import queries
from tests.cast import Cast, Person
from tests.pairs import ROUNDS, every_pair, status_of, together
from tests.school import MadeCourse, a_course

LESSON = "/learn/reading-price/lesson-1"


async def complete(ann: Person, course: MadeCourse) -> int:
    return status_of(await ann.browser.post(f"{LESSON}/completion"))


async def complete_another(ann: Person, course: MadeCourse) -> int:
    return status_of(await ann.browser.post("/learn/reading-price/lesson-2/completion"))


async def reopen(ann: Person, course: MadeCourse) -> int:
    return status_of(await ann.browser.post(f"{LESSON}/completion/removal"))


async def heartbeat(ann: Person, course: MadeCourse) -> int:
    return status_of(await ann.browser.post(f"{LESSON}/position", form={"position": "42"}))


async def watch(ann: Person, course: MadeCourse) -> int:
    return status_of(await ann.browser.get(LESSON))


async def watch_another(ann: Person, course: MadeCourse) -> int:
    return status_of(await ann.browser.get("/learn/reading-price/lesson-2"))


async def edit(ann: Person, course: MadeCourse) -> Any:
    details = LessonDetails(title="Renamed", body_markdown="Words", state="published")
    return await lessons.edit(course.lesson_ids[0], details, revision=1, by=None)


async def withdraw(ann: Person, course: MadeCourse) -> Any:
    return await lessons.set_state(course.lesson_ids[0], "draft", by=None)


async def move(ann: Person, course: MadeCourse) -> Any:
    return await lessons.move(course.lesson_ids[0], 1, by=None)


async def remove(ann: Person, course: MadeCourse) -> Any:
    return await lessons.remove(course.lesson_ids[0], confirmation="Lesson number 1", by=None)


async def revoke(ann: Person, course: MadeCourse) -> Any:
    return await entitlements.close("manual:1", reason="over")


LEARNERS = {verb.__name__: verb for verb in (complete, complete_another, reopen, heartbeat, watch, watch_another)}
VERBS = LEARNERS | {verb.__name__: verb for verb in (edit, withdraw, move, remove, revoke)}


async def a_lesson(cast: Cast) -> tuple[Person, MadeCourse]:
    course = await a_course(lessons=3)
    ann = await cast.ann()
    async with db.transaction():
        await entitlements.grant(ann.id, course.product_id or 0, source="manual", source_ref="manual:1")
    await ann.browser.get(LESSON)
    return ann, course


async def is_counted_right() -> None:
    assert await db.value("SELECT count(*) FROM enrolments") == 1
    counted = await db.value("SELECT completed_count FROM enrolments")
    assert counted == await db.value("SELECT count(*) FROM lesson_progress WHERE completed_at IS NOT NULL")


@every_pair(VERBS)
async def test_two_act_on_one_lesson(
    app: Lectern, cast: Cast, monkeypatch: pytest.MonkeyPatch, one: str, other: str
) -> None:
    monkeypatch.setattr(limits, "check", _never)
    ann, course = await a_lesson(cast)
    by_learners = one in LEARNERS and other in LEARNERS
    for _round in range(ROUNDS if by_learners else 1):
        outcomes = await together(*(partial(VERBS[name], ann, course) for name in (one, other)))
        assert not [o for o in outcomes if isinstance(o, int) and o not in (0, 1, 200, 204, 303, 403, 404, 409)], (
            outcomes
        )
        if by_learners:
            await is_counted_right()
    if "heartbeat" in (one, other) and by_learners:
        assert await db.value("SELECT max(position_seconds) FROM lesson_progress") == 42
    if "complete" in (one, other) and by_learners and "reopen" not in (one, other):
        assert await db.value(
            "SELECT completed_at IS NOT NULL FROM lesson_progress WHERE lesson_id = :id", id=course.lesson_ids[0]
        )
    if "revoke" in (one, other):
        assert (await ann.browser.get(LESSON)).status_code == 403 or "remove" in (one, other)


async def a_visit_half_way(ann: Person, course: MadeCourse) -> list[Any]:
    """Somebody opens the second lesson and has come as far as its row when an author removes the first; what came of both."""
    assert await db.value("SELECT last_lesson_id FROM enrolments") == course.lesson_ids[0]
    came, goes_on = asyncio.Event(), asyncio.Event()

    async def visit() -> None:
        async with db.transaction():
            await db.value("SELECT id FROM lessons WHERE id = :id FOR KEY SHARE", id=course.lesson_ids[1])
            came.set()
            await goes_on.wait()
            await db.run("UPDATE enrolments SET last_lesson_id = :id", id=course.lesson_ids[1])

    visiting = asyncio.create_task(visit())
    await came.wait()
    removing = asyncio.create_task(remove(ann, course))
    async with asyncio.timeout(20):
        while not await db.value("SELECT count(*) FROM pg_locks WHERE NOT granted"):  # noqa: ASYNC110 (nobody tells)
            await asyncio.sleep(0.01)
    goes_on.set()
    # Where both wait for each other, PostgreSQL breaks one of them off after a second.
    return await asyncio.gather(visiting, removing, return_exceptions=True)


async def test_a_lesson_is_removed_while_somebody_opens_another(app: Lectern, cast: Cast) -> None:
    assert await a_visit_half_way(*await a_lesson(cast)) == [None, None]
    assert await db.value("SELECT count(*) FROM lessons") == 2


async def test_without_holding_the_lessons_both_would_wait_for_each_other(
    app: Lectern, cast: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The negative control."""

    async def nothing(course_id: int) -> None:
        return None

    monkeypatch.setattr(lesson_queries, "hold_lessons", nothing)
    outcomes = await a_visit_half_way(*await a_lesson(cast))
    assert [type(one) for one in outcomes if one is not None] == [asyncpg.DeadlockDetectedError]


async def _never(*_args: object) -> None:
    return None


async def test_a_lesson_finished_twice_at_once_finishes_the_course_once(app: Lectern, cast: Cast) -> None:
    ann, course = await a_lesson(cast)
    await ann.browser.post("/learn/reading-price/lesson-3/completion")
    await together(partial(complete, ann, course), partial(complete_another, ann, course))
    assert await db.value("SELECT completed_count FROM enrolments") == 3
    assert await db.value("SELECT completed_at IS NOT NULL FROM enrolments")


async def test_without_the_lock_a_finished_lesson_would_not_be_counted(
    app: Lectern, cast: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The negative control: two lessons are finished at once, each counts only itself, and the course stays open."""
    ann, course = await a_lesson(cast)
    await ann.browser.post("/learn/reading-price/lesson-3/completion")

    async def visited(*_args: object) -> None:
        return None

    async def unlocked(user_id: int, course_id: int) -> None:
        await asyncio.sleep(0.02)

    gate = asyncio.Barrier(2)
    count = queries.count_completed

    async def counted(*arguments: Any) -> Any:
        await gate.wait()
        found = await count(*arguments)
        await asyncio.sleep(0.2)  # the other begins to count before this one commits
        return found

    monkeypatch.setattr(queries, "note_visit", visited)
    monkeypatch.setattr(queries, "lock_enrolment", unlocked)
    monkeypatch.setattr(queries, "count_completed", counted)
    await together(partial(complete, ann, course), partial(complete_another, ann, course))
    assert await db.value("SELECT completed_count FROM enrolments") < 3
