"""Somebody looks where they are signed in, and signs another device out."""

from __future__ import annotations

import re
from collections.abc import Callable

from playwright.sync_api import expect

from e2e.people import People
from e2e.visitor import Visitor


def test_a_device_is_signed_out_from_another_browser(
    visitor: Visitor, visit: Callable[..., Visitor], people: People
) -> None:
    sven = people.member("Sven Sand")
    phone = visit(width=375)
    phone.sign_in(sven)
    visitor.sign_in(sven)
    visitor.open("/account/sessions")
    rows = visitor.page.locator(".keyring__row")
    expect(rows).to_have_count(2)
    other = rows.filter(has_not_text="This one")
    other.get_by_role("button", name=re.compile("Sign out")).click()
    expect(rows).to_have_count(1)
    expect(visitor.page.get_by_text("This one")).to_be_visible()
    visitor.look()
    phone.page.goto("/account")
    phone.is_at("/login?next=/account")
    phone.look()
    visitor.open("/account")
    visitor.sees("Your account", level=1)


def test_after_saving_the_keyboard_goes_on_where_it_can_be_seen(visit: Callable[..., Visitor], people: People) -> None:
    phone = visit(width=375)
    phone.sign_in(people.member("Ida Ihle"))
    phone.open("/account")
    page = phone.page
    page.set_viewport_size({"width": 375, "height": 320})
    save = page.get_by_role("button", name="Save", exact=True)
    save.focus()
    page.keyboard.press("Enter")
    expect(page.get_by_text("Your profile is saved.")).to_be_attached()
    page.wait_for_function("document.activeElement !== document.body")
    top, bottom = page.evaluate(
        "(({ top, bottom }) => [top, bottom - innerHeight])(document.activeElement.getBoundingClientRect())"
    )
    assert top >= 0 >= bottom


def test_a_tab_of_somebody_who_left_saves_nothing_for_whoever_came(
    visit: Callable[..., Visitor], people: People
) -> None:
    visitor = visit()
    visitor.expect_status(409, "/account/profile")
    first, second = people.member("Tab One"), people.member("Tab Two")
    visitor.sign_in(first)
    visitor.open("/account")
    old = visitor.page
    visitor.page = visitor.context.new_page()
    visitor.open("/account")
    visitor.page.get_by_role("button", name="Sign out", exact=True).first.click()
    visitor.sign_in(second)
    old.get_by_label("Name", exact=True).fill("Somebody Else")
    old.get_by_role("button", name="Save", exact=True).click()
    expect(old.get_by_text("You are signed in as Tab Two now")).to_be_visible()
    visitor.open("/account")
    expect(visitor.page.get_by_label("Name", exact=True)).to_have_value("Tab Two")
