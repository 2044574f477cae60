"""Webhooks that never came."""

import asyncio
from datetime import timedelta
from typing import Any

import pytest

from app.access import entitlements
from app.commerce import checkouts, stripe_events
from app.commerce.jobs import fetch_lost_events, reconcile
from app.core import clock, db, queue, webhooks
from app.gateways import payments
from app.gateways.payments import stripe_api
from tests.cast import Cast
from tests.commerce.shop import Shop
from tests.commerce.test_orders import an_order
from tests.school import a_course
from tests.stripe import SECRET_KEY, session_of


async def test_a_payment_whose_news_was_lost_is_found(shop: Shop, cast: Cast) -> None:
    course = await a_course()
    ann = await cast.ann()
    order, page = await an_order(shop, ann)
    await shop.pay(page)
    await reconcile()
    assert (await shop.order()).state == "pending"  # too fresh: the news may still come
    with clock.shifted(timedelta(minutes=16)):
        await reconcile()
        await reconcile()
        assert await entitlements.allows(ann.id, course.id)
    assert (await shop.order()).state == "paid"
    await shop.tell()
    assert await db.value("SELECT count(*) FROM entitlements") == 1
    assert len(await shop.mails("commerce/order_confirmation")) == 1
    olga = await cast.olga()
    assert "the webhook had not come" in await shop.text(f"/admin/orders/{order.public_id}", olga.browser)


async def test_a_page_that_expired_unheard_closes_the_order(shop: Shop, cast: Cast) -> None:
    await a_course()
    ann = await cast.ann()
    _order, page = await an_order(shop, ann)
    await shop.stripe.post(f"/v1/checkout/sessions/{session_of(page)}/expire")
    with clock.shifted(timedelta(minutes=16)):
        await reconcile()
    assert (await shop.order()).state == "expired"


async def test_an_order_that_waits_for_a_person_is_not_asked_about(shop: Shop, cast: Cast) -> None:
    await a_course()
    await an_order(shop, await cast.ann())
    await db.run("UPDATE orders SET flag = 'too little came'")
    with clock.shifted(timedelta(minutes=16)):
        assert await checkouts.reconcile(older_than=timedelta(minutes=15)) == 0


async def test_a_page_that_is_open_stays_open(shop: Shop, cast: Cast) -> None:
    await a_course()
    ann = await cast.ann()
    await an_order(shop, ann)
    with clock.shifted(timedelta(minutes=16)):
        await reconcile()
    assert (await shop.order()).state == "pending"


async def test_an_order_that_never_reached_stripe_ends_after_two_hours(shop: Shop, cast: Cast) -> None:
    await a_course()
    ann = await cast.ann()
    await shop.add("reading-price", ann.browser)
    await shop.stripe.switch(api_fault="limit", api_fault_times=1)
    await ann.browser.post("/checkout", form={"quote": await shop.quote(ann.browser)})
    with clock.shifted(timedelta(minutes=119)):
        await reconcile()
    assert (await shop.order()).state == "pending"
    with clock.shifted(timedelta(minutes=121)):
        await reconcile()
    assert (await shop.order()).state == "expired"


async def test_a_free_order_waits_a_day_for_its_mail(shop: Shop) -> None:
    await a_course("first", "Your First Chart", price=0)
    await shop.add("first")
    await shop.check_out_as_guest("gus@example.org")
    with clock.shifted(timedelta(hours=23)):
        await reconcile()
    assert (await shop.order()).state == "pending"
    with clock.shifted(timedelta(hours=25)):
        await reconcile()
    assert (await shop.order()).state == "expired"


async def test_while_stripe_is_away_nothing_changes(shop: Shop, cast: Cast) -> None:
    await a_course()
    ann = await cast.ann()
    _order, page = await an_order(shop, ann)
    await shop.pay(page)
    await shop.stripe.switch(api_fault="limit", api_fault_times=1)
    with clock.shifted(timedelta(minutes=16)):
        with pytest.raises(payments.Unavailable):
            await checkouts.reconcile(older_than=timedelta(minutes=15))
        assert (await shop.order()).state == "pending"
        await checkouts.reconcile(older_than=timedelta(minutes=15))
    assert (await shop.order()).state == "paid"
    await queue.drain()


async def test_one_order_that_cannot_be_settled_does_not_keep_the_others_from_it(shop: Shop, cast: Cast) -> None:
    await a_course()
    _order, page = await an_order(shop, await cast.bob())
    await db.run("UPDATE orders SET stripe_session_id = 'no/such', created_at = created_at - interval '1 hour'")
    _order, page = await an_order(shop, await cast.ann())
    await shop.pay(page)
    with clock.shifted(timedelta(minutes=16)):
        await reconcile()
    assert (await shop.order()).state == "paid"


async def test_news_that_could_not_be_delivered_is_fetched(shop: Shop, cast: Cast) -> None:
    """An hour away: a sale, a refund made in Stripe's dashboard, and no delivery of either."""
    course = await a_course()
    ann = await cast.ann()
    endpoint = await shop.stripe.post(
        "/v1/webhook_endpoints", **{"url": "http://127.0.0.1:9/webhooks/stripe", "enabled_events[]": "*"}
    )
    await shop.stripe.switch(delivery_paused=True)
    _order, page = await an_order(shop, ann)
    await shop.pay(page)
    await shop.tell("checkout.session.completed", "payment_intent.succeeded")
    assert await entitlements.allows(ann.id, course.id)
    await shop.stripe.post("/v1/refunds", payment_intent=str((await shop.order()).stripe_payment_intent_id))
    assert (await shop.order()).state == "paid"
    for _twice in range(2):
        await fetch_lost_events()
        await queue.drain(ignore_delays=True)
    await shop.stripe.http.delete(
        f"/v1/webhook_endpoints/{endpoint['id']}", headers={"Authorization": f"Bearer {SECRET_KEY}"}
    )
    assert (await shop.order()).state == "refunded"
    assert not await entitlements.allows(ann.id, course.id)
    assert await db.value("SELECT count(*) FROM refunds") == 1
    assert len(await shop.mails("commerce/order_confirmation")) == 1


async def test_without_a_payment_service_nothing_is_fetched() -> None:
    before = payments.gateway()
    payments.use(payments.NoPayments())
    try:
        await fetch_lost_events()
    finally:
        payments.use(before)


async def test_after_a_long_outage_the_oldest_news_is_fetched_too_a_part_in_each_run(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    """More than one run fetches: the first does not reach the oldest, the next ones go on where it stopped."""
    lost = 103
    monkeypatch.setattr(stripe_events, "KINDS", ("customer.created",))
    for name, small in (("EVENTS_A_PAGE", 10), ("PAGES_OF_EVENTS", 4)):
        monkeypatch.setattr(stripe_api, name, small)
    endpoint = await shop.stripe.post(
        "/v1/webhook_endpoints", **{"url": "http://127.0.0.1:9/webhooks/stripe", "enabled_events[]": "*"}
    )
    await shop.stripe.switch(delivery_paused=True)
    try:
        answers = await asyncio.gather(
            *(shop.stripe.post("/v1/customers", description="of a long outage") for _ in range(lost))
        )
        made = [answer["id"] for answer in answers]
        asked = len(shop.stripe.requests)
        await fetch_lost_events()
        assert len(shop.stripe.requests) - asked <= 4
        first = await db.value("SELECT count(*) FROM webhook_events")
        assert 0 < first <= 40
        # What is new meanwhile does not hold the old up, and is fetched by the next search.
        made.append((await shop.stripe.post("/v1/customers"))["id"])
        for _run in range(5):
            await fetch_lost_events()
        kept = await db.many(db.Row, "SELECT payload -> 'data' -> 'object' ->> 'id' AS id FROM webhook_events")
        assert set(made) <= {row.id for row in kept}
        assert len(kept) == len({row.id for row in kept})
    finally:
        await shop.stripe.http.delete(
            f"/v1/webhook_endpoints/{endpoint['id']}", headers={"Authorization": f"Bearer {SECRET_KEY}"}
        )


async def test_a_search_for_lost_news_goes_on_by_itself_and_ends(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    pages = {"": "evt_2", "evt_2": "evt_1", "evt_1": ""}
    asked: list[str] = []

    class Away(payments.NoPayments):
        async def list_undelivered(self, kinds: Any, since: Any, after: str = "") -> payments.Undelivered:
            asked.append(after)
            return payments.Undelivered([], pages[after])

    monkeypatch.setattr(payments, "is_configured", lambda: True)
    payments.use(Away())
    await fetch_lost_events()
    await queue.drain(ignore_delays=True)
    assert asked == ["", "evt_2", "evt_1"]
    assert not await db.value("SELECT count(*) FROM settings WHERE name LIKE 'webhooks.%'")


async def test_orders_that_nobody_asked_about_for_longest_have_their_turn_first(shop: Shop, cast: Cast) -> None:
    await a_course()
    waiting = [(await an_order(shop, person))[0] for person in (await cast.ann(), await cast.bob(), await cast.olga())]
    looked = []
    for minutes in (16, 17, 18, 19):
        with clock.shifted(timedelta(minutes=minutes)):
            assert await checkouts.reconcile(older_than=timedelta(minutes=15), limit=1) == 1
            looked.append(await db.value("SELECT id FROM orders ORDER BY looked_at DESC NULLS LAST LIMIT 1"))
    assert looked == [order.id for order in (*waiting, waiting[0])]


async def test_a_search_that_cannot_go_on_where_it_stopped_begins_anew(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []

    class Forgetful(payments.NoPayments):
        async def list_undelivered(self, kinds: Any, since: Any, after: str = "") -> payments.Undelivered:
            asked.append(after)
            if after:
                raise payments.Refused("No such event: evt_2")
            return payments.Undelivered([], "")

    monkeypatch.setattr(payments, "is_configured", lambda: True)
    payments.use(Forgetful())
    await webhooks.set_sweep_mark("stripe", webhooks.SweepMark("evt_2", clock.now() - timedelta(days=1)))
    with pytest.raises(payments.Refused):
        await fetch_lost_events()
    await fetch_lost_events()
    assert asked == ["evt_2", ""]
