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


def outside(school: SmallSchool) -> str:
    return httpx.get(f"{school.sandbox_url}/outside", timeout=30).text


def section_of(school: SmallSchool) -> str:
    """What the stand-in of MailerLite says of itself."""
    return outside(school).split('<section id="mailerlite">')[1].split("</section>")[0]


def turn(school: SmallSchool, *, is_down: bool) -> None:
    form = {"is_down": "yes" if is_down else "no", "wait": "6"}
    answer = httpx.post(f"{school.sandbox_url}/outside/switches/mailerlite", data=form, timeout=30)
    assert answer.status_code == 303


def fill(visitor: Visitor, address: str, email: str) -> None:
    visitor.open(address)
    visitor.page.get_by_label("Email").fill(email)
    visitor.page.get_by_label("First name").fill("Ann")
    visitor.page.get_by_label("Last name").fill("Larsen")
    visitor.think()
    if not visitor.scripts:  # its page has no stamp yet
        visitor.expect_status(422, address)
        visitor.post("Send")
        visitor.think()
    visitor.press("Send")
    visitor.sees("Thank you", level=1)


def until(page: Page, words: str | re.Pattern[str]) -> None:
    """Look at the page again until it says so."""
    for _try in range(100):
        if page.locator("main").get_by_text(words).count():
            return
        page.wait_for_timeout(500)
        page.reload()
    expect(page.locator("main").get_by_text(words).first).to_be_visible()


def back_again(page: Page, name: str) -> None:
    """Look at the page until this button is on it."""
    for _try in range(100):
        if page.get_by_role("button", name=name).count():
            return
        page.wait_for_timeout(500)
        page.reload()
    expect(page.get_by_role("button", name=name)).to_be_visible()


def test_an_entry_arrives_at_a_service_that_was_down_and_came_back(
    visit: Callable[..., Visitor], owner: Person, school: SmallSchool, scripts: bool
) -> None:
    mark = uuid.uuid4().hex[:8]
    key = re.search(r"<dt>api_key</dt>\s*<dd>\s*<code>(.*?)</code>", section_of(school))
    assert key is not None
    office = visit(scripts=scripts)
    page = office.page
    office.come_as(owner)

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
    office.post("Check now")
    expect(page.get_by_text("It works")).to_be_visible()

    office.open("/admin/forms/new")
    page.get_by_label("Name", exact=True).fill(f"Letter {mark}")
    office.press("Make the form")
    office.sees(f"Letter {mark}", level=1)
    base = page.url.partition("?")[0]
    # The builder has a journey of its own.
    assert page.request.post(f"{base}/fields", form={"kind": "email", "after": ""}).ok
    assert page.request.post(f"{base}/fields", form={"kind": "name", "after": "q1"}).ok
    office.open(f"{base}/integrations")
    page.get_by_label("Hand entries to").select_option(f"Our letter {mark}")
    office.press("Add", within="main", exact=True)
    expect(page.get_by_label("Email address", exact=True)).to_have_value("q1")
    expect(page.get_by_label("First name", exact=True)).to_have_value("q2.first")
    office.look()
    # Nobody agrees to anything in this form: the page says so, and nothing would leave.
    expect(page.get_by_text("Nobody agrees to get mail in this form, and MailerLite keeps only")).to_be_visible()
    page.get_by_label("Who agrees to get mail").select_option("Whoever sends the form: it says so")
    page.get_by_label("City").select_option("Name")
    office.fill("Tags", "course")
    office.press("Keep", within="main", exact=True)
    expect(page.get_by_text("Say on the form, beside its button")).to_be_visible()
    office.click("For an example", within="main")
    expect(page.get_by_text("Group is not chosen.")).to_be_visible()
    office.look()
    office.post("Publish")
    address = f"/forms/letter-{mark}"

    guest = visit(scripts=scripts)
    fill(guest, address, f"ann-{mark}@learner.example")
    office.open(f"{base}/deliveries")
    until(page, "Group is not chosen.")
    office.look()
    assert f"ann-{mark}@learner.example" not in section_of(school)

    # The mapping is mended, and what was held is sent again.
    office.open(f"{base}/integrations?integration=i3")
    page.get_by_label("Group").select_option(index=1)
    office.post("Keep", within="main", exact=True)
    expect(page.get_by_label("Group")).not_to_have_value("")
    office.click("For the latest entry", within="main")
    expect(page.get_by_text("POST https://connect.mailerlite.com/api/subscribers")).to_be_visible()
    expect(page.locator("pre.code")).to_contain_text('"city": "Ann Larsen"')
    assert key[1] not in page.content()
    office.look()
    office.post("Publish")
    office.open(f"{base}/deliveries?state=held")
    page.get_by_role("row").filter(has_text=f"ann-{mark}").get_by_role("link").first.click()
    expect(page.get_by_role("button", name="Send again")).to_be_visible()
    office.look()
    office.post("Send again")
    until(page, "New there")
    assert f"ann-{mark}@learner.example, active" in section_of(school)
    expect(page.get_by_text("Try 1")).to_be_visible()
    assert key[1] not in page.content()
    office.look()

    turn(school, is_down=True)
    try:
        fill(guest, address, f"ben-{mark}@learner.example")
        office.open(f"{base}/deliveries")
        until(page, re.compile("tries again at"))
        office.look()
        page.get_by_role("row").filter(has_text=f"ben-{mark}").get_by_role("link").first.click()
        expect(page.get_by_text("Service unavailable").first).to_be_visible()
        expect(page.get_by_text("Tries again at")).to_be_visible()
        office.look()
        assert f"ben-{mark}@learner.example" not in section_of(school)
    finally:
        turn(school, is_down=False)
    # The service asked us to wait, so nobody may hurry before.
    back_again(page, "Send now")
    office.post("Send now")
    until(page, "New there")
    assert section_of(school).count(f"ben-{mark}@learner.example") == 1
    assert key[1] not in page.content()
    office.click(f"ben-{mark}@learner.example", within="main")
    page.wait_for_url("**/entries/**")
    office.look()
    if scripts:
        expect(page.get_by_role("heading", name="Where it went")).to_be_visible()
    else:
        office.click("Where it went", within="main")
    expect(page.get_by_role("link", name=f"Our letter {mark}")).to_be_visible()
    office.look()
