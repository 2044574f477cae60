"""A guest finds a course, reads what is free, buys it, sets a password from the mail, and is learning."""

from __future__ import annotations

import re

from playwright.sync_api import expect

from e2e.people import PASSWORD, Addresses, Mailbox
from e2e.school import OWNER_ALERTS
from e2e.steps import add_to_cart, go_to_payment_as_guest, is_thanked, pay
from e2e.visitor import Visitor


def test_a_guest_buys_a_course_and_is_learning_a_minute_later(
    visitor: Visitor, mailbox: Mailbox, addresses: Addresses
) -> None:
    email = addresses.mail("Noor Visser")
    visitor.open("/")
    visitor.click("See the courses")
    visitor.sees("Courses", level=1)
    visitor.click("Reading Price", within="main")
    visitor.sees("Reading Price", level=1)
    visitor.click("Watch a lesson")
    visitor.sees("Four numbers and a story", level=1)
    add_to_cart(visitor, "reading-price", "Reading Price")
    go_to_payment_as_guest(visitor, email)
    pay(visitor)
    is_thanked(visitor)

    assert "€249" in mailbox.message(email, "order|receipt|bought")["text"]
    mailbox.message(OWNER_ALERTS, "order")
    visitor.open(mailbox.link(email, "welcome|password", "/password/"))
    visitor.fill("Password", PASSWORD)
    visitor.press("Set the password")
    visitor.is_at("/learn")
    visitor.sees("Four numbers and a story", level=1)
    visitor.click("Begin", within="main")
    visitor.is_at(re.compile("/learn/reading-price/.+"))
    visitor.sees("Four numbers and a story", level=1)
    visitor.open("/account/orders")
    expect(visitor.page.get_by_role("cell", name="Reading Price")).to_be_visible()
