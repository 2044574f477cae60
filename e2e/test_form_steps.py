"""A visitor meets forms of several screens, with and without scripts: back and forth, and on with it on another device."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Route, expect

from e2e import forms
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
TICKET = [
    {"id": "q1", "kind": "email", "label": "Email", "required": True},
    {"id": "q2", "kind": "radio", "label": "Ticket", "required": True,
     "settings": {"options": [{"value": "half", "label": "Half", "price": 2500}]}},
]  # fmt: skip
RULES = [
    {"id": "r1", "do": "show", "targets": ["q3", "q4"], "when": TEAM},
    {"id": "r2", "do": "require", "targets": ["q3"], "when": TEAM},
]


@pytest.fixture
def make_form(school: SmallSchool) -> Callable[..., str]:
    """Puts an open form into the school; its slug."""

    def make(fields: list[dict[str, Any]] = FIELDS, rules: list[dict[str, Any]] = RULES, **settings: Any) -> str:
        definition = {"title": "Apply", "fields": fields, "rules": rules, "settings": settings}
        slug, _title = forms.put(school, {**definition, "payment": {"on": fields is TICKET}})
        return slug

    return make


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
    if not guest.scripts:  # its page had no stamp yet
        guest.post("Next")
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
    stamps: list[str] = []
    page.on("request", lambda asked: stamps.append(asked.url) if asked.url.endswith("/stamp") else None)
    guest.open(f"/forms/{slug}")
    page.get_by_label("Your name").focus()
    guest.think()
    page.keyboard.type("Ann Hart")
    if scripts:
        page.keyboard.press("Enter")
    else:  # its page had no stamp yet
        with guest.answered():
            page.keyboard.press("Enter")
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
    assert len(stamps) == int(scripts)  # each would hold the next question up for a second


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


@pytest.fixture
def blog() -> Iterator[Callable[[str], str]]:
    """Another site on this machine: it shows the page that it is given, at the address that it says."""
    shown = {"html": ""}

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "text/html; charset=utf-8")
            self.end_headers()
            self.wfile.write(shown["html"].encode())

        def log_message(self, *_words: object) -> None:
            """Nobody reads it."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()

    def show(html: str) -> str:
        shown["html"] = html
        return f"http://127.0.0.1:{server.server_port}"

    yield show
    server.shutdown()
    thread.join()
    server.server_close()


def on_blog(school: SmallSchool, slug: str, way: str) -> str:
    tag = f'<script src="{school.url}/forms/embed.js" data-form="{slug}" data-as="{way}" data-words="Ask us"></script>'
    return f'<!doctype html><html lang="en"><title>Blog</title><link rel="icon" href="data:,"><h1>Blog</h1>{tag}'


def test_a_form_in_a_frame_is_as_high_as_it_needs_to_be(
    visit: Callable[..., Visitor], make_form: Callable[..., str], school: SmallSchool, blog: Callable[[str], str]
) -> None:
    """Another site shows the form, and only if the form lets it."""
    guest = visit()
    page = guest.page
    slug = make_form(fields=FIELDS[:2], rules=[], sites=[blog("")])
    page.goto(blog(on_blog(school, slug, "inline")))
    frame = page.frame_locator("iframe")
    frame.get_by_label("Your name").fill("Ann Hart")
    page.wait_for_function("() => parseInt(document.querySelector('iframe').style.height) > 200")
    page.wait_for_timeout(1100)
    frame.get_by_role("button", name="Send").click()
    expect(frame.get_by_role("heading", name=re.compile("Thank you"))).to_be_visible()
    assert page.url == blog("") + "/"

    slug = make_form(fields=FIELDS[:2], rules=[])
    with page.expect_console_message(lambda said: "frame-ancestors" in said.text):
        page.goto(blog(on_blog(school, slug, "inline")))
    expect(page.locator("iframe")).to_have_count(1)
    expect(page.frame_locator("iframe").get_by_label("Your name")).to_have_count(0)
    assert page.locator("iframe").evaluate("frame => frame.style.height") == ""
    guest.problems.clear()


@pytest.mark.parametrize("way", ["popup", "slide"])
def test_a_form_opens_over_the_page_of_another_site(
    visit: Callable[..., Visitor],
    make_form: Callable[..., str],
    school: SmallSchool,
    blog: Callable[[str], str],
    way: str,
) -> None:
    guest = visit(width=375)
    page = guest.page
    slug = make_form(fields=FIELDS[:2], rules=[], sites=["*"])
    page.goto(blog(on_blog(school, slug, way)))
    frame = page.frame_locator("iframe")
    expect(page.locator("dialog")).to_be_hidden()
    page.get_by_role("button", name="Ask us").click()
    frame.get_by_label("Your name").fill("Ann Hart")
    page.wait_for_function("() => parseInt(document.querySelector('iframe').style.height) > 200")
    page.wait_for_timeout(1100)
    frame.get_by_role("button", name="Send").click()
    expect(frame.get_by_role("heading", name=re.compile("Thank you"))).to_be_visible()
    page.get_by_role("button", name="Close").click()
    expect(page.locator("dialog")).to_be_hidden()
    for at in (page.get_by_role("button", name="Close"), frame.get_by_role("heading", name="Thank you")):
        page.get_by_role("button", name="Ask us").click()
        at.focus()
        page.keyboard.press("Escape")
        expect(page.locator("dialog")).to_be_hidden()
        expect(page.get_by_role("button", name="Ask us")).to_be_focused()
    guest.problems.clear()


def test_a_payment_leaves_the_frame_of_another_site(
    visit: Callable[..., Visitor],
    make_form: Callable[..., str],
    school: SmallSchool,
    blog: Callable[[str], str],
    addresses: Addresses,
    scripts: bool,
) -> None:
    """No payment page lets itself be framed."""
    guest = visit(scripts=scripts, width=375)
    page = guest.page
    slug = make_form(fields=TICKET, rules=[], sites=["*"])
    frame_code = f'<h1>Blog</h1><iframe src="{school.url}/forms/{slug}/embed" title="Ask us" height="800"></iframe>'
    page.goto(blog(f'<!doctype html><html lang="en"><title>Blog</title><link rel="icon" href="data:,">{frame_code}'))
    frame = page.frame_locator("iframe")
    frame.get_by_label("Email").fill(addresses.mail("ann"))
    frame.get_by_label("Half").check()
    button = frame.get_by_role("button", name="Go on to payment")
    guest.think()
    button.click()
    if not scripts:  # its page had no stamp yet
        expect(frame.get_by_text("Please press the button once more")).to_be_visible()
        guest.think()
        button.click()
    expect(frame.get_by_role("heading", name="Waiting for the payment")).to_be_visible()
    button.click()
    page.wait_for_url(lambda url: urlsplit(url).path.startswith("/pay/"))
    guest.problems.clear()


def test_what_a_rule_hides_again_is_gone_and_the_others_are_numbered_anew(
    visit: Callable[..., Visitor], make_form: Callable[..., str]
) -> None:
    slug = make_form(numbers=True)
    guest = visit()
    page = guest.page
    guest.open(f"/forms/{slug}")
    many = page.locator("#f-q3")
    for _time in range(2):
        page.get_by_label("For my team").check()
        expect(many).to_be_visible()
        expect(many.locator(".q__n")).to_have_text("3")
        page.get_by_label("For me").check()
        expect(many).to_be_hidden()
    assert page.locator("#f-q4").is_hidden()
    guest.look()
