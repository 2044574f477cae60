import asyncio
import html
import io
import re
from contextvars import Context
from datetime import datetime, timedelta

import pytest

from app import Lectern
from app.access import entitlements
from app.accounts import merging
from app.core import clock, db, queue
from app.courses import lessons, sections
from app.learning import progress, queries
from app.media import uploads
from tests.accounts.test_people import signed_in
from tests.cast import Cast, Person
from tests.media import files
from tests.meeting import until_it_waits
from tests.school import MadeCourse, a_course


async def give(person: Person, course: MadeCourse, ref: str = "manual:1") -> None:
    assert course.product_id is not None
    async with db.transaction():
        await entitlements.grant(person.id, course.product_id, source="manual", source_ref=ref)
    await queue.drain()


async def body(person: Person, path: str, status: int = 200) -> str:
    answer = await person.browser.get(path)
    text: str = await answer.get_data(as_text=True)
    assert answer.status_code == status, text[:400]
    return text


async def done_lessons(person: Person) -> int:
    found: int = await db.value(
        "SELECT count(*) FROM lesson_progress WHERE user_id = :id AND completed_at IS NOT NULL", id=person.id
    )
    return found


async def test_access_enrols_and_mails_once(app: Lectern, cast: Cast) -> None:
    ann, course = await cast.ann(), await a_course()
    await give(ann, course)
    await give(ann, course, "manual:2")
    assert await db.value("SELECT count(*) FROM enrolments") == 1
    assert await db.value("SELECT count(*) FROM mails WHERE template = 'learning/enrolment' AND state = 'sent'") == 1


@pytest.mark.parametrize("had_it_before", [False, True])
async def test_what_is_bought_by_an_account_that_is_merged_before_the_worker_comes_is_told_to_the_kept_one(
    app: Lectern, cast: Cast, had_it_before: bool
) -> None:
    ann, bob, course = await cast.ann(), await cast.bob(), await a_course()
    assert course.product_id is not None
    if had_it_before:
        await give(bob, course)
    mailed = "SELECT array_agg(recipient) FROM mails WHERE template = 'learning/enrolment'"
    async with db.transaction():
        await entitlements.grant(ann.id, course.product_id, source="order", source_ref="order:1")
    await merging.merge(ann.public_id, bob.public_id, by=await signed_in(await cast.olga()))
    await queue.drain()
    assert await db.value("SELECT array_agg(user_id) FROM enrolments") == [bob.id]
    # Once, by this purchase or the one before.
    assert await db.value(mailed) == [bob.email]


@pytest.mark.parametrize("quietly", [False, True])
async def test_who_opens_a_lesson_before_the_worker_comes_is_told_all_the_same_that_the_course_is_open(
    app: Lectern, cast: Cast, quietly: bool
) -> None:
    ann, course = await cast.ann(), await a_course()
    assert course.product_id is not None
    async with db.transaction():
        await entitlements.grant(ann.id, course.product_id, source="order", source_ref="order:1", quietly=quietly)
    await body(ann, "/learn/reading-price/lesson-1")
    assert await db.value("SELECT count(*) FROM enrolments") == 1
    await queue.drain()
    mailed = "SELECT count(*) FROM mails WHERE template = 'learning/enrolment'"
    assert await db.value(mailed) == (not quietly)
    await give(ann, course, "manual:2")
    assert await db.value(mailed) == (not quietly)


async def test_access_that_is_opened_again_is_not_told_to_who_was_let_in_quietly(app: Lectern, cast: Cast) -> None:
    ann, course = await cast.ann(), await a_course()
    assert course.product_id is not None
    async with db.transaction():
        await entitlements.grant(ann.id, course.product_id, source="import", source_ref="import:1", quietly=True)
    await queue.drain()
    await entitlements.close("import:1", reason="refunded")
    await queue.drain()
    await entitlements.reopen("import:1", reason="refunded")
    await queue.drain()
    assert await db.value("SELECT count(*) FROM mails WHERE template = 'learning/enrolment'") == 0


async def test_access_that_is_opened_again_before_the_worker_came_is_told(app: Lectern, cast: Cast) -> None:
    ann, course = await cast.ann(), await a_course()
    assert course.product_id is not None
    async with db.transaction():
        await entitlements.grant(ann.id, course.product_id, source="order", source_ref="order:1")
    await entitlements.close("order:1", reason="refunded")
    await queue.drain()
    await entitlements.reopen("order:1", reason="refunded")
    await queue.drain()
    assert await db.value("SELECT count(*) FROM mails WHERE template = 'learning/enrolment'") == 1


async def test_access_that_was_closed_before_the_worker_came_to_it_mails_nobody(app: Lectern, cast: Cast) -> None:
    ann, course = await cast.ann(), await a_course()
    assert course.product_id is not None
    async with db.transaction():
        await entitlements.grant(ann.id, course.product_id, source="order", source_ref="order:1")
    await entitlements.close("order:1", reason="Paid back")
    await queue.drain()
    mailed = "SELECT count(*) FROM mails WHERE template = 'learning/enrolment'"
    assert await db.value(mailed) == await db.value("SELECT count(*) FROM enrolments") == 0
    await entitlements.reopen("order:1", reason="Paid back")
    await queue.drain()
    assert await db.value(mailed) == await db.value("SELECT count(*) FROM enrolments") == 1


async def test_a_lesson_that_is_removed_meanwhile_is_not_completed(app: Lectern, cast: Cast) -> None:
    ann, course = await cast.ann(), await a_course()
    await give(ann, course)
    room = await progress.classroom("reading-price", ann.id)
    assert room is not None
    step = (await progress.of(room.id, ann.id)).steps[0]
    await db.run("DELETE FROM lessons WHERE id = :id", id=step.id)
    assert not await progress.complete(ann.id, room, step)
    assert await done_lessons(ann) == 0


async def test_an_empty_shelf_leads_to_the_courses(app: Lectern, cast: Cast) -> None:
    assert "Nothing on your shelf yet" in await body(await cast.ann(), "/learn")


async def test_continue_leads_to_the_next_unfinished_lesson(app: Lectern, cast: Cast) -> None:
    ann, course = await cast.ann(), await a_course()
    await give(ann, course)
    assert "/learn/reading-price/lesson-1" in await body(ann, "/learn")
    answer = await ann.browser.post("/learn/reading-price/lesson-1/completion")
    assert answer.headers["Location"] == "/learn/reading-price/lesson-2"
    page = await body(ann, "/learn")
    assert "/learn/reading-price/lesson-2" in page
    assert "1 of 3 lessons done" in page


async def test_the_first_lesson_of_a_course_is_not_called_the_first_of_who_has_finished_another(
    app: Lectern, cast: Cast
) -> None:
    ann, done, new = await cast.ann(), await a_course("done", "Done", lessons=1), await a_course("new", "New")
    await give(ann, done)
    await give(ann, new, "manual:2")
    await ann.browser.post("/learn/done/lesson-1/completion")
    page = await body(ann, "/learn")
    assert "The first lesson is ready." in page
    assert "Your first lesson" not in page


async def test_nobody_waits_for_lessons_whose_last_open_one_was_removed(app: Lectern, cast: Cast) -> None:
    ann, course = await cast.ann(), await a_course(lessons=2)
    await give(ann, course)
    await ann.browser.post("/learn/reading-price/lesson-1/completion")
    await db.run("DELETE FROM lessons WHERE slug = 'lesson-2'")
    page = await body(ann, "/learn")
    assert "All lessons are done." in page and "being written" not in page


@pytest.mark.parametrize("state", ["published", "draft"])
async def test_whoever_did_all_lessons_but_one_that_is_removed_has_finished_the_course(
    app: Lectern, cast: Cast, state: str
) -> None:
    ann, bob, course = await cast.ann(), await cast.bob(), await a_course()
    for person, numbers in ((ann, (1, 2)), (bob, (1,))):
        await give(person, course)
        for number in numbers:
            await person.browser.post(f"/learn/reading-price/lesson-{number}/completion")
    title = str(await db.value("SELECT title FROM lessons WHERE slug = 'lesson-3'"))
    finished = "SELECT array_agg(user_id) FROM enrolments WHERE completed_at IS NOT NULL"
    await db.run("UPDATE lessons SET state = 'draft' WHERE slug = 'lesson-3'")
    await queue.drain()
    assert await db.value(finished) is None, "it may come back"
    await db.run("UPDATE lessons SET state = :state WHERE slug = 'lesson-3'", state=state)
    await lessons.remove(course.lesson_ids[2], confirmation=title, by=None)
    await queue.drain()
    assert await db.value(finished) == [ann.id]

    async def both(course_id: int) -> list[int]:
        return [ann.id, bob.id]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(queries, "who_did_all", both)
        await progress.finish_shortened(course.id)
    assert await db.value(finished) == [ann.id], "who took a lesson back since they were looked for has not"
    at = await db.value("SELECT completed_at FROM enrolments WHERE user_id = :id", id=ann.id)
    with clock.shifted(timedelta(days=1)):
        await progress.finish_shortened(course.id)
    assert await db.value("SELECT completed_at FROM enrolments WHERE user_id = :id", id=ann.id) == at
    assert "Finished on" in await body(ann, "/learn")


async def a_course_with_a_second_section(person: Person) -> tuple[MadeCourse, str]:
    """A course of two lessons that is open to this person, and the second of its sections, which holds one of them."""
    course = await a_course(lessons=2)
    section = await sections.create(course.id, "Levels", by=None)
    await db.run(
        "UPDATE lessons SET section_id = (SELECT id FROM sections WHERE public_id = :section) WHERE id = :id",
        section=section,
        id=course.lesson_ids[1],
    )
    await give(person, course)
    return course, section


async def test_whoever_did_all_lessons_outside_a_section_that_is_removed_has_finished_the_course(
    app: Lectern, cast: Cast
) -> None:
    ann = await cast.ann()
    _course, section = await a_course_with_a_second_section(ann)
    await ann.browser.post("/learn/reading-price/lesson-1/completion")
    await sections.remove(section, confirmation="Levels", by=None)
    await queue.drain()
    assert await db.value("SELECT completed_at IS NOT NULL FROM enrolments")


async def test_a_lesson_that_is_done_while_the_rest_of_the_course_is_removed_finishes_it(
    app: Lectern, cast: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    ann = await cast.ann()
    _course, section = await a_course_with_a_second_section(ann)
    count = queries.count_completed
    removing: list[asyncio.Task[None]] = []

    async def remove() -> None:
        await sections.remove(section, confirmation="Levels", by=None)
        await queue.drain()

    async def overtaken(user_id: int, course_id: int, now: datetime) -> db.Row | None:
        counted = await count(user_id, course_id, now)
        removing.append(asyncio.create_task(remove(), context=Context()))
        await until_it_waits(removing[0])
        return counted

    monkeypatch.setattr(queries, "count_completed", overtaken)
    await ann.browser.post("/learn/reading-price/lesson-1/completion")
    await removing[0]
    assert await db.value("SELECT completed_at IS NOT NULL FROM enrolments")


async def test_continue_goes_on_after_the_lesson_last_opened(app: Lectern, cast: Cast) -> None:
    ann, course = await cast.ann(), await a_course(lessons=4)
    await give(ann, course)
    await ann.browser.post("/learn/reading-price/lesson-3/completion")
    (shelf,) = await progress.shelf(ann.id)
    assert (shelf.next_slug, shelf.next_number, shelf.done, shelf.total) == ("lesson-4", 4, 1, 4)
    await ann.browser.post("/learn/reading-price/lesson-4/completion")
    (shelf,) = await progress.shelf(ann.id)
    assert shelf.next_slug == "lesson-1"
    of = await progress.of(course.id, ann.id)
    following = of.following(course.lesson_ids[3])
    assert following is not None and following.slug == "lesson-1"


async def test_finishing_every_lesson_finishes_the_course_once(app: Lectern, cast: Cast) -> None:
    ann, course = await cast.ann(), await a_course()
    await give(ann, course)
    for number in (1, 2, 3):
        await ann.browser.post(f"/learn/reading-price/lesson-{number}/completion")
    row = await db.one(db.Row, "SELECT completed_at, completed_count FROM enrolments")
    assert row is not None and row.completed_at is not None and row.completed_count == 3
    first = row.completed_at
    await ann.browser.post("/learn/reading-price/lesson-3/completion/removal")
    room, steps = await progress.classroom(course.slug, ann.id), (await progress.of(course.id, ann.id)).steps
    assert room is not None
    assert not await progress.complete(ann.id, room, steps[2])  # nobody is told a second time
    assert await db.value("SELECT completed_at FROM enrolments") == first


async def test_nobody_waits_for_lessons_that_are_not_published(app: Lectern, cast: Cast) -> None:
    ann, course = await cast.ann(), await a_course()
    await give(ann, course)
    await db.run("UPDATE lessons SET state = 'draft' WHERE slug = 'lesson-3'")
    for number in (1, 2):
        await ann.browser.post(f"/learn/reading-price/lesson-{number}/completion")
    assert await db.value("SELECT completed_at IS NOT NULL FROM enrolments")


async def test_a_course_whose_only_lesson_is_taken_back_meanwhile_is_not_finished(app: Lectern, cast: Cast) -> None:
    ann, course = await cast.ann(), await a_course(lessons=1)
    await give(ann, course)
    room, steps = await progress.classroom(course.slug, ann.id), (await progress.of(course.id, ann.id)).steps
    assert room is not None
    await db.run("UPDATE lessons SET state = 'draft'")
    assert not await progress.complete(ann.id, room, steps[0])
    assert await db.value("SELECT completed_at IS NULL FROM enrolments")


async def test_what_is_not_done_any_more_is_not_counted(app: Lectern, cast: Cast) -> None:
    ann, course = await cast.ann(), await a_course()
    await give(ann, course)
    for number in (1, 2):
        await ann.browser.post(f"/learn/reading-price/lesson-{number}/completion")
    await ann.browser.post("/learn/reading-price/lesson-1/completion/removal")
    assert await db.value("SELECT completed_count FROM enrolments") == 1


async def test_another_lesson_is_noted_however_soon_it_is_opened(app: Lectern, cast: Cast) -> None:
    ann, course = await cast.ann(), await a_course()
    await give(ann, course)
    for number in (1, 3):
        await body(ann, f"/learn/reading-price/lesson-{number}")
    assert await db.value("SELECT last_lesson_id FROM enrolments") == course.lesson_ids[2]


async def test_completing_twice_counts_once(app: Lectern, cast: Cast) -> None:
    ann, course = await cast.ann(), await a_course()
    await give(ann, course)
    for _ in range(2):
        await ann.browser.post("/learn/reading-price/lesson-1/completion")
    assert await done_lessons(ann) == 1


async def test_all_lessons_completed_at_once_finish_the_course(app: Lectern, cast: Cast) -> None:
    ann, course = await cast.ann(), await a_course(lessons=6)
    await give(ann, course)
    await asyncio.gather(
        *(ann.browser.post(f"/learn/reading-price/lesson-{number}/completion") for number in range(1, 7))
    )
    assert await db.value("SELECT completed_count FROM enrolments") == 6
    assert await db.value("SELECT completed_at IS NOT NULL FROM enrolments")


async def test_somebody_without_access_sees_why_and_learns_nothing(app: Lectern, cast: Cast) -> None:
    ann, bob, course = await cast.ann(), await cast.bob(), await a_course()
    await give(ann, course)
    for path in ("/learn/reading-price", "/learn/reading-price/lesson-2"):
        page = await body(bob, path, 403)
        assert "is not open to you" in page
        assert "Words of the lesson" not in page
    answer = await bob.browser.post("/learn/reading-price/lesson-1/completion")
    assert answer.status_code == 404
    assert await done_lessons(bob) == 0


async def test_access_that_is_closed_closes_the_lessons_and_keeps_the_progress(app: Lectern, cast: Cast) -> None:
    ann, course = await cast.ann(), await a_course()
    await give(ann, course)
    await ann.browser.post("/learn/reading-price/lesson-1/completion")
    await entitlements.close("manual:1", reason="refunded")
    assert "Words of the lesson" not in await body(ann, "/learn/reading-price/lesson-2", 403)
    assert await done_lessons(ann) == 1
    assert "Nothing on your shelf now" in await body(ann, "/learn")


async def test_a_film_is_closed_with_its_course_and_opens_for_nobody_else(app: Lectern, cast: Cast) -> None:
    ann, bob, course = await cast.ann(), await cast.bob(), await a_course()
    await give(ann, course)
    await give(bob, course, "manual:2")
    film = await uploads.store(io.BytesIO(files.webm()), "stops.webm", kind="video", owner_id=None)
    await db.run(
        "UPDATE lessons SET kind = 'video', video_id = :film WHERE id = :id", film=film.id, id=course.lesson_ids[1]
    )
    found = re.search(r'"(/media/[^"]+)"', await body(ann, "/learn/reading-price/lesson-2"))
    assert found is not None
    address = html.unescape(found[1])
    answer = await ann.browser.get(address)
    assert answer.status_code == 200
    assert answer.headers["Cache-Control"] == "private, no-cache"
    assert (await bob.browser.get(address)).status_code == 403, "passed on to somebody else"
    assert (await app.test_client().get(address)).status_code == 403
    await entitlements.close("manual:1", reason="refunded")
    assert (await ann.browser.get(address)).status_code == 403
    assert (await ann.browser.get(address, headers={"If-None-Match": answer.headers["ETag"]})).status_code == 403


async def test_access_ends_by_itself(app: Lectern, cast: Cast) -> None:
    ann, course = await cast.ann(), await a_course()
    async with db.transaction():
        await entitlements.grant(
            ann.id,
            course.product_id or 0,
            source="manual",
            source_ref="manual:1",
            ends_at=clock.now() + timedelta(hours=1),
        )
    await body(ann, "/learn/reading-price/lesson-2")
    with clock.shifted(timedelta(hours=2)):
        await body(ann, "/learn/reading-price/lesson-2", 403)


async def test_why_do_i_have_access_names_the_cause(app: Lectern, cast: Cast) -> None:
    ann, course = await cast.ann(), await a_course()
    await give(ann, course)
    page = await body(ann, "/learn/reading-price/access")
    assert "Granted by the school" in page


async def test_a_visitor_is_asked_to_sign_in_and_comes_back(app: Lectern) -> None:
    await a_course()
    answer = await app.test_client().get("/learn/reading-price/lesson-2")
    assert answer.status_code == 303
    assert "/login" in answer.headers["Location"]
    assert "lesson-2" in answer.headers["Location"]


async def test_who_takes_a_course_back_reads_that_its_learners_cannot_open_it(app: Lectern, cast: Cast) -> None:
    ann, olga = await cast.ann(), await cast.olga()
    await give(ann, await a_course(instructor_id=olga.id))
    home = f"/admin/courses/{await db.value('SELECT public_id FROM courses')}"
    await olga.browser.post(f"{home}/withdrawal")
    assert "Those who have it cannot open it until it is published." in await body(olga, home)
    assert (await ann.browser.get("/learn/reading-price")).status_code == 404
    assert "Reading Price" not in await body(ann, "/learn")
    await olga.browser.post(f"{home}/publication")
    assert "Reading Price" in await body(ann, "/learn")


async def test_the_film_resumes_at_its_second(app: Lectern, cast: Cast) -> None:
    ann, course = await cast.ann(), await a_course()
    await give(ann, course)
    answer = await ann.browser.post("/learn/reading-price/lesson-1/position", form={"position": "142"})
    assert answer.status_code == 204
    of = await progress.of(course.id, ann.id)
    assert of.steps[0].position_seconds == 142
    await ann.browser.post("/learn/reading-price/lesson-1/position", form={"position": "9999"})
    of = await progress.of(course.id, ann.id)
    assert of.steps[0].position_seconds == 300, "never past the end of the lesson"


async def test_no_position_is_kept_in_a_lesson_that_was_taken_back(app: Lectern, cast: Cast) -> None:
    ann, course = await cast.ann(), await a_course()
    await give(ann, course)
    await db.run("UPDATE lessons SET state = 'draft' WHERE slug = 'lesson-1'")
    assert not await progress.save_position(ann.id, course.slug, "lesson-1", 10)
    assert await progress.save_position(ann.id, course.slug, "lesson-2", 10)
    await db.run("UPDATE courses SET state = 'draft'")
    assert not await progress.save_position(ann.id, course.slug, "lesson-3", 10)


async def test_a_film_that_does_not_say_how_long_it_is_resumes_too(app: Lectern, cast: Cast) -> None:
    ann, course = await cast.ann(), await a_course()
    await give(ann, course)
    await db.run("UPDATE lessons SET duration_seconds = 0 WHERE slug = 'lesson-1'")
    assert await progress.save_position(ann.id, course.slug, "lesson-1", 142)
    of = await progress.of(course.id, ann.id)
    assert of.steps[0].position_seconds == 142


async def test_a_position_that_comes_late_does_not_undo_a_later_one(app: Lectern, cast: Cast) -> None:
    ann, course = await cast.ann(), await a_course()
    await give(ann, course)
    with clock.shifted(timedelta(seconds=10)):
        assert await progress.save_position(ann.id, course.slug, "lesson-1", 142)
    assert not await progress.save_position(ann.id, course.slug, "lesson-1", 131)
    answer = await ann.browser.post("/learn/reading-price/lesson-1/position", form={"position": "131"})
    assert answer.status_code == 204, "nothing is wrong with it"
    assert (await progress.of(course.id, ann.id)).steps[0].position_seconds == 142


async def test_a_position_is_kept_by_one_statement_beside_the_session(app: Lectern, cast: Cast) -> None:
    ann, course = await cast.ann(), await a_course()
    await give(ann, course)
    with db.count_queries() as count:
        await ann.browser.post("/learn/reading-price/lesson-1/position", form={"position": "142"})
    assert count.total == 2, count.statements


async def test_nobody_keeps_a_position_in_a_course_that_is_not_theirs(app: Lectern, cast: Cast) -> None:
    ann, course = await cast.ann(), await a_course()
    await give(ann, course)
    answer = await (await cast.bob()).browser.post(f"/learn/{course.slug}/lesson-1/position", form={"position": "142"})
    assert answer.status_code == 404
    assert await db.value("SELECT count(*) FROM lesson_progress") == 0


@pytest.mark.parametrize("position", ["", "-1", "x", "1e9", "99999999999999", "１２", "\x00"])
async def test_a_position_that_is_none_is_refused(app: Lectern, cast: Cast, position: str) -> None:
    ann, course = await cast.ann(), await a_course()
    await give(ann, course)
    answer = await ann.browser.post("/learn/reading-price/lesson-1/position", form={"position": position})
    assert answer.status_code in (204, 422)
    assert (await progress.of(course.id, ann.id)).steps[0].position_seconds in (0, 12)


async def test_a_teacher_sees_her_course_as_a_learner_and_leaves_no_trace(app: Lectern, cast: Cast) -> None:
    ines, sam = await cast.ines(), await cast.sam()
    await a_course(instructor_id=ines.id)
    assert "Nothing you do here is recorded" in await body(ines, "/learn/reading-price/lesson-2")
    assert await db.value("SELECT count(*) FROM lesson_progress") == 0
    await body(sam, "/learn/reading-price/lesson-2", 403)


async def test_member_pages_keep_to_their_number_of_queries(app: Lectern, cast: Cast) -> None:
    ann = await cast.ann()
    for number in range(5):
        await give(ann, await a_course(f"course-{number}", lessons=12), f"manual:{number}")
    for path, limit in (("/learn", 4), ("/learn/course-1", 4), ("/learn/course-1/lesson-2", 5)):
        await ann.browser.get(path)
        with db.count_queries() as count:
            await ann.browser.get(path)
        assert count.total <= limit, (path, count.statements)
