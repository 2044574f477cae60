"""Somebody sets up an authenticator app, signs in with it, and once with a recovery code."""

from __future__ import annotations

import base64
import re
import time
from collections.abc import Callable

import pytest
from playwright.sync_api import expect

from app.accounts import totp
from e2e.people import Mailbox, People
from e2e.visitor import Visitor

pytestmark = pytest.mark.parametrize("scripts", [True, False], ids=["scripts", "no scripts"])


def test_an_app_is_set_up_and_asked_for(
    visit: Callable[..., Visitor], people: People, mailbox: Mailbox, scripts: bool
) -> None:
    tessa = people.confirmed(mailbox, "Tessa Toth")
    visitor = visit(scripts=scripts, width=1280 if scripts else 375)
    visitor.sign_in(tessa)
    visitor.open("/account")
    visitor.click("Security")
    visitor.sees("Second step", level=2)
    visitor.click(re.compile("Set up"))
    visitor.sees("Set up an authenticator app", level=2)
    secret = base64.b32decode(visitor.page.locator(".key").inner_text().replace(" ", ""))
    visitor.expect_status(422, "/account/security/totp")
    visitor.fill("Code of six digits", "000000")
    visitor.press("Turn it on")
    expect(visitor.page.get_by_text("That is not the code of this moment")).to_be_visible()
    visitor.look()
    assert base64.b32decode(visitor.page.locator(".key").inner_text().replace(" ", "")) == secret
    step = int(time.time()) // totp.SECONDS
    visitor.fill("Code of six digits", totp.code_at(secret, step))
    visitor.press("Turn it on")
    visitor.sees("Your recovery codes", level=2)
    codes = visitor.page.locator(".recovery-codes code").all_inner_texts()
    assert len(codes) == 10
    visitor.click("I have kept them")
    expect(visitor.page.get_by_text("10 codes are left.")).to_be_visible()
    visitor.look()
    mailbox.message(tessa.email, "authenticator app was set up")

    elsewhere = visit(scripts=scripts)
    elsewhere.sign_in(tessa)
    elsewhere.sees("One more step", level=1)
    elsewhere.expect_status(422, "/login/second-step")
    elsewhere.fill("Code of six digits", totp.code_at(secret, step))
    elsewhere.press("Sign in", within="main")
    expect(elsewhere.page.get_by_text("was used before")).to_be_visible()
    elsewhere.look()
    # Nobody waits for the next half minute: the school takes its code already.
    elsewhere.fill("Code of six digits", totp.code_at(secret, max(step + 1, int(time.time()) // totp.SECONDS)))
    elsewhere.press("Sign in", within="main", exact=True)
    elsewhere.is_at("/learn")

    lost = visit(scripts=scripts, width=375)
    lost.sign_in(tessa)
    lost.click("Lost the device? Use a recovery code")
    lost.sees("One more step", level=1)
    lost.fill("Recovery code", codes[0])
    lost.press("Sign in", within="main", exact=True)
    lost.is_at("/learn")
    mailbox.message(tessa.email, "recovery code was used")
