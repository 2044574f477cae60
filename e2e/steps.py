"""What several journeys do: put a course into the cart, go to the payment page, pay."""

from __future__ import annotations

import re
import time
from urllib.parse import urlsplit

from playwright.sync_api import expect

from e2e.people import Person
from e2e.school import SmallSchool
from e2e.visitor import Visitor
from tests.bare.visitor import Visitor as PlainVisitor

PAYS = "4242 4242 4242 4242"
DECLINED = "4000 0000 0000 0002"
NO_FUNDS = "4000 0000 0000 9995"
ASKS = "4000 0025 0000 3155"


def add_to_cart(visitor: Visitor, slug: str, title: str) -> None:
    """From the course's page into the cart."""
    visitor.open(f"/courses/{slug}")
    visitor.press("Add to cart", within="#offer")
    visitor.is_at("/cart")
    expect(visitor.page.locator(".cart-lines").get_by_role("link", name=title)).to_be_visible()
    visitor.look()


def go_to_payment_as_guest(visitor: Visitor, email: str, name: str = "Noor Visser") -> None:
    """From the cart, over the question who buys, to the payment page."""
    visitor.click("Go to payment")
    visitor.sees("Who buys?")
    visitor.fill(re.compile("Email"), email)
    visitor.fill(re.compile("Name"), name)
    visitor.press("Go to payment")
    is_at_payment(visitor)


def is_at_payment(visitor: Visitor) -> None:
    """Wait for the payment page and look at it."""
    visitor.page.wait_for_url(lambda url: urlsplit(url).path.startswith("/pay/"))
    visitor.look()


def pay(visitor: Visitor, number: str = PAYS) -> None:
    """Fill in a card and press Pay."""
    visitor.fill("Card number", number)
    visitor.fill(re.compile("Expiry"), "12 / 34")
    visitor.fill("Security code", "123")
    visitor.fill("Name on card", "Noor Visser")
    visitor.press(re.compile("^Pay "))


def is_thanked(visitor: Visitor) -> None:
    """Wait until the success page says that the order is paid: by itself, with and without scripts."""
    visitor.page.wait_for_url(lambda url: urlsplit(url).path == "/checkout/success")
    expect(visitor.page.get_by_role("heading", name="Thank you", level=1)).to_be_visible()
    visitor.look()


def buy_quietly(school: SmallSchool, person: Person, slug: str) -> None:
    """Buy a course for somebody over plain HTTP, where the buying is not what the journey is about."""
    client = PlainVisitor(school.url)
    client.client.headers["X-Forwarded-For"] = "10.9.9.9"
    client.send(client.open("/login"), "/login", email=person.email, password=person.password)
    cart = client.send(client.open(f"/courses/{slug}"), "/cart/items")
    payment = client.send(cart, "/checkout")
    card = {"number": PAYS, "expiry": "12 / 34", "cvc": "123", "name": person.name}
    page = client.send(payment, "/pay/", **card)
    until = time.monotonic() + 60
    while "Thank you" not in page.words and time.monotonic() < until:
        time.sleep(0.2)
        page = client.open(page.url)
    assert "Thank you" in page.words, page.words[:400]
