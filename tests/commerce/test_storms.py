"""News from Stripe in every order and number, at once, racing with the buyer, altered, or about things unknown."""

import asyncio
import os
import random
import re
from typing import Any

import pytest

from app import Lectern
from app.access import entitlements
from app.catalogue import products
from app.commerce import orders, refunds, stripe_events
from app.commerce.models import Order
from app.commerce.queries import orders as order_queries
from app.core import db, queue, webhooks
from app.gateways import payments
from tests import stripe
from tests.cast import Cast, Person
from tests.commerce.shop import Shop
from tests.commerce.test_orders import an_order
from tests.commerce.test_webhooks import EVENT, a_paid_session, assert_one_sale
from tests.pairs import together
from tests.school import a_course

# In all, over the stories; bin/faults asks for a thousand.
SHUFFLES = int(os.environ.get("LECTERN_SHUFFLES", "200"))


# --- each event fifty times at once ---


async def test_each_event_fifty_times_at_once_makes_one_sale_and_one_refund(shop: Shop, cast: Cast) -> None:
    ann, course_id, bought = await a_paid_session(shop, cast)
    for event in bought:
        assert await asyncio.gather(*(shop.deliver(event) for _ in range(50))) == [200] * 50
    await queue.drain()
    await assert_one_sale(ann.id)
    assert await entitlements.allows(ann.id, course_id)
    order = await shop.order()
    await shop.stripe.post("/v1/refunds", payment_intent=str(order.stripe_payment_intent_id))
    for event in await shop.events("charge.refunded", "refund.created", "refund.updated"):
        assert await asyncio.gather(*(shop.deliver(event) for _ in range(50))) == [200] * 50
    await queue.drain(ignore_delays=True)
    assert (await shop.order()).state == "refunded"
    assert await db.value("SELECT count(*) FROM refunds") == 1
    assert len(await shop.mails("commerce/refund")) == 1
    assert not await entitlements.allows(ann.id, course_id)


async def test_without_the_key_each_copy_would_be_kept(shop: Shop, cast: Cast, monkeypatch: pytest.MonkeyPatch) -> None:
    """The negative control of the inbox; that of the booking is in test_webhooks."""
    kept = webhooks.store
    numbers = iter(range(1000))

    async def without_key(provider: str, event_id: str, kind: str, payload: dict[str, Any]) -> bool:
        return await kept(provider, f"{event_id}_{next(numbers)}", kind, payload)

    monkeypatch.setattr(webhooks, "store", without_key)
    await asyncio.gather(*(shop.deliver(EVENT) for _ in range(5)))
    assert await db.value("SELECT count(*) FROM webhook_events") == 5


# --- every order of the news ---


def told(kind: str, number: int, about: dict[str, Any]) -> dict[str, Any]:
    return {"id": f"evt_{number}_{kind}", "object": "event", "type": kind, "data": {"object": about}}


def of_session(order: Order, status: str, payment_status: str) -> dict[str, Any]:
    return {
        "id": f"cs_{order.public_id}",
        "object": "checkout.session",
        "client_reference_id": order.public_id,
        "status": status,
        "payment_status": payment_status,
        "payment_intent": "pi_story" if status == "complete" else None,
        "amount_total": order.total_minor,
        "currency": "eur",
    }


def of_payment(order: Order, **more: Any) -> dict[str, Any]:
    return {
        "id": "pi_story",
        "metadata": {"order": order.public_id},
        "amount_received": order.total_minor,
        "currency": "eur",
        **more,
    }


def of_refund(amount: int, status: str = "succeeded", refund_id: str = "re_story") -> dict[str, Any]:
    return {
        "id": refund_id,
        "amount": amount,
        "currency": "eur",
        "status": status,
        "payment_intent": "pi_story",
        "metadata": {},
    }


def bought(order: Order) -> list[dict[str, Any]]:
    return [
        told(
            "payment_intent.payment_failed", 1, of_payment(order, last_payment_error={"decline_code": "expired_card"})
        ),
        told("checkout.session.completed", 2, of_session(order, "complete", "paid")),
        told("payment_intent.succeeded", 3, of_payment(order)),
    ]


def refunded(order: Order, amount: int, number: int = 4, refund_id: str = "re_story") -> list[dict[str, Any]]:
    done = of_refund(amount, refund_id=refund_id)
    charge = {
        "id": "ch_story",
        "payment_intent": "pi_story",
        "metadata": {"order": order.public_id},
        "refunds": {"data": [done]},
    }
    reference = {"metadata": {"order": order.public_id}}
    return [
        told("refund.created", number, {**of_refund(amount, "pending", refund_id), **reference}),
        told("refund.updated", number, {**done, **reference}),
        told("charge.refunded", number, charge),
    ]


def bought_and_given_back(order: Order) -> list[dict[str, Any]]:
    return bought(order) + refunded(order, order.total_minor)


def bought_and_given_back_in_parts(order: Order) -> list[dict[str, Any]]:
    return bought(order) + refunded(order, 10000) + refunded(order, order.total_minor - 10000, 5, "re_rest")


def given_back_in_vain(order: Order) -> list[dict[str, Any]]:
    failed = {**of_refund(order.total_minor, "failed"), "metadata": {"order": order.public_id}}
    return [*bought_and_given_back(order), told("refund.failed", 6, failed)]


def a_debit_that_came(order: Order) -> list[dict[str, Any]]:
    return [
        told("checkout.session.completed", 1, of_session(order, "complete", "unpaid")),
        told("checkout.session.async_payment_succeeded", 2, of_session(order, "complete", "paid")),
        told("payment_intent.succeeded", 3, of_payment(order)),
    ]


def a_debit_that_did_not(order: Order) -> list[dict[str, Any]]:
    return [
        told("checkout.session.completed", 1, of_session(order, "complete", "unpaid")),
        told("checkout.session.async_payment_failed", 2, of_session(order, "complete", "unpaid")),
        told("payment_intent.payment_failed", 3, of_payment(order)),
    ]


def a_page_that_closed_too_early(order: Order) -> list[dict[str, Any]]:
    return [told("checkout.session.expired", 9, of_session(order, "expired", "unpaid")), *bought(order)]


def bought_and_disputed(order: Order) -> list[dict[str, Any]]:
    dispute = {"id": "dp_1", "payment_intent": "pi_story", "status": "needs_response"}
    return [*bought(order), told("charge.dispute.created", 7, dispute), told("charge.dispute.closed", 8, dispute)]


# Story → how the order ends, and whether its course is open.
STORIES = {
    bought: ("paid", 0, True),
    bought_and_given_back: ("refunded", 24900, False),
    bought_and_given_back_in_parts: ("refunded", 24900, False),
    given_back_in_vain: ("paid", 0, True),
    a_debit_that_came: ("paid", 0, True),
    a_debit_that_did_not: ("failed", 0, False),
    a_page_that_closed_too_early: ("paid", 0, True),
    bought_and_disputed: ("paid", 0, True),
}


class Silent:
    """A payment service that knows nothing more than what its news said."""

    def __getattr__(self, name: str) -> Any:
        async def nothing(*_args: Any, **_more: Any) -> Any:
            return [] if name == "list_refunds" else None

        return nothing


async def live_through(order: Order, events: list[dict[str, Any]], chance: random.Random) -> None:
    """The news in an order of chance, some of it again; jobs that fail come back later, in between or at the end."""
    told_in = [event for event in events for _ in range(chance.choice((1, 1, 2)))]
    chance.shuffle(told_in)
    left: list[dict[str, Any]] = []
    for event in told_in:
        left.append(event)
        if chance.random() < 0.5:
            left = await act_on(left)
    for _again in range(8):
        left = await act_on(left)
    assert left == [], "news that no try could handle"


async def act_on(events: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """What the job of each does; those that have to be tried again."""
    again = []
    for event in events:
        try:
            await stripe_events.handle(event["type"], event)
        except refunds.NotPaidYet:
            again.append(event)
    return again


async def end_of(order: Order, ann: Person, course_id: int) -> tuple[str, int, bool]:
    found = await orders.find(order.id)
    assert found is not None
    return found.state, found.refunded_minor, await entitlements.allows(ann.id, course_id)


async def start_again(order: Order) -> None:
    for table in ("refunds", "order_events", "entitlements", "pgqueuer", "mails"):
        await db.run(f"DELETE FROM {table}")
    await db.run(
        """
        UPDATE orders SET state = 'pending', paid_at = NULL, closed_at = NULL, refunded_minor = 0, failure = '',
                          stripe_payment_intent_id = NULL, stripe_session_id = NULL
        """
    )


@pytest.fixture
def silent() -> Any:
    before = payments.gateway()
    payments.use(Silent())  # type: ignore[arg-type]
    yield
    payments.use(before)


@pytest.mark.parametrize("story", STORIES, ids=lambda story: story.__name__)
async def test_a_story_ends_the_same_in_whatever_order_it_is_told(
    shop: Shop, silent: None, cast: Cast, story: Any
) -> None:
    course, ann = await a_course(), await cast.ann()
    order = await a_bare_order(ann)
    for seed in range(max(1, SHUFFLES // len(STORIES))):
        async with db.hold():
            await live_through(order, story(order), random.Random(f"{story.__name__} {seed}"))
            assert await end_of(order, ann, course.id) == STORIES[story], f"seed {seed}"
            assert await db.value("SELECT count(*) FROM entitlements") <= 1
            await start_again(order)


async def a_bare_order(ann: Person) -> Order:
    from tests.commerce.test_pairs import a_pending_order

    return await a_pending_order(ann)


async def test_without_the_guards_the_order_of_the_news_would_matter(
    shop: Shop, silent: None, cast: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The negative control: a refund that failed may succeed again, so the end depends on what came last."""
    course, ann = await a_course(), await cast.ann()
    order = await a_bare_order(ann)

    async def unguarded(refund_id: int, state: str, *, error: str, now: Any) -> bool:
        await db.run("UPDATE refunds SET state = :state WHERE id = :id", id=refund_id, state=state)
        return True

    monkeypatch.setattr(refunds.queries, "set_state", unguarded)
    ends = set()
    for seed in range(12):
        await live_through(order, given_back_in_vain(order), random.Random(seed))
        ends.add(await end_of(order, ann, course.id))
        await start_again(order)
    assert len(ends) > 1


# --- the webhook and the buyer at the same moment ---


@pytest.mark.parametrize("first", ["webhook", "buyer"])
async def test_the_webhook_and_the_returning_buyer_race_and_one_books(
    shop: Shop, cast: Cast, monkeypatch: pytest.MonkeyPatch, first: str
) -> None:
    """Whoever comes first is held in the middle of booking until the other is under way too."""
    ann, course_id, news = await a_paid_session(shop, cast)
    [event] = [event for event in news if event["type"] == "checkout.session.completed"]
    order = await shop.order()
    inside, book = asyncio.Event(), order_queries.set_paid

    async def slow(*arguments: Any, **more: Any) -> Any:
        inside.set()
        await asyncio.sleep(0.1)
        return await book(*arguments, **more)

    monkeypatch.setattr(order_queries, "set_paid", slow)

    async def webhook() -> None:
        if first != "webhook":
            await inside.wait()
        await stripe_events.handle(event["type"], event)

    async def buyer() -> str:
        if first != "buyer":
            await inside.wait()
        # The page after the payment tells what the books say; pressing again makes the shop ask Stripe.
        page = await shop.text(f"/checkout/success?order={order.public_id}", ann.browser)
        found = re.search(r'name="quote"[^>]*value="([^"]+)"', await shop.text("/cart", ann.browser))
        quote = found[1] if found is not None else ""
        answer = await ann.browser.post("/checkout", form={"quote": quote})
        assert answer.status_code == 303
        return page

    outcomes = await together(webhook, buyer)
    assert "Waiting for the payment" in outcomes[1]
    await queue.drain()
    await assert_one_sale(ann.id)
    assert await db.value("SELECT count(*) FROM enrolments") == 1
    assert await entitlements.allows(ann.id, course_id)
    assert "Thank you" in await shop.text(f"/checkout/success?order={order.public_id}", ann.browser)


# --- altered, and unknown ---


ALTERED = {
    "less": {"amount_total": 100},
    "nothing": {"amount_total": 0, "payment_status": "no_payment_required"},
    "other currency": {"currency": "usd"},
    "no amount": {"amount_total": None},
}


@pytest.mark.parametrize("how", ALTERED)
async def test_a_page_that_was_paid_otherwise_than_the_order_says_opens_nothing(
    shop: Shop, cast: Cast, how: str
) -> None:
    course, ann = await a_course(), await cast.ann()
    order = await a_bare_order(ann)
    about = {**of_session(order, "complete", "paid"), **ALTERED[how]}
    await shop.deliver(told("checkout.session.completed", 1, about))
    await queue.drain()
    found = await shop.order()
    assert (found.state, bool(found.flag)) == ("pending", True)
    assert not await entitlements.allows(ann.id, course.id)


async def test_a_payment_that_names_another_dearer_order_opens_neither(shop: Shop, cast: Cast) -> None:
    ann, bob = await cast.ann(), await cast.bob()
    cheap, dear = await a_course("cheap", "Cheap", price=1000), await a_course()
    _first, page = await an_order(shop, ann, "cheap")
    await shop.pay(page)
    [event] = await shop.events("checkout.session.completed")
    other, _page = await an_order(shop, bob)
    event["data"]["object"]["client_reference_id"] = other.public_id
    await shop.deliver(event)
    await queue.drain()
    assert (await shop.order()).flag
    assert not await entitlements.allows(bob.id, dear.id)
    assert not await entitlements.allows(ann.id, cheap.id)


async def test_one_payment_cannot_pay_two_orders_of_the_same_price(shop: Shop, cast: Cast) -> None:
    ann, bob = await cast.ann(), await cast.bob()
    course = await a_course()
    _first, page = await an_order(shop, ann)
    await shop.pay(page)
    [event] = await shop.events("checkout.session.completed")
    await shop.tell()
    other, _page = await an_order(shop, bob)
    event["data"]["object"]["client_reference_id"] = other.public_id
    await shop.deliver({**event, "id": "evt_again"})
    await queue.drain()
    assert "is that of order" in (await shop.order()).flag
    assert not await entitlements.allows(bob.id, course.id)
    assert await db.value("SELECT count(*) FROM webhook_events WHERE state = 'failed'") == 0


@pytest.mark.parametrize("price", [49900, 100, 0])
async def test_a_price_that_changes_while_the_buyer_pays_is_honoured_as_quoted(
    shop: Shop, cast: Cast, price: int
) -> None:
    course, ann = await a_course(), await cast.ann()
    _order, page = await an_order(shop, ann)
    await products.set_price(course.id, price, "EUR")
    await shop.pay(page)
    await shop.tell()
    order = await shop.order()
    assert (order.state, order.total_minor, order.flag) == ("paid", 24900, "")
    assert await entitlements.allows(ann.id, course.id)


@pytest.mark.parametrize("currency_now", ["USD"])
async def test_a_currency_that_changes_while_the_buyer_pays_changes_nothing_of_the_order(
    shop: Shop, cast: Cast, currency_now: str
) -> None:
    course, ann = await a_course(), await cast.ann()
    _order, page = await an_order(shop, ann)
    await products.set_price(course.id, 24900, currency_now)
    await shop.pay(page)
    await shop.tell()
    assert ((await shop.order()).state, (await shop.order()).currency) == ("paid", "EUR")


async def test_without_the_comparison_a_cent_would_buy_the_course(
    shop: Shop, cast: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The negative control."""
    course, ann = await a_course(), await cast.ann()
    order = await a_bare_order(ann)
    monkeypatch.setattr(orders, "mismatch", lambda order, received: "")
    await shop.deliver(
        told("checkout.session.completed", 1, {**of_session(order, "complete", "paid"), "amount_total": 1})
    )
    await queue.drain()
    assert await entitlements.allows(ann.id, course.id)


UNKNOWN = [
    ("customer.subscription.deleted", {"id": "sub_1", "customer": "cus_nobody", "status": "canceled"}),
    ("customer.subscription.created", {"id": "sub_1", "customer": "cus_nobody", "status": "active"}),
    ("charge.dispute.created", {"id": "dp_1", "payment_intent": "pi_nobody"}),
    ("customer.deleted", {"id": "cus_nobody"}),
    ("a.kind.of.tomorrow", {}),
    ("checkout.session.completed", {"id": "cs_nobody", "customer": "cus_nobody", "client_reference_id": "nobody"}),
]


async def test_what_is_unknown_or_comes_the_wrong_way_round_is_kept_and_answered_well(app: Lectern) -> None:
    for number, (kind, about) in enumerate(UNKNOWN):
        body, headers = stripe.signed(told(kind, number, about))
        assert (await app.test_client().post("/webhooks/stripe", data=body, headers=headers)).status_code == 200
    await queue.drain()
    rows = await db.many(db.Row, "SELECT type, state, error FROM webhook_events ORDER BY id")
    assert [(row.type, row.state) for row in rows] == [(kind, "ignored") for kind, _about in UNKNOWN]
    assert all(row.error for row in rows)
    assert await db.value("SELECT count(*) FROM pgqueuer WHERE status = 'failed'") == 0
