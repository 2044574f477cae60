"""Somebody comes in with Google (the local one), disconnects it, connects another, and somebody who may not."""

from __future__ import annotations

import re
from collections.abc import Callable
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import expect

from e2e.people import Mailbox, People
from e2e.visitor import Visitor


def choose(visitor: Visitor, email: str, name: str, *, verified: bool = True) -> None:
    """Be somebody on the local Google's page."""
    visitor.page.wait_for_url(lambda url: urlsplit(url).path == "/google/authorize")
    visitor.look()
    visitor.fill("Address at Google", email)
    visitor.fill("Name at Google", name)
    visitor.page.get_by_label("The address is verified there").set_checked(verified)
    visitor.press("Continue")


@pytest.mark.parametrize("scripts", [True, False], ids=["scripts", "no scripts"])
def test_google_makes_an_account_and_opens_it_again(
    visit: Callable[..., Visitor], mailbox: Mailbox, scripts: bool
) -> None:
    email = f"nora.nils.{'a' if scripts else 'b'}@example.org"
    visitor = visit(scripts=scripts, width=1280 if scripts else 375)
    visitor.open("/login?next=/account/security")
    visitor.press("Continue with Google")
    choose(visitor, email, "Nora Nils")
    visitor.is_at("/account/security")
    visitor.look()
    expect(visitor.page.locator("#google").get_by_text(email)).to_be_visible()
    mailbox.message(email, "Welcome")
    mailbox.message(email, "Google was connected")

    # Without a password it is the only key, so it stays.
    visitor.expect_status(409, "/account/security/google/removal")
    visitor.press(re.compile("Disconnect"))
    expect(visitor.page.get_by_text("Set a password first")).to_be_visible()
    visitor.look()

    again = visit(scripts=scripts)
    again.open("/register")
    again.press("Continue with Google")
    choose(again, email, "Nora Nils")
    again.is_at("/learn")
    again.look()


def test_google_is_connected_and_disconnected(visit: Callable[..., Visitor], people: People, mailbox: Mailbox) -> None:
    otto = people.member("Otto Olsen")
    stranger = visit(width=375)
    stranger.open("/login")
    stranger.press("Continue with Google")
    stranger.expect_status(409, "/login/google/callback")
    choose(stranger, otto.email, "Somebody", verified=False)
    stranger.sees("Google has not confirmed your address", level=1)
    stranger.click("Back to sign in")
    stranger.press("Continue with Google")
    choose(stranger, otto.email, "Somebody")
    stranger.sees("Your address is not confirmed here", level=1)
    stranger.click("Back to sign in")
    stranger.press("Continue with Google")
    stranger.page.wait_for_url(lambda url: urlsplit(url).path == "/google/authorize")
    stranger.expect_status(400, "/login/google/callback")
    stranger.press("Cancel")
    stranger.sees("You stopped at Google", level=1)

    visitor = visit()
    visitor.sign_in(otto)
    visitor.open("/account/security")
    visitor.press(re.compile("Connect"), within="#google")
    choose(visitor, otto.email, "Otto Olsen")
    visitor.is_at("/account/security")
    expect(visitor.page.get_by_text("Google is connected.")).to_be_visible()
    visitor.look()
    visitor.press(re.compile("Disconnect"))
    expect(visitor.page.get_by_text("Google is disconnected.")).to_be_visible()
    visitor.look()
    mailbox.message(otto.email, "Google was disconnected")
