"""A member puts two courses into the cart as a guest, signs in, takes one out and back, and buys both."""

from __future__ import annotations

import re

from playwright.sync_api import expect

from e2e.people import Mailbox, People
from e2e.steps import add_to_cart, is_at_payment, is_thanked, pay
from e2e.visitor import Visitor


def test_a_member_buys_two_courses_and_the_guests_cart_comes_along(
    visitor: Visitor, people: People, mailbox: Mailbox
) -> None:
    ann = people.member()
    add_to_cart(visitor, "reading-price", "Reading Price")
    visitor.sign_in(ann)
    add_to_cart(visitor, "how-auctions-work", "How Auctions Work")
    lines = visitor.page.locator(".cart-lines .cart-line")
    expect(lines).to_have_count(2)

    visitor.press("Remove How Auctions Work")
    expect(lines).to_have_count(1)
    visitor.page.get_by_role("button", name="Undo").focus()  # the way back does not leave while it has the focus
    visitor.look()
    visitor.press("Undo")
    expect(lines).to_have_count(2)
    expect(visitor.page.get_by_text("€538").first).to_be_visible()
    visitor.look()

    visitor.press("Go to payment")
    is_at_payment(visitor)
    expect(visitor.page.get_by_text(ann.email)).to_be_visible()  # the payment page knows who pays
    pay(visitor)
    is_thanked(visitor)
    visitor.click("Receipt")
    visitor.sees(re.compile("^Receipt "), level=1)
    expect(visitor.page.get_by_role("row", name=re.compile("How Auctions Work"))).to_contain_text("€289")

    visitor.open("/learn")
    for title in ("Reading Price", "How Auctions Work"):
        expect(visitor.page.locator(".shelf").get_by_role("link", name=title)).to_be_visible()
    visitor.click("Reading Price", within=".shelf")
    visitor.sees("Outline")
    visitor.click("Why do I have access?")
    visitor.sees("Why do I have access?", level=1)
    assert "€538" in mailbox.message(ann.email, "order|receipt|bought")["text"]


def test_what_one_owns_already_is_not_sold_again(visitor: Visitor, people: People) -> None:
    visitor.sign_in(people.member())
    add_to_cart(visitor, "options-plainly", "Options, Plainly")
    visitor.press("Go to payment")
    is_at_payment(visitor)
    pay(visitor)
    is_thanked(visitor)
    visitor.open("/courses/options-plainly")
    if visitor.scripts:
        expect(visitor.page.locator("#offer").get_by_role("link", name="Go on learning")).to_be_visible()
        visitor.look()
        expect(visitor.page.locator("#offer").get_by_role("button")).to_have_count(0)
        visitor.click("Go on learning", within="#offer")
    else:  # the page is the same for all; the cart knows
        visitor.press("Add to cart", within="#offer")
    visitor.is_at(re.compile("/learn/options-plainly"))
    visitor.look()
    visitor.open("/cart")
    expect(visitor.page.get_by_text("Your cart is empty")).to_be_visible()
