"""The owner makes a course with a text and a film, sets a price and publishes it; then it can be found and bought."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

from playwright.sync_api import expect

from e2e.people import Addresses, Person
from e2e.steps import add_to_cart, go_to_payment_as_guest
from e2e.visitor import Visitor

FILMS = Path(__file__).parents[1] / "app" / "demo" / "content" / "media"
TITLE = "Tides for Beginners"
SLUG = "tides-for-beginners"


def test_the_owner_makes_and_publishes_a_course(
    visit: Callable[..., Visitor], owner: Person, addresses: Addresses
) -> None:
    office = visit()
    page = office.page
    office.come_as(owner)
    office.is_at("/admin")
    office.look()
    office.click("Courses", within=".office__nav")
    office.sees("Courses", level=1)
    office.click("New course")
    office.sees("New course", level=1)
    office.fill("Title", TITLE)
    office.fill("Promise", "By the end you can say when the water comes.")
    office.press("Make the course")
    office.sees("Outline", level=1)
    outline = page.url

    page.get_by_label("Title of a new section").fill("Foundations")
    office.press("Add section")
    expect(page.get_by_role("heading", name="1. Foundations")).to_be_visible()
    office.look()
    add_lesson(office, "The film", "Video")
    add_lesson(office, "What a tide is", "Text")
    office.look()
    # The text comes first: moved up by keyboard, which is kept.
    with page.expect_response(lambda answer: answer.url.endswith("/lesson-order")):
        page.get_by_role("button", name="Move What a tide is. Use arrow keys").focus()
        page.keyboard.press("ArrowUp")
    page.goto(outline)
    expect(page.locator(".editor__title")).to_have_text(["What a tide is", "The film"])

    office.click("What a tide is", within="#outline")
    office.sees("What a tide is", level=1)
    assert page.locator("#summary").evaluate("text => text.offsetHeight") < 70, "two lines, as its rows say"
    assert page.locator("#body_markdown").evaluate("text => text.offsetHeight") > 250, "room from the start"
    page.locator("#body_markdown").fill("# Water\n\nTwice a day **it rises**.")
    expect(page.locator("#draft strong")).to_have_text("it rises")
    # What is typed is not saved yet: leaving asks, and staying keeps it.
    page.locator("#body_markdown").press("End")
    page.once("dialog", lambda dialog: dialog.dismiss())
    office.click("See it as a learner")
    expect(page.locator("#body_markdown")).to_have_value(re.compile("Twice a day"))
    page.get_by_role("switch", name=re.compile("Published")).check()
    office.press("Save the lesson")
    expect(page.get_by_text("The lesson is saved").first).to_be_visible()
    office.look()

    page.goto(outline)
    office.click("The film", within="#outline")
    office.sees("The film", level=1)
    page.locator("#video-file").set_input_files(FILMS / "four-numbers.webm")
    office.press("Upload the film")
    expect(page.get_by_text("four-numbers.webm")).to_be_visible()
    page.locator("#captions-file").set_input_files(FILMS / "four-numbers.vtt")
    office.press("Upload the captions")
    expect(page.get_by_text("in the transcript")).to_be_visible()
    office.look()
    page.get_by_role("switch", name=re.compile("Published")).check()
    page.get_by_role("switch", name=re.compile("Free preview")).check()
    office.press("Save the lesson")
    expect(page.get_by_text("The lesson is saved").first).to_be_visible()

    page.goto(outline)
    office.click(re.compile("Details"), within="main")
    office.sees("Details", level=1)
    page.get_by_label("Instructor").select_option(label="Marta Lindqvist")
    office.press("Save the details")
    expect(page.get_by_text("The details are saved.")).to_be_visible()
    office.look()
    office.click(re.compile("Price"), within="main")
    office.sees("Price", level=1)
    office.fill("Price", "49.50")
    office.press("Set the price")
    expect(page.get_by_text("It goes on sale when the course is published.")).to_be_visible()
    office.look()
    page.goto(outline)
    office.press("Publish the course")
    expect(page.get_by_text(f"{TITLE} is published.")).to_be_visible()
    office.look()

    try:
        is_found_and_sold(visit(), addresses.mail("Una Udal"))
    finally:
        page.goto(outline)
        office.press("Archive")
        expect(page.get_by_text(f"{TITLE} is in the archive.")).to_be_visible()


def add_lesson(office: Visitor, title: str, kind: str) -> None:
    new = office.page.get_by_label("Title of a new lesson in Foundations")
    new.fill(title)
    office.press(f"{kind} lesson in Foundations")
    expect(office.page.locator(".editor__title").filter(has_text=title)).to_be_visible()
    expect(new).to_be_focused()


def is_found_and_sold(guest: Visitor, email: str) -> None:
    guest.open("/courses?q=tides")
    guest.click(TITLE, within="main")
    guest.sees(TITLE, level=1)
    expect(guest.page.locator(".course-buy")).to_contain_text("€49.50")
    guest.click("Watch a lesson")
    guest.sees("The film", level=1)
    guest.page.wait_for_function("() => document.querySelector('video').duration > 60")
    guest.page.wait_for_function("() => document.querySelector('track').track.cues?.length > 5")
    expect(guest.page.locator(".transcript")).to_be_visible()
    add_to_cart(guest, SLUG, TITLE)
    go_to_payment_as_guest(guest, email)
    expect(guest.page.get_by_text("49.50").first).to_be_visible()
