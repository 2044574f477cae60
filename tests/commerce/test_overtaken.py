"""Something else happens between what was looked at and what is done: it holds, and nobody is charged, or let in, by the old look."""

import asyncio
from collections.abc import Coroutine
from contextvars import Context
from typing import Any

import pytest

from app.commerce import checkouts
from app.commerce.models import Order
from app.commerce.queries import orders as queries
from app.core import db, queue
from app.gateways import payments
from tests.cast import Cast
from tests.commerce.shop import Shop
from tests.school import a_course

pytestmark = pytest.mark.usefixtures("unlimited")


async def elsewhere(work: Coroutine[Any, Any, Any]) -> Any:
    """Do it as another request or job would, on a connection of its own."""
    return await asyncio.create_task(work, context=Context())


async def pages_that_can_be_paid(shop: Shop) -> int:
    found = await db.many(db.Row, "SELECT detail ->> 'session' AS id FROM order_events WHERE kind = 'checkout_opened'")
    states = [(await shop.stripe.get(f"/v1/checkout/sessions/{each.id}"))["status"] for each in found]
    return states.count("open")


async def test_an_order_that_was_replaced_while_its_payment_page_was_opened_cannot_be_paid(
    shop: Shop, cast: Cast
) -> None:
    await a_course()
    await a_course("risk", "The Arithmetic of Risk", price=18900)
    ann = await cast.ann()
    await shop.add("reading-price", ann.browser)
    gateway = payments.gateway()
    opened: list[payments.Checkout] = []

    async def another_tab() -> None:
        await shop.add("risk", ann.browser)
        assert (await shop.check_out(ann.browser)).startswith("http")
        await queue.drain()

    class Overtaken:
        def __getattr__(self, name: str) -> Any:
            return getattr(gateway, name)

        async def open_checkout(self, request: payments.CheckoutRequest) -> payments.Checkout:
            payments.use(gateway)
            opened.append(await gateway.open_checkout(request))
            await elsewhere(another_tab())
            return opened[0]

    payments.use(Overtaken())  # type: ignore[arg-type]  # what it does not say itself, the gateway does
    assert await shop.check_out(ann.browser) == "/cart"
    assert (await shop.stripe.get(f"/v1/checkout/sessions/{opened[0].session_id}"))["status"] == "expired"
    assert await pages_that_can_be_paid(shop) == 1


async def test_a_payment_page_that_is_opened_while_its_order_is_replaced_is_closed(
    shop: Shop, cast: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    await a_course()
    await a_course("risk", "The Arithmetic of Risk", price=18900)
    ann = await cast.ann()
    await shop.add("reading-price", ann.browser)
    quote = await shop.quote(ann.browser)
    await shop.stripe.switch(api_fault="limit", api_fault_times=1, api_fault_path="/v1/checkout/sessions")
    assert (await ann.browser.post("/checkout", form={"quote": quote})).status_code == 503
    first = await shop.order()
    await shop.add("risk", ann.browser)
    await shop.check_out(ann.browser)
    look_up = queries.others_open

    async def overtaken(cart_id: int, order_id: int) -> list[Order]:
        found = await look_up(cart_id, order_id)
        # The first tab tries again, and is at its payment page just now.
        await elsewhere(checkouts._page(first))
        return found

    monkeypatch.setattr(queries, "others_open", overtaken)
    await queue.drain()
    assert await db.value("SELECT state FROM orders WHERE id = :id", id=first.id) == "cancelled"
    assert await pages_that_can_be_paid(shop) == 1


async def test_a_payment_page_that_is_gone_back_to_stays_open_when_the_news_of_a_later_order_comes_late(
    shop: Shop, cast: Cast
) -> None:
    await a_course()
    await a_course("risk", "The Arithmetic of Risk", price=18900)
    ann = await cast.ann()
    await shop.add("reading-price", ann.browser)
    page = await shop.check_out(ann.browser)
    first = await shop.order()
    await shop.add("risk", ann.browser)
    await shop.check_out(ann.browser)
    # She changes her mind before the worker has closed the first page.
    await ann.browser.post("/cart/items/risk/removal")
    assert await shop.check_out(ann.browser) == page
    await queue.drain()
    assert (await shop.stripe.get(f"/v1/checkout/sessions/{first.stripe_session_id}"))["status"] == "open"
    assert await pages_that_can_be_paid(shop) == 1
    await shop.pay(page)
    await shop.tell()
    assert await db.value("SELECT array_agg(state ORDER BY id) FROM orders") == ["paid", "cancelled"]


async def test_the_end_of_an_overtaken_page_does_not_end_the_order_whose_next_page_is_being_opened(
    shop: Shop, cast: Cast
) -> None:
    await a_course()
    ann = await cast.ann()
    await shop.add("reading-price", ann.browser)
    await shop.check_out(ann.browser)
    order, gateway = await shop.order(), payments.gateway()
    # Its first try was given up and its page closed; the news of that comes while the second one opens another.
    await db.run("UPDATE orders SET stripe_session_id = NULL, stripe_session_url = NULL, checkout_attempt = 2")

    async def news() -> None:
        await shop.stripe.post(f"/v1/checkout/sessions/{order.stripe_session_id}/expire")
        await shop.tell("checkout.session.expired")

    class Overtaken:
        def __getattr__(self, name: str) -> Any:
            return getattr(gateway, name)

        async def open_checkout(self, request: payments.CheckoutRequest) -> payments.Checkout:
            payments.use(gateway)
            await elsewhere(news())
            return await gateway.open_checkout(request)

    payments.use(Overtaken())  # type: ignore[arg-type]  # what it does not say itself, the gateway does
    page = await shop.check_out(ann.browser)
    assert page.startswith("http")
    await shop.pay(page)
    await shop.tell()
    assert await db.value("SELECT array_agg(state) FROM orders") == ["paid"]
