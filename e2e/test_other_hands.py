"""The same purchase by keyboard alone, and on a telephone."""

from __future__ import annotations

from collections.abc import Callable

from playwright.sync_api import Page, expect

from e2e.people import Addresses, People
from e2e.steps import PAYS, add_to_cart, go_to_payment_as_guest, is_at_payment, is_thanked, pay
from e2e.visitor import Visitor

FARTHEST = 80


def tab_to(page: Page, words: str) -> None:
    """Press Tab until what has the focus is called that; the focus must be visible on the way."""
    for _press in range(FARTHEST):
        page.keyboard.press("Tab")
        name = page.evaluate(
            """() => {
              const at = document.activeElement;
              const label = at.labels?.[0]?.innerText ?? at.innerText ?? "";
              const outline = getComputedStyle(at).outlineStyle !== "none" || getComputedStyle(at).boxShadow !== "none";
              return at === document.body ? "" : (outline ? "" : "(unseen) ") + label.trim().replace(/\\s+/g, " ");
            }"""
        )
        assert not name.startswith("(unseen)"), f"the focus cannot be seen on {name}"
        if name.startswith(words):
            return
    raise AssertionError(f"{words} was not reached in {FARTHEST} presses of Tab")


def test_a_course_is_bought_by_keyboard_alone(visit: Callable[..., Visitor], people: People) -> None:
    visitor = visit()
    page = visitor.page
    kim = people.member("Kim Kask")
    page.goto("/login")
    tab_to(page, "Email address")
    page.keyboard.type(kim.email)
    tab_to(page, "Password")
    page.keyboard.type(kim.password)
    page.keyboard.press("Enter")
    visitor.is_at("/learn")
    tab_to(page, "Skip to the content")
    page.keyboard.press("Enter")
    tab_to(page, "See the courses")
    page.keyboard.press("Enter")
    visitor.sees("Courses", level=1)
    tab_to(page, "Reading Price")
    page.keyboard.press("Enter")
    visitor.sees("Reading Price", level=1)
    tab_to(page, "Add to cart")
    page.keyboard.press("Enter")
    visitor.is_at("/cart")
    visitor.look()
    tab_to(page, "Go to payment")
    page.keyboard.press("Enter")
    is_at_payment(visitor)
    card = {"Card number": PAYS, "Expiry": "12 / 34", "Security code": "123", "Name on card": "Kim Kask"}
    for label, text in card.items():
        tab_to(page, label)
        page.keyboard.type(text)
    page.keyboard.press("Enter")
    is_thanked(visitor)
    tab_to(page, "Begin learning")
    page.keyboard.press("Enter")
    visitor.sees("Reading Price", level=1)


def test_a_course_is_bought_on_a_telephone(visit: Callable[..., Visitor], addresses: Addresses, scripts: bool) -> None:
    visitor = visit(scripts=scripts, width=375)
    visitor.open("/")
    visitor.open("/courses")
    visitor.open("/courses/reading-price/preview/ranges-gaps-and-silence")
    add_to_cart(visitor, "reading-price", "Reading Price")
    go_to_payment_as_guest(visitor, addresses.mail("Tia Tamm"))
    pay(visitor)
    is_thanked(visitor)
    expect(visitor.page.get_by_role("link", name="Sign in and begin")).to_be_visible()
