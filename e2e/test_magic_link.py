"""Somebody signs in with a mailed link: in the browser that asked, and from another one."""

from __future__ import annotations

import re
import time
from collections.abc import Callable

import pytest
from playwright.sync_api import expect

from e2e.people import Mailbox, People
from e2e.visitor import Visitor


@pytest.mark.parametrize("scripts", [True, False], ids=["scripts", "no scripts"])
def test_a_mailed_link_signs_in(visit: Callable[..., Visitor], people: People, mailbox: Mailbox, scripts: bool) -> None:
    lena = people.member("Lena Lind")
    visitor = visit(scripts=scripts, width=1280 if scripts else 375)
    visitor.open("/account/orders")
    visitor.click("Mail me a link instead")
    visitor.sees("Sign in with a link", level=1)
    visitor.fill("Email address", lena.email)
    visitor.think()
    visitor.press("Mail me the link")
    visitor.sees("Look into your mail", level=1)
    link = mailbox.link(lena.email, "link to sign in", "/login/link/")

    # Whoever looks at it does not use it up.
    elsewhere = visit(scripts=scripts, width=375)
    elsewhere.open(link)
    elsewhere.sees("Is it you?", level=1)
    expect(elsewhere.page.get_by_text("You asked for this link in another browser")).to_be_visible()
    visitor.open(link)
    expect(visitor.page.get_by_text("another browser")).to_have_count(0)
    visitor.press("Sign in", within="main", exact=True)
    visitor.is_at("/account/orders")
    visitor.look()

    elsewhere.expect_status(410, "/login/link/")
    elsewhere.press("It was me: sign in here")
    elsewhere.sees("This link was used", level=1)
    elsewhere.click("Mail me a new link")
    elsewhere.fill("Email address", lena.email)
    elsewhere.think()
    elsewhere.press("Mail me the link")
    elsewhere.sees("Look into your mail", level=1)
    new = _another(mailbox, lena.email, link)
    third = visit(scripts=scripts)
    third.open(new)
    third.press("It was me: sign in here")
    third.is_at("/learn")
    third.look()


def _another(mailbox: Mailbox, email: str, old: str) -> str:
    """Wait for a link that is not the old one."""
    for _ in range(600):
        link = mailbox.link(email, "link to sign in", "/login/link/")
        if link != old:
            return link
        time.sleep(0.1)
    raise AssertionError("no second mail came")


def test_asking_for_an_address_without_an_account_answers_the_same(
    visit: Callable[..., Visitor], mailbox: Mailbox
) -> None:
    visitor = visit()
    visitor.open("/login/link")
    visitor.fill("Email address", "nobody.there@example.org")
    visitor.think()
    visitor.press("Mail me the link")
    visitor.sees(re.compile("Look into your mail"), level=1)
    assert mailbox.messages("nobody.there@example.org") == []
