"""Checkout sessions: what they are made of, and what happens on their page."""

from __future__ import annotations

import re
import threading
from typing import Any

import pytest
import stripe

from app.sandbox.stripe.payment_methods import IBAN_FAILS, IBAN_PAYS
from tests.sandbox.stripe.running import CANCEL, SUCCESS, Inbox, Running, http, wait_until

LABEL = {"type": "custom", "custom": "Name"}
DATA = {"currency": "eur", "unit_amount": 14900, "product_data": {"name": "Tidemark"}}


def refused(a_session: Any, **params: Any) -> stripe.InvalidRequestError:
    with pytest.raises(stripe.InvalidRequestError) as caught:
        a_session(**params)
    assert caught.value.http_status == 400
    return caught.value


def kinds_about(client: stripe.StripeClient, *ids: str) -> list[str]:
    """Types of all events about some objects, oldest first."""
    events = list(client.v1.events.list({"limit": 100}).auto_paging_iter())[::-1]
    return [event.type for event in events if event.data.object.id in ids]


# --- Making one -------------------------------------------------------------------------------------


def test_a_new_session_is_open_and_unpaid(a_session: Any, server: Running) -> None:
    session = a_session(client_reference_id="42", metadata={"order": "1"})
    assert (session.status, session.payment_status, session.mode) == ("open", "unpaid", "payment")
    assert (session.amount_subtotal, session.amount_total, session.currency) == (24900, 24900, "eur")
    assert (session.client_reference_id, session.metadata["order"]) == ("42", "1")
    assert session.url.startswith(f"{server.url}/pay/cs_test_")
    assert (session.payment_intent, session.customer, session.ui_mode) == (None, None, "hosted_page")
    assert session.success_url == SUCCESS
    assert session.expires_at - session.created == 24 * 3600


def test_lines_are_shown_on_request_only(a_session: Any, client: stripe.StripeClient) -> None:
    session = a_session(line_items=[{"price_data": DATA, "quantity": 2}, {"price_data": DATA, "quantity": 1}])
    assert not hasattr(client.v1.checkout.sessions.retrieve(session.id), "line_items")
    lines = client.v1.checkout.sessions.line_items.list(session.id)
    assert [(line.description, line.quantity, line.amount_total) for line in lines.data] == [
        ("Tidemark", 2, 29800),
        ("Tidemark", 1, 14900),
    ]
    assert session.amount_total == 44700
    first = client.v1.checkout.sessions.line_items.list(session.id, {"limit": 1})
    assert first.has_more is True
    rest = client.v1.checkout.sessions.line_items.list(session.id, {"starting_after": first.data[0].id})
    assert [line.id for line in rest.data] == [lines.data[1].id]


@pytest.mark.parametrize(
    ("params", "param"),
    [
        ({"success_url": "nowhere"}, "success_url"),
        ({"cancel_url": "/cart"}, "cancel_url"),
        ({"line_items": []}, "line_items"),
        ({"mode": "gift"}, "mode"),
        ({"ui_mode": "hosted"}, "ui_mode"),
        ({"return_url": "https://example.com"}, "return_url"),
        ({"customer": "cus_nothere"}, "customer"),
        ({"customer_email": "nobody"}, "customer_email"),
        ({"customer": "cus_1", "customer_email": "a@b.co"}, "customer"),
        ({"customer": "cus_1", "customer_creation": "always"}, "customer"),
        ({"discounts": [{"coupon": "x"}], "allow_promotion_codes": True}, "discounts"),
        ({"discounts": [{"coupon": "nothere"}]}, "discounts[0][coupon]"),
        ({"line_items": [{"price": "price_nothere", "quantity": 1}]}, "line_items[0][price]"),
        ({"line_items": [{"quantity": 1}]}, "line_items[0][price]"),
        ({"line_items": [{"price": "x", "price_data": DATA, "quantity": 1}]}, "line_items[0][price]"),
        ({"line_items": [{"price_data": DATA, "quantity": 0}]}, "line_items[0][quantity]"),
        ({"line_items": [{"price_data": DATA}]}, "line_items[0]"),
        ({"line_items": [{"price_data": {**DATA, "currency": "zzz"}, "quantity": 1}]}, None),
        ({"line_items": [{"price_data": {"currency": "eur", "unit_amount": 5}, "quantity": 1}]}, None),
        ({"payment_intent_data": {"receipt_email": "nobody"}}, "payment_intent_data[receipt_email]"),
        ({"submit_type": "subscribe"}, "submit_type"),
        ({"locale": "klingon"}, "locale"),
        ({"client_reference_id": "x" * 201}, "client_reference_id"),
        ({"custom_fields": [{"key": "a b", "label": LABEL, "type": "text"}]}, "custom_fields[0][key]"),
        ({"custom_fields": [{"key": "a", "label": LABEL, "type": "dropdown"}]}, "custom_fields[0][dropdown]"),
        ({"custom_fields": [{"key": "a", "label": LABEL, "type": "text"}] * 2}, "custom_fields"),
        ({"shipping_options": [{"shipping_rate": "shr_no"}]}, "shipping_options[0][shipping_rate]"),
        ({"after_expiration": {"recovery": {"enabled": True}}}, "after_expiration"),
    ],
)
def test_a_session_that_stripe_refuses_is_refused(a_session: Any, params: Any, param: str | None) -> None:
    error = refused(a_session, **params)
    if param:
        assert error.param == param


def test_a_session_needs_an_address_to_return_to(client: stripe.StripeClient) -> None:
    with pytest.raises(stripe.InvalidRequestError) as caught:
        client.v1.checkout.sessions.create({"mode": "payment", "line_items": [{"price_data": DATA, "quantity": 1}]})
    assert (caught.value.code, caught.value.param) == ("parameter_missing", "success_url")


def test_too_small_a_total_is_refused(a_session: Any) -> None:
    small = {**DATA, "unit_amount": 49}
    assert refused(a_session, line_items=[{"price_data": small, "quantity": 1}]).code == "amount_too_small"


def test_all_lines_have_one_currency(a_session: Any) -> None:
    other = {**DATA, "currency": "usd"}
    lines = [{"price_data": DATA, "quantity": 1}, {"price_data": other, "quantity": 1}]
    assert "currency" in str(refused(a_session, line_items=lines))


def test_what_is_not_for_sale_is_refused(a_session: Any, client: stripe.StripeClient, a_price: stripe.Price) -> None:
    client.v1.prices.update(a_price.id, {"active": False})
    assert refused(a_session).param == "line_items[0][price]"
    client.v1.prices.update(a_price.id, {"active": True})
    client.v1.products.update(a_price.product, {"active": False})
    assert "inactive" in str(refused(a_session))


def test_a_recurring_price_is_refused_in_payment_mode(a_session: Any) -> None:
    data = {**DATA, "recurring": {"interval": "month"}}
    assert "recurring" in str(refused(a_session, line_items=[{"price_data": data, "quantity": 1}]))


@pytest.mark.parametrize("after", [29 * 60, 24 * 3600 + 60])
def test_a_session_lives_between_half_an_hour_and_a_day(
    a_session: Any, client: stripe.StripeClient, after: int
) -> None:
    now = client.v1.products.create({"name": "Clock"}).created
    assert refused(a_session, expires_at=now + after).param == "expires_at"
    assert a_session(expires_at=now + 31 * 60).expires_at == now + 31 * 60


def test_a_percentage_is_taken_off_to_the_cent(a_session: Any, client: stripe.StripeClient) -> None:
    coupon = client.v1.coupons.create({"percent_off": 15, "duration": "once"})
    session = a_session(
        line_items=[{"price_data": {**DATA, "unit_amount": 333}, "quantity": 1} for _ in range(3)],
        discounts=[{"coupon": coupon.id}],
        expand=["line_items", "total_details.breakdown"],
    )
    assert (session.amount_subtotal, session.total_details.amount_discount) == (999, 150)
    assert session.amount_total == 849
    assert sum(line.amount_discount for line in session.line_items.data) == 150
    assert session.total_details.breakdown.discounts[0].discount.source.coupon.id == coupon.id


def test_tax_is_inside_or_on_top(a_session: Any, client: stripe.StripeClient) -> None:
    inside = client.v1.tax_rates.create({"display_name": "VAT", "inclusive": True, "percentage": 25})
    on_top = client.v1.tax_rates.create({"display_name": "Tax", "inclusive": False, "percentage": 10})
    data = {**DATA, "unit_amount": 10000}
    session = a_session(line_items=[{"price_data": data, "quantity": 1, "tax_rates": [inside.id]}])
    assert (session.amount_total, session.total_details.amount_tax) == (10000, 2000)
    session = a_session(line_items=[{"price_data": data, "quantity": 1, "tax_rates": [on_top.id]}])
    assert (session.amount_total, session.total_details.amount_tax) == (11000, 1000)


# --- Paying -----------------------------------------------------------------------------------------


def test_a_good_card_pays(server: Running, client: stripe.StripeClient, a_session: Any) -> None:
    session = a_session(payment_intent_data={"metadata": {"order": "1"}, "description": "Order 1"})
    answer = server.buy(session, email="ines@example.com")
    assert answer.status_code == 303
    assert answer.headers["Location"] == SUCCESS.replace("{CHECKOUT_SESSION_ID}", session.id)
    paid = client.v1.checkout.sessions.retrieve(session.id, {"expand": ["payment_intent.latest_charge"]})
    assert (paid.status, paid.payment_status, paid.url) == ("complete", "paid", None)
    assert paid.customer_details.email == "ines@example.com"
    assert paid.customer is None
    intent = paid.payment_intent
    assert (intent.status, intent.amount_received, intent.metadata["order"]) == ("succeeded", 24900, "1")
    charge = intent.latest_charge
    assert (charge.paid, charge.captured, charge.status, charge.amount) == (True, True, "succeeded", 24900)
    assert charge.payment_method_details.card.last4 == "4242"
    assert charge.billing_details.email == "ines@example.com"
    assert (charge.description, charge.metadata["order"]) == ("Order 1", "1")
    assert http.get(charge.receipt_url).status_code == 200


def test_the_events_of_a_payment_come_in_stripes_order(
    server: Running, client: stripe.StripeClient, a_session: Any, inbox: Inbox
) -> None:
    session = a_session()
    wait_until(lambda: len(inbox.received) == 2)
    inbox.clear()
    server.buy(session)
    wait_until(lambda: len(inbox.received) == 5)
    assert inbox.kinds() == [
        "payment_intent.created",
        "charge.succeeded",
        "payment_intent.succeeded",
        "checkout.session.completed",
        "charge.updated",
    ]
    completed = inbox.events("checkout.session.completed")[0].data.object
    assert (completed.payment_status, completed.payment_intent[:3]) == ("paid", "pi_")


@pytest.mark.parametrize(
    ("number", "code", "words"),
    [
        ("4000000000000002", "card_declined", "declined"),
        ("4000000000009995", "card_declined", "insufficient funds"),
        ("4000000000000069", "expired_card", "expired"),
        ("4000000000000127", "incorrect_cvc", "security code is incorrect"),
        ("4000000000000119", "processing_error", "processing"),
    ],
)
def test_a_refused_card_leaves_the_session_open_for_another(
    server: Running, client: stripe.StripeClient, a_session: Any, number: str, code: str, words: str
) -> None:
    session = a_session()
    answer = server.buy(session, number=number)
    assert answer.status_code == 422
    assert words in answer.text.replace("&#39;", "'")
    assert f'value="{number}"' in answer.text
    assert 'value="ann@example.com"' in answer.text
    tried = client.v1.checkout.sessions.retrieve(session.id, {"expand": ["payment_intent.latest_charge"]})
    assert (tried.status, tried.payment_status) == ("open", "unpaid")
    assert tried.payment_intent.status == "requires_payment_method"
    assert tried.payment_intent.last_payment_error.code == code
    assert (tried.payment_intent.latest_charge.status, tried.payment_intent.latest_charge.failure_code) == (
        "failed",
        code,
    )
    failed = tried.payment_intent.latest_charge.id
    assert kinds_about(client, tried.payment_intent.id, failed) == [
        "payment_intent.created",
        "charge.failed",
        "payment_intent.payment_failed",
    ]
    assert server.buy(session).status_code == 303
    paid = client.v1.checkout.sessions.retrieve(session.id, {"expand": ["payment_intent"]})
    assert (paid.payment_intent.id, paid.payment_intent.last_payment_error) == (tried.payment_intent.id, None)
    assert len(client.v1.charges.list({"payment_intent": paid.payment_intent.id}).data) == 2


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        ({"number": "4242 4242 4242 4241"}, "number"),
        ({"number": ""}, "number"),
        ({"expiry": "12 / 20"}, "expiry"),
        ({"expiry": "13 / 34"}, "expiry"),
        ({"expiry": "soon"}, "expiry"),
        ({"cvc": "12"}, "cvc"),
        ({"cvc": ""}, "cvc"),
        ({"email": "nobody"}, "email"),
    ],
)
def test_a_mistake_is_shown_beside_its_field_and_nothing_typed_is_lost(
    server: Running, client: stripe.StripeClient, a_session: Any, wrong: dict[str, str], field: str
) -> None:
    session = a_session()
    answer = server.buy(session, **wrong)
    assert answer.status_code == 422
    assert re.findall(r'class="field__error" id="([\w-]+)-error"', answer.text) == [ids_of(answer.text)[field]]
    assert 'value="Ann Example"' in answer.text
    assert client.v1.checkout.sessions.retrieve(session.id).payment_intent is None


def ids_of(html: str) -> dict[str, str]:
    """The id of each field by its name."""
    return {name: found for found, name in re.findall(r'<input class="field__input" id="(\w+)" name="(\w+)"', html)}


def test_the_bank_may_ask_and_be_answered(server: Running, client: stripe.StripeClient, a_session: Any) -> None:
    session = a_session()
    answer = server.buy(session, number="4000002500003155")
    assert answer.status_code == 303
    page = answer.headers["Location"]
    waiting = client.v1.checkout.sessions.retrieve(session.id, {"expand": ["payment_intent"]})
    assert (waiting.status, waiting.payment_intent.status) == ("open", "requires_action")
    assert waiting.payment_intent.next_action.redirect_to_url.url == page
    assert "Complete authentication" in http.get(page).text
    failed = http.post(page, data={"answer": "fail"})
    assert failed.status_code == 422
    intent = client.v1.payment_intents.retrieve(waiting.payment_intent.id)
    assert intent.last_payment_error.code == "payment_intent_authentication_failure"
    page = server.buy(session, number="4000002760003184").headers["Location"]
    done = http.post(page, data={"answer": "complete"})
    assert done.headers["Location"] == SUCCESS.replace("{CHECKOUT_SESSION_ID}", session.id)
    paid = client.v1.checkout.sessions.retrieve(session.id, {"expand": ["payment_intent.latest_charge"]})
    assert paid.payment_status == "paid"
    secure = paid.payment_intent.latest_charge.payment_method_details.card.three_d_secure
    assert secure.result == "authenticated"
    assert http.post(page, data={"answer": "complete"}).status_code == 303
    assert len(client.v1.charges.list({"payment_intent": intent.id}).data) == 1


def test_pressing_the_button_many_times_charges_once(
    server: Running, client: stripe.StripeClient, a_session: Any
) -> None:
    session, answers = a_session(), []
    threads = [threading.Thread(target=lambda: answers.append(server.buy(session))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert {answer.status_code for answer in answers} == {303}
    paid = client.v1.checkout.sessions.retrieve(session.id)
    assert len(client.v1.charges.list({"payment_intent": paid.payment_intent}).data) == 1
    assert kinds_about(client, session.id) == ["checkout.session.completed"]


def test_a_paid_session_says_so_and_leads_back(server: Running, a_session: Any) -> None:
    session = a_session()
    server.buy(session)
    page = http.get(session.url)
    assert "paid already" in page.text
    assert session.id in page.text


def test_a_customer_is_made_when_asked_for(server: Running, client: stripe.StripeClient, a_session: Any) -> None:
    session = a_session(customer_creation="always")
    server.buy(session, email="ines@example.com", name="Ines Kovač")
    paid = client.v1.checkout.sessions.retrieve(session.id, {"expand": ["customer", "payment_intent"]})
    assert (paid.customer.email, paid.customer.name) == ("ines@example.com", "Ines Kovač")
    assert paid.payment_intent.customer == paid.customer.id


def test_a_known_customer_is_charged_and_the_card_kept_when_asked(
    server: Running, client: stripe.StripeClient, a_session: Any
) -> None:
    ines = client.v1.customers.create({"email": "ines@example.com"})
    session = a_session(customer=ines.id, payment_intent_data={"setup_future_usage": "off_session"})
    assert session.customer_details.email == "ines@example.com"
    assert "ines@example.com" in http.get(session.url).text
    server.buy(session, email="someone@else.example")
    paid = client.v1.checkout.sessions.retrieve(session.id)
    assert (paid.customer, paid.customer_details.email) == (ines.id, "ines@example.com")
    assert len(client.v1.customers.payment_methods.list(ines.id).data) == 1


def test_nothing_to_pay_needs_no_card(server: Running, client: stripe.StripeClient, a_session: Any) -> None:
    coupon = client.v1.coupons.create({"percent_off": 100, "duration": "once"})
    session = a_session(discounts=[{"coupon": coupon.id}])
    assert "Card number" not in http.get(session.url).text
    assert server.buy(session, number="", expiry="", cvc="").status_code == 303
    done = client.v1.checkout.sessions.retrieve(session.id)
    assert (done.status, done.payment_status, done.payment_intent) == ("complete", "no_payment_required", None)
    assert client.v1.coupons.retrieve(coupon.id).times_redeemed == 1


def test_money_can_be_held_and_taken_later(server: Running, client: stripe.StripeClient, a_session: Any) -> None:
    session = a_session(payment_intent_data={"capture_method": "manual"})
    server.buy(session)
    paid = client.v1.checkout.sessions.retrieve(session.id, {"expand": ["payment_intent"]})
    assert (paid.status, paid.payment_intent.status) == ("complete", "requires_capture")
    taken = client.v1.payment_intents.capture(paid.payment_intent.id)
    assert (taken.status, taken.amount_received) == ("succeeded", 24900)


@pytest.mark.parametrize(("iban", "outcome"), [(IBAN_PAYS, "succeeded"), (IBAN_FAILS, "failed")])
def test_a_bank_debit_is_decided_later(
    server: Running, client: stripe.StripeClient, a_session: Any, inbox: Inbox, iban: str, outcome: str
) -> None:
    server.behave(settle_after=0.5)
    session = a_session()
    answer = server.buy(session, method="sepa_debit", iban=iban)
    assert answer.status_code == 303
    begun = client.v1.checkout.sessions.retrieve(session.id, {"expand": ["payment_intent"]})
    assert (begun.status, begun.payment_status, begun.payment_intent.status) == ("complete", "unpaid", "processing")
    (event,) = wait_until(lambda: inbox.events(f"checkout.session.async_payment_{outcome}"))
    assert event.data.object.id == session.id
    assert event.data.object.payment_status == ("paid" if outcome == "succeeded" else "unpaid")
    assert inbox.events("checkout.session.completed")[0].data.object.payment_status == "unpaid"
    charge = client.v1.payment_intents.retrieve(begun.payment_intent.id, {"expand": ["latest_charge"]}).latest_charge
    assert charge.status == outcome


def test_a_promotion_code_can_be_typed_in(server: Running, client: stripe.StripeClient, a_session: Any) -> None:
    coupon = client.v1.coupons.create({"amount_off": 4900, "currency": "eur", "duration": "once"})
    code = client.v1.promotion_codes.create({"promotion": {"type": "coupon", "coupon": coupon.id}})
    session = a_session(allow_promotion_codes=True)
    wrong = http.post(f"{session.url}/promotion-code", data={"promotion_code": "NONSENSE"})
    assert wrong.status_code == 422
    assert "not valid" in wrong.text
    assert http.post(f"{session.url}/promotion-code", data={"promotion_code": code.code.lower()}).status_code == 303
    assert "EUR 200.00" in http.get(session.url).text
    server.buy(session)
    paid = client.v1.checkout.sessions.retrieve(session.id)
    assert (paid.amount_total, paid.discounts[0].promotion_code) == (20000, code.id)
    assert client.v1.promotion_codes.retrieve(code.id).times_redeemed == 1


def test_a_quantity_can_be_changed_where_allowed(server: Running, client: stripe.StripeClient, a_session: Any) -> None:
    line = {"price_data": DATA, "quantity": 1, "adjustable_quantity": {"enabled": True, "maximum": 3}}
    session = a_session(line_items=[line])
    item = client.v1.checkout.sessions.line_items.list(session.id).data[0].id
    assert http.post(f"{session.url}/quantities", data={item: "4"}).status_code == 422
    assert http.post(f"{session.url}/quantities", data={item: "3"}).status_code == 303
    server.buy(session)
    assert client.v1.checkout.sessions.retrieve(session.id).amount_total == 44700


def test_all_mistakes_are_told_at_once(server: Running, a_session: Any) -> None:
    answer = server.buy(a_session(), email="", number="1", expiry="1", cvc="1")
    ids = ids_of(answer.text)
    wrong = re.findall(r'class="field__error" id="(\w+)-error"', answer.text)
    assert set(wrong) == {ids[name] for name in ("email", "number", "expiry", "cvc")}


def test_a_direct_payment_returns_to_its_shop_after_the_bank(server: Running, client: stripe.StripeClient) -> None:
    for answer, outcome in (("complete", "succeeded"), ("fail", "failed")):
        intent = client.v1.payment_intents.create(
            {
                "amount": 900,
                "currency": "usd",
                "payment_method": "pm_card_authenticationRequired",
                "confirm": True,
                "return_url": "https://example.com/back?order=1",
            }
        )
        done = http.post(intent.next_action.redirect_to_url.url, data={"answer": answer})
        assert done.headers["Location"].startswith(f"https://example.com/back?order=1&payment_intent={intent.id}&")
        assert done.headers["Location"].endswith(f"redirect_status={outcome}")
    assert client.v1.payment_intents.retrieve(intent.id).status == "requires_payment_method"


def test_things_are_sent_where_the_buyer_says(server: Running, client: stripe.StripeClient, a_session: Any) -> None:
    fast = client.v1.shipping_rates.create(
        {"display_name": "Courier", "fixed_amount": {"amount": 1500, "currency": "eur"}}
    )
    slow = {"display_name": "Post", "type": "fixed_amount", "fixed_amount": {"amount": 500, "currency": "eur"}}
    session = a_session(
        shipping_address_collection={"allowed_countries": ["HR", "DE"]},
        shipping_options=[{"shipping_rate_data": slow}, {"shipping_rate": fast.id}],
    )
    assert (session.amount_subtotal, session.amount_total, session.shipping_cost.amount_total) == (24900, 25400, 500)
    assert http.post(f"{session.url}/shipping", data={"shipping_rate": fast.id}).status_code == 303
    assert http.post(f"{session.url}/shipping", data={"shipping_rate": "shr_no"}).status_code == 422
    address = {"shipping_line1": "Ilica 41", "shipping_city": "Zagreb", "shipping_postal_code": "10000"}
    abroad = server.buy(session, **address, shipping_name="Ines Kovač", shipping_country="FR")
    assert abroad.status_code == 422
    assert "Nothing is sent to this country" in abroad.text
    assert server.buy(session, **address, shipping_name="Ines Kovač", shipping_country="hr").status_code == 303
    paid = client.v1.checkout.sessions.retrieve(
        session.id, {"expand": ["payment_intent", "shipping_cost.shipping_rate"]}
    )
    assert (paid.amount_total, paid.total_details.amount_shipping) == (26400, 1500)
    assert paid.shipping_cost.shipping_rate.display_name == "Courier"
    assert paid.collected_information.shipping_details.address.country == "HR"
    assert (paid.payment_intent.amount, paid.payment_intent.shipping.name) == (26400, "Ines Kovač")


def test_a_shop_may_ask_its_own_questions(server: Running, client: stripe.StripeClient, a_session: Any) -> None:
    def label(text: str) -> dict[str, str]:
        return {"type": "custom", "custom": text}

    options = [{"label": "Small", "value": "s"}, {"label": "Large", "value": "l"}]
    session = a_session(
        custom_fields=[
            {"key": "tradingview", "label": label("TradingView name"), "type": "text", "text": {"minimum_length": 3}},
            {"key": "size", "label": label("Size"), "type": "dropdown", "dropdown": {"options": options}},
            {"key": "vat", "label": label("VAT number"), "type": "numeric", "optional": True},
        ]
    )
    wrong = server.buy(session, custom_tradingview="ab", custom_size="xl", custom_vat="none")
    assert wrong.status_code == 422
    assert len(re.findall(r'class="field__error"', wrong.text)) == 3
    assert server.buy(session, custom_tradingview="chartist", custom_size="l").status_code == 303
    fields = client.v1.checkout.sessions.retrieve(session.id).custom_fields
    assert [(field.key, field[field.type].value) for field in fields] == [
        ("tradingview", "chartist"),
        ("size", "l"),
        ("vat", None),
    ]


# --- Ending without payment -------------------------------------------------------------------------


def test_a_session_can_be_expired(server: Running, client: stripe.StripeClient, a_session: Any, inbox: Inbox) -> None:
    session = a_session()
    server.buy(session, number="4000000000000002")
    expired = client.v1.checkout.sessions.expire(session.id, {"expand": ["payment_intent"]})
    assert (expired.status, expired.url, expired.payment_intent.status) == ("expired", None, "canceled")
    wait_until(lambda: inbox.events("checkout.session.expired"))
    page = http.get(session.url)
    assert page.status_code == 410
    assert CANCEL in page.text
    assert server.buy(session).status_code == 410
    with pytest.raises(stripe.InvalidRequestError):
        client.v1.checkout.sessions.expire(session.id)


def test_a_session_expires_by_itself(
    server: Running, client: stripe.StripeClient, a_session: Any, inbox: Inbox
) -> None:
    now = client.v1.products.create({"name": "Clock"}).created
    # Half an hour is the least: some minutes more, so that a slow machine does not ask for less when it comes to it.
    session = a_session(expires_at=now + 1800 + 300)
    server.advance(1800 + 400)
    assert client.v1.checkout.sessions.retrieve(session.id).status == "expired"

    def told() -> list[stripe.Event]:
        # Sessions of other tests may end with the same move of the clock.
        return [event for event in inbox.events("checkout.session.expired") if event.data.object.id == session.id]

    # One event; a slow endpoint may be told of it twice.
    (event,) = {event.id: event for event in wait_until(told)}.values()
    assert event.request.id is None
    assert client.v1.checkout.sessions.list({"status": "expired"}).data[0].id == session.id


def test_a_paid_session_does_not_expire(server: Running, client: stripe.StripeClient, a_session: Any) -> None:
    session = a_session()
    server.buy(session)
    with pytest.raises(stripe.InvalidRequestError):
        client.v1.checkout.sessions.expire(session.id)
    server.advance(25 * 3600)
    assert client.v1.checkout.sessions.retrieve(session.id).status == "complete"


def test_sessions_are_found_by_what_belongs_to_them(
    server: Running, client: stripe.StripeClient, a_session: Any
) -> None:
    ines = client.v1.customers.create({"email": "ines@example.com"})
    session = a_session(customer=ines.id)
    server.buy(session)
    paid = client.v1.checkout.sessions.retrieve(session.id)
    for where in (
        {"customer": ines.id},
        {"payment_intent": paid.payment_intent},
        {"customer_details": {"email": "ines@example.com"}, "status": "complete"},
    ):
        assert session.id in [found.id for found in client.v1.checkout.sessions.list(where).data]
    assert client.v1.checkout.sessions.list({"customer": ines.id, "status": "open"}).data == []


def test_a_page_that_does_not_exist_says_so(server: Running) -> None:
    answer = http.get(f"{server.url}/pay/cs_test_nothere")
    assert answer.status_code == 404
    assert "no such payment page" in answer.text


def test_pages_allow_no_script_and_lead_only_to_the_shop(a_session: Any) -> None:
    page = http.get(a_session().url)
    policy = page.headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "unsafe-inline" not in policy
    assert "form-action 'self' http://127.0.0.1:9" in policy
    assert "<script" not in page.text
    assert "style=" not in page.text


def test_another_site_cannot_press_the_buttons(server: Running, a_session: Any) -> None:
    headers = {"Sec-Fetch-Site": "cross-site"}
    assert http.post(a_session().url, data={}, headers=headers).status_code == 403
    assert http.post(f"{server.url}/_sandbox/behaviour", data={}, headers=headers).status_code == 403


def test_a_customer_is_kept_up_to_date_when_asked(server: Running, client: stripe.StripeClient, a_session: Any) -> None:
    ines = client.v1.customers.create({"email": "ines@example.com", "name": "Ines"})
    session = a_session(
        customer=ines.id, customer_update={"name": "auto", "address": "auto"}, billing_address_collection="required"
    )
    address = {"line1": "Ilica 41", "city": "Zagreb", "postal_code": "10000", "country": "HR"}
    assert server.buy(session, name="Ines Kovač", **address).status_code == 303
    kept = client.v1.customers.retrieve(ines.id)
    assert (kept.name, kept.address.city) == ("Ines Kovač", "Zagreb")


def test_money_can_be_held_for_cards_alone(server: Running, client: stripe.StripeClient, a_session: Any) -> None:
    session = a_session(payment_method_options={"card": {"capture_method": "manual"}}, expand=["payment_intent"])
    server.buy(session)
    paid = client.v1.checkout.sessions.retrieve(session.id, {"expand": ["payment_intent"]})
    assert paid.payment_intent.status == "requires_capture"
