"""Stripe slow, away, too busy, or cut off after it acted: one payment page, one charge, one refund, under one key."""

from typing import Any

import httpx
import pytest

from app.commerce import models
from app.core import db, queue
from app.gateways import payments
from app.gateways.payments import stripe_api
from tests import stripe
from tests.cast import Cast
from tests.commerce.shop import Shop
from tests.commerce.test_refunds import a_sale, refund
from tests.school import a_course

# The fault, and whether Stripe answered so that another try needs another key.
FAULTS: dict[str, dict[str, Any]] = {
    "timeout": {"api_fault": "slow", "api_fault_seconds": 1.3},
    "500": {"api_fault": "error"},
    "500 kept for its key": {"api_fault": "error_kept"},
    "429": {"api_fault": "limit"},
    "reply cut off": {"api_fault": "cut"},
}


@pytest.fixture
async def impatient(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> Shop:
    """A shop that waits one second for Stripe."""
    monkeypatch.setattr(stripe_api, "TIMEOUT", httpx.Timeout(1.0))
    payments.use(payments.StripePayments(stripe.SECRET_KEY, api_base=shop.stripe.url, retries=0))
    return shop


def keys(shop: Shop, path: str) -> list[str]:
    return [form["key"] for method, asked, form in shop.stripe.requests if (method, asked) == ("POST", path)]


@pytest.mark.parametrize("fault", FAULTS)
async def test_one_payment_page_and_one_charge_whatever_befalls_the_request(
    impatient: Shop, cast: Cast, fault: str
) -> None:
    shop = impatient
    await a_course()
    ann = await cast.ann()
    await shop.add("reading-price", ann.browser)
    await shop.stripe.switch(**FAULTS[fault], api_fault_times=1, api_fault_path="/v1/checkout/sessions")
    answer = await ann.browser.post("/checkout", form={"quote": await shop.quote(ann.browser)})
    assert answer.status_code == 503
    await shop.stripe.switch(api_fault="none")
    for _again in range(20):  # the slow one may still hold its key
        answer = await ann.browser.post("/checkout", form={"quote": await shop.quote(ann.browser)})
        if answer.status_code == 303:
            break
    await shop.pay(str(answer.headers["Location"]))
    await shop.tell()
    order = await shop.order()
    assert order.state == "paid"
    sessions = (await shop.stripe.get("/v1/checkout/sessions", limit=20))["data"]
    assert len([one for one in sessions if one["client_reference_id"] == order.public_id]) == 1
    charges = (await shop.stripe.get("/v1/charges", payment_intent=str(order.stripe_payment_intent_id)))["data"]
    assert [charge["amount"] for charge in charges if charge["paid"]] == [24900]
    used = set(keys(shop, "/v1/checkout/sessions"))
    # A 500 is repeated for its key, so another is taken; without an answer the same one is the protection.
    assert used == ({order.public_id, f"{order.public_id}-2"} if fault.startswith("500") else {order.public_id})


@pytest.mark.parametrize("fault", FAULTS)
async def test_one_refund_whatever_befalls_the_request(impatient: Shop, cast: Cast, fault: str) -> None:
    shop = impatient
    ann, olga = await cast.ann(), await cast.olga()
    order, _course = await a_sale(shop, ann)
    await shop.stripe.switch(**FAULTS[fault], api_fault_times=1, api_fault_path="/v1/refunds")
    assert (await refund(shop, olga, order, amount="100")).status_code == 303
    for _again in range(3):
        await queue.drain(ignore_delays=True)
    assert (await shop.order()).refunded_minor == 10000
    found = await shop.stripe.get("/v1/refunds", payment_intent=str(order.stripe_payment_intent_id))
    assert [one["amount"] for one in found["data"]] == [10000]
    assert await db.value("SELECT count(*) FROM refunds") == 1
    if not fault.startswith("500"):
        assert len(set(keys(shop, "/v1/refunds"))) == 1


async def test_without_the_key_a_reply_that_was_cut_off_would_refund_twice(
    impatient: Shop, cast: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The negative control."""
    from app.commerce import refunds
    from app.core.ids import public_id

    shop = impatient
    ann, olga = await cast.ann(), await cast.olga()
    order, _course = await a_sale(shop, ann)
    monkeypatch.setattr(models.Refund, "idempotency_key", property(lambda self: public_id()))

    async def not_looked_up(*_args: object) -> None:
        return None

    monkeypatch.setattr(refunds, "_sent_before", not_looked_up)
    await shop.stripe.switch(api_fault="cut", api_fault_times=1, api_fault_path="/v1/refunds")
    await refund(shop, olga, order, amount="100")
    await queue.drain(ignore_delays=True)
    found = await shop.stripe.get("/v1/refunds", payment_intent=str(order.stripe_payment_intent_id))
    assert [one["amount"] for one in found["data"]] == [10000, 10000]
