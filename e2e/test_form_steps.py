"""A visitor meets forms of several screens, with and without scripts: back and forth, and on with it on another device."""

from __future__ import annotations

import asyncio
import json
import re
import threading
import uuid
from collections.abc import Callable
from typing import Any

import asyncpg
import pytest
from playwright.sync_api import Route, expect

from e2e.people import Addresses, Mailbox
from e2e.school import SmallSchool
from e2e.visitor import Visitor

FIELDS = [
    {"id": "q1", "kind": "short_text", "label": "Your name", "required": True},
    {"id": "q2", "kind": "radio", "label": "Who is it for?",
     "settings": {"options": [{"value": "me", "label": "For me"}, {"value": "team", "label": "For my team"}]}},
    {"id": "q3", "kind": "number", "label": "How many people?"},
    {"id": "q4", "kind": "calculation", "label": "Price", "settings": {"expression": "{q3} * 10", "unit": "EUR"}},
    {"id": "p2", "kind": "page_break", "label": "About you"},
    {"id": "q5", "kind": "short_text", "label": "Your job", "required": True},
    {"id": "p3", "kind": "page_break", "label": "The end"},
    {"id": "q6", "kind": "long_text", "label": "Anything else?"},
]  # fmt: skip
TEAM = {"all": [{"field": "q2", "is": "equals", "value": "team"}]}
RULES = [
    {"id": "r1", "do": "show", "targets": ["q3", "q4"], "when": TEAM},
    {"id": "r2", "do": "require", "targets": ["q3"], "when": TEAM},
]


@pytest.fixture
def make_form(school: SmallSchool) -> Callable[..., str]:
    """Puts an open form into the school; its slug."""

    def make(fields: list[dict[str, Any]] = FIELDS, rules: list[dict[str, Any]] = RULES, **settings: Any) -> str:
        slug = f"steps-{uuid.uuid4().hex[:8]}"
        definition = {"title": f"Apply {slug}", "fields": fields, "rules": rules, "settings": settings, "last": 9}
        thread = threading.Thread(target=lambda: asyncio.run(_insert(school.database_url, slug, definition)))
        thread.start()
        thread.join()
        return slug

    return make


async def _insert(url: str, slug: str, definition: dict[str, Any]) -> None:
    connection = await asyncpg.connect(url)
    async with connection.transaction():
        form = await connection.fetchval(
            """INSERT INTO forms (public_id, slug, title, created_at, updated_at)
               VALUES ($1, $1, $2, now(), now()) RETURNING id""",
            slug, definition["title"],
        )  # fmt: skip
        version = await connection.fetchval(
            """INSERT INTO form_versions (form_id, number, definition, made_at, published_at)
               VALUES ($1, 1, $2::jsonb, now(), now()) RETURNING id""",
            form, json.dumps(definition),
        )  # fmt: skip
        await connection.execute(
            "UPDATE forms SET head_id = $2, live_id = $2, state = 'open' WHERE id = $1", form, version
        )
    await connection.close()


def begin(guest: Visitor, slug: str) -> None:
    """Fill in the first page."""
    page = guest.page
    guest.open(f"/forms/{slug}")
    if guest.scripts:
        expect(page.get_by_label("How many people?")).to_be_hidden()
    page.get_by_label("For my team").check()
    expect(page.get_by_label("How many people?")).to_be_visible()
    guest.think()
    guest.expect_status(422, f"/forms/{slug}")
    guest.press("Next")
    if not guest.scripts:  # its page had no stamp yet
        guest.think()
        guest.press("Next")
    expect(page.get_by_text("Please answer this.")).to_have_count(2)
    if guest.scripts:
        expect(page.get_by_label("Your name")).to_be_focused()
    guest.look()
    page.get_by_label("Your name").fill("Ann Hart")
    page.get_by_label("How many people?").fill("3")
    if guest.scripts:
        expect(page.get_by_text("30 EUR")).to_be_visible()
    guest.press("Next")
    guest.sees("About you", level=2)
    expect(page.get_by_text("Step 2 of 3")).to_be_visible()


def test_steps_back_and_on_later_on_another_device(
    visit: Callable[..., Visitor], make_form: Callable[..., str], mailbox: Mailbox, addresses: Addresses, scripts: bool
) -> None:
    slug = make_form(resume=True)
    guest = visit(scripts=scripts, width=375)
    begin(guest, slug)
    page = guest.page
    page.get_by_label("Your job").fill("Painter")
    guest.press("Back")
    expect(page.get_by_label("Your name")).to_have_value("Ann Hart")
    expect(page.get_by_label("For my team")).to_be_checked()
    guest.press("Next")
    expect(page.get_by_label("Your job")).to_have_value("Painter")
    guest.press("Go on later")
    guest.sees("Your answers are kept", level=1)
    mail = addresses.mail("ann")
    page.get_by_label("Email").fill(mail)
    guest.press("Mail me the link")
    expect(page.get_by_text("is on its way")).to_be_visible()
    guest.look()

    link = mailbox.link(mail, f"Go on with “Apply {slug}”", "/forms/")
    other = visit(scripts=scripts)
    other.open(link)
    expect(other.page.get_by_text("Step 2 of 3")).to_be_visible()
    expect(other.page.get_by_label("Your job")).to_have_value("Painter")
    other.press("Next")
    other.sees("The end", level=2)
    other.press("Send")
    other.sees("Thank you", level=1)
    other.open(link)
    expect(other.page.get_by_text("This was sent already")).to_be_visible()


def test_one_question_at_a_time_by_keyboard(
    visit: Callable[..., Visitor], make_form: Callable[..., str], scripts: bool
) -> None:
    slug = make_form(presentation="one")
    guest = visit(scripts=scripts)
    page = guest.page
    guest.expect_status(422, f"/forms/{slug}")
    guest.open(f"/forms/{slug}")
    page.get_by_label("Your name").focus()
    guest.think()
    page.keyboard.type("Ann Hart")
    page.keyboard.press("Enter")
    if not scripts:
        guest.think()
        guest.press("Next")
    expect(page.get_by_role("group", name="Who is it for?")).to_be_visible()
    guest.look()
    page.get_by_label("For me").focus()
    page.keyboard.press("Space")
    page.keyboard.press("ArrowDown")
    expect(page.get_by_label("For my team")).to_be_checked()
    page.keyboard.press("Enter")
    expect(page.get_by_label("How many people?")).to_be_visible()
    page.get_by_label("How many people?").focus()
    page.keyboard.type("4")
    page.keyboard.press("Enter")
    expect(page.get_by_label("Your job")).to_be_visible()
    if scripts:
        page.get_by_label("Your job").focus()
        page.keyboard.press("ArrowUp")
        expect(page.get_by_label("How many people?")).to_have_value("4")
        page.get_by_label("How many people?").focus()
        page.keyboard.press("ArrowDown")
    page.get_by_label("Your job").fill("Painter")
    page.keyboard.press("Enter")
    expect(page.get_by_label("Anything else?")).to_be_visible()
    guest.press("Send")
    guest.sees("Thank you", level=1)


def test_without_a_network_nothing_that_was_typed_is_lost(
    visit: Callable[..., Visitor], make_form: Callable[..., str]
) -> None:
    slug = make_form(fields=FIELDS[:1], rules=[])
    guest = visit()
    page = guest.page
    guest.open(f"/forms/{slug}")
    page.get_by_label("Your name").fill("Ann Hart")
    guest.think()

    def fail(route: Route) -> None:
        if route.request.method == "POST":
            route.abort("internetdisconnected")
        else:
            route.continue_()

    page.route(f"**/forms/{slug}", fail)
    guest.press("Send")
    expect(page.get_by_role("alert")).to_contain_text("could not be sent")
    expect(page.get_by_label("Your name")).to_have_value("Ann Hart")
    guest.problems.clear()
    page.unroute(f"**/forms/{slug}")
    page.get_by_role("button", name="Send").dblclick()
    guest.sees("Thank you", level=1)


def test_a_form_in_a_frame_is_as_high_as_it_needs_to_be(
    visit: Callable[..., Visitor], make_form: Callable[..., str], school: SmallSchool
) -> None:
    """Another site (by another name of this machine) shows the form, and only if the form lets it."""
    page_of_other = """<!doctype html><html lang="en"><title>Blog</title><h1>Blog</h1>
        <script src="{url}/forms/embed.js" data-form="{slug}" data-as="inline" data-words="Ask us"></script>"""
    guest = visit()
    page = guest.page
    base = page.evaluate("() => 0") or guest._urls[0]
    heights = []
    for sites in ([], ["http://blog.example"]):
        slug = make_form(fields=FIELDS[:2], rules=[], sites=sites)
        page.route(
            "http://blog.example/**",
            lambda route, slug=slug: route.fulfill(
                content_type="text/html", body=page_of_other.format(url=base, slug=slug)
            ),
        )
        page.goto("http://blog.example/page")
        frame = page.frame_locator("iframe")
        if sites:
            frame.get_by_label("Your name").fill("Ann Hart")
            page.wait_for_function("() => parseInt(document.querySelector('iframe').style.height) > 200")
            page.wait_for_timeout(1100)
            frame.get_by_role("button", name="Send").click()
            expect(frame.get_by_role("heading", name=re.compile("Thank you"))).to_be_visible()
        else:
            expect(frame.get_by_label("Your name")).to_have_count(0)
        heights.append(page.locator("iframe").evaluate("frame => frame.style.height"))
        page.unroute("http://blog.example/**")
    guest.problems.clear()
    assert heights[0] == ""
    assert heights[1]
