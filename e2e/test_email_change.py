"""Somebody moves the account to another address, and both mailboxes agree."""

from __future__ import annotations

from collections.abc import Callable

from playwright.sync_api import expect

from e2e.people import Addresses, Mailbox, People, Person
from e2e.visitor import Visitor


def test_an_address_is_changed_when_both_mailboxes_agree(
    visitor: Visitor, visit: Callable[..., Visitor], people: People, addresses: Addresses, mailbox: Mailbox
) -> None:
    mia = people.member("Mia Moll")
    wanted = addresses.mail("Mia New")
    visitor.open(mailbox.link(mia.email, "confirm", "/verify/"))
    visitor.post("Yes, this is my address")
    visitor.come_as(mia)
    visitor.open("/account")
    visitor.click("Change Email address")
    visitor.sees("Another address", level=2)
    visitor.fill("New address", wanted)
    visitor.press("Send the mails")
    visitor.is_at("/account")
    expect(visitor.page.get_by_text("Waiting")).to_have_count(2)
    visitor.look()

    # The mails are read elsewhere, on a phone that is not signed in.
    phone = visit(width=375)
    phone.open(mailbox.link(wanted, "new address", "/email-changes/"))
    phone.sees("Is this your address?", level=1)
    phone.look()
    phone.press("Yes, this is my address")
    phone.is_at("/login")
    phone.open(mailbox.link(mia.email, "another address", "/email-changes/"))
    phone.sees("Give up this address?", level=1)
    phone.look()
    phone.press("Yes, take the new address")
    phone.is_at("/login")
    expect(phone.page.get_by_text("Your account has the new address.")).to_be_visible()
    for address in (mia.email, wanted):
        mailbox.message(address, "was changed")

    # The browser that asked is signed out; the new address opens.
    visitor.page.goto("/account")
    visitor.is_at("/login?next=/account")
    visitor.come_as(Person(mia.name, wanted, mia.password))
    visitor.open("/account")
    expect(visitor.page.get_by_text(wanted)).to_be_visible()
