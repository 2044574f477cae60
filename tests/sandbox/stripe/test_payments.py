"""Payment intents, charges, refunds and payment methods through the API."""

from __future__ import annotations

from typing import Any

import pytest
import stripe

from tests.sandbox.stripe.running import Inbox, Running, wait_until


@pytest.fixture
def paid(client: stripe.StripeClient) -> stripe.PaymentIntent:
    """Twenty dollars, paid by card."""
    return client.v1.payment_intents.create(
        {
            "amount": 2000,
            "currency": "usd",
            "payment_method": "pm_card_visa",
            "confirm": True,
            "automatic_payment_methods": {"enabled": True, "allow_redirects": "never"},
            "expand": ["latest_charge"],
        }
    )


def kinds(client: stripe.StripeClient, count: int) -> list[str]:
    """The types of the last events, oldest first."""
    return [event.type for event in client.v1.events.list({"limit": count}).data][::-1]


# --- Intents ----------------------------------------------------------------------------------------


def test_an_intent_goes_from_creation_to_success(client: stripe.StripeClient) -> None:
    intent = client.v1.payment_intents.create({"amount": 2000, "currency": "USD"})
    assert (intent.status, intent.currency, intent.amount_received) == ("requires_payment_method", "usd", 0)
    assert intent.automatic_payment_methods.enabled is True
    intent = client.v1.payment_intents.update(intent.id, {"payment_method": "pm_card_visa"})
    assert intent.status == "requires_confirmation"
    intent = client.v1.payment_intents.confirm(intent.id)
    assert (intent.status, intent.amount_received, intent.last_payment_error) == ("succeeded", 2000, None)
    assert client.v1.charges.retrieve(intent.latest_charge).paid is True


def test_paying_at_once_announces_all_steps_in_order(client: stripe.StripeClient, paid: stripe.PaymentIntent) -> None:
    assert paid.status == "succeeded"
    assert kinds(client, 4) == [
        "payment_intent.created",
        "charge.succeeded",
        "payment_intent.succeeded",
        "charge.updated",
    ]


def test_a_declined_card_is_an_error_with_all_that_is_known(client: stripe.StripeClient) -> None:
    with pytest.raises(stripe.CardError) as refused:
        client.v1.payment_intents.create(
            {
                "amount": 2000,
                "currency": "usd",
                "payment_method": "pm_card_chargeDeclinedInsufficientFunds",
                "confirm": True,
            }
        )
    error = refused.value.error
    assert (refused.value.http_status, error.type) == (402, "card_error")
    assert (error.code, error.decline_code) == ("card_declined", "insufficient_funds")
    assert error.payment_intent.status == "requires_payment_method"
    assert error.payment_method.card.last4 == "9995"
    assert client.v1.charges.retrieve(error.charge).outcome.reason == "insufficient_funds"
    again = client.v1.payment_intents.confirm(error.payment_intent.id, {"payment_method": "pm_card_visa"})
    assert again.status == "succeeded"


@pytest.mark.parametrize(
    ("method", "code", "decline_code"),
    [
        ("pm_card_chargeDeclined", "card_declined", "generic_decline"),
        ("pm_card_visa_chargeDeclined", "card_declined", "generic_decline"),
        ("pm_card_chargeDeclinedExpiredCard", "expired_card", "expired_card"),
        ("pm_card_chargeDeclinedIncorrectCvc", "incorrect_cvc", "incorrect_cvc"),
        ("pm_card_chargeDeclinedProcessingError", "processing_error", "processing_error"),
        ("pm_card_chargeDeclinedLostCard", "card_declined", "lost_card"),
        ("pm_card_chargeDeclinedStolenCard", "card_declined", "stolen_card"),
    ],
)
def test_each_refusing_card_has_its_codes(
    client: stripe.StripeClient, method: str, code: str, decline_code: str
) -> None:
    with pytest.raises(stripe.CardError) as refused:
        client.v1.payment_intents.create({"amount": 2000, "currency": "usd", "payment_method": method, "confirm": True})
    assert (refused.value.error.code, refused.value.error.decline_code) == (code, decline_code)


def test_a_card_that_asks_needs_the_buyer(client: stripe.StripeClient) -> None:
    params: Any = {
        "amount": 2000,
        "currency": "usd",
        "payment_method": "pm_card_authenticationRequired",
        "confirm": True,
    }
    asked = client.v1.payment_intents.create({**params, "return_url": "https://example.com/back"})
    assert (asked.status, asked.next_action.type) == ("requires_action", "redirect_to_url")
    assert asked.next_action.redirect_to_url.return_url == "https://example.com/back"
    for absent in ({"off_session": True}, {"error_on_requires_action": True}):
        with pytest.raises(stripe.CardError) as refused:
            client.v1.payment_intents.create({**params, **absent})
        assert refused.value.code == "authentication_required"


@pytest.mark.parametrize(
    ("params", "code", "param"),
    [
        ({"amount": 49, "currency": "usd"}, "amount_too_small", "amount"),
        ({"amount": 0, "currency": "usd"}, "parameter_invalid_integer", "amount"),
        ({"amount": -5, "currency": "usd"}, "parameter_invalid_integer", "amount"),
        ({"amount": 100_000_000, "currency": "usd"}, "amount_too_large", "amount"),
        ({"currency": "usd"}, "parameter_missing", "amount"),
        ({"amount": 500}, "parameter_missing", "currency"),
        ({"amount": 500, "currency": "usd", "customer": "cus_no"}, "resource_missing", "customer"),
        ({"amount": 500, "currency": "usd", "payment_method": "pm_no"}, "resource_missing", "payment_method"),
        ({"amount": 500, "currency": "usd", "off_session": True}, None, "off_session"),
        ({"amount": 500, "currency": "usd", "confirm": True}, "payment_intent_unexpected_state", None),
        ({"amount": 500, "currency": "usd", "receipt_email": "x"}, "email_invalid", "receipt_email"),
    ],
)
def test_an_intent_that_stripe_refuses_is_refused(
    client: stripe.StripeClient, params: Any, code: str | None, param: str | None
) -> None:
    with pytest.raises(stripe.InvalidRequestError) as refused:
        client.v1.payment_intents.create(params)
    assert refused.value.param == param
    if code:
        assert refused.value.code == code


def test_what_is_done_cannot_be_done_again(client: stripe.StripeClient, paid: stripe.PaymentIntent) -> None:
    for again in (
        lambda: client.v1.payment_intents.confirm(paid.id),
        lambda: client.v1.payment_intents.capture(paid.id),
        lambda: client.v1.payment_intents.cancel(paid.id),
        lambda: client.v1.payment_intents.update(paid.id, {"amount": 5000}),
    ):
        with pytest.raises(stripe.InvalidRequestError) as refused:
            again()
        assert refused.value.code == "payment_intent_unexpected_state"
        assert refused.value.error.payment_intent.id == paid.id
    assert client.v1.payment_intents.update(paid.id, {"metadata": {"a": "b"}}).metadata["a"] == "b"


def test_held_money_is_captured_in_part_and_the_rest_released(client: stripe.StripeClient) -> None:
    held = client.v1.payment_intents.create(
        {
            "amount": 2000,
            "currency": "usd",
            "payment_method": "pm_card_visa",
            "capture_method": "manual",
            "confirm": True,
        }
    )
    assert (held.status, held.amount_capturable) == ("requires_capture", 2000)
    assert kinds(client, 2) == ["charge.succeeded", "payment_intent.amount_capturable_updated"]
    charge = client.v1.charges.retrieve(held.latest_charge)
    assert (charge.captured, charge.balance_transaction) == (False, None)
    with pytest.raises(stripe.InvalidRequestError) as refused:
        client.v1.payment_intents.capture(held.id, {"amount_to_capture": 2001})
    assert refused.value.code == "amount_too_large"
    taken = client.v1.payment_intents.capture(held.id, {"amount_to_capture": 1500})
    assert (taken.status, taken.amount_received, taken.amount_capturable) == ("succeeded", 1500, 0)
    charge = client.v1.charges.retrieve(held.latest_charge)
    assert (charge.amount_captured, charge.amount_refunded, charge.refunded) == (1500, 500, False)
    assert client.v1.refunds.create({"charge": charge.id}).amount == 1500
    assert client.v1.charges.retrieve(charge.id).refunded is True


def test_canceling_releases_held_money(client: stripe.StripeClient) -> None:
    held = client.v1.payment_intents.create(
        {
            "amount": 2000,
            "currency": "usd",
            "payment_method": "pm_card_visa",
            "capture_method": "manual",
            "confirm": True,
        }
    )
    gone = client.v1.payment_intents.cancel(held.id, {"cancellation_reason": "requested_by_customer"})
    assert (gone.status, gone.cancellation_reason, gone.amount_capturable) == (
        "canceled",
        "requested_by_customer",
        0,
    )
    assert gone.canceled_at
    assert client.v1.charges.retrieve(held.latest_charge).refunded is True


def test_the_money_of_a_charge_is_booked_with_its_fee(client: stripe.StripeClient, paid: stripe.PaymentIntent) -> None:
    charge = client.v1.charges.retrieve(paid.latest_charge.id, {"expand": ["balance_transaction"]})
    booked = charge.balance_transaction
    assert (booked.amount, booked.fee, booked.net, booked.source) == (2000, 88, 1912, charge.id)
    assert client.v1.balance_transactions.list({"source": charge.id}).data[0].id == booked.id


# --- Refunds ----------------------------------------------------------------------------------------


def test_a_payment_is_given_back_in_parts_and_no_more(client: stripe.StripeClient, paid: stripe.PaymentIntent) -> None:
    part = client.v1.refunds.create(
        {"payment_intent": paid.id, "amount": 500, "reason": "requested_by_customer", "metadata": {"a": "b"}}
    )
    assert (part.status, part.amount, part.reason, part.metadata["a"]) == (
        "succeeded",
        500,
        "requested_by_customer",
        "b",
    )
    assert (part.charge, part.payment_intent) == (paid.latest_charge.id, paid.id)
    charge = client.v1.charges.retrieve(part.charge)
    assert (charge.amount_refunded, charge.refunded) == (500, False)
    with pytest.raises(stripe.InvalidRequestError) as refused:
        client.v1.refunds.create({"charge": part.charge, "amount": 1501})
    assert refused.value.param == "amount"
    rest = client.v1.refunds.create({"charge": part.charge})
    assert rest.amount == 1500
    assert client.v1.charges.retrieve(part.charge).refunded is True
    with pytest.raises(stripe.InvalidRequestError) as refused:
        client.v1.refunds.create({"payment_intent": paid.id})
    assert refused.value.code == "charge_already_refunded"
    assert [item.id for item in client.v1.refunds.list({"charge": part.charge}).data] == [rest.id, part.id]
    shown = client.v1.charges.retrieve(part.charge, {"expand": ["refunds"]})
    assert [item.id for item in shown.refunds.data] == [rest.id, part.id]


def test_the_events_of_a_refund(
    server: Running, client: stripe.StripeClient, paid: stripe.PaymentIntent, inbox: Inbox
) -> None:
    wait_until(lambda: inbox.events("charge.updated"))
    inbox.clear()
    server.behave(refund_after=0.2)
    refund = client.v1.refunds.create({"payment_intent": paid.id})
    assert refund.destination_details.card.reference_status == "pending"

    def about_it() -> list[stripe.Event]:
        return [event for event in inbox.events() if event.data.object.id in (refund.id, refund.charge)]

    wait_until(lambda: len(about_it()) == 4)
    about = about_it()
    assert [event.type for event in about] == [
        "refund.created",
        "charge.refunded",
        "refund.updated",
        "charge.refund.updated",
    ]
    refunded = about[1]
    assert (refunded.data.object.amount_refunded, refunded.data.object.refunded) == (2000, True)
    assert refunded.data.previous_attributes.to_dict() == {"amount_refunded": 0, "refunded": False}
    arrived = client.v1.refunds.retrieve(refund.id)
    assert arrived.destination_details.card.reference_status == "available"


@pytest.mark.parametrize(
    ("params", "code"),
    [
        ({}, "parameter_missing"),
        ({"payment_intent": "pi_no"}, "resource_missing"),
        ({"charge": "ch_no"}, "resource_missing"),
    ],
)
def test_a_refund_of_nothing_is_refused(client: stripe.StripeClient, params: Any, code: str) -> None:
    with pytest.raises(stripe.InvalidRequestError) as refused:
        client.v1.refunds.create(params)
    assert refused.value.code == code


@pytest.mark.parametrize("params", [{"amount": 0}, {"amount": -1}, {"reason": "bored"}, {"nonsense": "x"}])
def test_a_refund_that_stripe_refuses_is_refused(
    client: stripe.StripeClient, paid: stripe.PaymentIntent, params: Any
) -> None:
    with pytest.raises(stripe.InvalidRequestError) as refused:
        client.v1.refunds.create({"payment_intent": paid.id, **params})
    assert refused.value.param == next(iter(params))


def test_what_was_not_paid_cannot_be_given_back(client: stripe.StripeClient) -> None:
    intent = client.v1.payment_intents.create({"amount": 500, "currency": "usd"})
    with pytest.raises(stripe.InvalidRequestError):
        client.v1.refunds.create({"payment_intent": intent.id})


def test_only_the_metadata_of_a_refund_changes_and_it_cannot_be_canceled(
    client: stripe.StripeClient, paid: stripe.PaymentIntent
) -> None:
    refund = client.v1.refunds.create({"payment_intent": paid.id})
    assert client.v1.refunds.update(refund.id, {"metadata": {"a": "b"}}).metadata["a"] == "b"
    with pytest.raises(stripe.InvalidRequestError) as refused:
        client.v1.refunds.update(refund.id, {"amount": 1})  # type: ignore[typeddict-unknown-key]
    assert refused.value.code == "parameter_unknown"
    with pytest.raises(stripe.InvalidRequestError):
        client.v1.refunds.cancel(refund.id)


def test_a_refund_may_take_its_time_or_come_back(server: Running, client: stripe.StripeClient) -> None:
    server.behave(refund_after=0.1)
    for method, early, late in (
        ("pm_card_pendingRefund", "pending", "succeeded"),
        ("pm_card_refundFail", "succeeded", "failed"),
    ):
        intent = client.v1.payment_intents.create(
            {"amount": 900, "currency": "usd", "payment_method": method, "confirm": True}
        )
        refund = client.v1.refunds.create({"payment_intent": intent.id})
        assert refund.status == early
        wait_until(lambda one=refund.id, wanted=late: client.v1.refunds.retrieve(one).status == wanted)
    charge = client.v1.charges.retrieve(refund.charge)
    assert (charge.refunded, charge.amount_refunded) == (False, 0)
    assert client.v1.events.list({"limit": 1}).data[0].type == "refund.failed"


# --- Payment methods --------------------------------------------------------------------------------


def test_a_payment_method_is_saved_used_and_let_go(client: stripe.StripeClient) -> None:
    ann = client.v1.customers.create({"email": "ann@example.com"})
    card = client.v1.payment_methods.create({"type": "card", "card": {"token": "tok_mastercard"}})
    assert (card.card.brand, card.customer) == ("mastercard", None)
    client.v1.payment_methods.attach(card.id, {"customer": ann.id})
    assert [item.id for item in client.v1.payment_methods.list({"customer": ann.id}).data] == [card.id]
    params: Any = {"amount": 900, "currency": "usd", "payment_method": card.id, "confirm": True}
    with pytest.raises(stripe.InvalidRequestError) as refused:
        client.v1.payment_intents.create(params)
    assert refused.value.param == "payment_method"
    assert client.v1.payment_intents.create({**params, "customer": ann.id}).status == "succeeded"
    assert client.v1.payment_methods.detach(card.id).customer is None
    with pytest.raises(stripe.InvalidRequestError):
        client.v1.payment_methods.detach(card.id)
    with pytest.raises(stripe.InvalidRequestError):
        client.v1.payment_methods.attach(card.id, {"customer": ann.id})


def test_a_refusing_card_cannot_be_saved_but_one_that_fails_later_can(client: stripe.StripeClient) -> None:
    ann = client.v1.customers.create()
    with pytest.raises(stripe.CardError):
        client.v1.payment_methods.attach("pm_card_chargeDeclined", {"customer": ann.id})
    card = client.v1.payment_methods.attach("pm_card_chargeCustomerFail", {"customer": ann.id})
    with pytest.raises(stripe.CardError):
        client.v1.payment_intents.create(
            {
                "amount": 900,
                "currency": "usd",
                "customer": ann.id,
                "payment_method": card.id,
                "off_session": True,
                "confirm": True,
            }
        )


@pytest.mark.parametrize(
    ("card", "code"),
    [
        ({"number": "4242424242424241", "exp_month": 12, "exp_year": 2034}, "incorrect_number"),
        ({"number": "4242424242424242", "exp_month": 13, "exp_year": 2034}, "invalid_expiry_month"),
        ({"number": "4242424242424242", "exp_month": 12, "exp_year": 2020}, "invalid_expiry_year"),
        ({"number": "4242424242424242", "exp_month": 12, "exp_year": 2034, "cvc": "1"}, "invalid_cvc"),
    ],
)
def test_what_cannot_be_a_card_is_refused(client: stripe.StripeClient, card: Any, code: str) -> None:
    with pytest.raises(stripe.CardError) as refused:
        client.v1.payment_methods.create({"type": "card", "card": card})
    assert (refused.value.http_status, refused.value.code) == (402, code)


def test_a_real_card_is_declined_in_test_mode(client: stripe.StripeClient) -> None:
    card = client.v1.payment_methods.create(
        {"type": "card", "card": {"number": "4929420573595709", "exp_month": 12, "exp_year": 2034}}
    )
    with pytest.raises(stripe.CardError) as refused:
        client.v1.payment_intents.create({"amount": 900, "currency": "usd", "payment_method": card.id, "confirm": True})
    assert refused.value.error.decline_code == "test_mode_live_card"
