"""Somebody gives a program a token, sees that it came, and takes the token back."""

from __future__ import annotations

import re
from collections.abc import Callable

import httpx
import pytest
from playwright.sync_api import expect

from e2e.people import Mailbox, People
from e2e.school import SmallSchool
from e2e.visitor import Visitor

pytestmark = pytest.mark.parametrize("scripts", [True, False], ids=["scripts", "no scripts"])


def test_a_token_is_made_used_and_removed(
    visit: Callable[..., Visitor], people: People, mailbox: Mailbox, school: SmallSchool, scripts: bool
) -> None:
    tilda = people.member("Tilda Thorn")
    visitor = visit(scripts=scripts, width=1280 if scripts else 375)
    visitor.come_as(tilda)
    visitor.open(mailbox.link(tilda.email, "confirm", "/verify/"))
    visitor.post("Yes, this is my address")
    visitor.open("/account")
    visitor.click("Access tokens")
    visitor.sees("Access tokens", level=2)
    visitor.click("Make a token")
    visitor.sees("Make an access token", level=2)
    visitor.expect_status(422, "/account/tokens")
    visitor.press("Make the token")
    expect(visitor.page.get_by_text("Say what it is for.")).to_be_visible()
    visitor.look()
    visitor.fill("Name", "Calendar at home")
    visitor.press("Make the token")
    visitor.sees("Calendar at home", level=2)
    token = visitor.page.locator(".key").inner_text()
    assert re.fullmatch(r"lec_[0-9A-Za-z]{46}", token)

    with httpx.Client(base_url=school.url, trust_env=False, timeout=30) as program:
        assert program.get("/api/v1/me").status_code == 401
        program.headers["Authorization"] = f"Bearer {token}"
        assert program.get("/api/v1/me").json()["email"] == tilda.email
        assert program.get("/api/v1/orders").status_code == 403

        visitor.click("I have kept it")
        expect(visitor.page.get_by_text("Last used on")).to_be_visible()
        expect(visitor.page.get_by_text(token)).to_have_count(0)
        visitor.look()
        visitor.press(re.compile("Remove"))
        expect(visitor.page.get_by_text("You have none.")).to_be_visible()
        assert program.get("/api/v1/me").status_code == 401
    visitor.look()
