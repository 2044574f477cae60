import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from app.access import entitlements
from app.commerce import orders, refunds
from app.commerce.jobs import finish_refunds
from app.commerce.models import Order, Received
from app.commerce.queries import refunds as queries
from app.core import clock, db, queue
from app.core.ids import public_id
from app.gateways import payments
from tests.cast import Cast, Person
from tests.commerce.shop import Shop
from tests.commerce.test_orders import an_order, kinds
from tests.school import MadeCourse, a_course


async def a_sale(shop: Shop, person: Person) -> tuple[Order, MadeCourse]:
    """A paid order of one course for €249."""
    course = await a_course()
    _order, page = await an_order(shop, person)
    await shop.pay(page)
    await shop.tell()
    return await shop.order(), course


def form(order: Order, amount: str = "249.00", **changes: str) -> dict[str, str]:
    return {"ref": public_id(), "amount": amount, "reason": "did not fit", "confirmation": str(order.number), **changes}


async def refund(shop: Shop, person: Person, order: Order, **changes: str) -> Any:
    return await person.browser.post(f"/admin/orders/{order.public_id}/refunds", form=form(order, **changes))


async def sent(shop: Shop) -> int:
    """How many refunds Stripe knows of this test's order."""
    order = await shop.order()
    found = await shop.stripe.get("/v1/refunds", payment_intent=str(order.stripe_payment_intent_id), limit=100)
    return len(found["data"])


async def test_a_full_refund_closes_what_was_opened_and_tells_the_buyer(shop: Shop, cast: Cast) -> None:
    ann, olga = await cast.ann(), await cast.olga()
    order, course = await a_sale(shop, ann)
    assert (await refund(shop, olga, order)).status_code == 303
    await queue.drain(ignore_delays=True)
    order = await shop.order()
    assert (order.state, order.refunded_minor) == ("refunded", 24900)
    assert not await entitlements.allows(ann.id, course.id)
    explanation = await entitlements.explain(ann.id, course.id)
    assert explanation.rule == "closed"
    [mail] = await shop.mails("commerce/refund")
    assert (mail.recipient, mail.state) == (ann.email, "sent")
    assert await sent(shop) == 1
    page = await shop.text(f"/admin/orders/{order.public_id}", olga.browser)
    assert "€249 refunded" in page
    assert 'id="refund"' not in page
    row = await db.one(db.Row, "SELECT actor_id, after FROM audit_log WHERE action = 'order.refund'")
    assert row is not None
    assert (row.actor_id, row.after["amount_minor"]) == (olga.id, 24900)


async def test_a_partial_refund_keeps_the_course_open(shop: Shop, cast: Cast) -> None:
    ann, olga = await cast.ann(), await cast.olga()
    order, course = await a_sale(shop, ann)
    await refund(shop, olga, order, amount="100")
    order = await shop.order()
    assert (order.state, order.refunded_minor) == ("partially_refunded", 10000)
    assert await entitlements.allows(ann.id, course.id)
    await refund(shop, olga, order, amount="149")
    assert (await shop.order()).state == "refunded"
    assert not await entitlements.allows(ann.id, course.id)


async def test_a_page_that_is_sent_again_with_another_amount_says_what_went_back(shop: Shop, cast: Cast) -> None:
    ann, olga = await cast.ann(), await cast.olga()
    order, _course = await a_sale(shop, ann)
    typed = form(order, amount="10")
    path = f"/admin/orders/{order.public_id}"
    assert (await olga.browser.post(f"{path}/refunds", form=typed)).status_code == 303
    assert "€10 was refunded" in await shop.text(path, olga.browser)
    assert (await olga.browser.post(f"{path}/refunds", form={**typed, "amount": "50"})).status_code == 303
    page = await shop.text(path, olga.browser)
    assert "€50 was refunded" not in page
    assert "€10 was refunded" in page
    assert await sent(shop) == 1


async def test_refunding_twice_refunds_once(shop: Shop, cast: Cast) -> None:
    ann, olga = await cast.ann(), await cast.olga()
    order, _course = await a_sale(shop, ann)
    same = form(order, "100")
    path = f"/admin/orders/{order.public_id}/refunds"
    answers = await asyncio.gather(*(olga.browser.post(path, form=same) for _ in range(5)))
    assert {answer.status_code for answer in answers} == {303}
    await queue.drain(ignore_delays=True)
    assert (await shop.order()).refunded_minor == 10000
    assert await db.value("SELECT count(*) FROM refunds") == 1
    assert await sent(shop) == 1
    assert len(await shop.mails("commerce/refund")) == 1


async def test_a_form_of_another_order_is_not_taken_for_a_refund_of_this_one(shop: Shop, cast: Cast) -> None:
    """Its number would say that the money is on its way, and nothing would go."""
    ann, bob, olga = await cast.ann(), await cast.bob(), await cast.olga()
    first, _course = await a_sale(shop, ann)
    _order, page = await an_order(shop, bob)
    await shop.pay(page)
    await shop.tell()
    second, ref = await shop.order(), public_id()
    assert (await refund(shop, olga, first, ref=ref)).status_code == 303
    assert (await refund(shop, olga, second, ref=ref)).status_code == 409
    assert (await shop.order()).refunded_minor == 0


async def test_two_people_at_once_cannot_give_back_more_than_was_paid(shop: Shop, cast: Cast) -> None:
    ann, olga, rob = await cast.ann(), await cast.olga(), await cast.rob()
    order, _course = await a_sale(shop, ann)
    answers = await asyncio.gather(*(refund(shop, person, order, amount="200") for person in (olga, rob)))
    assert sorted(answer.status_code for answer in answers) == [303, 422]
    assert (await shop.order()).refunded_minor == 20000


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"amount": "249.01"}, "At most €249"),
        ({"amount": "0"}, "At most €249"),
        ({"amount": "-5"}, "Write an amount"),
        ({"amount": "some"}, "Write an amount"),
        ({"amount": ""}, "How much goes back?"),
        ({"confirmation": "1"}, 'id="confirm-confirmation-error">'),
        ({"confirmation": ""}, 'id="confirm-confirmation-error">'),
        ({"ref": "../../etc"}, "Refund"),
    ],
)
async def test_wrong_input_gives_nothing_back(shop: Shop, cast: Cast, changes: dict[str, str], says: str) -> None:
    ann, olga = await cast.ann(), await cast.olga()
    order, _course = await a_sale(shop, ann)
    answer = await refund(shop, olga, order, **changes)
    assert answer.status_code == 422
    assert says in await answer.get_data(as_text=True)
    assert await db.value("SELECT count(*) FROM refunds") == 0


async def test_only_some_people_may_refund_and_only_after_a_fresh_sign_in(shop: Shop, cast: Cast) -> None:
    ann, sam, ines, olga = await cast.ann(), await cast.sam(), await cast.ines(), await cast.olga()
    order, _course = await a_sale(shop, ann)
    for person in (ann, sam, ines):
        assert (await refund(shop, person, order)).status_code == 403
    await cast.sign_in(olga, fresh=False)
    answer = await refund(shop, olga, order)
    assert answer.status_code == 303
    assert "/login" in answer.headers["Location"] or "/confirm" in answer.headers["Location"]
    assert await db.value("SELECT count(*) FROM refunds") == 0


async def test_an_unpaid_order_cannot_be_refunded(shop: Shop, cast: Cast) -> None:
    await a_course()
    ann, olga = await cast.ann(), await cast.olga()
    order, _page = await an_order(shop, ann)
    assert (await refund(shop, olga, order)).status_code == 409


async def test_while_stripe_is_away_a_refund_waits_and_is_made_later(shop: Shop, cast: Cast) -> None:
    ann, olga = await cast.ann(), await cast.olga()
    order, course = await a_sale(shop, ann)
    await shop.stripe.switch(api_fault="limit", api_fault_times=1)
    await refund(shop, olga, order)
    assert "tried again" in await shop.text(f"/admin/orders/{order.public_id}", olga.browser)
    assert (await shop.order()).state == "paid"
    assert await entitlements.allows(ann.id, course.id)
    page = await shop.text(f"/admin/orders/{order.public_id}", olga.browser)
    assert "On its way back" in page
    assert 'id="refund"' not in page
    await queue.drain(ignore_delays=True)
    assert (await shop.order()).state == "refunded"
    assert await sent(shop) == 1


async def test_a_refund_whose_answer_was_lost_is_not_made_twice(shop: Shop, cast: Cast) -> None:
    ann, olga = await cast.ann(), await cast.olga()
    order, _course = await a_sale(shop, ann)
    await shop.stripe.switch(api_fault="cut", api_fault_times=1)
    await refund(shop, olga, order, amount="100")
    assert await sent(shop) == 1
    await queue.drain(ignore_delays=True)
    assert await sent(shop) == 1
    assert (await shop.order()).refunded_minor == 10000


async def test_a_fault_that_stripe_repeats_for_its_key_does_not_hold_a_refund_up(shop: Shop, cast: Cast) -> None:
    ann, olga = await cast.ann(), await cast.olga()
    order, _course = await a_sale(shop, ann)
    await shop.stripe.switch(api_fault="error_kept", api_fault_times=1, api_fault_path="/v1/refunds")
    await refund(shop, olga, order, amount="100")
    assert (await shop.order()).refunded_minor == 0
    await queue.drain(ignore_delays=True)
    assert (await shop.order()).refunded_minor == 10000
    assert await sent(shop) == 1


async def test_a_refund_that_stripe_made_before_it_answered_with_a_fault_is_found_there(shop: Shop, cast: Cast) -> None:
    """The next try goes under another key, within seconds: only looking it up first keeps it from going twice."""
    ann, olga = await cast.ann(), await cast.olga()
    order, _course = await a_sale(shop, ann)
    true = payments.gateway()

    class Faulty:
        def __getattr__(self, name: str) -> Any:
            return getattr(true, name)

        async def refund(self, *args: Any, **more: Any) -> payments.Refund:
            await true.refund(*args, **more)
            raise payments.Unavailable("500", answered=True)

    payments.use(Faulty())  # type: ignore[arg-type]
    await refund(shop, olga, order, amount="100")
    payments.use(true)
    await queue.drain(ignore_delays=True)
    assert await sent(shop) == 1
    assert (await shop.order()).refunded_minor == 10000


@asynccontextmanager
async def _begun(order: Order, olga: Person) -> AsyncIterator[refunds.Refund]:
    """A refund whose process died right after it was begun, and whose job was lost with it."""
    begun = await orders.refund(order, 24900, reason="", ref=public_id(), requested_by=olga.id)
    await db.run("DELETE FROM pgqueuer")
    yield begun


async def test_a_refund_that_was_cut_off_is_finished_by_the_schedule(shop: Shop, cast: Cast) -> None:
    ann, olga = await cast.ann(), await cast.olga()
    order, _course = await a_sale(shop, ann)
    async with _begun(order, olga):
        await finish_refunds()
        assert (await shop.order()).state == "paid"  # fresh: whoever began it may still be at work
        with clock.shifted(timedelta(minutes=3)):
            await finish_refunds()
        assert (await shop.order()).state == "refunded"
        assert await sent(shop) == 1


async def test_a_refund_that_was_cut_off_after_stripe_had_it_is_found_there(shop: Shop, cast: Cast) -> None:
    ann, olga = await cast.ann(), await cast.olga()
    order, _course = await a_sale(shop, ann)
    async with _begun(order, olga) as begun:
        await payments.gateway().refund(
            str(order.stripe_payment_intent_id),
            24900,
            reference=begun.public_id,
            reason="requested_by_customer",
            idempotency_key="a key that is forgotten",
        )
        with clock.shifted(timedelta(days=2)):
            await finish_refunds()
        assert (await shop.order()).state == "refunded"
        assert await sent(shop) == 1


async def test_a_refund_made_in_stripes_dashboard_is_booked(shop: Shop, cast: Cast) -> None:
    ann = await cast.ann()
    order, course = await a_sale(shop, ann)
    await shop.stripe.post("/v1/refunds", payment_intent=str(order.stripe_payment_intent_id), amount="5000")
    await shop.tell()
    order = await shop.order()
    assert (order.state, order.refunded_minor) == ("partially_refunded", 5000)
    await shop.stripe.post("/v1/refunds", payment_intent=str(order.stripe_payment_intent_id))
    await shop.tell()
    order = await shop.order()
    assert (order.state, order.refunded_minor) == ("refunded", 24900)
    assert not await entitlements.allows(ann.id, course.id)
    assert len(await shop.mails("commerce/refund")) == 2


@pytest.mark.parametrize("seed", range(4))
async def test_news_of_a_refund_may_come_before_the_news_of_the_payment(shop: Shop, cast: Cast, seed: int) -> None:
    import random

    course = await a_course()
    ann = await cast.ann()
    _order, page = await an_order(shop, ann)
    await shop.pay(page)
    [told] = [event for event in await shop.events() if event["type"] == "payment_intent.succeeded"]
    await shop.stripe.post("/v1/refunds", payment_intent=told["data"]["object"]["id"])
    await db.run("UPDATE orders SET stripe_payment_intent_id = :id", id=told["data"]["object"]["id"])
    news = await shop.events()
    await db.run("UPDATE orders SET stripe_payment_intent_id = NULL")
    told_in = [event for event in news for _ in range(2)]
    random.Random(seed).shuffle(told_in)
    told_in.sort(key=lambda event: not event["type"].startswith(("refund", "charge")))
    for event in told_in:
        await shop.deliver(event)
        await queue.drain()
    await queue.drain(ignore_delays=True)
    order = await shop.order()
    assert (order.state, order.refunded_minor) == ("refunded", 24900)
    assert not await entitlements.allows(ann.id, course.id)
    assert await db.value("SELECT count(*) FROM refunds") == 1
    assert len(await shop.mails("commerce/refund")) == 1


async def test_news_of_a_refund_is_noted_once_and_does_not_go_back_to_waiting(shop: Shop, cast: Cast) -> None:
    order, _course = await a_sale(shop, await cast.ann())
    done = payments.Refund("re_1", "succeeded", 5000, "EUR", payment_id=str(order.stripe_payment_intent_id))
    assert await refunds.record(order.id, done)
    for again in (done, replace(done, state="pending")):
        assert not await refunds.record(order.id, again)
    assert (await kinds(order)).count("refunded") == 1
    assert await db.value("SELECT state FROM refunds") == "succeeded"


async def test_a_refund_that_names_that_of_another_order_is_not_taken_for_it(shop: Shop, cast: Cast) -> None:
    ann, bob, olga = await cast.ann(), await cast.bob(), await cast.olga()
    first, _course = await a_sale(shop, ann)
    await an_order(shop, bob)
    second = await shop.order()
    await orders.mark_paid(second.id, Received(24900, "EUR", payment_id="pi_second"))
    begun = await orders.refund(first, 24900, reason="", ref=public_id(), requested_by=olga.id)
    told = payments.Refund("re_1", "succeeded", 5000, "EUR", payment_id="pi_second", reference=begun.public_id)
    assert await refunds.record(second.id, told)
    assert (await shop.order()).refunded_minor == 5000
    assert await db.value("SELECT state FROM refunds WHERE id = :id", id=begun.id) == "pending"


async def test_two_tries_that_fail_at_once_take_one_new_key_between_them(shop: Shop, cast: Cast) -> None:
    ann, olga = await cast.ann(), await cast.olga()
    order, _course = await a_sale(shop, ann)
    begun = await orders.refund(order, 5000, reason="", ref=public_id(), requested_by=olga.id)
    assert await queries.raise_attempt(begun.id, 1)
    assert not await queries.raise_attempt(begun.id, 1)
    await queries.set_stripe_id(begun.id, "re_1")
    assert not await queries.raise_attempt(begun.id, 2), "what Stripe knows is not asked for under another key"


async def test_a_refund_of_another_payment_takes_nothing_from_the_order(shop: Shop, cast: Cast) -> None:
    ann = await cast.ann()
    order, course = await a_sale(shop, ann)
    # Of a payment that nobody knows; and of one that came twice, in Stripe's dashboard.
    assert not await refunds.record(order.id, payments.Refund("re_1", "succeeded", 24900, "EUR", payment_id="pi_other"))
    assert not await orders.mark_paid(order.id, Received(24900, "EUR", payment_id="pi_second"))
    assert await refunds.record(order.id, payments.Refund("re_2", "succeeded", 24900, "EUR", payment_id="pi_second"))
    order = await shop.order()
    assert (order.state, order.refunded_minor) == ("paid", 0)
    # Nor does it count when something of its own payment goes back.
    own = str(order.stripe_payment_intent_id)
    assert await refunds.record(order.id, payments.Refund("re_3", "succeeded", 5000, "EUR", payment_id=own))
    order = await shop.order()
    assert (order.state, order.refunded_minor) == ("partially_refunded", 5000)
    assert await entitlements.allows(ann.id, course.id)


async def test_a_refund_that_fails_later_is_taken_back_and_the_owner_told(shop: Shop, cast: Cast) -> None:
    ann, olga = await cast.ann(), await cast.olga()
    order, _course = await a_sale(shop, ann)
    await refund(shop, olga, order, amount="100")
    await shop.tell()
    [row] = await db.many(db.Row, "SELECT stripe_refund_id FROM refunds")
    failed = {
        "id": "evt_failed",
        "object": "event",
        "type": "refund.failed",
        "data": {
            "object": {
                "id": row.stripe_refund_id,
                "object": "refund",
                "amount": 10000,
                "currency": "eur",
                "status": "failed",
                "failure_reason": "lost_or_stolen_card",
                "payment_intent": order.stripe_payment_intent_id,
                "metadata": {},
            }
        },
    }
    await shop.deliver(failed)
    await queue.drain()
    order = await shop.order()
    assert (order.state, order.refunded_minor) == ("paid", 0)
    [mail] = await shop.mails("commerce/owner_refund_failed")
    assert mail.state == "sent"
    # Old news that it had succeeded changes nothing any more.
    late = {**failed, "id": "evt_late", "type": "refund.updated"}
    late["data"] = {"object": {**failed["data"]["object"], "status": "succeeded"}}  # type: ignore[index]
    await shop.deliver(late)
    await queue.drain()
    assert (await shop.order()).refunded_minor == 0


def told_failed(order: Order, stripe_refund_id: str, amount: int) -> dict[str, Any]:
    """Stripe's news that the bank did not take a refund after all."""
    return {
        "id": "evt_failed",
        "object": "event",
        "type": "refund.failed",
        "data": {
            "object": {
                "id": stripe_refund_id,
                "object": "refund",
                "amount": amount,
                "currency": "eur",
                "status": "failed",
                "failure_reason": "lost_or_stolen_card",
                "payment_intent": order.stripe_payment_intent_id,
                "metadata": {},
            }
        },
    }


async def test_a_full_refund_that_fails_later_opens_again_what_it_had_closed(shop: Shop, cast: Cast) -> None:
    ann, olga = await cast.ann(), await cast.olga()
    order, course = await a_sale(shop, ann)
    other = await a_course("risk", "The Arithmetic of Risk")
    async with db.transaction():
        await entitlements.grant(ann.id, other.product_id or 0, source="manual", source_ref="manual:1")
    await entitlements.close("manual:1", reason="for another reason")
    await refund(shop, olga, order)
    await shop.tell()
    assert not await entitlements.allows(ann.id, course.id)
    refund_id = await db.value("SELECT stripe_refund_id FROM refunds")
    for number in range(2):
        await shop.deliver({**told_failed(order, refund_id, 24900), "id": f"evt_{number}"})
        await queue.drain()
    assert (await shop.order()).state == "paid"
    assert await entitlements.allows(ann.id, course.id)
    assert not await entitlements.allows(ann.id, other.id)
    assert (await kinds(order)).count("access_opened") == 1
    assert "open again" in await shop.text(f"/admin/orders/{order.public_id}", olga.browser)
    assert len(await shop.mails("commerce/owner_refund_failed")) == 1
    # The money can be sent once more, and then it closes again.
    await db.run("UPDATE orders SET stripe_payment_intent_id = NULL, stripe_session_id = NULL")
    await refund(shop, olga, await shop.order())
    assert not await entitlements.allows(ann.id, course.id)


async def test_what_a_person_closed_stays_closed_when_a_refund_fails(shop: Shop, cast: Cast) -> None:
    ann, olga = await cast.ann(), await cast.olga()
    order, course = await a_sale(shop, ann)
    await entitlements.close(f"order:{order.public_id}", reason="shared the account")
    await refund(shop, olga, order)
    await shop.deliver(told_failed(order, await db.value("SELECT stripe_refund_id FROM refunds"), 24900))
    await queue.drain()
    assert (await shop.order()).state == "paid"
    assert not await entitlements.allows(ann.id, course.id)


async def test_refunds_that_wait_at_the_bank_do_not_hold_up_younger_ones(
    shop: Shop, cast: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    from app.commerce import jobs

    ann, olga = await cast.ann(), await cast.olga()
    order, _course = await a_sale(shop, ann)
    for _ in range(3):
        await orders.refund(order, 100, reason="", ref=public_id(), requested_by=olga.id)
    monkeypatch.setattr(jobs, "REFUNDS_AT_ONCE", 2)
    looked: list[int] = []

    async def at_the_bank(refund_id: int) -> None:
        looked.append(refund_id)

    monkeypatch.setattr(jobs.refunds, "perform", at_the_bank)
    for minute in (3, 8, 13):
        with clock.shifted(timedelta(minutes=minute)):
            await finish_refunds()
    first, second, third = sorted(set(looked))
    assert looked == [first, second, third, first, second, third]


async def test_a_fresh_sign_in_in_between_keeps_what_was_typed(shop: Shop, cast: Cast) -> None:
    ann, olga, rob = await cast.ann(), await cast.olga(), await cast.rob()
    order, _course = await a_sale(shop, ann)
    await cast.sign_in(olga, fresh=False)
    path = f"/admin/orders/{order.public_id}"
    typed = form(order, "100.50", reason="half of it did not fit")
    answer = await olga.browser.post(f"{path}/refunds", form=typed, headers={"Referer": f"http://localhost{path}"})
    assert "fresh=1" in answer.headers["Location"]
    assert "HttpOnly" in answer.headers["Set-Cookie"]
    kept = [cookie.value for cookie in olga.browser.cookie_jar if cookie.name == "typed"]  # type: ignore[union-attr]
    rob.browser.set_cookie("localhost", "typed", kept[0])
    assert "half of it did not fit" not in await shop.text(path, rob.browser)
    await cast.sign_in(olga)
    page = await shop.text(path, olga.browser)
    assert 'value="100.50"' in page
    assert "half of it did not fit" in page
    assert typed["ref"] in page
    assert "half of it did not fit" not in await shop.text(path, olga.browser)  # once


async def test_what_stripe_refuses_is_said_and_may_be_tried_again(shop: Shop, cast: Cast) -> None:
    ann, olga = await cast.ann(), await cast.olga()
    order, _course = await a_sale(shop, ann)
    # Given back in the dashboard, and the news has not come yet.
    await shop.stripe.post("/v1/refunds", payment_intent=str(order.stripe_payment_intent_id))
    await refund(shop, olga, order)
    assert "Stripe refused the refund" in await shop.text(f"/admin/orders/{order.public_id}", olga.browser)
    assert await db.value("SELECT state FROM refunds") == "failed"
    await shop.tell()
    assert (await shop.order()).state == "refunded"


async def test_what_stripe_refused_is_not_sent_again_by_the_job_that_waits_for_it(shop: Shop, cast: Cast) -> None:
    ann, olga = await cast.ann(), await cast.olga()
    order, _course = await a_sale(shop, ann)
    await shop.stripe.post("/v1/refunds", payment_intent=str(order.stripe_payment_intent_id))
    await refund(shop, olga, order)
    assert await queue.drain(ignore_delays=True) > 0
    asked = [form for method, path, form in shop.stripe.requests if (method, path) == ("POST", "/v1/refunds")]
    assert len([form for form in asked if "amount" in form]) == 1


async def test_the_timeline_says_who_gave_what_back_and_why(shop: Shop, cast: Cast) -> None:
    ann, olga = await cast.ann(), await cast.olga()
    order, _course = await a_sale(shop, ann)
    await refund(shop, olga, order, amount="100")
    assert (await kinds(order))[-2:] == ["refund_begun", "refunded"]
    page = await shop.text(f"/admin/orders/{order.public_id}", olga.browser)
    assert "Refund of €100 begun" in page
    assert "did not fit" in page
    assert "By Olga Oster" in page


async def test_a_refund_is_never_sent_from_inside_a_transaction(shop: Shop, cast: Cast) -> None:
    ann, olga = await cast.ann(), await cast.olga()
    order, _course = await a_sale(shop, ann)
    begun = await orders.refund(order, 100, reason="", ref=public_id(), requested_by=olga.id)
    with pytest.raises(RuntimeError, match="inside a transaction"):
        async with db.hold(), db.transaction():
            await refunds.perform(begun.id)


async def test_an_order_that_stripe_never_knew_is_refunded_in_the_books(shop: Shop, cast: Cast) -> None:
    ann, olga = await cast.ann(), await cast.olga()
    order, course = await a_sale(shop, ann)
    await db.run(
        "UPDATE orders SET stripe_session_id = NULL, stripe_payment_intent_id = NULL WHERE id = :id", id=order.id
    )
    page = await shop.text(f"/admin/orders/{order.public_id}", olga.browser)
    assert "send the money back by hand" in page
    assert (await refund(shop, olga, order)).status_code == 303
    await queue.drain(ignore_delays=True)
    order = await shop.order()
    assert (order.state, order.refunded_minor) == ("refunded", 24900)
    assert not await entitlements.allows(ann.id, course.id)
    assert len(await shop.mails("commerce/refund")) == 1


async def test_only_a_refund_that_is_not_sent_is_forgotten(shop: Shop, cast: Cast) -> None:
    ann, olga = await cast.ann(), await cast.olga()
    order, _course = await a_sale(shop, ann)
    begun = await refunds.request(order, 100, reason="", ref=public_id(), requested_by=olga.id)
    for state in ("succeeded", "failed"):
        await db.run("UPDATE refunds SET state = :state", state=state)
        await queries.delete_pending(begun.id)
        assert await db.value("SELECT state FROM refunds") == state
    await db.run("UPDATE refunds SET state = 'pending'")
    await queries.delete_pending(begun.id)
    assert await db.value("SELECT count(*) FROM refunds") == 0
