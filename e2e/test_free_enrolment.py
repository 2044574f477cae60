"""A free course begins without a payment page: at once for a member, by a link in the mail for a guest."""

from __future__ import annotations

import re

from playwright.sync_api import expect

from e2e.people import PASSWORD, Addresses, Mailbox, People
from e2e.visitor import Visitor

COURSE = "trade-journal"
TITLE = "A Year of Trades"


def test_a_member_begins_a_free_course_at_once(visitor: Visitor, people: People) -> None:
    visitor.come_as(people.member("Fred Frisk"))
    visitor.open(f"/courses/{COURSE}")
    visitor.press("Begin, it is free", within="#offer")
    visitor.is_at(f"/learn/{COURSE}")
    visitor.sees(TITLE, level=1)
    visitor.click(re.compile("Begin: One page a day"))
    visitor.sees("One page a day", level=1)
    visitor.open("/learn")
    expect(visitor.page.locator(".shelf").get_by_role("link", name=TITLE)).to_be_visible()


def test_a_guest_begins_a_free_course_by_a_link_in_the_mail(
    visitor: Visitor, addresses: Addresses, mailbox: Mailbox
) -> None:
    email = addresses.mail("Gina Gold")
    visitor.open(f"/courses/{COURSE}")
    visitor.press("Begin, it is free", within="#offer")
    visitor.is_at("/cart")
    visitor.look()
    visitor.click("Go on")
    visitor.sees("Who buys?", level=1)
    visitor.fill(re.compile("Email"), email)
    visitor.fill(re.compile("Name"), "Gina Gold")
    visitor.press("Mail me the link")
    visitor.sees("Look into your mail", level=1)
    visitor.open(mailbox.link(email, "", "/checkout/confirmations/"))
    visitor.press("Yes, open it for me")
    visitor.sees("It is open", level=1)
    visitor.open(mailbox.link(email, "welcome|password", "/password/"))
    visitor.fill("Password", PASSWORD)
    visitor.press("Set the password")
    visitor.is_at("/learn")
    expect(visitor.page.locator(".shelf").get_by_role("link", name=TITLE)).to_be_visible()
    visitor.look()
