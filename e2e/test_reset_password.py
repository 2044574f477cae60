"""Somebody has forgotten the password, and gets a new one through the mail."""

from __future__ import annotations

from collections.abc import Callable

from playwright.sync_api import expect

from e2e.people import PASSWORD, Mailbox, People, Person
from e2e.visitor import Visitor

NEW = "nine patient foxes in the fog"


def test_a_forgotten_password_is_replaced_through_the_mail(
    visitor: Visitor, visit: Callable[..., Visitor], people: People, mailbox: Mailbox
) -> None:
    remo = people.member("Remo Ricci")
    elsewhere = visit()
    elsewhere.sign_in(remo)

    visitor.open("/login")
    visitor.click("Forgot your password?")
    visitor.sees("Forgot your password?", level=1)
    visitor.fill("Email address", remo.email)
    visitor.think()
    visitor.press("Send the link")
    visitor.sees("Look into your mail", level=1)
    link = mailbox.link(remo.email, "new password", "/password/reset/")
    visitor.open(link)
    visitor.sees("Choose a new password", level=1)
    visitor.expect_status(422, "/password/reset/")
    visitor.fill("New password", "short")
    visitor.press("Set the password")
    expect(visitor.page.get_by_label("New password")).to_have_attribute("aria-invalid", "true")
    visitor.look()
    visitor.fill("New password", NEW)
    visitor.press("Set the password")
    visitor.is_at("/learn")
    expect(visitor.page.get_by_text("Your password is set.")).to_be_visible()
    visitor.look()
    mailbox.message(remo.email, "was changed")

    # The link has done its work, the other browser is signed out, and only the new password opens.
    visitor.expect_status(410, "/password/reset/")
    visitor.open(link)
    visitor.sees("This link was used", level=1)
    elsewhere.page.goto("/account")
    elsewhere.is_at("/login?next=/account")
    elsewhere.expect_status(422, "/login")
    elsewhere.fill("Email address", remo.email)
    elsewhere.fill("Password", PASSWORD)
    elsewhere.press("Sign in", within="main")
    expect(elsewhere.page.get_by_text("do not go together")).to_be_visible()
    elsewhere.look()
    elsewhere.sign_in(Person(remo.name, remo.email, NEW))
    elsewhere.sees("Learn", level=1)


def test_asking_for_an_address_without_an_account_answers_the_same(visitor: Visitor, mailbox: Mailbox) -> None:
    visitor.open("/password/forgot")
    visitor.fill("Email address", "nobody.at.all@example.org")
    visitor.think()
    visitor.press("Send the link")
    visitor.sees("Look into your mail", level=1)
    assert mailbox.messages("nobody.at.all@example.org") == []
