"""Somebody looks for a course: words, filters, order, pages; each step is an address, and going back works."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from playwright.sync_api import expect

from app.core import db
from e2e.school import SmallSchool
from e2e.visitor import Visitor
from tests.school import a_course

MORE = 9


@pytest.fixture(scope="module")
def full_catalogue(school: SmallSchool) -> Iterator[None]:
    """Enough courses for a second page, written where the school keeps its own."""

    async def work(statement: str | None) -> None:
        await db.connect(school.database_url)
        async with db.hold():
            if statement is not None:
                await db.run(statement)
            else:
                for number in range(1, MORE + 1):
                    name = f"extra-{number}"
                    await a_course(name, f"Extra Course {number}", price=100 * number, position=100, topic="extras")
        await db.disconnect()

    with ThreadPoolExecutor(1) as thread:  # Playwright keeps a loop of its own in this one
        thread.submit(asyncio.run, work(None)).result()
        yield
        thread.submit(asyncio.run, work("UPDATE courses SET state = 'archived' WHERE slug LIKE 'extra-%'")).result()


def show(visitor: Visitor) -> None:
    """Without scripts a button applies the filters."""
    if not visitor.scripts:
        visitor.press("Show results")


def open_filters(visitor: Visitor) -> None:
    if not visitor.page.get_by_label("Has a free lesson").is_visible():
        visitor.page.locator("summary.filters__summary").click()


@pytest.mark.usefixtures("full_catalogue")
def test_courses_are_found_by_words_filters_order_and_pages(visitor: Visitor) -> None:
    page = visitor.page
    visitor.open_until("/courses", page.locator(".catalogue__bar [role=status]", has_text="14 courses"))

    visitor.click("Next page")
    page.wait_for_url("**page=2")
    expect(page.locator(".catalogue__list > li")).to_have_count(6)
    visitor.look()
    visitor.click("Page 1")
    expect(page.locator(".catalogue__list > li")).to_have_count(8)

    page.get_by_label("Search", exact=True).fill("auction")
    show(visitor)
    page.wait_for_url(lambda url: "q=auction" in url)
    expect(page.locator(".catalogue__list").locator("h2, h3")).to_have_text(["How Auctions Work"])
    visitor.look()
    page.get_by_label("Search", exact=True).fill("")
    show(visitor)
    expect(page.locator(".catalogue__list > li")).to_have_count(8)
    open_filters(visitor)
    page.get_by_label("Extras").check()
    show(visitor)
    expect(page.locator(".catalogue__bar [role=status]")).to_contain_text("9 courses")
    page.get_by_label("Sort by").select_option("title")
    show(visitor)
    page.wait_for_url(lambda url: "topic=extras" in url and "sort=title" in url)
    expect(page.locator(".catalogue__list > li").first).to_contain_text("Extra Course 1")
    visitor.look()

    page.go_back()
    page.wait_for_url(lambda url: "topic=extras" in url and "sort=title" not in url)
    if visitor.scripts:  # without them the browser shows again what was chosen last in the form
        expect(page.get_by_label("Sort by")).to_have_value("suggested")
    page.go_forward()
    page.wait_for_url(lambda url: "topic=extras" in url and "sort=title" in url)
    expect(page.get_by_label("Sort by")).to_have_value("title")
    expect(page.locator(".catalogue__bar [role=status]")).to_contain_text("9 courses")
    visitor.look()
    page.get_by_label("Search", exact=True).fill("no such thing")
    show(visitor)
    expect(page.get_by_text("Nothing matches")).to_be_visible()
    visitor.look()
    visitor.click("Show all courses")
    expect(page.locator(".catalogue__bar [role=status]")).to_contain_text("14 courses")


@pytest.mark.usefixtures("full_catalogue")
def test_changing_what_is_shown_does_not_load_the_page_again(visitor: Visitor) -> None:
    if not visitor.scripts:
        pytest.skip("without scripts each step is a page of its own")
    page = visitor.page
    visitor.open_until("/courses", page.locator(".catalogue__bar [role=status]", has_text="14 courses"))
    page.evaluate("window.sameDocument = true")
    page.get_by_label("Sort by").select_option("price")
    page.wait_for_url("**sort=price**")
    visitor.look()
    visitor.click("Next page")
    page.wait_for_url("**page=2**")
    expect(page.locator(".catalogue__list > li")).to_have_count(6)
    assert page.evaluate("window.sameDocument") is True
    visitor.look()


def test_a_visitor_reads_who_teaches_a_course(visitor: Visitor) -> None:
    visitor.open("/courses/reading-price")
    visitor.click("More about Marta Lindqvist")
    page = visitor.page
    expect(page.get_by_role("heading", level=1)).to_have_text("Marta Lindqvist")
    visitor.look()
    visitor.click("How Auctions Work")
    expect(page.get_by_role("heading", level=1)).to_have_text("How Auctions Work")
