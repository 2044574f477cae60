"""Somebody adds passkeys, signs in with nothing else, takes the second step with one, confirms, renames and removes.

The device is Chromium's virtual one: real keys and signatures, no finger.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from playwright.sync_api import Page, expect

from e2e.people import Mailbox, People
from e2e.visitor import Visitor

SECURITY = "/account/security"


class Device:
    """A virtual authenticator in the browser of a page."""

    def __init__(self, page: Page, *, passkeys: list[dict[str, Any]] | None = None) -> None:
        self._session = page.context.new_cdp_session(page)
        self._session.send("WebAuthn.enable")
        options = {
            "protocol": "ctap2",
            "ctap2Version": "ctap2_1",
            "transport": "internal",
            "hasResidentKey": True,
            "hasUserVerification": True,
            "isUserVerified": True,
            "automaticPresenceSimulation": True,
        }
        self._id = self._session.send("WebAuthn.addVirtualAuthenticator", {"options": options})["authenticatorId"]
        for credential in passkeys or ():
            self._session.send("WebAuthn.addCredential", {"authenticatorId": self._id, "credential": credential})

    @property
    def passkeys(self) -> list[dict[str, Any]]:
        """What it keeps, to be put into the device of another browser."""
        found = self._session.send("WebAuthn.getCredentials", {"authenticatorId": self._id})
        return list(found["credentials"])

    def is_touched(self, yes: bool) -> None:
        """Whether somebody is there to touch it; else what is asked of it waits."""
        self._session.send("WebAuthn.setAutomaticPresenceSimulation", {"authenticatorId": self._id, "enabled": yes})

    def knows_owner(self, yes: bool) -> None:
        """Whether the finger is the right one."""
        self._session.send("WebAuthn.setUserVerified", {"authenticatorId": self._id, "isUserVerified": yes})

    def unplug(self) -> None:
        self._session.send("WebAuthn.removeVirtualAuthenticator", {"authenticatorId": self._id})


def add(visitor: Visitor, name: str) -> None:
    visitor.click("Add a passkey", within="main")
    visitor.sees("Add a passkey", level=2)
    visitor.fill("Name", name)
    visitor.press("Add it")


def test_a_passkey_replaces_the_password_and_is_a_second_step_beside_it(
    visit: Callable[..., Visitor], people: People, mailbox: Mailbox
) -> None:
    petra = people.confirmed(mailbox, "Petra Paasch")
    home = visit(width=375)
    phone = Device(home.page)
    home.sign_in(petra)
    home.open(SECURITY)
    add(home, "My phone")
    home.sees("Your recovery codes", level=2)
    mailbox.message(petra.email, "passkey was added")
    home.click("I have kept them")
    expect(home.page.get_by_text("My phone", exact=False).first).to_be_visible()

    # The same device declines a second one; another takes it.
    add(home, "Again")
    expect(home.page.get_by_text("holds a passkey for your account already")).to_be_visible()
    home.look()
    kept = phone.passkeys
    phone.unplug()
    Device(home.page)
    home.fill("Name", "Security key")
    home.press("Add it")
    home.is_at(SECURITY)
    expect(home.page.get_by_text("Security key").first).to_be_visible()
    home.look()

    # Elsewhere, without a password: the browser offers it in the field, or the button asks.
    away = visit()
    device = Device(away.page, passkeys=kept)
    device.is_touched(False)
    # Where the field offers passkeys, the device has been asked before somebody is there to touch it.
    with away.page.expect_response(lambda answer: answer.url.endswith("/challenges")):
        away.page.goto("/login?next=/account/orders")
    away.look()
    device.is_touched(True)
    away.press("Sign in with a passkey")
    away.is_at("/account/orders")
    leave(away)
    away.page.goto("/login")
    away.is_at("/learn")  # what the field offers was taken at once

    # After the password it is the second step.
    leave(away)
    device.is_touched(False)
    away.sign_in(petra)
    away.sees("One more step", level=1)
    device.is_touched(True)
    away.press("Use a passkey")
    away.is_at("/learn")

    # A confirmation later on: the wrong finger, then the right one.
    away.page.goto(f"/login?fresh=1&next={SECURITY}")
    device.knows_owner(False)
    away.press("Confirm with a passkey")
    expect(away.page.get_by_text("Nothing was chosen, or it took too long")).to_be_visible()
    away.look()
    device.knows_owner(True)
    away.press("Confirm with a passkey")
    away.is_at(SECURITY)

    # Another name for one; then both go, and the password alone is enough again.
    away.click(re.compile("Change.*Security key"))
    away.sees("Security key", level=2)
    away.fill("Name", "Old key")
    away.press("Save")
    away.is_at(SECURITY)
    for name in ("Old key", "My phone"):
        away.click(re.compile(f"Change.*{name}"))
        away.sees(name, level=2)
        away.press("Remove the passkey")
        away.is_at(SECURITY)
    away.look()
    mailbox.message(petra.email, "passkey was removed")
    leave(away)
    away.expect_status(422, "/login/passkey")  # the device offers it still; the school refuses, and does not ask again
    away.page.goto("/login")
    expect(away.page.get_by_text("does not know this passkey")).to_be_visible()
    away.look()


def leave(visitor: Visitor) -> None:
    visitor.page.goto("/account")
    visitor.press("Sign out", within="#leave")
    visitor.page.wait_for_url(lambda url: not url.endswith("/account"))


def test_without_scripts_nobody_is_shown_a_button_that_does_nothing(
    visit: Callable[..., Visitor], people: People, mailbox: Mailbox
) -> None:
    nora = people.confirmed(mailbox, "Nora Noll")
    visitor = visit(scripts=False)
    visitor.open("/login")
    expect(visitor.page.get_by_role("button", name="Sign in with a passkey")).to_be_hidden()
    visitor.sign_in(nora)
    visitor.open(f"{SECURITY}/passkeys/new")
    expect(visitor.page.get_by_text("This browser cannot make passkeys")).to_be_visible()
    expect(visitor.page.get_by_role("button", name="Add it")).to_be_hidden()
