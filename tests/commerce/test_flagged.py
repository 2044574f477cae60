"""A payment that does not fit its order: accepted or given back by a person, once, and its news never fails."""

import asyncio
import re
from typing import Any

import pytest

from app.access import entitlements
from app.commerce import orders
from app.commerce.models import Order, Received
from app.core import db, queue
from tests.cast import Cast, Person
from tests.commerce.shop import Shop
from tests.commerce.test_orders import an_order, kinds
from tests.school import MadeCourse, a_course


async def a_flagged_order(shop: Shop, person: Person, card: str = "pm_card_visa") -> tuple[Order, MadeCourse]:
    """Two hundred euros were really paid for an order of 249."""
    course = await a_course()
    order, _page = await an_order(shop, person)
    return await paid_as_well(shop, order, 20000, card), course


async def paid_as_well(shop: Shop, order: Order, amount: int, card: str = "pm_card_visa") -> Order:
    """The order after a payment for it that does not fit."""
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
    await shop.tell()
    order = await shop.order()
    assert (order.state, order.stripe_payment_intent_id) == ("pending", intent["id"])
    assert order.flag
    return order


async def act(person: Person, order: Order, what: str) -> int:
    return int((await person.browser.post(f"/admin/orders/{order.public_id}/{what}")).status_code)


async def given_back(shop: Shop, order: Order) -> list[int]:
    found = await shop.stripe.get("/v1/refunds", payment_intent=str(order.stripe_payment_intent_id))
    return [refund["amount"] for refund in found["data"]]


async def all_handled() -> bool:
    return not await db.value("SELECT count(*) FROM webhook_events WHERE state NOT IN ('handled', 'ignored')")


async def test_a_flagged_payment_given_back_in_stripes_dashboard_is_noted_and_fails_no_job(
    shop: Shop, cast: Cast
) -> None:
    ann, olga = await cast.ann(), await cast.olga()
    order, course = await a_flagged_order(shop, ann)
    await shop.stripe.post("/v1/refunds", payment_intent=str(order.stripe_payment_intent_id))
    for _again in range(2):
        await shop.tell()
    assert await all_handled()
    assert (await kinds(order)).count("rejected_given_back") == 1
    assert "went back: €200" in await shop.text(f"/admin/orders/{order.public_id}", olga.browser)
    assert (await shop.order()).refunded_minor == 0
    assert not await entitlements.allows(ann.id, course.id)
    # Nothing is left that could be accepted.
    assert await act(olga, order, "acceptance") == 409
    assert not await entitlements.allows(ann.id, course.id)
    # The person in the office says so too; there is nothing left to send.
    assert await act(olga, order, "rejection") == 303
    await queue.drain(ignore_delays=True)
    assert (await shop.order()).state == "cancelled"
    assert await given_back(shop, order) == [20000]


async def test_a_flagged_payment_is_given_back_from_the_back_office(shop: Shop, cast: Cast) -> None:
    ann, olga, sam = await cast.ann(), await cast.olga(), await cast.sam()
    order, course = await a_flagged_order(shop, ann)
    assert await act(sam, order, "rejection") == 403
    assert await act(olga, order, "rejection") == 303
    assert await act(olga, order, "rejection") == 409
    assert await act(olga, order, "acceptance") == 409
    await queue.drain(ignore_delays=True)
    await shop.tell()
    assert await given_back(shop, order) == [20000]
    order = await shop.order()
    assert (order.state, order.flag, order.refunded_minor) == ("cancelled", "", 0)
    assert not await entitlements.allows(ann.id, course.id)
    assert await all_handled()
    assert (await kinds(order)).count("rejected_given_back") == 1
    assert await db.value("SELECT count(*) FROM audit_log WHERE action = 'order.reject'") == 1


async def test_accepted_with_its_last_payment_the_one_before_goes_back(shop: Shop, cast: Cast) -> None:
    ann, olga = await cast.ann(), await cast.olga()
    first, course = await a_flagged_order(shop, ann)
    second = await paid_as_well(shop, first, 22000)
    assert await act(olga, second, "acceptance") == 303
    await queue.drain(ignore_delays=True)
    assert await entitlements.allows(ann.id, course.id)
    assert (await given_back(shop, first), await given_back(shop, second)) == ([20000], [])
    kept = await shop.order()
    assert (kept.state, kept.refunded_minor) == ("paid", 0)


async def test_old_news_of_a_payment_that_was_given_back_flags_nothing_again(shop: Shop, cast: Cast) -> None:
    ann, olga = await cast.ann(), await cast.olga()
    order, _course = await a_flagged_order(shop, ann)
    await act(olga, order, "rejection")
    late = Received(20000, "EUR", payment_id=str(order.stripe_payment_intent_id), told_by="evt_late")
    assert not await orders.mark_paid(order.id, late)
    assert (await shop.order()).flag == ""
    # Another payment that does not fit is another question.
    await orders.mark_paid(order.id, Received(1, "EUR", payment_id="pi_other"))
    assert (await shop.order()).flag


async def test_a_paid_order_that_is_told_the_payment_of_another_gives_nothing_back(shop: Shop, cast: Cast) -> None:
    ann, bob = await cast.ann(), await cast.bob()
    await a_course()
    paid = []
    for person in (ann, bob):
        order, _page = await an_order(shop, person)
        await orders.mark_paid(order.id, Received(24900, "EUR", payment_id=f"pi_{person.id}"))
        paid.append(order)
    await queue.drain(ignore_delays=True)
    assert not await orders.mark_paid(paid[1].id, Received(24900, "EUR", payment_id=f"pi_{ann.id}"))
    assert "paid_again" not in await kinds(paid[1])
    assert not await db.value("SELECT count(*) FROM pgqueuer")
    # A payment that is nobody's is a second one.
    assert not await orders.mark_paid(paid[1].id, Received(24900, "EUR", payment_id="pi_third"))
    assert "paid_again" in await kinds(paid[1])


async def test_while_stripe_is_away_the_payment_goes_back_later_and_once(shop: Shop, cast: Cast) -> None:
    ann, olga = await cast.ann(), await cast.olga()
    order, _course = await a_flagged_order(shop, ann)
    await shop.stripe.switch(api_fault="cut", api_fault_times=1, api_fault_path="/v1/refunds")
    assert await act(olga, order, "rejection") == 303
    await queue.drain(ignore_delays=True)
    assert await given_back(shop, order) == [20000]


async def test_of_two_who_decide_at_once_one_is_told(shop: Shop, cast: Cast) -> None:
    ann, olga, rob = await cast.ann(), await cast.olga(), await cast.rob()
    order, course = await a_flagged_order(shop, ann)
    answers: Any = await asyncio.gather(act(olga, order, "acceptance"), act(rob, order, "rejection"))
    assert sorted(answers) == [303, 409]
    await queue.drain(ignore_delays=True)
    is_open = await entitlements.allows(ann.id, course.id)
    assert await given_back(shop, order) == ([] if is_open else [20000])


@pytest.mark.parametrize("amount", [100, 20000], ids=["another amount", "the same amount"])
async def test_a_payment_that_came_since_the_page_was_shown_is_not_accepted_unseen(
    shop: Shop, cast: Cast, amount: int
) -> None:
    ann, olga = await cast.ann(), await cast.olga()
    order, course = await a_flagged_order(shop, ann)
    path = f"/admin/orders/{order.public_id}"

    async def accept(page: str) -> int:
        form = dict(re.findall(r'name="(seen)" value="([^"]*)"', page))
        assert form
        return int((await olga.browser.post(f"{path}/acceptance", form=form)).status_code)

    shown = await shop.text(path, olga.browser)
    await paid_as_well(shop, order, amount)
    assert await accept(shown) == 409
    assert not await entitlements.allows(ann.id, course.id)
    assert await given_back(shop, order) == []
    assert await accept(await shop.text(path, olga.browser)) == 303
    assert await entitlements.allows(ann.id, course.id)
