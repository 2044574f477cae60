"""A newsletter is connected and a form hands its entries to it, also those that came while it was away."""

from __future__ import annotations

import re
import uuid
from collections.abc import Callable

import httpx
from playwright.sync_api import Page, expect

from e2e.people import Person
from e2e.school import SmallSchool
from e2e.visitor import Visitor

KEY = "mailerlite-0123456789"


def outside(school: SmallSchool) -> str:
    return httpx.get(f"{school.sandbox_url}/outside").text


def section_of(school: SmallSchool) -> str:
    """What the stand-in of MailerLite says of itself."""
    return outside(school).split('<section id="mailerlite">')[1].split("</section>")[0]


def turn(school: SmallSchool, *, is_down: bool) -> None:
    form = {"is_down": "yes" if is_down else "no"}
    assert httpx.post(f"{school.sandbox_url}/outside/switches/mailerlite", data=form).status_code == 303


def fill(visitor: Visitor, address: str, email: str) -> None:
    visitor.open(address)
    visitor.page.get_by_label("Email").fill(email)
    visitor.think()
    visitor.press("Send")
    if not visitor.scripts:  # its page had no stamp yet
        visitor.think()
        visitor.press("Send")
    visitor.sees("Thank you", level=1)


def until(page: Page, words: str | re.Pattern[str]) -> None:
    """Look at the page again until it says so."""
    for _try in range(40):
        if page.locator("main").get_by_text(words).count():
            return
        page.wait_for_timeout(500)
        page.reload()
    expect(page.locator("main").get_by_text(words).first).to_be_visible()


def test_an_entry_arrives_at_a_service_that_was_down_and_came_back(
    visit: Callable[..., Visitor], owner: Person, school: SmallSchool, scripts: bool
) -> None:
    mark = uuid.uuid4().hex[:8]
    key = re.search(r"<dt>api_key</dt>\s*<dd>\s*<code>(.*?)</code>", section_of(school))
    assert key is not None
    office = visit(scripts=scripts)
    page = office.page
    office.sign_in(owner)

    office.open("/admin/connections/new")
    office.click("MailerLite", within="main")
    office.sees("Connect MailerLite", level=1)
    office.fill("What you call it", f"Our letter {mark}")
    office.fill("API token", "wrong")
    office.expect_status(422, "/admin/connections")
    office.press("Connect", within="main", exact=True)
    expect(page.get_by_text("MailerLite: 401")).to_be_visible()
    office.look()
    office.fill("API token", key[1])
    office.press("Connect", within="main", exact=True)
    office.sees(f"Our letter {mark}", level=1)
    assert key[1] not in page.content()
    office.press("Check now")
    expect(page.get_by_text("It works")).to_be_visible()

    office.open("/admin/forms/new")
    page.get_by_label("Name", exact=True).fill(f"Letter {mark}")
    office.press("Make the form")
    office.sees(f"Letter {mark}", level=1)
    base = page.url.partition("?")[0]
    # The builder has a journey of its own.
    assert page.request.post(f"{base}/fields", form={"kind": "email", "after": ""}).ok
    office.open(f"{base}/integrations")
    page.get_by_label("Hand entries to").select_option(f"Our letter {mark}")
    office.press("Add", within="main", exact=True)
    office.look()
    expect(page.get_by_label("Email address", exact=True)).to_have_value("q1")
    page.get_by_label("Group").select_option(index=1)
    office.fill("Tags", "course")
    office.press("Keep", within="main", exact=True)
    expect(page.get_by_label("Group")).not_to_have_value("")
    office.click("For an example", within="main")
    expect(page.get_by_text("POST https://connect.mailerlite.com/api/subscribers")).to_be_visible()
    assert key[1] not in page.content()
    office.look()
    office.press("Publish")
    address = f"/forms/letter-{mark}"

    guest = visit(scripts=scripts)
    fill(guest, address, f"ann-{mark}@learner.example")
    office.open(f"{base}/deliveries")
    until(page, re.compile("New there"))
    office.look()
    assert f"ann-{mark}@learner.example" in section_of(school)

    turn(school, is_down=True)
    try:
        fill(guest, address, f"ben-{mark}@learner.example")
        page.reload()
        until(page, re.compile("tries again at"))
        office.look()
        page.get_by_role("row").filter(has_text=f"ben-{mark}").get_by_role("link").first.click()
        expect(page.get_by_text("Service unavailable").first).to_be_visible()
        expect(page.get_by_text("Tries again at")).to_be_visible()
        office.look()
        assert f"ben-{mark}@learner.example" not in section_of(school)
    finally:
        turn(school, is_down=False)
    office.press("Send now")
    until(page, "New there")
    assert section_of(school).count(f"ben-{mark}@learner.example") == 1
    office.click(f"ben-{mark}@learner.example", within="main")
    office.look()
    if scripts:
        expect(page.get_by_role("heading", name="Where it went")).to_be_visible()
    else:
        office.click("Where it went", within="main")
    expect(page.get_by_role("link", name=f"Our letter {mark}")).to_be_visible()
    office.look()
