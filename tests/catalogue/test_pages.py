import asyncio
from contextvars import Context

import pytest
from quart.typing import TestClientProtocol

from app.core import db, settings
from app.courses import lessons, outlines
from app.courses.models import Outline
from tests.cast import Cast
from tests.school import a_course


async def text(client: TestClientProtocol, path: str, **headers: str) -> tuple[int, str]:
    answer = await client.get(path, headers=headers)
    return answer.status_code, await answer.get_data(as_text=True)


async def test_the_front_page_shows_the_owners_words_and_the_courses(client: TestClientProtocol) -> None:
    await a_course()
    await settings.save_school(home_title="Read the market", home_lead="A small school.")
    status, body = await text(client, "/")
    assert status == 200
    assert "Read the market" in body
    assert "€249" in body
    assert "/courses/reading-price/preview/lesson-1" in body


async def test_the_front_page_keeps_the_line_breaks_of_the_owner(client: TestClientProtocol) -> None:
    await settings.save_school(home_lead="For patient people.\n\nFour courses.")
    _status, body = await text(client, "/")
    assert 'opening__lead">For patient people.\n\nFour courses.</p>' in body


async def test_an_empty_school_still_has_a_front_page_and_a_catalogue(client: TestClientProtocol) -> None:
    for path in ("/", "/courses"):
        status, body = await text(client, path)
        assert status == 200
        assert "The first course is being written" in body


async def test_words_levels_topics_and_free_lessons_narrow_the_list(client: TestClientProtocol) -> None:
    await a_course()
    await a_course("risk", "The Arithmetic of Risk", level="intermediate", topic="risk", previews=0, position=1)
    for query, found, missing in (
        ("q=arithmetic", "Arithmetic of Risk", ">Reading Price<"),
        ("q=arithm", "Arithmetic of Risk", ">Reading Price<"),
        ("level=beginner", ">Reading Price<", ">The Arithmetic of Risk<"),
        ("topic=risk", "Arithmetic of Risk", ">Reading Price<"),
        ("preview=1", ">Reading Price<", ">The Arithmetic of Risk<"),
    ):
        status, body = await text(client, f"/courses?{query}")
        assert status == 200
        assert found in body, query
        assert missing not in body, query


async def test_words_of_a_lesson_title_find_its_course(client: TestClientProtocol) -> None:
    await a_course()
    await a_course("risk", "The Arithmetic of Risk")
    await db.run("UPDATE lessons SET title = 'Where stops gather' WHERE id = (SELECT min(id) FROM lessons)")
    _status, body = await text(client, "/courses?q=stops+gather")
    assert ">Reading Price<" in body
    assert "Arithmetic" not in body


async def test_a_filter_is_also_a_fragment(client: TestClientProtocol) -> None:
    await a_course()
    status, body = await text(client, "/courses?level=beginner", **{"HX-Request": "true", "HX-Target": "div#results"})
    assert status == 200
    assert body.lstrip().startswith('<div class="catalogue__results" id="results">')
    assert "<html" not in body


async def test_sorting_by_price_puts_the_cheapest_first(client: TestClientProtocol) -> None:
    await a_course(price=24900)
    await a_course("risk", "The Arithmetic of Risk", price=18900, position=1)
    _status, body = await text(client, "/courses?sort=price")
    assert body.index("Arithmetic of Risk") < body.index(">Reading Price<")


async def test_a_long_list_has_pages(client: TestClientProtocol) -> None:
    for number in range(10):
        await a_course(f"course-{number}", f"Course {number}", position=number)
    _status, first = await text(client, "/courses")
    assert "1 to 8 of 10" in first
    _status, second = await text(client, "/courses?page=2")
    assert "9 to 10 of 10" in second
    assert (await text(client, "/courses?page=3"))[0] == 404


@pytest.mark.parametrize(
    "query",
    ["page=-1", "page=x", "sort=drop", "level=nobody", "topic=%00", "q=%00", "q=%ff%fe", "q='", "page=99999999999"],
)
async def test_a_strange_address_is_never_an_error(client: TestClientProtocol, query: str) -> None:
    await a_course()
    status, _body = await text(client, f"/courses?{query}")
    assert status in (200, 404)


async def test_the_course_page_shows_price_outline_and_tax(client: TestClientProtocol) -> None:
    await a_course()
    status, body = await text(client, "/courses/reading-price")
    assert status == 200
    for words in ("€249", "VAT included", "Lesson number 1", "What a bar is", "You can describe any chart."):
        assert words in body


async def test_a_draft_is_nowhere(client: TestClientProtocol) -> None:
    await a_course(state="draft")
    assert "Reading Price" not in (await text(client, "/courses"))[1]
    assert (await text(client, "/courses/reading-price"))[0] == 404
    assert (await text(client, "/courses/reading-price/preview/lesson-1"))[0] == 404


async def test_only_free_lessons_open_to_everyone(client: TestClientProtocol) -> None:
    await a_course()
    status, body = await text(client, "/courses/reading-price/preview/lesson-1")
    assert status == 200
    assert "Words of the lesson" in body
    assert (await text(client, "/courses/reading-price/preview/lesson-2"))[0] == 404


async def test_a_free_lesson_that_is_taken_back_while_its_page_is_drawn_is_not_there(
    client: TestClientProtocol, monkeypatch: pytest.MonkeyPatch
) -> None:
    course = await a_course()
    outline = outlines.of

    async def overtaken(course_id: int) -> Outline:
        await asyncio.create_task(lessons.set_state(course.lesson_ids[0], "draft", by=None), context=Context())
        return await outline(course_id)

    monkeypatch.setattr(outlines, "of", overtaken)
    assert (await text(client, "/courses/reading-price/preview/lesson-1"))[0] == 404


async def test_a_course_without_a_price_is_shown_but_not_sold(client: TestClientProtocol) -> None:
    await a_course(price=None)
    _status, body = await text(client, "/courses/reading-price")
    assert "Not for sale yet" in body
    assert "Add to cart" not in body


async def test_pages_keep_to_their_number_of_queries(client: TestClientProtocol) -> None:
    await a_course()
    for number in range(7):
        await a_course(f"course-{number}", f"Course {number}")
    await client.get("/courses")
    for path, limit in (
        ("/", 4),
        ("/courses", 2),
        ("/courses/reading-price", 3),
        ("/courses/reading-price/preview/lesson-1", 3),
    ):
        with db.count_queries() as count:
            await client.get(path)
        assert count.total <= limit, (path, count.statements)


async def test_titles_are_escaped(client: TestClientProtocol) -> None:
    await a_course(title="<script>alert(1)</script>")
    for path in ("/", "/courses", "/courses/reading-price"):
        assert "<script>alert" not in (await text(client, path))[1]


async def test_a_choice_says_how_many_courses_it_would_show(client: TestClientProtocol) -> None:
    await a_course(topic="price-action")
    await a_course("risk", "The Arithmetic of Risk", level="intermediate", topic="risk")
    _status, body = await text(client, "/courses?level=beginner")
    assert 'Risk <span class="choice__count">0</span>' in body
    assert 'Price action <span class="choice__count">1</span>' in body
    assert 'Some practice <span class="choice__count">1</span>' in body


async def test_a_teacher_has_a_page_with_what_they_teach(client: TestClientProtocol, cast: Cast) -> None:
    ines = await cast.ines()
    await db.run(
        "UPDATE users SET biography = 'Ines draws.' || chr(10) || chr(10) || 'She <b>waits</b>.' WHERE id = :id",
        id=ines.id,
    )
    await a_course(instructor_id=ines.id)
    await a_course("risk", "The Arithmetic of Risk")
    status, body = await text(client, "/teachers/ines-ito")
    assert status == 200
    assert "Ines draws." in body and "She &lt;b&gt;waits&lt;/b&gt;." in body
    assert "Reading Price" in body and "Arithmetic" not in body
    assert "/teachers/ines-ito" in (await text(client, "/"))[1]
    assert "/teachers/ines-ito" in (await text(client, "/courses/reading-price"))[1]


async def test_of_two_teachers_of_one_name_each_course_shows_its_own(client: TestClientProtocol, cast: Cast) -> None:
    for number, (slug, title) in enumerate((("first", "The first one"), ("second", "The second one"))):
        person = await cast.person("Ines Ito", f"ines{number}@example.org", role="instructor")
        await db.run("UPDATE users SET biography = :text WHERE id = :id", text=f"Teaches {slug}.", id=person.id)
        await a_course(slug, title, instructor_id=person.id)
    _status, body = await text(client, "/courses/second")
    assert "Teaches second." in body and "Teaches first." not in body
    assert f"/teachers/ines-ito-{person.id}" in body


async def test_who_teaches_nothing_has_no_page(client: TestClientProtocol, cast: Cast) -> None:
    await cast.ines()
    assert (await text(client, "/teachers/ines-ito"))[0] == 404
