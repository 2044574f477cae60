"""A payment that paid nothing (it does not fit, or came twice) and whose way back is not smooth: nothing is lost,
nothing goes twice, and the owner hears of it.
"""

import re
from datetime import timedelta
from typing import Any

import pytest

from app.access import entitlements
from app.commerce import orders
from app.commerce.jobs import finish_refunds
from app.commerce.models import Order, Received
from app.core import clock, db, queue
from tests.cast import Cast, Person
from tests.commerce.shop import Shop
from tests.commerce.test_flagged import a_flagged_order, act, all_handled, given_back
from tests.commerce.test_orders import an_order, kinds
from tests.commerce.test_refunds import a_sale
from tests.school import a_course


async def a_payment(shop: Shop, order: Order, amount: int = 20000, card: str = "pm_card_visa") -> str:
    """Money that really came for this order; the payment's id."""
    intent = await shop.stripe.post(
        "/v1/payment_intents",
        **{
            "amount": amount,
            "currency": "eur",
            "confirm": "true",
            "payment_method": card,
            "metadata[order]": order.public_id,
        },
    )
    assert intent["status"] == "succeeded"
    return str(intent["id"])


async def refunds_at_stripe(shop: Shop, payment_id: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = (await shop.stripe.get("/v1/refunds", payment_intent=payment_id))["data"]
    return found


async def the_bank_returns(shop: Shop, payment_id: str) -> None:
    """The bank sends a refund back to the school, and Stripe tells so, in each of its ways and twice."""
    await shop.stripe.http.post("/_sandbox/clock", json={"advance": 2})
    found = await shop.stripe.events("refund.updated", "refund.failed")
    told = [event for event in found if event["data"]["object"]["payment_intent"] == payment_id]
    assert [event["data"]["object"]["status"] for event in told] == ["failed", "failed"]
    for event in told * 2:
        assert await shop.deliver(event) == 200
        await queue.drain(ignore_delays=True)


async def press(shop: Shop, person: Person, order: Order, how: str) -> int:
    """Press one of the two buttons on the order's page; 0 when they are not there."""
    page = await shop.text(f"/admin/orders/{order.public_id}", person.browser)
    ref = re.search(r'name="refund" value="([^"]+)"', page)
    if ref is None:
        return 0
    form = {"refund": ref.group(1), "how": how}
    answer = await person.browser.post(f"/admin/orders/{order.public_id}/returns", form=form)
    return int(answer.status_code)


@pytest.mark.parametrize("fault", ["error", "error_kept", "cut", "limit"])
async def test_a_fault_of_stripe_does_not_keep_a_rejected_payment_from_going_back(
    shop: Shop, cast: Cast, fault: str
) -> None:
    ann, olga = await cast.ann(), await cast.olga()
    order, _course = await a_flagged_order(shop, ann)
    await shop.stripe.switch(api_fault=fault, api_fault_times=1, api_fault_path="/v1/refunds")
    assert await act(olga, order, "rejection") == 303
    await queue.drain(ignore_delays=True)
    assert await given_back(shop, order) == [20000]
    assert (await kinds(order)).count("rejected_given_back") == 1
    assert not await shop.mails("commerce/owner_refund_failed")


async def test_a_second_payment_goes_back_although_stripe_repeats_a_fault_for_its_key(shop: Shop, cast: Cast) -> None:
    ann = await cast.ann()
    order, _course = await a_sale(shop, ann)
    second = await a_payment(shop, order, 24900)
    await shop.stripe.switch(api_fault="error_kept", api_fault_times=1, api_fault_path="/v1/refunds")
    for _again in range(3):
        await orders.mark_paid(order.id, Received(24900, "EUR", payment_id=second))
    await queue.drain(ignore_delays=True)
    assert [refund["amount"] for refund in await refunds_at_stripe(shop, second)] == [24900]
    assert (await kinds(order)).count("second_given_back") == 1
    order = await shop.order()
    assert (order.state, order.refunded_minor) == ("paid", 0)


@pytest.mark.parametrize("which", ["rejected", "second"])
async def test_a_payment_that_the_bank_sends_back_to_us_calls_the_owner_who_sends_it_again(
    shop: Shop, cast: Cast, which: str
) -> None:
    ann, olga = await cast.ann(), await cast.olga()
    if which == "rejected":
        order, _course = await a_flagged_order(shop, ann, "pm_card_refundFail")
        payment_id = str(order.stripe_payment_intent_id)
        await act(olga, order, "rejection")
    else:
        order, _course = await a_sale(shop, ann)
        payment_id = await a_payment(shop, order, 20000, "pm_card_refundFail")
        await orders.mark_paid(order.id, Received(20000, "EUR", payment_id=payment_id))
    await queue.drain(ignore_delays=True)
    state = (await shop.order()).state
    assert await press(shop, olga, order, "again") == 0
    await the_bank_returns(shop, payment_id)
    assert await all_handled()
    [mail] = await shop.mails("commerce/owner_refund_failed")
    assert mail.state == "sent"
    page = await shop.text(f"/admin/orders/{order.public_id}", olga.browser)
    assert "could not be given back" in page
    assert order.public_id in await shop.text("/admin/orders?state=refunding", olga.browser)
    assert "1 refund has not gone through" in await shop.text("/admin", olga.browser)
    # At Stripe the money is back with the school, so it can be sent once more.
    assert await press(shop, olga, order, "again") == 303
    await queue.drain(ignore_delays=True)
    assert await press(shop, olga, order, "again") == 0
    tries = [(refund["amount"], refund["status"]) for refund in await refunds_at_stripe(shop, payment_id)]
    assert tries == [(20000, "succeeded"), (20000, "failed")]
    order = await shop.order()
    assert (order.state, order.refunded_minor) == (state, 0)


async def test_a_flagged_payment_that_came_back_from_the_bank_can_be_accepted(shop: Shop, cast: Cast) -> None:
    """It was given back in Stripe's dashboard, which failed: the money is with the school."""
    ann, olga = await cast.ann(), await cast.olga()
    order, course = await a_flagged_order(shop, ann, "pm_card_refundFail")
    payment_id = str(order.stripe_payment_intent_id)
    await shop.stripe.post("/v1/refunds", payment_intent=payment_id)
    await shop.tell()
    assert await act(olga, order, "acceptance") == 409
    await the_bank_returns(shop, payment_id)
    assert await act(olga, order, "acceptance") == 303
    assert await entitlements.allows(ann.id, course.id)


async def test_a_stranded_payment_that_went_back_by_hand_is_dealt_with_once(shop: Shop, cast: Cast) -> None:
    ann, olga, sam = await cast.ann(), await cast.olga(), await cast.sam()
    order, _course = await a_flagged_order(shop, ann, "pm_card_refundFail")
    await act(olga, order, "rejection")
    await queue.drain(ignore_delays=True)
    await the_bank_returns(shop, str(order.stripe_payment_intent_id))
    ref = await db.value("SELECT public_id FROM refunds")
    form = {"refund": ref, "how": "by-hand"}
    path = f"/admin/orders/{order.public_id}/returns"
    assert (await sam.browser.post(path, form=form)).status_code == 403
    answers = [(await olga.browser.post(path, form={**form, "how": how})).status_code for how in ("by-hand", "again")]
    assert answers == [303, 409]
    await queue.drain(ignore_delays=True)
    assert "given back by hand" in await shop.text(f"/admin/orders/{order.public_id}", olga.browser)
    assert len(await refunds_at_stripe(shop, str(order.stripe_payment_intent_id))) == 1
    assert await db.value("SELECT count(*) FROM audit_log WHERE action = 'order.refund'") == 1


async def test_a_rejected_payment_whose_job_died_is_finished_by_the_schedule(shop: Shop, cast: Cast) -> None:
    ann, olga = await cast.ann(), await cast.olga()
    order, _course = await a_flagged_order(shop, ann)
    await act(olga, order, "rejection")
    await db.run("DELETE FROM pgqueuer")
    with clock.shifted(timedelta(minutes=6)):
        await finish_refunds()
        await finish_refunds()
    assert await given_back(shop, order) == [20000]


async def test_two_payments_that_do_not_fit_both_go_back(shop: Shop, cast: Cast) -> None:
    ann, olga = await cast.ann(), await cast.olga()
    order, _course = await a_flagged_order(shop, ann)
    second = await a_payment(shop, order)
    await shop.tell()
    assert await act(olga, order, "rejection") == 303
    await queue.drain(ignore_delays=True)
    for payment_id in (str(order.stripe_payment_intent_id), second):
        assert [refund["amount"] for refund in await refunds_at_stripe(shop, payment_id)] == [20000]
    await shop.tell()
    assert await all_handled()
    assert (await shop.order()).flag == ""
    assert (await kinds(order)).count("rejected_given_back") == 2


async def test_only_the_rest_goes_back_of_what_was_partly_given_back_in_stripes_dashboard(
    shop: Shop, cast: Cast
) -> None:
    ann, olga = await cast.ann(), await cast.olga()
    order, _course = await a_flagged_order(shop, ann)
    await shop.stripe.post("/v1/refunds", payment_intent=str(order.stripe_payment_intent_id), amount="5000")
    await shop.tell()
    assert await act(olga, order, "acceptance") == 409
    assert await act(olga, order, "rejection") == 303
    await queue.drain(ignore_delays=True)
    await shop.tell()
    assert sorted(await given_back(shop, order)) == [5000, 15000]
    assert await db.value("SELECT sum(amount_minor) FROM refunds WHERE state = 'succeeded'") == 20000


async def test_of_the_payment_of_another_order_nothing_goes_back_and_nobody_says_so(shop: Shop, cast: Cast) -> None:
    ann, bob, olga = await cast.ann(), await cast.bob(), await cast.olga()
    paid, _course = await a_sale(shop, ann)
    order, _page = await an_order(shop, bob)
    news = Received(24900, "EUR", payment_id=str(paid.stripe_payment_intent_id), told_by="evt_mixed_up")
    assert not await orders.mark_paid(order.id, news)
    assert (await shop.order()).flag
    page = await shop.text(f"/admin/orders/{order.public_id}", olga.browser)
    assert "nothing to give back" in page
    assert f"End order {order.number}" in page
    assert "Give the payment of order" not in page
    assert await act(olga, order, "rejection") == 303
    page = await shop.text(f"/admin/orders/{order.public_id}", olga.browser)
    assert "The payment goes back" not in page
    assert "none goes back" in page
    await queue.drain(ignore_delays=True)
    assert await refunds_at_stripe(shop, str(paid.stripe_payment_intent_id)) == []
    # The same news again is no new question; the order's own payment is one, and counts.
    assert not await orders.mark_paid(order.id, news)
    order = await shop.order()
    assert (order.state, order.flag) == ("cancelled", "")
    assert await orders.mark_paid(order.id, Received(24900, "EUR", payment_id="pi_own"))
    assert (await shop.order()).state == "paid"


async def test_what_really_came_is_not_hidden_by_the_payment_of_another(shop: Shop, cast: Cast) -> None:
    ann, bob, olga = await cast.ann(), await cast.bob(), await cast.olga()
    await a_course("risk", "The Arithmetic of Risk")
    paid, _page = await an_order(shop, bob, "risk")
    await orders.mark_paid(paid.id, Received(paid.total_minor, "EUR", payment_id="pi_bobs"))
    order, _course = await a_flagged_order(shop, ann)
    await orders.mark_paid(order.id, Received(20000, "EUR", payment_id="pi_bobs"))
    assert "20000 EUR came" in (await shop.order()).flag
    await act(olga, order, "rejection")
    await queue.drain(ignore_delays=True)
    assert await given_back(shop, order) == [20000]


async def test_what_did_not_fit_goes_back_when_the_right_payment_comes_after_it(shop: Shop, cast: Cast) -> None:
    ann = await cast.ann()
    order, course = await a_flagged_order(shop, ann)
    odd, right = str(order.stripe_payment_intent_id), await a_payment(shop, order, 24900)
    await shop.tell()
    await queue.drain(ignore_delays=True)
    order = await shop.order()
    assert (order.state, order.flag, order.stripe_payment_intent_id) == ("paid", "", right)
    assert [refund["amount"] for refund in await refunds_at_stripe(shop, odd)] == [20000]
    assert await refunds_at_stripe(shop, right) == []
    await shop.tell()
    assert await all_handled()
    assert (await shop.order()).refunded_minor == 0
    assert await entitlements.allows(ann.id, course.id)


async def test_what_went_back_in_stripes_dashboard_before_it_was_sent_again_fails_no_job(
    shop: Shop, cast: Cast
) -> None:
    ann, olga = await cast.ann(), await cast.olga()
    order, _course = await a_flagged_order(shop, ann, "pm_card_refundFail")
    await act(olga, order, "rejection")
    await queue.drain(ignore_delays=True)
    await the_bank_returns(shop, str(order.stripe_payment_intent_id))
    # Given back in the dashboard, and the news has not come yet.
    await shop.stripe.post("/v1/refunds", payment_intent=str(order.stripe_payment_intent_id))
    assert await press(shop, olga, order, "again") == 303
    # The job that would have finished it, had the request died, finds nothing left of it.
    await queue.drain(ignore_delays=True)
    assert await db.value("SELECT count(*) FROM pgqueuer WHERE status = 'failed'") == 0
    await shop.tell()
    assert [refund["amount"] for refund in await refunds_at_stripe(shop, str(order.stripe_payment_intent_id))] == [
        20000,
        20000,
    ]
