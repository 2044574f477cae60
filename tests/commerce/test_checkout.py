import asyncio
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import Any
from unittest.mock import patch

import pytest

from app.access import entitlements
from app.accounts import users
from app.catalogue import products
from app.commerce import checkouts, orders, quotes
from app.commerce.models import Buyer, Received
from app.commerce.queries import orders as queries
from app.core import clock, db, limits, queue
from app.core.errors import Conflict
from app.gateways import payments
from tests.cast import Cast
from tests.commerce.shop import Shop
from tests.commerce.test_carts import own
from tests.commerce.test_orders import an_order
from tests.school import a_course
from tests.stripe import session_of


async def order_count() -> int:
    return int(await db.value("SELECT count(*) FROM orders"))


def opened(shop: Shop) -> list[dict[str, str]]:
    """The forms of the requests that opened a payment page."""
    return [form for method, path, form in shop.stripe.requests if (method, path) == ("POST", "/v1/checkout/sessions")]


async def test_the_payment_page_is_asked_for_what_the_order_says(shop: Shop, cast: Cast) -> None:
    await a_course()
    await a_course("risk", "The Arithmetic of Risk", price=18900)
    ann = await cast.ann()
    await shop.add("reading-price", ann.browser)
    await shop.add("risk", ann.browser)
    await shop.check_out(ann.browser)
    order = await shop.order()
    [sent] = opened(shop)
    assert sent["mode"] == "payment"
    assert sent["client_reference_id"] == sent["metadata[order]"] == order.public_id
    assert sent["payment_intent_data[metadata][order]"] == order.public_id
    assert sent["key"] == order.public_id
    assert sent["customer_email"] == "ann@example.org"
    assert sent["line_items[0][price_data][unit_amount]"] == "24900"
    assert sent["line_items[0][price_data][product_data][name]"] == "Reading Price"
    assert sent["line_items[1][price_data][unit_amount]"] == "18900"
    assert sent["line_items[0][price_data][currency]"] == "eur"
    assert sent["success_url"].startswith(
        f"http://localhost/checkout/success?order={order.public_id}&session_id={{CHECKOUT"
    )
    assert sent["cancel_url"] == "http://localhost/cart?payment=stopped"
    assert not [name for name in sent if name.startswith("payment_method_types")]


async def test_a_double_click_makes_one_order_and_one_payment_page(shop: Shop, cast: Cast) -> None:
    await a_course()
    ann = await cast.ann()
    await shop.add("reading-price", ann.browser)
    quote = await shop.quote(ann.browser)
    answers = await asyncio.gather(*(ann.browser.post("/checkout", form={"quote": quote}) for _ in range(5)))
    pages = {session_of(answer.headers["Location"]) for answer in answers}
    assert len(pages) == 1
    assert await order_count() == 1


async def test_two_tabs_make_one_order_and_one_payment_page(shop: Shop, cast: Cast) -> None:
    await a_course()
    ann = await cast.ann()
    await shop.add("reading-price", ann.browser)
    first = await shop.check_out(ann.browser)
    with clock.shifted(timedelta(minutes=5)):
        second = await shop.check_out(ann.browser)
    assert session_of(first) == session_of(second)
    assert await order_count() == 1


async def test_a_guest_who_corrects_the_address_gets_another_order_and_the_first_page_closes(shop: Shop) -> None:
    await a_course()
    await shop.add("reading-price")
    first = await shop.check_out_as_guest("gus@exmaple.org")
    second = await shop.check_out_as_guest("gus@example.org")
    assert session_of(first) != session_of(second)
    await queue.drain()
    assert (await shop.stripe.get(f"/v1/checkout/sessions/{session_of(first)}"))["status"] == "expired"
    states = await db.many(db.Row, "SELECT state FROM orders ORDER BY id")
    assert [row.state for row in states] == ["cancelled", "pending"]


async def test_the_receipt_is_called_by_the_name_that_was_typed_last(shop: Shop) -> None:
    await a_course()
    await shop.add("reading-price")
    await shop.check_out_as_guest("gus@example.org", "Gsu")
    await shop.check_out_as_guest("gus@example.org", "Gus")
    assert await order_count() == 1
    assert (await shop.order()).name == "Gus"


@pytest.mark.parametrize("quote", ["", "nonsense", "eyJjYXJ0IjoxfQ.aaaa.bbbb", "x" * 20_000])
async def test_a_quote_that_is_not_ours_leads_back_to_the_cart(shop: Shop, cast: Cast, quote: str) -> None:
    await a_course()
    ann = await cast.ann()
    await shop.add("reading-price", ann.browser)
    answer = await ann.browser.post("/checkout", form={"quote": quote})
    assert answer.headers["Location"] == "/cart"
    assert "Prices are held for half an hour" in await shop.text("/cart", ann.browser)
    assert await order_count() == 0


async def test_a_quote_older_than_half_an_hour_leads_back_to_the_cart(shop: Shop, cast: Cast) -> None:
    await a_course()
    ann = await cast.ann()
    await shop.add("reading-price", ann.browser)
    with patch("itsdangerous.timed.time.time", return_value=1_700_000_000):
        quote = await shop.quote(ann.browser)
    answer = await ann.browser.post("/checkout", form={"quote": quote})
    assert answer.headers["Location"] == "/cart"
    assert await order_count() == 0


async def test_the_quote_of_another_cart_leads_back_to_the_cart(shop: Shop, cast: Cast) -> None:
    await a_course()
    ann, bob = await cast.ann(), await cast.bob()
    await shop.add("reading-price", ann.browser)
    await shop.add("reading-price", bob.browser)
    answer = await bob.browser.post("/checkout", form={"quote": await shop.quote(ann.browser)})
    assert answer.headers["Location"] == "/cart"
    assert "Your cart has changed" in await shop.text("/cart", bob.browser)


async def test_a_price_that_rose_after_the_page_was_shown_is_not_charged(shop: Shop, cast: Cast) -> None:
    course = await a_course(price=24900)
    ann = await cast.ann()
    await shop.add("reading-price", ann.browser)
    quote = await shop.quote(ann.browser)
    await products.set_price(course.id, 29900, "EUR")
    answer = await ann.browser.post("/checkout", form={"quote": quote})
    assert answer.headers["Location"] == "/cart"
    page = await shop.text("/cart", ann.browser)
    assert "A price has risen since you saw it" in page
    assert "Accept the new price" in page
    assert opened(shop) == []


async def test_a_price_that_fell_after_the_page_was_shown_is_charged(shop: Shop, cast: Cast) -> None:
    course = await a_course(price=24900)
    ann = await cast.ann()
    await shop.add("reading-price", ann.browser)
    quote = await shop.quote(ann.browser)
    await products.set_price(course.id, 19900, "EUR")
    answer = await ann.browser.post("/checkout", form={"quote": quote})
    assert answer.headers["Location"].startswith(shop.stripe.url)
    assert opened(shop)[0]["line_items[0][price_data][unit_amount]"] == "19900"
    assert (await shop.order()).total_minor == 19900


async def test_a_cart_that_changed_after_the_page_was_shown_is_shown_again(shop: Shop, cast: Cast) -> None:
    await a_course()
    await a_course("risk", "The Arithmetic of Risk")
    ann = await cast.ann()
    await shop.add("reading-price", ann.browser)
    quote = await shop.quote(ann.browser)
    await shop.add("risk", ann.browser)
    answer = await ann.browser.post("/checkout", form={"quote": quote})
    assert answer.headers["Location"] == "/cart"
    assert await order_count() == 0


async def test_what_was_bought_meanwhile_is_not_bought_again(shop: Shop, cast: Cast) -> None:
    course = await a_course()
    ann = await cast.ann()
    await shop.add("reading-price", ann.browser)
    quote = await shop.quote(ann.browser)
    await own(ann, course)
    answer = await ann.browser.post("/checkout", form={"quote": quote})
    assert answer.headers["Location"] == "/cart"
    assert "Reading Price is yours already" in await shop.text("/cart", ann.browser)
    assert opened(shop) == []


async def test_an_empty_cart_cannot_be_checked_out(shop: Shop, cast: Cast) -> None:
    ann = await cast.ann()
    assert (await ann.browser.post("/checkout", form={"quote": ""})).headers["Location"] == "/cart"
    assert (await shop.client.get("/checkout")).headers["Location"] == "/cart"


@pytest.mark.parametrize(
    ("email", "name", "says"),
    [
        ("", "Gus", "Type your email address."),
        ("gus", "Gus", "does not look like an email address"),
        ("gus@example.org", "", "Tell us what to call you."),
        ("gus@example.org", "x" * 101, "longer than 100"),
        ("gus@example.org", "Gus\x00", "cannot be stored"),
        (f"{'x' * 250}@example.org", "Gus", "longer than 254"),
    ],
)
async def test_a_guests_wrong_input_is_answered_beside_the_field(shop: Shop, email: str, name: str, says: str) -> None:
    await a_course()
    await shop.add("reading-price")
    quote = await shop.quote(path="/checkout")
    answer = await shop.client.post("/checkout", form={"quote": quote, "email": email, "name": name})
    assert answer.status_code == 422
    assert says in await answer.get_data(as_text=True)
    assert await order_count() == 0


async def test_the_checkout_says_nothing_about_accounts(shop: Shop, cast: Cast) -> None:
    course = await a_course()
    ann = await cast.ann()
    await own(ann, course)
    await shop.add("reading-price")
    owner = await shop.check_out_as_guest("ann@example.org")
    await queue.drain()
    nobody = await shop.check_out_as_guest("nobody@example.org")
    assert owner.startswith(shop.stripe.url)
    assert nobody.startswith(shop.stripe.url)


async def test_a_guest_with_an_account_gets_the_course_into_it(shop: Shop, cast: Cast) -> None:
    course = await a_course()
    ann = await cast.ann()
    await shop.add("reading-price")
    await shop.pay(await shop.check_out_as_guest("ANN@example.org", "Somebody"))
    await shop.tell()
    assert (await shop.order()).user_id == ann.id
    assert await entitlements.allows(ann.id, course.id)
    assert len(await shop.mails("accounts/welcome")) == 0


async def test_a_new_account_gets_a_link_to_set_a_password(shop: Shop) -> None:
    await a_course()
    await shop.add("reading-price")
    await shop.pay(await shop.check_out_as_guest("gus@example.org", "Gus Guest"))
    await shop.tell()
    [mail] = await shop.mails("accounts/welcome")
    assert mail.recipient == "gus@example.org"
    gus = await users.find_by_email("gus@example.org")
    assert gus is not None
    assert gus.name == "Gus Guest"


async def test_coming_back_without_paying_finds_the_cart_full(shop: Shop, cast: Cast) -> None:
    await a_course()
    ann = await cast.ann()
    await shop.add("reading-price", ann.browser)
    first = await shop.check_out(ann.browser)
    page = await shop.text("/cart?payment=stopped", ann.browser)
    assert "nothing was charged" in page
    assert "Reading Price" in page
    assert session_of(await shop.check_out(ann.browser)) == session_of(first)


async def test_a_declined_card_leaves_the_order_open_for_another(shop: Shop, cast: Cast) -> None:
    course = await a_course()
    ann = await cast.ann()
    await shop.add("reading-price", ann.browser)
    page = await shop.check_out(ann.browser)
    from tests.stripe import DECLINED

    refused = await shop.stripe.pay(page, **DECLINED)
    assert refused.status_code != 303
    assert "declined" in refused.text
    await shop.tell()
    order = await shop.order()
    assert order.state == "pending"
    await shop.pay(page)
    await shop.tell()
    assert (await shop.order()).state == "paid"
    assert await entitlements.allows(ann.id, course.id)
    kinds = [row.kind for row in await db.many(db.Row, "SELECT kind FROM order_events ORDER BY id")]
    assert kinds.count("payment_refused") == 1


async def test_while_stripe_is_away_nothing_is_lost_and_the_same_order_is_taken_up(shop: Shop, cast: Cast) -> None:
    await a_course()
    ann = await cast.ann()
    await shop.add("reading-price", ann.browser)
    await shop.stripe.switch(api_fault="limit", api_fault_times=1)
    answer = await ann.browser.post("/checkout", form={"quote": await shop.quote(ann.browser)})
    page = await answer.get_data(as_text=True)
    assert answer.status_code == 503
    assert "cannot reach the payment service" in page
    assert "Reading Price" in page
    assert (await shop.check_out(ann.browser)).startswith(shop.stripe.url)
    assert await order_count() == 1


async def test_a_guest_keeps_what_was_typed_while_stripe_is_away(shop: Shop) -> None:
    await a_course()
    await shop.add("reading-price")
    await shop.stripe.switch(api_fault="limit", api_fault_times=1)
    form = {"quote": await shop.quote(path="/checkout"), "email": "gus@example.org", "name": "Gus"}
    answer = await shop.client.post("/checkout", form=form)
    assert answer.status_code == 503
    assert 'value="gus@example.org"' in await answer.get_data(as_text=True)


async def test_a_fault_that_stripe_repeats_for_its_key_is_got_over_with_another_key(shop: Shop, cast: Cast) -> None:
    await a_course()
    ann = await cast.ann()
    await shop.add("reading-price", ann.browser)
    await shop.stripe.switch(api_fault="error_kept", api_fault_times=1)
    answer = await ann.browser.post("/checkout", form={"quote": await shop.quote(ann.browser)})
    assert answer.status_code == 503
    assert (await shop.check_out(ann.browser)).startswith(shop.stripe.url)
    order = await shop.order()
    assert [form["key"] for form in opened(shop)] == [order.public_id, f"{order.public_id}-2"]
    assert await order_count() == 1


async def test_a_connection_that_broke_after_the_page_was_opened_finds_that_page_again(shop: Shop, cast: Cast) -> None:
    await a_course()
    ann = await cast.ann()
    await shop.add("reading-price", ann.browser)
    await shop.stripe.switch(api_fault="cut", api_fault_times=1)
    assert (await ann.browser.post("/checkout", form={"quote": await shop.quote(ann.browser)})).status_code == 503
    with clock.shifted(timedelta(minutes=1)):
        await shop.check_out(ann.browser)
    order = await shop.order()
    assert {form["key"] for form in opened(shop)} == {order.public_id}
    # Stripe refuses a key that comes with another request than the first time.
    assert len({form["expires_at"] for form in opened(shop)}) == 1
    sessions = (await shop.stripe.get("/v1/checkout/sessions", limit=10))["data"]
    assert len([session for session in sessions if session["client_reference_id"] == order.public_id]) == 1


async def test_a_payment_page_that_expired_is_replaced_by_a_new_order(shop: Shop, cast: Cast) -> None:
    await a_course()
    ann = await cast.ann()
    await shop.add("reading-price", ann.browser)
    first = await shop.check_out(ann.browser)
    await shop.stripe.post(f"/v1/checkout/sessions/{session_of(first)}/expire")
    second = await shop.check_out(ann.browser)
    assert session_of(first) != session_of(second)
    states = await db.many(db.Row, "SELECT state FROM orders ORDER BY id")
    assert [row.state for row in states] == ["expired", "pending"]


async def test_going_to_payment_again_after_paying_shows_the_order_and_not_a_second_page(
    shop: Shop, cast: Cast
) -> None:
    course = await a_course()
    ann = await cast.ann()
    await shop.add("reading-price", ann.browser)
    await shop.pay(await shop.check_out(ann.browser))
    # The webhook has not come; the buyer presses again in another tab.
    again = await shop.check_out(ann.browser)
    order = await shop.order()
    assert again == f"/checkout/success?order={order.public_id}"
    assert order.state == "paid"
    assert await entitlements.allows(ann.id, course.id)
    assert len(opened(shop)) == 1
    await shop.tell()
    assert await db.value("SELECT count(*) FROM entitlements") == 1


async def test_an_order_that_never_reached_stripe_is_not_taken_up_when_it_is_old(shop: Shop, cast: Cast) -> None:
    await a_course()
    ann = await cast.ann()
    await shop.add("reading-price", ann.browser)
    await shop.stripe.switch(api_fault="limit", api_fault_times=1)
    await ann.browser.post("/checkout", form={"quote": await shop.quote(ann.browser)})
    await db.run("UPDATE orders SET created_at = created_at - interval '81 minutes'")
    await shop.check_out(ann.browser)
    states = await db.many(db.Row, "SELECT state FROM orders ORDER BY id")
    assert [row.state for row in states] == ["expired", "pending"]


async def test_adding_something_after_going_to_payment_closes_the_first_page(shop: Shop, cast: Cast) -> None:
    await a_course()
    await a_course("risk", "The Arithmetic of Risk")
    ann = await cast.ann()
    await shop.add("reading-price", ann.browser)
    first = await shop.check_out(ann.browser)
    await shop.add("risk", ann.browser)
    second = await shop.check_out(ann.browser)
    await queue.drain()
    assert (await shop.stripe.get(f"/v1/checkout/sessions/{session_of(first)}"))["status"] == "expired"
    assert (await shop.stripe.get(f"/v1/checkout/sessions/{session_of(second)}"))["status"] == "open"


async def test_what_is_free_and_waits_for_its_mail_is_not_ended_by_a_later_order(shop: Shop) -> None:
    await a_course("first", "Your First Chart", price=0)
    await a_course()
    await shop.add("first")
    await shop.check_out_as_guest()
    await shop.add("reading-price")
    await shop.check_out_as_guest()
    await queue.drain()
    assert [row.state for row in await db.many(db.Row, "SELECT state FROM orders ORDER BY id")] == ["pending"] * 2


async def test_a_page_that_was_paid_before_it_could_be_closed_counts(shop: Shop, cast: Cast) -> None:
    course = await a_course()
    await a_course("risk", "The Arithmetic of Risk")
    ann = await cast.ann()
    await shop.add("reading-price", ann.browser)
    await shop.pay(await shop.check_out(ann.browser))
    await shop.add("risk", ann.browser)
    await shop.check_out(ann.browser)
    await queue.drain()
    states = await db.many(db.Row, "SELECT state FROM orders ORDER BY id")
    assert [row.state for row in states] == ["paid", "pending"]
    assert await entitlements.allows(ann.id, course.id)


async def test_a_free_cart_of_a_member_needs_no_stripe(shop: Shop, cast: Cast) -> None:
    course = await a_course("first", "Your First Chart", price=0)
    await shop.add("first")
    ann = await cast.ann()
    from tests.commerce.test_carts import token_of

    ann.browser.set_cookie("localhost", "cart", token_of(shop.client) or "")
    location = await shop.check_out(ann.browser)
    order = await shop.order()
    assert location == f"/checkout/success?order={order.public_id}"
    assert (order.state, order.total_minor) == ("paid", 0)
    assert await entitlements.allows(ann.id, course.id)
    assert "It is open" in await shop.text(location, ann.browser)
    assert shop.stripe.requests == []
    await queue.drain()
    assert shop.stripe.requests == []


async def test_nobody_can_begin_a_free_course_with_somebody_elses_address(shop: Shop) -> None:
    course = await a_course("first", "Your First Chart", price=0)
    await shop.add("first")
    location = await shop.check_out_as_guest("gus@example.org", "Gus")
    assert "Look into your mail" in await shop.text(location)
    await queue.drain()
    assert await users.find_by_email("gus@example.org") is None
    assert await db.value("SELECT count(*) FROM entitlements") == 0
    [mail] = await shop.mails("commerce/free_confirmation")
    assert mail.recipient == "gus@example.org"

    link = await confirmation_link(shop)
    assert "Yes, open it for me" in await shop.text(link)  # a mail program that opens links begins nothing
    assert await users.find_by_email("gus@example.org") is None
    for _ in range(2):
        assert (await shop.client.post(link)).status_code == 303
    assert "It is open" in await shop.text(link)
    gus = await users.find_by_email("gus@example.org")
    assert gus is not None
    assert await entitlements.allows(gus.id, course.id)
    assert (await shop.order()).state == "paid"
    assert await db.value("SELECT count(*) FROM entitlements") == 1


async def confirmation_link(shop: Shop) -> str:
    from app.core import tokens

    return f"/checkout/confirmations/{tokens.sign((await shop.order()).public_id, checkouts.CONFIRMATION)}"


async def test_asking_twice_for_a_free_course_mails_one_link(shop: Shop) -> None:
    await a_course("first", "Your First Chart", price=0)
    await shop.add("first")
    await shop.check_out_as_guest("gus@example.org", "Gus")
    await shop.check_out_as_guest("gus@example.org", "Gus")
    assert await order_count() == 1
    assert len(await shop.mails("commerce/free_confirmation")) == 1


async def test_the_link_to_a_free_course_is_good_for_a_day_and_not_to_be_guessed(shop: Shop) -> None:
    await a_course("first", "Your First Chart", price=0)
    await shop.add("first")
    await shop.check_out_as_guest("gus@example.org", "Gus")
    with patch("itsdangerous.timed.time.time", return_value=1_700_000_000):
        old = await confirmation_link(shop)
    for link in (old, "/checkout/confirmations/nonsense", f"/checkout/confirmations/{(await shop.order()).public_id}"):
        assert (await shop.client.get(link)).status_code == 404
        assert (await shop.client.post(link)).status_code == 404
    assert (await shop.order()).state == "pending"


async def test_the_link_cannot_pay_an_order_that_costs_something(shop: Shop, cast: Cast) -> None:
    await a_course()
    ann = await cast.ann()
    await shop.add("reading-price", ann.browser)
    await shop.check_out(ann.browser)
    link = await confirmation_link(shop)
    assert (await shop.client.post(link)).status_code == 404
    assert (await shop.order()).state == "pending"


async def test_free_and_paid_things_go_together(shop: Shop) -> None:
    paid = await a_course()
    free = await a_course("first", "Your First Chart", price=0)
    await shop.add("first")
    await shop.add("reading-price")
    await shop.pay(await shop.check_out_as_guest("gus@example.org"))
    await shop.tell()
    gus = await users.find_by_email("gus@example.org")
    assert gus is not None
    assert await entitlements.allows(gus.id, paid.id)
    assert await entitlements.allows(gus.id, free.id)


async def test_checking_out_is_limited(shop: Shop) -> None:
    await a_course()
    await shop.add("reading-price")
    statuses = [(await shop.client.post("/checkout", form={})).status_code for _ in range(limits.SENSITIVE.count + 1)]
    assert statuses[-1] == 429


async def test_placing_the_same_order_twenty_times_at_once_places_one(shop: Shop, cast: Cast) -> None:
    course = await a_course()
    ann = await cast.ann()
    offer = await products.offer_of_course(course.id)
    assert offer is not None
    await shop.add("reading-price", ann.browser)
    cart_id = await db.value("SELECT id FROM carts")
    quote = quotes.make([offer], (await db.value("SELECT CAST(19 AS numeric)")), "VAT")
    buyer = Buyer(ann.email, ann.name, ann.id)
    placed = await asyncio.gather(*(orders.place(quote, buyer, cart_id=cart_id) for _ in range(20)))
    assert len({order.id for order in placed}) == 1
    assert await db.value("SELECT count(*) FROM order_items") == 1


async def test_what_has_left_the_cart_is_not_ordered_again(shop: Shop, cast: Cast) -> None:
    """Of two clicks that meet, the later waits for the row of the first; by then that may be paid, and no order is open."""
    course = await a_course()
    ann = await cast.ann()
    offer = await products.offer_of_course(course.id)
    assert offer is not None
    await shop.add("reading-price", ann.browser)
    cart_id = await db.value("SELECT id FROM carts")
    quote, buyer = quotes.make([offer], Decimal(19), "VAT"), Buyer(ann.email, ann.name, ann.id)
    first = await orders.place(quote, buyer, cart_id=cart_id)
    assert await orders.mark_paid(first.id, Received(24900, "EUR", payment_id="pi_1"))
    with pytest.raises(Conflict):
        await orders.place(quote, buyer, cart_id=cart_id)
    assert await order_count() == 1


async def test_after_an_order_has_ended_the_same_cart_makes_a_new_one(shop: Shop, cast: Cast) -> None:
    await a_course()
    ann = await cast.ann()
    await shop.add("reading-price", ann.browser)
    await shop.check_out(ann.browser)
    first = await shop.order()
    await orders.mark_failed(first.id, reason="bank")
    await shop.check_out(ann.browser)
    assert (await shop.order()).id != first.id


async def test_while_the_bank_takes_its_time_nothing_is_paid_twice(shop: Shop, cast: Cast) -> None:
    await a_course()
    ann = await cast.ann()
    await shop.add("reading-price", ann.browser)
    await shop.check_out(ann.browser)
    order = await shop.order()
    await orders.mark_processing(order.id, Received(24900, "EUR"))
    location = await shop.check_out(ann.browser)
    assert location == f"/checkout/success?order={order.public_id}"
    assert "Waiting for your bank" in await shop.text(location, ann.browser)


async def test_the_page_of_a_try_whose_key_was_given_up_is_not_the_orders(shop: Shop, cast: Cast) -> None:
    await a_course()
    order, _page = await an_order(shop, await cast.ann())
    await db.run("UPDATE orders SET stripe_session_id = NULL, stripe_session_url = NULL")
    assert await queries.raise_attempt(order.id, 1)
    assert not await queries.raise_attempt(order.id, 1), "of two that fail at once one takes another key"
    assert not await queries.set_session(order.id, attempt=1, session_id="cs_old", url="https://old.example")
    assert await queries.set_session(order.id, attempt=2, session_id="cs_new", url="https://new.example")
    assert not await queries.raise_attempt(order.id, 2), "its page is open"


async def test_a_page_opened_by_an_overtaken_try_is_closed_at_once(shop: Shop, cast: Cast) -> None:
    await a_course()
    ann = await cast.ann()
    await shop.add("reading-price", ann.browser)
    gateway = payments.gateway()
    pages: list[payments.Checkout] = []

    class Overtaken:
        def __getattr__(self, name: str) -> Any:
            return getattr(gateway, name)

        async def open_checkout(self, request: payments.CheckoutRequest) -> payments.Checkout:
            first = await gateway.open_checkout(request)
            second = await gateway.open_checkout(replace(request, idempotency_key=f"{request.idempotency_key}-2"))
            await db.run(
                "UPDATE orders SET checkout_attempt = 2, stripe_session_id = :id, stripe_session_url = :url",
                id=second.session_id,
                url=second.url,
            )
            pages.extend([first, second])
            return first

    payments.use(Overtaken())  # type: ignore[arg-type]
    assert await shop.check_out(ann.browser) == pages[1].url
    states = [(await shop.stripe.get(f"/v1/checkout/sessions/{page.session_id}"))["status"] for page in pages]
    assert states == ["expired", "open"]
    # The news of the one page says nothing of the order, whose page is the other.
    await shop.tell()
    assert (await shop.order()).state == "pending"
