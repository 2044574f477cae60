"""The back office of courses, over HTTP, as people and their browsers use it."""

import asyncio
import html
import io
import re
from contextvars import Context
from typing import Any
from urllib.parse import urlencode

import pytest
from quart.typing import TestClientProtocol
from werkzeug.datastructures import FileStorage

from app import Lectern
from app.config import Config
from app.core import db
from app.courses import courses, lessons, outlines, sections
from app.courses.admin import files as admin_files
from app.courses.models import Course, Outline
from app.media import inspection
from app.web.request import Visitor
from tests.cast import Cast, Person
from tests.courses.making import a_course, a_filled_course
from tests.media import files as samples


async def text(answer: Any) -> str:
    body: str = await answer.get_data(as_text=True)
    return body


def sent(content: bytes, name: str) -> dict[str, FileStorage]:
    return {"file": FileStorage(io.BytesIO(content), filename=name)}


async def course_of(person: Person) -> Course:
    return await a_filled_course(person.id)


async def details_of(browser: TestClientProtocol, address: str) -> dict[str, str]:
    """What a browser would send back of a form at this address."""
    return fields_of(await text(await browser.get(address)))


def fields_of(page: str) -> dict[str, str]:
    """What a browser would send back of a form it was shown."""
    fields = dict(re.findall(r'<input[^>]*name="([^"]+)"[^>]*value="([^"]*)"', page))
    fields |= {
        name: body.lstrip("\r\n")
        for name, body in re.findall(r'<textarea[^>]*name="([^"]+)"[^>]*>(.*?)</textarea>', page, re.S)
    }
    for name, options in re.findall(r'<select[^>]*name="([^"]+)"[^>]*>(.*?)</select>', page, re.S):
        chosen = re.search(r'<option selected value="([^"]*)"', options)
        fields[name] = chosen[1] if chosen else ""
    return {name: html.unescape(value) for name, value in fields.items() if name != "q"}


# --- making a course ---


async def test_who_makes_courses_by_a_role_of_the_school_teaches_them(cast: Cast) -> None:
    await cast.role("author", ["admin.enter", "courses.view", "courses.edit", "courses.edit_any"])
    kim = await cast.person("Kim Kern", "kim@example.org", role="author")
    answer = await kim.browser.post("/admin/courses", form={"title": "Reading Price"})
    assert answer.status_code == 303
    course = await courses.find_by_slug("reading-price")
    assert course is not None
    assert course.instructor_id == kim.id
    assert "Kim Kern" in await text(await (await cast.olga()).browser.get(f"/admin/courses/{course.public_id}/details"))


async def test_an_owner_makes_a_course_and_publishes_it(cast: Cast) -> None:
    olga = await cast.olga()
    browser = olga.browser
    assert (await browser.get("/admin/courses/new")).status_code == 200
    answer = await browser.post("/admin/courses", form={"title": "Reading Price", "promise": "Read a chart."})
    assert answer.status_code == 303
    home = answer.headers["Location"]
    assert "No sections yet" in await text(await browser.get(home))
    assert (await browser.post(f"{home}/sections", form={"title": "Bars"})).status_code == 303
    [section] = (await outlines.of((await all_courses())[0].id, published_only=False)).sections
    answer = await browser.post(f"{home}/sections/{section.public_id}/lessons", form={"title": "One", "kind": "text"})
    assert answer.status_code == 303
    assert "Publish at least one lesson." in await text(await browser.get(home))
    answer = await browser.post(f"{home}/publication")
    assert answer.status_code == 303
    assert "Not published yet" in await text(await browser.get(home))
    [lesson] = (await outlines.of((await all_courses())[0].id, published_only=False)).lessons
    address = f"{home}/lessons/{lesson.public_id}"
    form = await details_of(browser, address)
    answer = await browser.post(address, form={**form, "body_markdown": "Hello **there**", "published": "y"})
    assert answer.status_code == 303
    assert (await browser.post(f"{home}/publication")).status_code == 303
    page = await text(await browser.get(home))
    assert "is published." in page
    [course] = await all_courses()
    assert course.is_published


async def all_courses() -> list[Course]:
    rows = await db.many(db.Row, "SELECT id FROM courses ORDER BY id")
    found = [await courses.find(row.id) for row in rows]
    return [course for course in found if course is not None]


async def test_a_title_is_asked_for_where_it_is_missing(cast: Cast) -> None:
    olga = await cast.olga()
    answer = await olga.browser.post("/admin/courses", form={"title": " "})
    assert answer.status_code == 422
    assert "Give the course a title." in await text(answer)
    course = await course_of(olga)
    home = f"/admin/courses/{course.public_id}"
    section = (await outlines.of(course.id)).sections[0]
    for path in ("sections", f"sections/{section.public_id}/lessons", f"sections/{section.public_id}"):
        answer = await olga.browser.post(f"{home}/{path}", form={"title": "", "kind": "text"})
        assert answer.status_code == 422
        assert 'aria-invalid="true"' in await text(answer)
    answer = await olga.browser.post(f"{home}/sections/{section.public_id}/lessons", form={"title": "X", "kind": "y"})
    assert answer.status_code == 422


async def test_the_list_is_searched_filtered_and_exported(cast: Cast) -> None:
    olga, ines = await cast.olga(), await cast.ines()
    await a_course("Options, Plainly", teacher=ines.id)
    course = await course_of(ines)
    await courses.publish(course.id, by=None)

    async def titles(query: str) -> set[str]:
        page = await text(await olga.browser.get(f"/admin/courses{query}"))
        return {title for title in ("Options, Plainly", "Reading Price") if f">{title}</a>" in page}

    assert await titles("") == {"Options, Plainly", "Reading Price"}
    assert await titles("?q=plain") == {"Options, Plainly"}
    assert await titles("?state=published") == {"Reading Price"}
    assert await titles("?level=advanced") == set()
    assert await titles("?mine=1") == set()
    file = await olga.browser.get("/admin/courses?state=published&format=csv")
    assert file.headers["Content-Type"].startswith("text/csv")
    assert (await text(file)).splitlines()[1].startswith("Reading Price,published,")


async def test_details_are_saved_and_shown_again(cast: Cast) -> None:
    olga = await cast.olga()
    course = await course_of(olga)
    address = f"/admin/courses/{course.public_id}/details"
    form = await details_of(olga.browser, address)
    assert form["title"] == "Reading Price"
    changed = {
        **form,
        "slug": "reading",
        "level": "advanced",
        "new_topic": "Price action",
        "outcomes": " One \n\n Two\n",
        "faq-0-question": "Why?",
        "faq-0-answer": "So <b>that</b>.",
    }
    answer = await olga.browser.post(address, form=changed)
    assert answer.status_code == 303
    found = await courses.find(course.id)
    assert found is not None
    assert (found.slug, found.level, found.topic_name, found.outcomes) == (
        "reading",
        "advanced",
        "Price action",
        ["One", "Two"],
    )
    assert found.faq == [{"question": "Why?", "answer": "So <b>that</b>."}]
    page = await text(await olga.browser.get(address))
    assert "So &lt;b&gt;that&lt;/b&gt;." in page
    # What comes back unchanged changes nothing but the revision.
    answer = await olga.browser.post(address, form=await details_of(olga.browser, address))
    assert answer.status_code == 303
    again = await courses.find(course.id)
    assert again is not None
    assert (again.outcomes, again.faq, again.topic_id) == (found.outcomes, found.faq, found.topic_id)


async def test_a_taken_address_is_said_beside_its_field_and_nothing_typed_is_lost(cast: Cast) -> None:
    olga = await cast.olga()
    course, _other = await course_of(olga), await a_course("Options")
    address = f"/admin/courses/{course.public_id}/details"
    form = {**await details_of(olga.browser, address), "slug": "options", "promise": "Typed just now"}
    answer = await olga.browser.post(address, form=form)
    page = await text(answer)
    assert answer.status_code == 422
    assert "Another course has this address." in page
    assert "Typed just now" in page


async def test_somebody_elses_save_is_shown_and_what_was_typed_is_kept(cast: Cast) -> None:
    olga, rob = await cast.olga(), await cast.rob()
    course = await course_of(olga)
    address = f"/admin/courses/{course.public_id}/details"
    mine = {**await details_of(olga.browser, address), "summary": "Mine"}
    theirs = {**await details_of(rob.browser, address), "summary": "Theirs"}
    assert (await rob.browser.post(address, form=theirs)).status_code == 303
    answer = await olga.browser.post(address, form=mine)
    page = await text(answer)
    assert answer.status_code == 409
    assert ">Mine</textarea>" in page.replace("\r\n", "")
    assert "Theirs" in page
    revision = re.search(r'name="revision"[^>]*value="(\d+)"', page)
    assert revision is not None
    # Having seen it, she may save.
    assert (await olga.browser.post(address, form={**mine, "revision": revision[1]})).status_code == 303
    found = await courses.find(course.id)
    assert found is not None
    assert found.summary == "Mine"


async def test_a_lesson_saved_meanwhile_is_not_overwritten(cast: Cast) -> None:
    olga = await cast.olga()
    course = await course_of(olga)
    lesson = (await outlines.of(course.id)).lessons[0]
    address = f"/admin/courses/{course.public_id}/lessons/{lesson.public_id}"
    form = await details_of(olga.browser, address)
    for title, status in (("First", 303), ("Second", 409)):
        answer = await olga.browser.post(address, form={**form, "title": title, "published": "y"})
        assert answer.status_code == status
    assert 'value="Second"' in await text(answer)
    assert (await outlines.of(course.id)).lessons[0].title == "First"


async def test_what_somebody_else_has_switched_or_chosen_is_shown_before_it_is_overwritten(cast: Cast) -> None:
    olga, ines = await cast.olga(), await cast.ines()
    course = await course_of(olga)
    lesson = (await outlines.of(course.id)).lessons[0]
    address = f"/admin/courses/{course.public_id}/lessons/{lesson.public_id}"
    form = {**await details_of(olga.browser, address), "published": "y"}
    del form["is_preview"]  # a box that is not ticked
    await lessons.set_state(lesson.id, "draft", by=None)
    answer = await olga.browser.post(address, form=form)
    assert answer.status_code == 409
    assert stored(await text(answer)) == {"Published": "no"}
    address = f"/admin/courses/{course.public_id}/details"
    mine = await details_of(olga.browser, address)
    theirs = {
        "new_topic": "Charts", "instructor": str(ines.id), "plate": "tidemark", "level": "advanced",
        "faq-0-question": "How long?", "faq-0-answer": "A day.",
    }  # fmt: skip
    assert (await olga.browser.post(address, form={**mine, **theirs})).status_code == 303
    answer = await olga.browser.post(address, form=mine)
    assert answer.status_code == 409
    assert stored(await text(answer)) == {
        "Topic": "Charts",
        "Instructor": "Ines Ito",
        "Drawing": "tidemark",
        "Level": "Experienced",
        "Questions people ask": "How long? A day.",
    }


def stored(page: str) -> dict[str, str]:
    """What is kept now, beside what was typed."""
    return dict(re.findall(r'<dt>([^<]*)</dt><dd class="stored">([^<]*)</dd>', page))


async def test_a_picture_stays_that_came_while_the_details_were_open(cast: Cast) -> None:
    """It is brought on the page of the details itself, beside them."""
    olga = await cast.olga()
    course = await course_of(olga)
    address = f"/admin/courses/{course.public_id}"
    form = {**await details_of(olga.browser, f"{address}/details"), "summary": "Mine"}
    await olga.browser.post(f"{address}/picture", files=sent(samples.picture(), "cover.png"))
    answer = await olga.browser.post(f"{address}/details", form=form)
    assert answer.status_code == 409
    again = fields_of(await text(answer))
    assert (await olga.browser.post(f"{address}/details", form=again)).status_code == 303
    found = await courses.find(course.id)
    assert found is not None
    assert found.summary == "Mine"
    assert found.picture_url.endswith("cover.png")


async def test_a_picture_that_takes_the_place_of_a_chosen_drawing_in_a_stale_form_is_said_to_do_so(cast: Cast) -> None:
    olga = await cast.olga()
    course = await course_of(olga)
    address = f"/admin/courses/{course.public_id}"
    await olga.browser.post(f"{address}/picture", files=sent(samples.picture(), "cover.png"))
    form = {**await details_of(olga.browser, f"{address}/details"), "plate": "tidemark"}
    theirs = {**await details_of(olga.browser, f"{address}/details"), "summary": "Theirs"}
    await olga.browser.post(f"{address}/details", form=theirs)
    answer = await olga.browser.post(f"{address}/details", form=form)
    assert answer.status_code == 409
    assert stored(await text(answer)) == {"Summary": "Theirs", "Drawing": "The uploaded picture"}


async def test_what_is_saved_while_a_form_is_on_its_way_is_shown_as_it_is_then(
    cast: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    olga = await cast.olga()
    course = await course_of(olga)
    lesson = (await outlines.of(course.id)).lessons[0]
    address = f"/admin/courses/{course.public_id}"
    for page, verb, module in (("details", "edit", courses), (f"lessons/{lesson.public_id}", "edit", lessons)):
        form = {**await details_of(olga.browser, f"{address}/{page}"), "published": "y"}
        edit = getattr(module, verb)

        async def overtaken(
            *arguments: Any, edit: Any = edit, module: Any = module, form: Any = form, page: str = page, **more: Any
        ) -> Any:
            monkeypatch.setattr(module, "edit", edit)
            saving = olga.browser.post(f"{address}/{page}", form={**form, "summary": "Theirs"})
            assert (await asyncio.create_task(saving, context=Context())).status_code == 303
            return await edit(*arguments, **more)

        monkeypatch.setattr(module, "edit", overtaken)
        answer = await olga.browser.post(f"{address}/{page}", form={**form, "summary": "Mine"})
        assert answer.status_code == 409
        shown = await text(answer)
        assert stored(shown) == {"Summary": "Theirs"}
        revision = re.search(r'name="revision"[^>]*value="(\d+)"', shown)
        assert revision is not None
        again = {**form, "summary": "Mine", "revision": revision[1]}
        assert (await olga.browser.post(f"{address}/{page}", form=again)).status_code == 303


async def test_the_text_is_drawn_as_it_is_typed_and_not_kept(cast: Cast) -> None:
    olga = await cast.olga()
    course = await course_of(olga)
    lesson = (await outlines.of(course.id)).lessons[0]
    address = f"/admin/courses/{course.public_id}/lessons/{lesson.public_id}"
    headers = {"HX-Request": "true", "HX-Target": "section#draft"}
    answer = await olga.browser.post(
        f"{address}/draft", form={"body_markdown": "# Hi <script>", "revision": "1"}, headers=headers
    )
    page = await text(answer)
    assert page.startswith('<section class="draft" id="draft"')
    assert "<h2>Hi &lt;script&gt;</h2>" in page
    whole = await olga.browser.post(f"{address}/draft", form={"title": "Typed", "body_markdown": "x", "revision": "1"})
    assert 'value="Typed"' in await text(whole)
    kept = await lessons.find(course.id, lesson.slug)
    assert kept is not None
    assert kept.body_markdown.startswith("word")


async def test_rows_are_moved_by_buttons_and_by_dragging(cast: Cast) -> None:
    olga = await cast.olga()
    course = await course_of(olga)
    home = f"/admin/courses/{course.public_id}"
    outline = await outlines.of(course.id)
    four, ranges, level, stops = (lesson.public_id for lesson in outline.lessons)
    bars, levels = (section.public_id for section in outline.sections)
    post = olga.browser.post
    assert (await post(f"{home}/lessons/{four}/place", form={"direction": "down"})).status_code == 303
    assert (await post(f"{home}/sections/{bars}/place", form={"direction": "down"})).status_code == 303
    assert await drag(olga, f"{home}/sections/{levels}/lesson-order", level, four, stops) == 303
    assert await drag(olga, f"{home}/section-order", bars, levels) == 303
    after = await outlines.of(course.id)
    assert [[lesson.public_id for lesson in section.lessons] for section in after.sections] == [
        [ranges],
        [level, four, stops],
    ]
    assert await drag(olga, f"{home}/section-order", bars) == 409
    assert await drag(olga, f"{home}/sections/{levels}/lesson-order", level, stops) == 409
    assert (await post(f"{home}/lessons/{four}/place", form={"direction": "sideways"})).status_code == 422


async def drag(person: Person, address: str, *rows: str) -> int:
    """Send what static/js/reorder-list.js sends."""
    headers = {"Content-Type": "application/x-www-form-urlencoded;charset=UTF-8"}
    answer = await person.browser.post(address, data=urlencode([("row", row) for row in rows]), headers=headers)
    return answer.status_code


async def test_an_empty_section_is_removed_and_the_removal_undone(cast: Cast) -> None:
    olga = await cast.olga()
    course = await course_of(olga)
    home = f"/admin/courses/{course.public_id}"
    section = await sections.create(course.id, "Extra", by=None)
    assert (await olga.browser.post(f"{home}/sections/{section}/removal")).status_code == 303
    page = await text(await olga.browser.get(home))
    assert "The section Extra is removed." in page
    undo = re.search(rf'action="({home}/section-restorations\?kept=[^"]+)"', page)
    assert undo is not None
    assert (await olga.browser.post(undo[1])).status_code == 303
    assert (await outlines.of(course.id, published_only=False)).sections[2].title == "Extra"
    for wrong in ("?kept=x", ""):
        assert (await olga.browser.post(f"{home}/section-restorations{wrong}")).status_code == 404


async def test_what_learners_may_be_in_is_removed_by_name(cast: Cast) -> None:
    olga = await cast.olga()
    course = await course_of(olga)
    home = f"/admin/courses/{course.public_id}"
    section = (await outlines.of(course.id)).sections[0]
    lesson = section.lessons[0]
    for path, title in (
        (f"lessons/{lesson.public_id}", lesson.title),
        (f"sections/{section.public_id}", section.title),
    ):
        page = await olga.browser.get(f"{home}/{path}/removal" if path.startswith("lessons") else f"{home}/{path}")
        assert f'<confirm-name name="{title}"' in await text(page)
        refused = await olga.browser.post(f"{home}/{path}/removal", form={"confirmation": "no"})
        assert refused.status_code == 422
        assert "Type the title exactly" in await text(refused)
        assert (await olga.browser.post(f"{home}/{path}/removal", form={"confirmation": title})).status_code == 303
    assert len((await outlines.of(course.id)).sections) == 1


async def test_the_archive_is_left_by_the_undo(cast: Cast) -> None:
    olga = await cast.olga()
    course = await course_of(olga)
    await courses.publish(course.id, by=None)
    home = f"/admin/courses/{course.public_id}"
    assert (await olga.browser.post(f"{home}/archival")).status_code == 303
    page = await text(await olga.browser.get("/admin/courses"))
    assert f'action="{home}/restoration"' in page
    outline = await text(await olga.browser.get(home))
    assert "Title of a new lesson" not in outline
    assert (await olga.browser.post(f"{home}/sections", form={"title": "X"})).status_code == 409
    assert (await olga.browser.post(f"{home}/restoration")).status_code == 303
    found = await courses.find(course.id)
    assert found is not None
    assert found.is_published
    assert (await olga.browser.post(f"{home}/withdrawal")).status_code == 303
    assert "is a draft again" in await text(await olga.browser.get(home))


# --- files ---


async def test_a_film_its_captions_and_poster_are_uploaded_replaced_and_taken_back(cast: Cast) -> None:
    olga = await cast.olga()
    course = await course_of(olga)
    lesson = (await outlines.of(course.id)).lessons[1]
    address = f"/admin/courses/{course.public_id}/lessons/{lesson.public_id}"
    for role, content, name in (
        ("video", samples.mp4(), "../../new.MP4"),
        ("captions", samples.CAPTIONS.encode(), "en.vtt"),
        ("poster", samples.picture("WEBP", (64, 36)), "poster.png"),
    ):
        assert (await olga.browser.post(f"{address}/{role}", files=sent(content, name))).status_code == 303
    page = await text(await olga.browser.get(address))
    for words in ("new.mp4, 1:02, 1080p", "en.vtt, 2 paragraphs", "poster.webp, 64 × 36", "The file is replaced."):
        assert words in page
    undo = re.search(r'action="([^"]*/files/video/restoration\?earlier=[^"]+)"', page)
    assert undo is not None
    assert (await olga.browser.post(undo[1])).status_code == 303
    assert "film.webm, 1:15, 720p" in await text(await olga.browser.get(address))
    assert (await olga.browser.post(f"{address}/files/poster/removal")).status_code == 303
    refused = await olga.browser.post(f"{address}/files/video/removal")
    assert refused.status_code == 422
    assert "Learners are watching this film." in await text(refused)
    assert (await olga.browser.post(f"{address}/files/body/removal")).status_code == 404
    assert (await olga.browser.post(f"{address}/files/video/restoration?earlier=x")).status_code == 404


@pytest.mark.parametrize(
    ("role", "content", "name"),
    [
        ("video", samples.picture(), "film.mp4"),
        ("video", b"<script>", "film.webm"),
        ("poster", b"<svg xmlns='http://www.w3.org/2000/svg'/>", "poster.svg"),
        ("poster", samples.webm(), "poster.png"),
        ("captions", b"1\n00:00:01,000 --> 00:00:02,000\nx\n", "x.vtt"),
        ("pictures", b"\x89PNG\r\n\x1a\n<script>", "x.png"),
    ],
)
async def test_a_wrong_file_is_refused_beside_its_field(cast: Cast, role: str, content: bytes, name: str) -> None:
    olga = await cast.olga()
    course = await course_of(olga)
    lesson = (await outlines.of(course.id)).lessons[1]
    before = await db.value("SELECT count(*) FROM uploads")
    address = f"/admin/courses/{course.public_id}/lessons/{lesson.public_id}/{role}"
    for files in (sent(content, name), {}):
        answer = await olga.browser.post(
            address, files=files, headers={"HX-Request": "true", "HX-Target": "div#lesson-files"}
        )
        page = await text(answer)
        assert answer.status_code == 422
        assert page.startswith('<div class="inspector" id="lesson-files">')
        assert 'aria-invalid="true"' in page
    assert await db.value("SELECT count(*) FROM uploads") == before


async def test_a_file_over_its_limit_is_refused(cast: Cast, monkeypatch: pytest.MonkeyPatch) -> None:
    olga = await cast.olga()
    course = await course_of(olga)
    lesson = (await outlines.of(course.id)).lessons[1]
    address = f"/admin/courses/{course.public_id}/lessons/{lesson.public_id}"
    monkeypatch.setitem(inspection.LIMITS, "image", 50)
    answer = await olga.browser.post(f"{address}/poster", files=sent(samples.picture(), "a.png"))
    assert answer.status_code == 422
    assert "The file has more than" in await text(answer)
    # A body beyond what the route takes is not even read.
    answer = await olga.browser.post(f"{address}/poster", files=sent(bytes(12 * 1024 * 1024), "a.png"))
    assert answer.status_code == 413


async def test_a_file_that_finds_no_place_is_not_kept(cast: Cast, config: Config) -> None:
    olga = await cast.olga()
    course = await course_of(olga)
    lesson = (await outlines.of(course.id)).lessons[1]
    await courses.archive(course.id, by=None)
    before = await db.value("SELECT count(*) FROM uploads")
    kept = sorted(path for path in (config.data_dir / "files").rglob("*") if path.is_file())
    address = f"/admin/courses/{course.public_id}"
    for place, content, name in (
        (f"lessons/{lesson.public_id}/video", samples.webm(), "a.webm"),
        (f"lessons/{lesson.public_id}/captions", samples.CAPTIONS.encode(), "a.vtt"),
        ("picture", samples.picture(), "a.png"),
    ):
        answer = await olga.browser.post(f"{address}/{place}", files=sent(content, name))
        assert answer.status_code == 409
    assert await db.value("SELECT count(*) FROM uploads") == before
    assert sorted(path for path in (config.data_dir / "files").rglob("*") if path.is_file()) == kept


async def test_an_upload_that_is_cut_off_leaves_nothing(app: Lectern, cast: Cast, config: Config) -> None:
    """The browser is closed half-way: the server hears it and forgets what it had."""
    olga = await cast.olga()
    course = await course_of(olga)
    lesson = (await outlines.of(course.id)).lessons[1]
    before = await db.value("SELECT count(*) FROM uploads")
    kept = sorted((config.data_dir / "files").rglob("*"))
    [session] = olga.browser.cookie_jar  # type: ignore[attr-defined]
    path = f"/admin/courses/{course.public_id}/lessons/{lesson.public_id}/video"
    headers = [(b"host", b"localhost"), (b"cookie", f"session={session.value}".encode()),
               (b"content-type", b"multipart/form-data; boundary=b"), (b"content-length", b"9000000")]  # fmt: skip
    scope: Any = {
        "type": "http", "http_version": "1.1", "method": "POST", "scheme": "http", "path": path, "query_string": b"",
        "headers": headers, "root_path": "", "client": ("127.0.0.1", 1), "server": ("localhost", 80),
        "extensions": {}, "asgi": {"version": "3.0"},
    }  # fmt: skip
    head = b'--b\r\nContent-Disposition: form-data; name="file"; filename="a.webm"\r\n\r\n'
    messages = [
        {"type": "http.request", "body": head + samples.webm(), "more_body": True},
        {"type": "http.request", "body": bytes(1_000_000), "more_body": True},
    ]
    answered: list[Any] = []

    async def receive() -> dict[str, Any]:
        await asyncio.sleep(0.1)
        return messages.pop(0) if messages else {"type": "http.disconnect"}

    async def send(message: Any) -> None:
        answered.append(message)

    await app.asgi_app(scope, receive, send)  # type: ignore[arg-type]
    assert [message.get("status") for message in answered] == [400, None]  # nobody hears it
    assert await db.value("SELECT count(*) FROM uploads") == before
    assert sorted((config.data_dir / "files").rglob("*")) == kept


async def test_a_picture_for_the_text_shows_how_it_is_written(cast: Cast) -> None:
    olga, ann = await cast.olga(), await cast.ann()
    course = await course_of(olga)
    lesson = (await outlines.of(course.id)).lessons[0]
    address = f"/admin/courses/{course.public_id}/lessons/{lesson.public_id}"
    answer = await olga.browser.post(
        f"{address}/pictures", files=sent(samples.picture(), "low.png"), form={"alt": "A low"}
    )
    assert answer.status_code == 303
    page = await text(await olga.browser.get(answer.headers["Location"]))
    written = re.search(r"!\[A low\]\((/media/\w+/low\.png)\)", page)
    assert written is not None
    assert (await ann.browser.get(written[1])).status_code == 200


async def test_the_picture_of_a_course_replaces_its_plate_until_it_is_taken_away(cast: Cast) -> None:
    olga = await cast.olga()
    course = await course_of(olga)
    address = f"/admin/courses/{course.public_id}/picture"
    refused = await olga.browser.post(address, files=sent(b"x", "x.png"))
    assert refused.status_code == 422
    assert (await olga.browser.post(address, files=sent(samples.picture(), "cover.png"))).status_code == 303
    found = await courses.find(course.id)
    assert found is not None
    assert found.picture_url in await text(await olga.browser.get(address))
    assert (await olga.browser.post(f"{address}/removal")).status_code == 303
    page = await text(await olga.browser.get(address))
    undo = re.search(r'action="([^"]*/picture/restoration\?earlier=[^"]+)"', page)
    assert undo is not None
    assert (await olga.browser.post(undo[1])).status_code == 303
    again = await courses.find(course.id)
    assert again is not None
    assert again.picture_url == found.picture_url


async def test_the_length_of_a_film_is_asked_for_when_its_file_does_not_say(cast: Cast) -> None:
    olga = await cast.olga()
    course = await course_of(olga)
    lesson = (await outlines.of(course.id)).lessons[1]
    address = f"/admin/courses/{course.public_id}/lessons/{lesson.public_id}"
    await olga.browser.post(f"{address}/video", files=sent(samples.webm(None), "live.webm"))
    assert "length unknown" in await text(await olga.browser.get(address))
    for wrong in ("", "x", "-1:00", "99:99:99:99", "0:00"):
        assert (await olga.browser.post(f"{address}/length", form={"length": wrong})).status_code == 422
    assert (await olga.browser.post(f"{address}/length", form={"length": "1:02:03"})).status_code == 303
    assert (await outlines.of(course.id)).lessons[1].duration_seconds == 3723


# --- who may ---

WRITES = [
    "publication", "withdrawal", "archival", "restoration", "details", "sections", "section-order", "picture",
    "picture/removal", "picture/restoration", "section-restorations", "lessons/{lesson}", "lessons/{lesson}/place",
    "lessons/{lesson}/video", "lessons/{lesson}/captions", "lessons/{lesson}/poster", "lessons/{lesson}/pictures",
    "lessons/{lesson}/removal", "lessons/{lesson}/publication", "lessons/{lesson}/withdrawal",
    "lessons/{lesson}/length", "lessons/{lesson}/draft", "lessons/{lesson}/files/video/removal",
    "lessons/{lesson}/files/video/restoration", "sections/{section}", "sections/{section}/place",
    "sections/{section}/removal", "sections/{section}/lessons", "sections/{section}/lesson-order",
]  # fmt: skip


def test_no_write_is_left_out_of_this_list(app: Lectern) -> None:
    written = {path.format(lesson="<lesson_id>", section="<section_id>") for path in WRITES}
    routes = {
        rule.rule.removeprefix("/admin/courses").removeprefix("/<public_id>/").replace("files/<role>", "files/video")
        for rule in app.url_map.iter_rules()
        if rule.endpoint.startswith("courses_admin.") and "POST" in (rule.methods or ())
    }
    assert routes - {""} == written


@pytest.mark.parametrize("who", ["ann", "sam", "ines"])
async def test_nobody_writes_who_may_not(cast: Cast, who: str) -> None:
    """Ann learns, Sam supports, Ines teaches another course."""
    olga, other = await cast.olga(), await getattr(cast, who)()
    course = await course_of(olga)
    outline = await outlines.of(course.id)
    keys = {"lesson": outline.lessons[1].public_id, "section": outline.sections[0].public_id}
    before = await db.value("SELECT count(*) FROM audit_log")
    for path in WRITES:
        address = f"/admin/courses/{course.public_id}/{path.format(**keys)}"
        answer = await other.browser.post(address, form={"title": "X", "confirmation": "Ranges", "direction": "up"})
        assert answer.status_code == 403, path
    assert (await other.browser.post("/admin/courses", form={"title": "X"})).status_code == 403
    assert await db.value("SELECT count(*) FROM audit_log") == before


async def test_an_instructor_edits_what_she_teaches_and_sees_the_rest(cast: Cast) -> None:
    ines, olga = await cast.ines(), await cast.olga()
    mine, other = await course_of(ines), await a_filled_course(olga.id, "Other")
    page = await text(await ines.browser.get(f"/admin/courses/{mine.public_id}"))
    assert "Title of a new lesson" in page
    assert "Publish the course" not in page
    page = await text(await ines.browser.get(f"/admin/courses/{other.public_id}"))
    assert "Title of a new lesson" not in page
    assert (await ines.browser.get(f"/admin/courses/{other.public_id}/details")).status_code == 403
    answer = await ines.browser.post(f"/admin/courses/{mine.public_id}/sections", form={"title": "More"})
    assert answer.status_code == 303
    lesson = (await outlines.of(other.id)).lessons[0]
    assert (
        await ines.browser.get(f"/admin/courses/{other.public_id}/lessons/{lesson.public_id}/preview")
    ).status_code == 200
    # A lesson is reached through its own course only.
    assert (await ines.browser.get(f"/admin/courses/{mine.public_id}/lessons/{lesson.public_id}")).status_code == 404
    foreign = (await outlines.of(other.id)).sections[0].public_id
    answer = await ines.browser.post(f"/admin/courses/{mine.public_id}/sections/{foreign}", form={"title": "Hers"})
    assert answer.status_code == 404


async def test_support_sees_courses_and_changes_nothing(cast: Cast) -> None:
    sam, ines = await cast.sam(), await cast.ines()
    course = await course_of(ines)
    page = await text(await sam.browser.get("/admin/courses"))
    assert "Reading Price" in page
    assert "New course" not in page
    page = await text(await sam.browser.get(f"/admin/courses/{course.public_id}"))
    for words in ("Title of a new", "Publish", "Archive", "Details"):
        assert f"{words}</" not in page
    answer = await sam.browser.get(f"/admin/courses/{course.public_id}/preview")
    assert answer.status_code == 303
    assert (await sam.browser.get(answer.headers["Location"])).status_code == 200


async def test_visitors_are_asked_to_sign_in(client: TestClientProtocol, cast: Cast) -> None:
    course = await course_of(await cast.ines())
    for path in ("", "/new", f"/{course.public_id}", f"/{course.public_id}/details"):
        answer = await client.get(f"/admin/courses{path}")
        assert answer.status_code == 303
        assert "/login" in answer.headers["Location"]


async def test_a_preview_shows_drafts_and_an_empty_course_says_so(cast: Cast) -> None:
    olga = await cast.olga()
    course = await course_of(olga)
    lesson = (await outlines.of(course.id)).lessons[0]
    await lessons.set_state(lesson.id, "draft", by=None)
    address = f"/admin/courses/{course.public_id}/lessons/{lesson.public_id}/preview"
    page = await text(await olga.browser.get(address))
    assert "once it is published" in page
    assert "<p>word word" in page
    assert "Nothing is written yet." not in page
    await db.run("UPDATE lessons SET body_markdown = '', body_html = '' WHERE id = :id", id=lesson.id)
    assert "Nothing is written yet." in await text(await olga.browser.get(address))
    empty = await a_course("Empty")
    answer = await olga.browser.get(f"/admin/courses/{empty.public_id}/preview")
    assert answer.headers["Location"] == f"/admin/courses/{empty.public_id}"


async def test_a_lesson_that_is_removed_while_its_preview_is_drawn_is_not_there(
    cast: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    olga = await cast.olga()
    course = await course_of(olga)
    lesson = (await outlines.of(course.id)).lessons[0]
    outline = outlines.of

    async def overtaken(course_id: int, *, published_only: bool) -> Outline:
        removing = lessons.remove(lesson.id, confirmation=lesson.title, by=None)
        await asyncio.create_task(removing, context=Context())
        return await outline(course_id, published_only=published_only)

    monkeypatch.setattr(outlines, "of", overtaken)
    answer = await olga.browser.get(f"/admin/courses/{course.public_id}/lessons/{lesson.public_id}/preview")
    assert answer.status_code == 404


async def test_an_office_page_of_a_course_needs_few_queries(cast: Cast) -> None:
    olga = await cast.olga()
    course = await course_of(olga)
    lesson = (await outlines.of(course.id)).lessons[1]
    home = f"/admin/courses/{course.public_id}"
    for path in ("/admin/courses", home, f"{home}/lessons/{lesson.public_id}", f"{home}/details"):
        await olga.browser.get(path)
        with db.count_queries() as count:
            await olga.browser.get(path)
        assert count.total <= 5, (path, count.statements)


def undo_on(page: str) -> str:
    """Where the page leads whoever takes back what they did a moment ago."""
    found = re.search(r'action="([^"]*/restoration\?earlier=[^"]+)"', page)
    assert found is not None
    return found[1]


async def test_a_film_that_somebody_else_has_brought_since_is_not_taken_back_with_mine(cast: Cast) -> None:
    olga, rob = await cast.olga(), await cast.rob()
    course = await course_of(olga)
    lesson = (await outlines.of(course.id)).lessons[1]
    address = f"/admin/courses/{course.public_id}/lessons/{lesson.public_id}"
    await olga.browser.post(f"{address}/video", files=sent(samples.webm(), "second.webm"))
    undo = undo_on(await text(await olga.browser.get(address)))
    await rob.browser.post(f"{address}/video", files=sent(samples.webm(), "third.webm"))
    answer = await olga.browser.post(undo)
    assert answer.status_code == 409
    assert "This has been changed since." in await text(answer)
    assert "third.webm" in await text(await olga.browser.get(address))


async def test_a_picture_that_somebody_else_has_brought_since_is_not_taken_back_with_mine(cast: Cast) -> None:
    olga, rob = await cast.olga(), await cast.rob()
    course = await course_of(olga)
    address = f"/admin/courses/{course.public_id}/picture"
    await olga.browser.post(address, files=sent(samples.picture(), "first.png"))
    await olga.browser.post(f"{address}/removal")
    undo = undo_on(await text(await olga.browser.get(address)))
    await rob.browser.post(address, files=sent(samples.picture(), "second.png"))
    answer = await olga.browser.post(undo)
    assert answer.status_code == 409
    assert "This has been changed since." in await text(answer)
    assert "second.png" in await text(await olga.browser.get(address))


async def test_the_picture_that_is_put_back_is_the_one_that_was_taken_away(
    cast: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    olga, rob = await cast.olga(), await cast.rob()
    course = await course_of(olga)
    address = f"/admin/courses/{course.public_id}/picture"
    await olga.browser.post(address, files=sent(samples.picture(), "first.png"))
    look_up = courses.editable

    async def overtaken(public_id: str, *, by: Visitor) -> Course:
        monkeypatch.setattr(courses, "editable", look_up)
        found = await look_up(public_id, by=by)
        bringing = rob.browser.post(address, files=sent(samples.picture(), "second.png"))
        assert (await asyncio.create_task(bringing, context=Context())).status_code == 303
        return found

    monkeypatch.setattr(courses, "editable", overtaken)
    await olga.browser.post(f"{address}/removal")
    await olga.browser.post(undo_on(await text(await olga.browser.get(address))))
    assert "second.png" in await text(await olga.browser.get(address))


@pytest.mark.parametrize(
    ("meanwhile", "status", "leads"),
    [
        ("UPDATE users SET state = 'suspended' WHERE id = :id", 303, "/login"),
        ("UPDATE users SET role = 'member' WHERE id = :id", 403, ""),
        ("UPDATE users SET role = 'instructor' WHERE id = :id", 303, "/login"),
        # Somebody who showed their password in another tab has another session from then on.
        ("UPDATE users SET last_seen_at = now() WHERE id = :id", 303, "/admin/courses/"),
    ],
)
async def test_who_brings_a_film_is_looked_at_again_when_it_has_come(
    cast: Cast, monkeypatch: pytest.MonkeyPatch, meanwhile: str, status: int, leads: str
) -> None:
    """It may have been on its way for hours."""
    olga = await cast.olga()
    course = await course_of(olga)
    lesson = (await outlines.of(course.id)).lessons[1]
    films = "SELECT count(*) FROM uploads"
    before = await db.value(films)
    comes, read = asyncio.Event(), admin_files.submitted

    async def expected(form: Any) -> Any:
        comes.set()
        return await read(form)

    monkeypatch.setattr(admin_files, "submitted", expected)
    path = f"/admin/courses/{course.public_id}/lessons/{lesson.public_id}/video"
    headers = {"Content-Type": "multipart/form-data; boundary=b"}
    async with olga.browser.request(path, method="POST", headers=headers) as sending:
        await sending.send(b'--b\r\nContent-Disposition: form-data; name="file"; filename="a.webm"\r\n\r\n')
        await comes.wait()
        await db.run(meanwhile, id=olga.id)
        if leads:
            await db.run("DELETE FROM sessions")
        await sending.send(samples.webm() + b"\r\n--b--\r\n")
        await sending.send_complete()
    answer: Any = await sending.as_response()
    assert answer.status_code == status
    assert answer.headers.get("Location", "").startswith(leads)
    assert await db.value(films) == before + leads.startswith("/admin")
