"""Somebody goes to the payment page and comes back without paying."""

from __future__ import annotations

from playwright.sync_api import expect

from e2e.people import Addresses, People
from e2e.steps import add_to_cart, go_to_payment_as_guest, is_at_payment
from e2e.visitor import Visitor


def test_going_back_without_paying_finds_the_cart_full(visitor: Visitor, addresses: Addresses, people: People) -> None:
    add_to_cart(visitor, "reading-price", "Reading Price")
    add_to_cart(visitor, "options-plainly", "Options, Plainly")
    go_to_payment_as_guest(visitor, addresses.mail("Carl Cole"))
    visitor.click("Back to the shop without paying")
    visitor.is_at("/cart?payment=stopped")
    expect(visitor.page.get_by_text("nothing was charged")).to_be_visible()
    expect(visitor.page.locator(".cart-line")).to_have_count(2)
    visitor.look()
    # It can be paid for a second time, now signed in: the cart comes along.
    visitor.come_as(people.member("Carl Cole"))
    visitor.open("/cart")
    expect(visitor.page.locator(".cart-line")).to_have_count(2)
    visitor.press("Go to payment")
    is_at_payment(visitor)
    expect(visitor.page.get_by_text("638.00").first).to_be_visible()
