"""The back office of courses, over HTTP, as people and their browsers use it."""

import io
import re
from typing import Any

import pytest
from quart.typing import TestClientProtocol
from werkzeug.datastructures import FileStorage

from app.core import db
from app.courses import courses, lessons, outlines, sections
from app.courses.models import Course
from app.media import inspection
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
    """What a browser would send back of a form it was shown."""
    page = await text(await browser.get(address))
    fields = dict(re.findall(r'<input[^>]*name="([^"]+)"[^>]*value="([^"]*)"', page))
    fields |= {
        name: body.lstrip("\r\n")
        for name, body in re.findall(r'<textarea[^>]*name="([^"]+)"[^>]*>(.*?)</textarea>', page, re.S)
    }
    for name, options in re.findall(r'<select[^>]*name="([^"]+)"[^>]*>(.*?)</select>', page, re.S):
        chosen = re.search(r'<option selected value="([^"]*)"', options)
        fields[name] = chosen[1] if chosen else ""
    return {name: value for name, value in fields.items() if name != "q"}


# --- making a course ---


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
