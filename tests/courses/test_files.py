import asyncio
import io
from contextvars import Context
from datetime import timedelta
from typing import Any

import pytest

from app.core import clock, db, queue
from app.core.errors import Conflict, Invalid, NotFound
from app.courses import courses, files, jobs, lessons, sections
from app.courses.models import CourseDetails, Lesson
from app.media import uploads
from app.media.models import Upload
from tests.cast import Cast
from tests.courses.making import Somebody, a_course, a_film, a_lesson, some_captions
from tests.media import files as samples
from tests.meeting import until_it_waits


async def a_video_lesson() -> Lesson:
    course = await a_course()
    section = await sections.create(course.id, "A", by=None)
    await a_lesson(section, "Other")
    return await lessons.create(section, "One", kind="video", by=None)


async def again(lesson: Lesson) -> Lesson:
    found = await lessons.find_by_id(lesson.id)
    assert found is not None
    return found


async def test_a_film_brings_its_length_and_captions_become_the_transcript(cast: Cast) -> None:
    lesson = await a_video_lesson()
    film, captions = await a_film(), await some_captions()
    assert await files.attach(lesson.id, "video", film, by=None) is None
    assert await files.attach(lesson.id, "captions", captions, by=None) is None
    after = await again(lesson)
    assert (after.video_id, after.captions_id, after.duration_seconds) == (film.id, captions.id, 75)
    assert [paragraph["start"] for paragraph in after.transcript] == [1.0, 20.0]
    await files.attach(lesson.id, "captions", None, by=None)
    assert (await again(lesson)).transcript == []


async def test_a_replaced_film_can_be_put_back_for_a_day(cast: Cast) -> None:
    lesson = await a_video_lesson()
    first, second = await a_film(), await a_film()
    await files.attach(lesson.id, "video", first, by=None)
    assert await files.attach(lesson.id, "video", second, by=None) == first.id
    await queue.drain()
    assert await uploads.find(first.id) == first
    assert await files.attach(lesson.id, "video", first, by=None) == second.id
    await queue.drain(ignore_delays=True)
    assert await uploads.find(first.id) == first
    assert await uploads.find(second.id) is None


async def test_what_was_put_back_has_its_day_anew_when_it_is_replaced_again(cast: Cast) -> None:
    lesson = await a_video_lesson()
    first, second, third = await a_film(), await a_film(), await a_film()
    for film in (first, second, first):
        await files.attach(lesson.id, "video", film, by=None)
    with clock.shifted(timedelta(hours=23)):
        await files.attach(lesson.id, "video", third, by=None)
    due = "SELECT array_agg(convert_from(payload, 'UTF8')::jsonb ->> 'upload_id') FROM pgqueuer WHERE entrypoint LIKE '%drop%'"
    assert sorted(await db.value(due)) == sorted([str(second.id), str(first.id)])
    late = "SELECT execute_after > now() + interval '22 hours' FROM pgqueuer WHERE convert_from(payload, 'UTF8')::jsonb = :of"
    assert await db.value(late, of={"upload_id": first.id})


async def a_film_put_back_while_it_is_forgotten(lesson: Lesson) -> int | None:
    """The key of the film that the lesson has at the end."""
    film, back, goes_on = await a_film(), asyncio.Event(), asyncio.Event()

    async def put_back() -> None:
        async with db.transaction():
            await files.attach(lesson.id, "video", film, by=None)
            back.set()
            await goes_on.wait()

    putting = asyncio.create_task(put_back())
    await back.wait()
    forgetting = asyncio.create_task(jobs.drop_unused_upload(film.id))
    await until_it_waits(forgetting)
    goes_on.set()
    await asyncio.gather(putting, forgetting)
    return (await again(lesson)).video_id


async def test_a_film_stays_that_is_put_back_while_it_is_forgotten(cast: Cast) -> None:
    assert await a_film_put_back_while_it_is_forgotten(await a_video_lesson()) is not None


async def test_without_its_lock_a_lesson_would_lose_it(cast: Cast, monkeypatch: pytest.MonkeyPatch) -> None:
    async def nothing(upload_id: int) -> None:
        """The lock taken away."""

    monkeypatch.setattr(uploads, "lock", nothing)
    assert await a_film_put_back_while_it_is_forgotten(await a_video_lesson()) is None


async def test_a_file_of_another_kind_does_not_fit(cast: Cast) -> None:
    lesson = await a_video_lesson()
    with pytest.raises(NotFound):
        await files.attach(lesson.id, "poster", await a_film(), by=None)
    with pytest.raises(NotFound):
        await files.attach(0, "video", await a_film(), by=None)


async def test_the_film_of_a_published_lesson_is_replaced_but_not_taken_away(cast: Cast) -> None:
    lesson = await a_video_lesson()
    await files.attach(lesson.id, "video", await a_film(), by=None)
    await lessons.set_state(lesson.id, "published", by=None)
    with pytest.raises(Invalid):
        await files.attach(lesson.id, "video", None, by=None)
    await files.attach(lesson.id, "video", await a_film(), by=None)
    await lessons.set_state(lesson.id, "draft", by=None)
    await files.attach(lesson.id, "video", None, by=None)
    assert (await again(lesson)).duration_seconds == 0


async def test_a_film_without_a_length_is_told_one(cast: Cast) -> None:
    lesson = await a_video_lesson()
    with pytest.raises(NotFound):
        await files.set_length(lesson.id, 60, by=None)
    film = await uploads.store(io.BytesIO(samples.webm(None)), "live.webm", kind="video", owner_id=None)
    await files.attach(lesson.id, "video", film, by=None)
    assert (await again(lesson)).duration_seconds == 0


async def test_only_a_film_that_does_not_say_its_length_is_given_one(cast: Cast) -> None:
    lesson = await a_video_lesson()
    await files.attach(lesson.id, "video", await a_film(None), by=None)
    for wrong in (0, -1, 24 * 3600):
        with pytest.raises(Invalid):
            await files.set_length(lesson.id, wrong, by=None)
    await files.set_length(lesson.id, 61, by=None)
    assert (await again(lesson)).duration_seconds == 61
    await files.attach(lesson.id, "video", await a_film(), by=None)
    with pytest.raises(Conflict):
        await files.set_length(lesson.id, 61, by=None)
    assert (await again(lesson)).duration_seconds == 75


async def test_a_picture_of_a_course_is_forgotten_a_day_after_it_was_replaced(cast: Cast) -> None:
    course = await a_course()

    async def picture() -> str:
        stored = await uploads.store(
            io.BytesIO(samples.picture()), "cover.png", kind="image", owner_id=None, is_public=True
        )
        return uploads.path(stored)

    first, second = await picture(), await picture()
    for address in (first, second):
        await courses.set_picture(course.id, address, by=None)
    found = await courses.find(course.id)
    assert found is not None
    assert (found.picture_url, found.art) == (second, "")
    with clock.shifted(timedelta(days=2)):
        await queue.drain(ignore_delays=True)
    assert await uploads.find_by_address(first) is None
    assert await uploads.find_by_address(second) is not None
    await courses.set_picture(course.id, "", by=None)
    await jobs.drop_unused_picture(second)
    assert await db.value("SELECT count(*) FROM uploads") == 0


async def test_a_picture_goes_too_when_a_drawing_is_chosen_among_the_details(cast: Cast) -> None:
    course = await a_course()
    picture = io.BytesIO(samples.picture())
    stored = await uploads.store(picture, "cover.png", kind="image", owner_id=None, is_public=True)
    await courses.set_picture(course.id, uploads.path(stored), by=None)
    pictured = await courses.find(course.id)
    assert pictured is not None
    kept = {name: getattr(pictured, name) for name in CourseDetails.__dataclass_fields__}
    drawn = CourseDetails(**{**kept, "plate": "tidemark"})
    await courses.edit(course.id, drawn, revision=pictured.revision, by=None)
    await queue.drain()
    assert await uploads.find(stored.id) is not None, "for a day it can be put back"
    await queue.drain(ignore_delays=True)
    assert await uploads.find(stored.id) is None


async def test_captions_with_a_character_that_nothing_stores_are_read_without_it(cast: Cast) -> None:
    lesson = await a_video_lesson()
    text = "WEBVTT\n\n00:01.000 --> 00:04.000\nA \x00 stop\n"
    kept = await uploads.store(io.BytesIO(text.encode()), "en.vtt", kind="captions", owner_id=None)
    await files.attach(lesson.id, "captions", kept, by=None)
    assert (await again(lesson)).transcript == [{"start": 1.0, "text": "A \ufffd stop"}]


async def a_picture() -> str:
    """The lasting address of a picture that is kept."""
    picture = io.BytesIO(samples.picture())
    return uploads.path(await uploads.store(picture, "cover.png", kind="image", owner_id=None, is_public=True))


async def test_a_picture_that_was_put_back_has_its_day_anew_when_it_is_taken_away_again(cast: Cast) -> None:
    course, picture = await a_course(), await a_picture()
    for address in (picture, "", picture):
        await courses.set_picture(course.id, address, by=None)
    with clock.shifted(timedelta(hours=23)):
        await courses.set_picture(course.id, "", by=None)
    due = "SELECT execute_after > now() + interval '22 hours' AS late FROM pgqueuer WHERE entrypoint LIKE '%drop%'"
    assert [row.late for row in await db.many(db.Row, due)] == [True]


async def a_picture_put_back_while_it_is_forgotten() -> bool:
    """Whether the picture that the course shows at the end is there."""
    course, picture = await a_course(), await a_picture()
    back, goes_on = asyncio.Event(), asyncio.Event()

    async def put_back() -> None:
        async with db.transaction():
            await courses.set_picture(course.id, picture, by=None)
            back.set()
            await goes_on.wait()

    putting = asyncio.create_task(put_back())
    await back.wait()
    forgetting = asyncio.create_task(jobs.drop_unused_picture(picture))
    await until_it_waits(forgetting)
    goes_on.set()
    await asyncio.gather(putting, forgetting)
    return await uploads.find_by_address(picture) is not None


async def test_a_picture_stays_that_is_put_back_while_it_is_forgotten(cast: Cast) -> None:
    assert await a_picture_put_back_while_it_is_forgotten()


async def test_a_picture_that_is_forgotten_while_it_is_put_back_is_not_shown(
    cast: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    course, picture = await a_course(), await a_picture()
    find = uploads.find_by_address

    async def overtaken(address: str) -> Upload | None:
        monkeypatch.setattr(uploads, "find_by_address", find)
        found = await find(address)
        await asyncio.create_task(jobs.drop_unused_picture(picture), context=Context())
        return found

    monkeypatch.setattr(uploads, "find_by_address", overtaken)
    with pytest.raises(NotFound):
        await courses.set_picture(course.id, picture, by=None)
    found = await courses.find(course.id)
    assert found is not None
    assert found.picture_url == ""


async def test_a_film_that_is_in_its_place_stays_there_although_we_hear_that_its_commit_failed(
    cast: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The connection breaks when the database has done all and has not said so yet; or the browser is closed then."""
    lesson, olga = await a_video_lesson(), await cast.olga()
    await files.attach(lesson.id, "video", await a_film(), by=None)
    finish = uploads._finish

    async def unheard(*arguments: Any) -> Upload:
        await finish(*arguments)
        raise ConnectionResetError

    with monkeypatch.context() as patch:
        patch.setattr(uploads, "_finish", unheard)
        with pytest.raises(ConnectionResetError):
            by = Somebody(olga.id, "courses.edit_any")
            await files.bring(lesson.id, "video", io.BytesIO(samples.webm()), "second.webm", by=by)
    film = await uploads.find((await again(lesson)).video_id or 0)
    assert film is not None
    assert film.file_name == "second.webm"
    assert await uploads.read(film) == samples.webm()


async def test_a_drawing_that_was_chosen_since_is_not_taken_away_with_a_picture(cast: Cast) -> None:
    """By a page that still shows the picture."""
    course = await a_course()
    before = {name: getattr(course, name) for name in CourseDetails.__dataclass_fields__}
    details = CourseDetails(**{**before, "plate": "tidemark"})
    await courses.edit(course.id, details, revision=course.revision, by=None)
    assert await courses.set_picture(course.id, "", by=None) == ""
    found = await courses.find(course.id)
    assert found is not None
    assert found.plate == "tidemark"
