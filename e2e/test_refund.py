"""The owner gives the money back, and what the order opened closes."""

from __future__ import annotations

import re
from collections.abc import Callable

from playwright.sync_api import expect

from e2e.people import Mailbox, People, Person
from e2e.school import SmallSchool
from e2e.steps import buy_quietly
from e2e.visitor import Visitor

COURSE = "arithmetic-of-risk"


def test_the_owner_refunds_an_order_and_its_course_closes(
    visitor: Visitor,
    visit: Callable[..., Visitor],
    people: People,
    owner: Person,
    mailbox: Mailbox,
    school: SmallSchool,
) -> None:
    ria = people.member("Ria Roos")
    buy_quietly(school, ria, COURSE)
    visitor.come_as(ria)
    lesson = f"/learn/{COURSE}/everything-in-r"
    visitor.open(lesson)
    visitor.press(re.compile("Done, on to lesson 2"))
    visitor.sees("The price at which you are wrong", level=1)

    office = visit()
    office.come_as(owner)
    office.open("/admin/orders")
    office.page.get_by_label(re.compile("^Name, email")).fill(ria.email)
    expect(office.page.locator("#list tbody tr")).to_have_count(1)
    office.look()
    office.page.locator("#list tbody th a").click()
    office.sees(re.compile(r"^Order \d+"), level=1)
    number = re.sub(r"\D", "", office.page.locator("h1").inner_text())
    refund = office.page.locator("#refund")
    amount = refund.get_by_label("Amount")
    whole = amount.input_value()
    amount.fill("12,50")
    expect(refund.get_by_role("button", name="Give €12.50 back", exact=True)).to_be_visible()
    amount.fill("some")
    expect(refund.get_by_role("button", name="Give the money back", exact=True)).to_be_visible()
    amount.fill(whole)
    button = refund.get_by_role("button", name=f"Give €{whole.removesuffix('.00')} back", exact=True)
    expect(button).to_have_attribute("aria-disabled", "true")
    typed, wrong = (
        refund.get_by_label("Type the order's number to confirm"),
        refund.get_by_text(f"Type {number} to confirm."),
    )
    expect(wrong).to_be_hidden()
    typed.press("Enter")
    expect(wrong).to_be_visible()
    typed.fill(number)
    expect(wrong).to_be_hidden()
    with office.answered():
        button.click()
    shows_refunded(office)

    visitor.expect_status(403, f"/learn/{COURSE}")
    visitor.page.goto(lesson)
    visitor.sees(re.compile("is not open to you"), level=1)
    expect(visitor.page.get_by_text(re.compile("refund", re.IGNORECASE)).first).to_be_visible()
    visitor.open("/account/orders")
    expect(visitor.page.locator("main tbody tr")).to_contain_text("Refunded")
    visitor.open("/learn")
    expect(visitor.page.locator(".shelf").get_by_role("link", name="The Arithmetic of Risk")).to_have_count(0)
    assert "€" in mailbox.message(ria.email, "on its way back")["text"]

    # Whoever opens the person sees why nothing is open.
    office.click(ria.name, within="main")
    office.sees(ria.name, level=1)


def shows_refunded(office: Visitor) -> None:
    """The refund is made by a job: look again until it is there."""
    badge = office.page.locator("main tfoot").get_by_text("Given back")
    for _look in range(100):
        if badge.is_visible():
            break
        office.page.wait_for_timeout(500)
        office.page.reload()
    expect(badge).to_be_visible()
    expect(office.page.locator("main").get_by_text(re.compile("^Closed")).first).to_be_visible()
    office.look()
