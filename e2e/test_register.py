"""Somebody makes an account, confirms the address, signs in and out."""

from __future__ import annotations

import re

from playwright.sync_api import expect

from e2e.people import PASSWORD, Addresses, Mailbox, Person
from e2e.visitor import Visitor


def test_somebody_registers_and_confirms_the_address(visitor: Visitor, addresses: Addresses, mailbox: Mailbox) -> None:
    nils = Person("Nils Norling", addresses.mail("Nils Norling"))
    visitor.expect_status(422, "/register")
    visitor.open("/login")
    visitor.click("Make an account")
    visitor.sees("Make an account", level=1)
    visitor.fill("Name", nils.name)
    visitor.fill("Email address", "nils at example")
    visitor.fill("Password", "password")
    visitor.page.wait_for_timeout(1100)  # the form refuses whoever fills it within a second
    visitor.press("Make the account")
    expect(visitor.page.get_by_label("Email address")).to_have_attribute("aria-invalid", "true")
    expect(visitor.page.get_by_label("Name")).to_have_value(nils.name)
    visitor.look()
    visitor.fill("Email address", nils.email)
    visitor.fill("Password", PASSWORD)
    visitor.press("Make the account")
    visitor.sees("Look into your mail", level=1)
    visitor.click("Sign in", within="main")
    visitor.is_at(re.compile(r"/login.*"))
    visitor.sign_in(nils)
    expect(visitor.page.get_by_text("Please confirm your address")).to_be_visible()
    visitor.look()

    visitor.open(mailbox.link(nils.email, "confirm", "/verify/"))
    visitor.press("Yes, this is my address")
    visitor.is_at("/account")
    expect(visitor.page.get_by_text("your address is confirmed")).to_be_visible()
    visitor.sees("Your account", level=1)
    expect(visitor.page.get_by_text("Please confirm your address")).to_have_count(0)
    visitor.press("Sign out", within="#leave")
    visitor.is_at("/")
    visitor.look()
    expect(visitor.page.get_by_role("link", name="Sign in")).to_be_visible()
    visitor.page.goto("/account")
    visitor.is_at(re.compile(r"/login.*"))
