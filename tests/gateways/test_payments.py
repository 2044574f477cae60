"""The adapter to Stripe, against the local Stripe and (through it) Stripe's own description of every request and answer."""

import os
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import stripe as vendor
from httpx import AsyncClient

from app import Lectern
from app.config import Config
from app.core import clock, db
from app.gateways import payments
from app.gateways.payments import CheckoutRequest, Line, StripePayments, stripe_api
from tests import stripe
from tests.sandbox.stripe import contract


@pytest.fixture(scope="module")
async def local_stripe(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[stripe.Stripe]:
    async with stripe.running(tmp_path_factory.mktemp("stripe")) as found:
        yield found


@pytest.fixture
async def gateway(local_stripe: stripe.Stripe) -> AsyncIterator[StripePayments]:
    await local_stripe.http.delete("/_sandbox/behaviour")
    local_stripe.problems.clear()
    local_stripe.requests.clear()
    yield StripePayments(stripe.SECRET_KEY, api_base=local_stripe.url, retries=0)
    assert local_stripe.problems == []


def a_request(reference: str = "order1", **changes: object) -> CheckoutRequest:
    facts = {
        "reference": reference,
        "idempotency_key": reference,
        "lines": (Line("Reading Price", 24900), Line("Your First Chart", 0)),
        "currency": "EUR",
        "email": "ann@example.org",
        "success_url": "https://school.example/checkout/success?session_id={CHECKOUT_SESSION_ID}",
        "cancel_url": "https://school.example/cart",
        "expires_at": clock.now() + timedelta(hours=2),
        "locale": "en",
        **changes,
    }
    return CheckoutRequest(**facts)  # type: ignore[arg-type]


async def paid(local_stripe: stripe.Stripe, gateway: StripePayments, reference: str) -> payments.Checkout:
    opened = await gateway.open_checkout(a_request(reference))
    assert (await local_stripe.pay(opened.url)).status_code == 303
    found = await gateway.find_checkout(opened.session_id)
    assert found is not None
    return found


async def test_the_client_leaves_nothing_in_the_home_folder(
    gateway: StripePayments, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    monkeypatch.setattr("stripe._telemetry_id._loaded", False)
    await gateway.open_checkout(a_request("telemetry"))
    assert list(tmp_path.iterdir()) == []


async def test_a_payment_page_goes_from_open_to_paid(local_stripe: stripe.Stripe, gateway: StripePayments) -> None:
    opened = await gateway.open_checkout(a_request("one"))
    assert (opened.state, opened.payment_state, opened.amount_minor, opened.currency) == (
        "open",
        "unpaid",
        24900,
        "EUR",
    )
    assert not opened.is_paid
    assert (await local_stripe.pay(opened.url)).status_code == 303
    found = await gateway.find_checkout(opened.session_id)
    assert found is not None
    assert found.is_paid
    payment = await gateway.find_payment(found.payment_id)
    assert payment is not None
    assert (payment.method, payment.refunds) == ("visa 4242", [])


async def test_the_version_that_the_client_pins_is_sent(local_stripe: stripe.Stripe, gateway: StripePayments) -> None:
    if not contract.available():
        pytest.skip(contract.REASON)
    assert gateway._client._requestor._options.stripe_version == vendor.api_version
    path = contract.description_file()
    assert path is not None
    assert vendor.api_version in path.name


async def test_every_kind_of_request_was_checked_against_the_description(
    local_stripe: stripe.Stripe, gateway: StripePayments
) -> None:
    """All calls of the adapter in one place; `contract.watch` fills `problems`, and the fixture looks at them."""
    if not contract.available():
        pytest.skip(contract.REASON)
    done = await paid(local_stripe, gateway, "all")
    await gateway.refund(done.payment_id, 100, reference="r1", reason="requested_by_customer", idempotency_key="r1")
    assert len(await gateway.list_refunds(done.payment_id)) == 1
    assert await gateway.find_payment(done.payment_id) is not None
    other = await gateway.open_checkout(a_request("other"))
    assert (await gateway.expire_checkout(other.session_id)).state == "expired"
    asked = {(method, path.split("/")[2]) for method, path, _form in local_stripe.requests}
    assert asked == {
        ("POST", "checkout"),
        ("GET", "checkout"),
        ("POST", "refunds"),
        ("GET", "refunds"),
        ("GET", "payment_intents"),
    }


async def test_the_same_key_opens_the_same_page(gateway: StripePayments) -> None:
    request = a_request("twice")
    assert (await gateway.open_checkout(request)).session_id == (await gateway.open_checkout(request)).session_id


async def test_the_same_key_for_another_request_is_said_to_need_another_key(gateway: StripePayments) -> None:
    await gateway.open_checkout(a_request("key"))
    with pytest.raises(payments.Unavailable) as caught:
        await gateway.open_checkout(a_request("key", email="bob@example.org"))
    assert caught.value.answered


async def test_what_stripe_does_not_know_is_none(gateway: StripePayments) -> None:
    assert await gateway.find_checkout("cs_test_nothing") is None
    assert await gateway.find_payment("pi_nothing") is None


async def test_what_stripe_refuses_is_refused(gateway: StripePayments, local_stripe: stripe.Stripe) -> None:
    with pytest.raises(payments.Refused):
        await gateway.open_checkout(a_request("late", expires_at=clock.now() + timedelta(minutes=5)))
    done = await paid(local_stripe, gateway, "over")
    with pytest.raises(payments.Refused):
        await gateway.expire_checkout(done.session_id)
    with pytest.raises(payments.Refused):
        await gateway.refund(done.payment_id, 24901, reference="r", reason="duplicate", idempotency_key="too much")


async def test_a_refund_is_known_by_our_reference(gateway: StripePayments, local_stripe: stripe.Stripe) -> None:
    done = await paid(local_stripe, gateway, "refund")
    made = await gateway.refund(done.payment_id, 100, reference="ours", reason="duplicate", idempotency_key="ours")
    again = await gateway.refund(done.payment_id, 100, reference="ours", reason="duplicate", idempotency_key="ours")
    assert made == again
    assert (made.reference, made.amount_minor, made.currency) == ("ours", 100, "EUR")
    payment = await gateway.find_payment(done.payment_id)
    assert payment is not None
    assert [refund.reference for refund in payment.refunds] == ["ours"]


@pytest.mark.parametrize(
    ("fault", "answered"), [("limit", False), ("error", True), ("error_kept", True), ("cut", False)]
)
async def test_faults_are_told_apart_by_whether_another_try_needs_another_key(
    gateway: StripePayments, local_stripe: stripe.Stripe, fault: str, answered: bool
) -> None:
    await local_stripe.switch(api_fault=fault, api_fault_times=1)
    with pytest.raises(payments.Unavailable) as caught:
        await gateway.open_checkout(a_request(f"fault-{fault}"))
    assert caught.value.answered == answered


async def test_the_client_tries_again_by_itself(local_stripe: stripe.Stripe) -> None:
    patient = StripePayments(stripe.SECRET_KEY, api_base=local_stripe.url)
    await local_stripe.switch(api_fault="error", api_fault_times=2)
    assert (await patient.open_checkout(a_request("patient"))).state == "open"


async def test_a_wrong_key_and_an_absent_server_are_unavailable(local_stripe: stripe.Stripe) -> None:
    with pytest.raises(payments.Unavailable):
        await StripePayments("sk_test_wrong", api_base=local_stripe.url, retries=0).find_checkout("cs_test_x")
    with pytest.raises(payments.Unavailable):
        await StripePayments("sk_test_local", api_base="http://127.0.0.1:9", retries=0).find_checkout("cs_test_x")


async def test_without_a_key_every_call_says_what_to_set(tmp_path: Path) -> None:
    nobody = payments.choose(Config.from_env({"PATH": os.environ["PATH"], "DATA_DIR": str(tmp_path)}))
    for call in (
        nobody.open_checkout(a_request()),
        nobody.find_checkout("x"),
        nobody.expire_checkout("x"),
        nobody.find_payment("x"),
        nobody.list_refunds("x"),
        nobody.refund("x", 1, reference="r", reason="duplicate", idempotency_key="r"),
    ):
        with pytest.raises(payments.Unavailable, match="STRIPE_SECRET"):
            await call


async def test_nothing_is_sent_from_inside_a_transaction(
    app: Lectern, gateway: StripePayments, local_stripe: stripe.Stripe
) -> None:
    for call in (
        lambda: gateway.open_checkout(a_request()),
        lambda: gateway.find_checkout("x"),
        lambda: gateway.expire_checkout("x"),
        lambda: gateway.find_payment("x"),
        lambda: gateway.list_refunds("x"),
        lambda: gateway.refund("x", 1, reference="r", reason="duplicate", idempotency_key="r"),
    ):
        with pytest.raises(RuntimeError, match="inside a transaction"):
            async with db.transaction():
                await call()
    assert local_stripe.requests == []


async def test_the_database_connection_is_given_back_while_stripe_is_asked(
    app: Lectern, gateway: StripePayments, local_stripe: stripe.Stripe
) -> None:
    async with db.hold() as kept:
        await db.value("SELECT 1")
        assert kept.connection is not None
        await gateway.find_checkout("cs_test_nothing")
        assert kept.connection is None


@pytest.mark.parametrize(
    ("charge", "method"),
    [
        ({"payment_method_details": {"type": "card", "card": {"brand": "visa", "last4": "4242"}}}, "visa 4242"),
        ({"payment_method_details": {"type": "sepa_debit", "sepa_debit": {"last4": "3000"}}}, "sepa_debit"),
        ({"payment_method_details": None}, ""),
        ("ch_1", ""),
        (None, ""),
    ],
)
def test_how_a_payment_was_made_is_put_into_words(charge: object, method: str) -> None:
    assert stripe_api._method(charge) == method


async def test_the_tests_own_stripe_is_really_asked(local_stripe: stripe.Stripe) -> None:
    """Guards the tests above: the recorder sees what is sent."""
    async with AsyncClient(base_url=local_stripe.url, trust_env=False) as http:
        await http.get("/v1/events", headers={"Authorization": f"Bearer {stripe.SECRET_KEY}"})
    assert local_stripe.requests[-1][:2] == ("GET", "/v1/events")


@pytest.mark.parametrize(("pages", "asked_for"), [([0], [""]), ([2, 0], ["", "evt_1"]), ([2, 1], ["", "evt_1"])])
async def test_a_page_without_news_that_promises_more_ends_the_search(
    gateway: StripePayments, monkeypatch: pytest.MonkeyPatch, pages: list[int], asked_for: list[str]
) -> None:
    asked: list[str] = []

    async def answer(_method: Any, params: Any) -> dict[str, Any]:
        asked.append(params.get("starting_after", ""))
        size = pages[len(asked) - 1]
        return {"data": [{"id": f"evt_{n}", "type": "x"} for n in range(size)], "has_more": len(asked) < 2 or not size}

    monkeypatch.setattr(gateway, "_call", answer)
    found = await gateway.list_undelivered(["x"], clock.now())
    assert (asked, len(found.events), found.before) == (asked_for, sum(pages), "")
