"""The same form twice within seconds: what makes something acts once, what sets a value is done as often as it is sent."""

import asyncio
import html
import io
import json
import re
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from quart.datastructures import FileStorage

from app import Lectern
from app.core import clock, db, submissions
from app.core.settings import school
from app.courses import lessons, outlines, sections
from app.courses.models import Course
from tests.cast import Cast, Person
from tests.courses.making import a_filled_course
from tests.courses.test_admin import sent, text
from tests.media import files as samples

SECTION = {"title": "Another part"}


@pytest.fixture
async def olga(cast: Cast) -> Person:
    return await cast.olga()


@pytest.fixture
async def course(olga: Person) -> Course:
    return await a_filled_course(olga.id)


async def post(person: Person, path: str, form: dict[str, Any] | None = None) -> Any:
    answer = await person.browser.post(path, form=form or {})
    assert answer.status_code in (303, 409), (answer.status_code, await text(answer))
    return answer


# --- what sets a value: there and back and there again, within a second ---


async def test_lessons_that_are_dragged_there_and_back_and_there_again_lie_as_they_were_put_last(
    olga: Person, course: Course
) -> None:
    section = (await outlines.of(course.id, published_only=False)).sections[0]
    order = [lesson.public_id for lesson in section.lessons]
    for wanted in (order[::-1], order, order[::-1], order):
        await olga.browser.post(
            f"/admin/courses/{course.public_id}/sections/{section.public_id}/lesson-order",
            data="&".join(f"row={each}" for each in wanted),
            headers={"Content-Type": "application/x-www-form-urlencoded"},
        )
        found = (await outlines.of(course.id, published_only=False)).sections[0]
        assert [lesson.public_id for lesson in found.lessons] == wanted


async def test_sections_that_are_dragged_back_and_forth_lie_as_they_were_put_last(olga: Person, course: Course) -> None:
    await sections.create(course.id, "Last", by=None)
    order = [each.public_id for each in (await outlines.of(course.id, published_only=False)).sections]
    for wanted in (order[::-1], order, order[::-1]):
        await olga.browser.post(
            f"/admin/courses/{course.public_id}/section-order",
            data="&".join(f"row={each}" for each in wanted),
            headers={"Content-Type": "application/x-www-form-urlencoded"},
        )
        found = await outlines.of(course.id, published_only=False)
        assert [each.public_id for each in found.sections] == wanted


async def test_a_section_is_renamed_there_and_back_and_there_again(olga: Person, course: Course) -> None:
    section = (await outlines.of(course.id, published_only=False)).sections[0]
    for title in ("One", "Two", "One", "Two"):
        await post(olga, f"/admin/courses/{course.public_id}/sections/{section.public_id}", {"title": title})
        assert (await sections.find(section.public_id)).title == title


async def test_a_section_is_removed_and_put_back_twice_within_the_same_second(olga: Person, course: Course) -> None:
    made = await sections.create(course.id, "Empty", by=None)
    removal = f"/admin/courses/{course.public_id}/sections/{made}/removal"

    async def titles() -> list[str]:
        return [each.title for each in (await outlines.of(course.id, published_only=False)).sections]

    with clock.shifted(timedelta(0)):
        for _time in range(2):
            page = await post(olga, removal)
            assert "Empty" not in await titles()
            undo = await _undo_of(olga, page.headers["Location"])
            await post(olga, undo)
            assert (await titles()).count("Empty") == 1
            await post(olga, undo)
            assert (await titles()).count("Empty") == 1


async def test_a_picture_is_taken_away_and_put_back_twice(olga: Person, course: Course) -> None:
    base = f"/admin/courses/{course.public_id}/picture"
    await olga.browser.post(base, files=sent(samples.picture(), "a.png"))
    address = await _plate(course)
    assert address
    for _time in range(2):
        page = await post(olga, f"{base}/removal")
        assert await _plate(course) == ""
        await post(olga, await _undo_of(olga, page.headers["Location"]))
        assert await _plate(course) == address


async def test_a_file_is_taken_away_and_put_back_twice(olga: Person, course: Course) -> None:
    lesson = (await outlines.of(course.id, published_only=False)).sections[0].lessons[0]
    base = f"/admin/courses/{course.public_id}/lessons/{lesson.public_id}"
    await olga.browser.post(f"{base}/poster", files=sent(samples.picture(), "a.png"))
    for _time in range(2):
        page = await post(olga, f"{base}/files/poster/removal")
        assert (await lessons.of_course(course.id, lesson.public_id)).poster_id is None
        await post(olga, await _undo_of(olga, page.headers["Location"]))
        assert (await lessons.of_course(course.id, lesson.public_id)).poster_id is not None


async def test_settings_are_changed_there_and_back_and_there_again(olga: Person) -> None:
    form = {"currency": "EUR", "tax_percent": "19", "tax_label": "VAT", "time_zone": "UTC", "hue": "20"}
    for name in ("One", "Two", "One", "Two"):
        await post(olga, "/admin/settings", {**form, "name": name})
        assert (await school()).name == name


async def _plate(course: Course) -> str:
    return str(await db.value("SELECT plate FROM courses WHERE id = :id", id=course.id))


async def _undo_of(person: Person, location: str) -> str:
    """Where the button leads that the page offers after a removal."""
    page = await text(await person.browser.get(location))
    found = re.search(r'action="([^"]*(?:restoration|kept=|earlier=)[^"]*)"', page)
    assert found is not None, page
    return html.unescape(found[1])


# --- what makes something ---


@pytest.fixture
def slowly(monkeypatch: pytest.MonkeyPatch) -> Callable[[float], asyncio.Event]:
    """Making a section takes so many seconds; the event says that one has begun."""

    def make(seconds: float) -> asyncio.Event:
        begun, create = asyncio.Event(), sections.create

        async def slow(*args: Any, **options: Any) -> str:
            begun.set()
            await asyncio.sleep(seconds)
            return await create(*args, **options)

        monkeypatch.setattr(sections, "create", slow)
        return begun

    return make


async def made(course: Course) -> int:
    return int(
        await db.value("SELECT count(*) FROM sections WHERE course_id = :c AND title = 'Another part'", c=course.id)
    )


async def test_a_second_form_waits_for_a_slow_first_one_and_is_led_to_its_result(
    olga: Person, course: Course, slowly: Callable[[float], asyncio.Event]
) -> None:
    begun = slowly(0.5)
    path = f"/admin/courses/{course.public_id}/sections"
    first = asyncio.create_task(post(olga, path, SECTION))
    await begun.wait()
    with clock.shifted(timedelta(seconds=20)):  # far longer than a double click takes, and the first is still at work
        second = await post(olga, path, SECTION)
    assert first.done()
    assert second.status_code == 303
    assert second.headers["Location"] == (await first).headers["Location"]
    assert await made(course) == 1


async def test_a_second_form_is_told_when_the_first_takes_too_long(
    olga: Person, course: Course, slowly: Callable[[float], asyncio.Event], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(submissions, "_PATIENCE", 0.2)
    begun = slowly(1.0)
    path = f"/admin/courses/{course.public_id}/sections"
    first = asyncio.create_task(post(olga, path, SECTION))
    await begun.wait()
    second = await post(olga, path, SECTION)
    assert second.status_code == 409
    assert "Look at what came of it" in await text(second)
    assert (await first).status_code == 303
    assert await made(course) == 1


async def test_a_moment_is_counted_from_the_end_of_the_first(
    olga: Person, course: Course, slowly: Callable[[float], asyncio.Event], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(submissions, "MOMENT", timedelta(seconds=0.6))
    slowly(0.7)
    path = f"/admin/courses/{course.public_id}/sections"
    await post(olga, path, SECTION)
    await post(olga, path, SECTION)
    assert await made(course) == 1
    await asyncio.sleep(0.65)
    await post(olga, path, SECTION)
    assert await made(course) == 2


async def test_a_form_whose_first_sender_died_is_taken_on_after_a_minute(olga: Person, course: Course) -> None:
    key = b"somebody died of it"
    dead = await submissions.claim(key)
    assert dead is not None
    with clock.shifted(timedelta(seconds=50)):
        assert await submissions.claim(key) is None
    with clock.shifted(timedelta(seconds=61)):
        assert await submissions.claim(key) is not None


async def test_one_that_was_thought_dead_does_not_end_the_form_of_another(app: Lectern) -> None:
    key = b"a form"
    dead = await submissions.claim(key)
    with clock.shifted(timedelta(seconds=61)):
        other = await submissions.claim(key)
        assert dead is not None
        assert other is not None
        await submissions.forget(dead)
        assert await submissions.claim(key) is None, "the other's claim stands"
        await submissions.finish(dead, "/wrong")
        await submissions.finish(other, "/right")
        assert await submissions.claim_or_outcome(key) == "/right"
        await submissions.forget(dead)
        assert await submissions.claim_or_outcome(key) == "/right"


async def test_a_form_that_made_nothing_is_handled_again_rather_than_refused(olga: Person, course: Course) -> None:
    path = f"/admin/courses/{course.public_id}/sections"
    answers = await asyncio.gather(*(olga.browser.post(path, form={"title": ""}) for _time in range(3)))
    assert [answer.status_code for answer in answers] == [422] * 3


async def test_twenty_at_once_make_one(olga: Person, course: Course) -> None:
    path = f"/admin/courses/{course.public_id}/sections"
    answers = await asyncio.gather(*(post(olga, path, SECTION) for _time in range(20)))
    assert {answer.status_code for answer in answers} == {303}
    assert await made(course) == 1


async def test_the_same_form_of_two_people_acts_for_both(olga: Person, cast: Cast, course: Course) -> None:
    for person in (olga, await cast.rob()):
        await post(person, f"/admin/courses/{course.public_id}/sections", SECTION)
    assert await db.value("SELECT count(*) FROM sections WHERE title = 'Another part'") == 2


async def test_a_form_whose_sender_hung_up_is_not_done_again_but_led_to(
    olga: Person, course: Course, slowly: Callable[[float], asyncio.Event]
) -> None:
    """The browser's stop button, or a line that broke, and the form sent once more."""
    begun = slowly(0.4)
    path = f"/admin/courses/{course.public_id}/sections"
    kind = {"Content-Type": "application/x-www-form-urlencoded"}
    async with olga.browser.request(path, method="POST", headers=kind) as connection:
        await connection.send(b"title=Another+part")
        await connection.send_complete()
        await begun.wait()
        await connection.disconnect()
        second = await post(olga, path, SECTION)
    assert second.status_code == 303
    assert await made(course) == 1


async def test_another_file_within_seconds_is_taken_and_the_same_one_once(olga: Person) -> None:
    async def bring(title: str) -> str:
        told = json.dumps({"title": title, "fields": [{"id": "q1", "kind": "short_text", "label": "Name"}]})
        file = FileStorage(io.BytesIO(told.encode()), filename="form.json", content_type="application/json")
        answer = await olga.browser.post("/admin/forms/imports", form={"definition": ""}, files={"file": file})
        assert answer.status_code == 303
        return str(answer.headers["Location"])

    first = await bring("Apply")
    assert await bring("Apply") == first
    assert await bring("Order") != first
    titles = await db.many(db.Row, "SELECT title FROM forms ORDER BY id")
    assert [row.title for row in titles] == ["Apply", "Order"]
