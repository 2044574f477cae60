"""Cards that do not pay at once: declined and tried again, asked for proof, proof refused."""

from __future__ import annotations

import re

from playwright.sync_api import expect

from e2e.people import Addresses, Mailbox, People
from e2e.steps import ASKS, DECLINED, NO_FUNDS, add_to_cart, go_to_payment_as_guest, is_at_payment, is_thanked, pay
from e2e.visitor import Visitor


def test_after_a_declined_card_another_one_pays_for_the_same_order(
    visitor: Visitor, addresses: Addresses, mailbox: Mailbox
) -> None:
    email = addresses.mail("Dora Dahl")
    visitor.expect_status(422, "/pay/")
    add_to_cart(visitor, "arithmetic-of-risk", "The Arithmetic of Risk")
    go_to_payment_as_guest(visitor, email)
    address = visitor.page.url
    pay(visitor, DECLINED)
    expect(visitor.page.get_by_role("alert")).to_contain_text("Your card was declined.")
    visitor.look()
    pay(visitor, NO_FUNDS)
    expect(visitor.page.get_by_role("alert")).to_contain_text("insufficient funds")
    assert visitor.page.url == address
    pay(visitor)
    is_thanked(visitor)
    mailbox.message(email, "order|receipt|bought")
    orders = [mail for mail in mailbox.messages(email) if re.search("order|receipt|bought", mail["subject"], re.I)]
    assert len(orders) == 1


def test_a_card_that_asks_for_proof_pays_after_it(visitor: Visitor, people: People) -> None:
    visitor.expect_status(422, "/pay/")
    visitor.come_as(people.member("Tess Tamm"))
    add_to_cart(visitor, "reading-price", "Reading Price")
    visitor.press("Go to payment")
    is_at_payment(visitor)
    pay(visitor, ASKS)
    visitor.sees("Confirm with your bank", level=1)
    visitor.press("Fail authentication")
    expect(visitor.page.get_by_role("alert")).to_contain_text("unable to authenticate")
    visitor.look()
    pay(visitor, ASKS)
    visitor.sees("Confirm with your bank", level=1)
    visitor.press("Complete authentication")
    is_thanked(visitor)
    visitor.click("Begin learning")
    visitor.is_at("/learn/reading-price")
    visitor.sees("Reading Price", level=1)
