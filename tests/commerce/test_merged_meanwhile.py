"""A payment is booked while the account that bought is merged into another."""

import asyncio
from contextvars import Context
from typing import Any

import pytest

from app.access import entitlements
from app.accounts import merging
from app.commerce import orders
from app.commerce.models import Received
from tests.accounts.test_people import signed_in
from tests.cast import Cast
from tests.commerce.shop import Shop
from tests.meeting import until_it_waits
from tests.school import a_course


async def test_a_payment_and_a_merge_do_not_wait_for_each_other(
    shop: Shop, cast: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    course, ann, bob = await a_course(), await cast.ann(), await cast.bob()
    olga = await signed_in(await cast.olga())
    await shop.add("reading-price", ann.browser)
    await shop.check_out(ann.browser)
    order = await shop.order()
    under_way: list[asyncio.Task[Any]] = []
    lock = orders.queries.lock_buyer

    async def overtaken(user_id: int) -> None:
        monkeypatch.setattr(orders.queries, "lock_buyer", lock)
        # In a context of its own, as another request is.
        merge = merging.merge(ann.public_id, bob.public_id, by=olga)
        under_way.append(asyncio.create_task(merge, context=Context()))
        await until_it_waits(under_way[0])
        await lock(user_id)

    monkeypatch.setattr(orders.queries, "lock_buyer", overtaken)
    assert await orders.mark_paid(order.id, Received(order.total_minor, order.currency, payment_id="pi_first"))
    await under_way[0]
    assert ((await shop.order()).user_id, await entitlements.allows(bob.id, course.id)) == (bob.id, True)
