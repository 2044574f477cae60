"""Access that ends, ends at once: for the lesson, its fragments, its film, captions and poster, and for what was kept."""

import io
import re
from collections.abc import Awaitable, Callable
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import timedelta
from html import unescape

import pytest

from app import Lectern
from app.access import entitlements
from app.accounts import people as office
from app.core import clock, db
from app.media import uploads
from tests.cast import Cast, Person
from tests.media import files
from tests.school import MadeCourse, a_course

SECRET = "Quietly, the tape tells of Zanzibar"
LESSON = "/learn/reading-price/lesson-2"
FRAGMENT = {"HX-Request": "true", "HX-Target": "main#page"}
PARTS = [
    {},
    {"Range": "bytes=0-99"},
    {"Range": "bytes=-10"},
    {"If-None-Match": "ETAG"},
    {"If-Range": "ETAG", "Range": "bytes=1-2"},
]


@dataclass(frozen=True, slots=True)
class Seat:
    """Ann in a course with a film, and what her browser has seen of it."""

    ann: Person
    course: MadeCourse
    media: list[str]
    etags: list[str]


async def film(course: MadeCourse, number: int, **what: bytes) -> None:
    """Give a lesson a film, captions and a poster."""
    ids = {}
    for role, kind, name, content in (
        ("video", "video", "film.webm", files.webm()),
        ("captions", "captions", "en.vtt", files.CAPTIONS.encode()),
        ("poster", "image", "poster.png", files.picture()),
    ):
        ids[role] = (await uploads.store(io.BytesIO(content), name, kind=kind, owner_id=None)).id
    await db.run(
        """
        UPDATE lessons SET kind = 'video', video_id = :video, captions_id = :captions, poster_id = :poster,
                           body_markdown = :secret, body_html = :secret
        WHERE id = :id
        """,
        id=course.lesson_ids[number - 1],
        secret=f"<p>{SECRET}</p>",
        **ids,
    )


async def links(person: Person, path: str) -> list[str]:
    answer = await person.browser.get(path)
    assert answer.status_code == 200
    page: str = await answer.get_data(as_text=True)
    found = sorted({unescape(one) for one in re.findall(r'"(/media/[^"]+\?token=[^"]+)"', page)})
    assert len(found) == 3, found
    return found


@pytest.fixture
async def seat(app: Lectern, cast: Cast) -> Seat:
    ann, course = await cast.ann(), await a_course()
    await film(course, 2)
    async with db.transaction():
        await entitlements.grant(
            ann.id,
            course.product_id or 0,
            source="manual",
            source_ref="manual:1",
            ends_at=clock.now() + timedelta(hours=2),
        )
    page = await (await ann.browser.get(LESSON)).get_data(as_text=True)
    assert SECRET in page
    media = await links(ann, LESSON)
    etags = []
    for address in media:
        answer = await ann.browser.get(address)
        assert answer.status_code == 200
        # Whoever kept a copy has to ask before showing it again.
        assert answer.headers["Cache-Control"] == "private, no-cache"
        etags.append(answer.headers["ETag"])
    return Seat(ann, course, media, etags)


async def refund(seat: Seat) -> None:
    async with db.transaction():
        await entitlements.close("manual:1", reason="refunded")


async def expire(seat: Seat) -> None:
    pass  # the clock is put forward


async def suspend(seat: Seat) -> None:
    await db.run("UPDATE users SET state = 'suspended' WHERE id = :id", id=seat.ann.id)


async def unpublish(seat: Seat) -> None:
    await db.run("UPDATE courses SET state = 'draft'")


async def sign_out(seat: Seat) -> None:
    await db.run("DELETE FROM sessions")


ENDS: list[Callable[[Seat], Awaitable[None]]] = [refund, expire, suspend, unpublish, sign_out]


@pytest.mark.parametrize("end", ENDS, ids=lambda end: end.__name__)
async def test_nothing_of_a_course_opens_once_access_has_ended(
    seat: Seat, end: Callable[[Seat], Awaitable[None]]
) -> None:
    await end(seat)
    with ExitStack() as later:
        if end is expire:
            later.enter_context(clock.shifted(timedelta(hours=2, seconds=1)))
        for method, path in (
            ("GET", LESSON),
            ("GET", "/learn/reading-price"),
            ("GET", "/learn"),
            ("GET", "/learn/reading-price/access"),
            ("GET", "/courses?q=Zanzibar"),
            ("GET", "/courses/reading-price"),
            ("GET", "/courses/reading-price/preview/lesson-2"),
            ("POST", f"{LESSON}/completion"),
            ("POST", f"{LESSON}/position"),
        ):
            for headers in ({}, FRAGMENT):
                answer = await seat.ann.browser.open(path, method=method, headers=headers)
                words = await answer.get_data(as_text=True)
                assert SECRET not in words, (path, headers)
                assert "token=" not in words, (path, headers)
                assert answer.headers["Cache-Control"] in ("private, no-cache", "private, no-store"), path
                if path.startswith(LESSON):
                    assert answer.status_code in (303, 403, 404) or "HX-Redirect" in answer.headers, path
        for address, etag in zip(seat.media, seat.etags, strict=True):
            for part in PARTS:
                headers = {name: value.replace("ETAG", etag) for name, value in part.items()}
                answer = await seat.ann.browser.get(address, headers=headers)
                assert answer.status_code == 403, (address, part)
                assert answer.content_type.startswith("text/html")
        assert not await db.value("SELECT count(*) FROM lesson_progress WHERE completed_at IS NOT NULL")


@pytest.mark.parametrize("act", ["completion", "completion/removal"])
async def test_the_button_of_an_open_page_leads_to_what_closed_the_course(seat: Seat, act: str) -> None:
    await refund(seat)
    answer = await seat.ann.browser.post(f"{LESSON}/{act}")
    assert (answer.status_code, answer.headers["Location"]) == (303, LESSON)
    answer = await seat.ann.browser.get(LESSON)
    words = await answer.get_data(as_text=True)
    assert answer.status_code == 403 and "It was open once" in words and "refunded" in words.lower()
    shelf = await (await seat.ann.browser.get("/learn")).get_data(as_text=True)
    assert "Not open to you any more:" in shelf and "Nothing on your shelf now" in shelf
    answer = await seat.ann.browser.post(f"{LESSON}/position", form={"position": "30"})
    assert answer.status_code == 403
    assert "not open to you any more" in await answer.get_data(as_text=True)


async def test_while_access_lasts_all_of_that_opens(seat: Seat) -> None:
    """The negative control of the test above."""
    for address, etag in zip(seat.media, seat.etags, strict=True):
        codes = []
        for part in PARTS:
            headers = {name: value.replace("ETAG", etag) for name, value in part.items()}
            codes.append((await seat.ann.browser.get(address, headers=headers)).status_code)
        assert codes == [200, 206, 206, 304, 206]


async def test_a_lesson_that_is_taken_back_is_closed_to_those_who_bought_it(seat: Seat) -> None:
    await db.run("UPDATE lessons SET state = 'draft' WHERE slug = 'lesson-2'")
    answer = await seat.ann.browser.get(LESSON)
    assert answer.status_code == 404
    assert SECRET not in await answer.get_data(as_text=True)
    for address in seat.media:
        assert (await seat.ann.browser.get(address)).status_code == 403


async def test_a_film_that_a_draft_shares_with_a_published_lesson_is_open(seat: Seat) -> None:
    """Its lesson is copied: the copy is a draft, then published, and the first is taken back."""
    other = seat.course.lesson_ids[0]
    share = """
        UPDATE lessons l SET video_id = f.video_id, captions_id = f.captions_id, poster_id = f.poster_id, state = :state
        FROM lessons f WHERE l.id = :other AND f.slug = 'lesson-2'
    """
    await db.run(share, state="draft", other=other)
    assert [(await seat.ann.browser.get(address)).status_code for address in seat.media] == [200, 200, 200]
    await db.run("UPDATE lessons SET state = CASE id WHEN :other THEN 'published' ELSE 'draft' END", other=other)
    assert [(await seat.ann.browser.get(address)).status_code for address in seat.media] == [200, 200, 200]
    await db.run("UPDATE lessons SET state = 'draft'")
    assert [(await seat.ann.browser.get(address)).status_code for address in seat.media] == [403, 403, 403]


async def test_a_film_that_was_replaced_may_be_seen_to_its_end(seat: Seat) -> None:
    await db.run("UPDATE lessons SET video_id = NULL, captions_id = NULL, poster_id = NULL")
    for address in seat.media:
        assert (await seat.ann.browser.get(address)).status_code == 200


async def test_the_link_of_a_film_opens_for_its_learner_only(seat: Seat, cast: Cast, app: Lectern) -> None:
    bob, olga, visitor = await cast.bob(), await cast.olga(), app.test_client()
    for browser in (bob.browser, olga.browser, visitor):
        for address in seat.media:
            assert (await browser.get(address)).status_code == 403


# --- what the office looks at ---


async def office_links(cast: Cast, course: MadeCourse, person: Person) -> list[str]:
    lesson = await db.value("SELECT public_id FROM lessons WHERE slug = 'lesson-2'")
    shown = await links(person, f"/admin/courses/{course.public_id}/lessons/{lesson}/preview")
    if course.slug == "reading-price":
        assert await links(person, LESSON) is not None  # the rehearsal in the school
    return shown


async def test_a_preview_of_the_office_opens_for_that_person_only(seat: Seat, cast: Cast, app: Lectern) -> None:
    olga, rob, bob = await cast.olga(), await cast.rob(), await cast.bob()
    for address in [*await office_links(cast, seat.course, olga), *await links(olga, LESSON)]:
        assert (await olga.browser.get(address)).status_code == 200
        for other in (rob.browser, bob.browser, seat.ann.browser, app.test_client()):
            assert (await other.get(address)).status_code == 403


async def test_a_preview_of_the_office_closes_with_the_role(seat: Seat, cast: Cast) -> None:
    olga, rob = await cast.olga(), await cast.rob()
    shown = await office_links(cast, seat.course, rob)
    by = await signed_in(olga)
    await office.change_role(rob.public_id, "member", by=by)
    await cast.sign_in(rob)
    for address in shown:
        assert (await rob.browser.get(address)).status_code == 403


async def signed_in(person: Person):  # type: ignore[no-untyped-def]
    from app.accounts import sessions

    cookie = next(one.value for one in person.browser.cookie_jar if one.name == "session")  # type: ignore[union-attr]
    found = await sessions.find(cookie, clock.now())
    assert found is not None
    return found


# --- free lessons ---


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE lessons SET is_preview = false",
        "UPDATE lessons SET state = 'draft'",
        "UPDATE courses SET state = 'draft'",
        "UPDATE courses SET state = 'archived'",
        "UPDATE lessons SET video_id = NULL, captions_id = NULL, poster_id = NULL",
    ],
)
async def test_the_film_of_a_free_lesson_closes_when_it_is_not_free_any_more(
    app: Lectern, cast: Cast, change: str
) -> None:
    course = await a_course()
    await film(course, 1)
    gus = Person(0, "", "", "", app.test_client())
    shown = await links(gus, "/courses/reading-price/preview/lesson-1")
    for address in shown:
        assert (await gus.browser.get(address)).status_code == 200
    await db.run(change)
    for address in shown:
        for headers in ({}, {"Range": "bytes=0-9"}):
            assert (await gus.browser.get(address, headers=headers)).status_code == 403
    assert SECRET not in await (await gus.browser.get("/courses/reading-price/preview/lesson-1")).get_data(
        as_text=True
    ) or ("captions_id = NULL" in change)
