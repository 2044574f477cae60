"""A product of the shop that costs nothing, chosen in a form, opens what a free order of the shop opens."""

import asyncio
import html
import re
from contextlib import suppress
from contextvars import Context
from typing import Any

import pytest

from app.access import entitlements
from app.accounts import merging
from app.commerce import orders
from app.core import clock, db, queue
from app.formbuilder import entries
from app.formbuilder.answering.stamps import stamp_of
from app.formbuilder.definition import definitions, readings, versions
from app.formbuilder.models import Entry, Form
from app.formbuilder.payment import payments
from app.formbuilder.queries import entries as entry_queries
from tests.accounts.test_people import signed_in
from tests.cast import Cast
from tests.commerce.shop import Shop
from tests.meeting import until_it_waits
from tests.school import a_course

FIELDS: list[dict[str, Any]] = [
    {"id": "q1", "kind": "email", "label": "Email"},
    {"id": "q2", "kind": "product", "label": "Course", "settings": {
        "options": [{"value": "first", "label": "First"}, {"value": "own", "label": "A seat", "price": 0}]}},
]  # fmt: skip


async def a_form(**settings: Any) -> Form:
    told = {"title": "Begin", "fields": FIELDS, "settings": settings}
    return await versions.publish((await versions.create(definitions.read(told), by=None)).id)


async def send(form: Form, browser: Any, **texts: str) -> Any:
    page = await (await browser.get(f"/forms/{form.slug}")).get_data(as_text=True)
    prices = re.search(r'name="prices" value="([^"]+)"', page)
    sent = {"version": "1", "website": "", "stamp": stamp_of(clock.now().timestamp() - 10), "q2": "first", **texts}
    return await browser.post(
        f"/forms/{form.slug}", form={**sent, "prices": html.unescape(prices[1]) if prices else ""}
    )


async def newest() -> Entry:
    found = await entry_queries.entry_by_id(await db.value("SELECT max(id) FROM form_entries"))
    assert found is not None
    return found


async def test_a_member_has_it_at_once(shop: Shop, cast: Cast) -> None:
    course, ann = await a_course("first", "Your First Chart", price=0), await cast.ann()
    answer = await send(await a_form(), ann.browser, q1="ann@example.org")
    assert "/thanks/" in answer.headers["Location"]
    await queue.drain()
    assert await entitlements.allows(ann.id, course.id)
    order = await shop.order()
    assert (order.state, order.total_minor, order.user_id) == ("paid", 0, ann.id)
    assert await payments.order_of((await newest()).id) == order
    # Heard of once more, it orders nothing more.
    await payments.open_free((await newest()).id)
    assert await db.value("SELECT count(*) FROM orders") == 1


async def test_an_entry_that_is_thrown_away_meanwhile_orders_nothing(shop: Shop, cast: Cast) -> None:
    await a_course("first", "Your First Chart", price=0)
    await send(await a_form(), (await cast.ann()).browser, q1="ann@example.org")
    entry = await newest()
    await db.run("UPDATE form_entries SET state = 'binned', binned_from = 'received'")
    assert await payments._free_order(entry) is None
    assert not await db.value("SELECT count(*) FROM orders")


async def test_what_was_thrown_away_before_it_was_opened_is_opened_when_it_is_brought_back(
    shop: Shop, cast: Cast
) -> None:  # fmt: skip
    course, ann = await a_course("first", "Your First Chart", price=0), await cast.ann()
    form = await a_form()
    await send(form, ann.browser, q1="ann@example.org")
    await entries.move(await newest(), "bin", readings.of(form))
    await queue.drain()
    assert not await entitlements.allows(ann.id, course.id)
    await entries.move(await newest(), "restore", readings.of(form))
    await queue.drain()
    assert await entitlements.allows(ann.id, course.id)
    for act in ("spam", "not_spam"):
        await entries.move(await newest(), act, readings.of(form))
    await queue.drain()
    assert await db.value("SELECT count(*) FROM orders") == 1


async def test_two_workers_order_it_once(shop: Shop, cast: Cast, monkeypatch: pytest.MonkeyPatch) -> None:
    """The first stops when it is about to order, until the second is as far as it can come."""
    await a_course("first", "Your First Chart", price=0)
    await send(await a_form(), (await cast.ann()).browser, q1="ann@example.org")
    entry_id, order, arrived, through = (await newest()).id, payments._order, asyncio.Event(), asyncio.Event()

    async def ordered(*args: Any) -> Any:
        if not arrived.is_set():
            arrived.set()
            with suppress(TimeoutError):
                await asyncio.wait_for(through.wait(), 1)
        return await order(*args)

    async def work() -> None:
        await payments.open_free(entry_id)
        through.set()

    monkeypatch.setattr(payments, "_order", ordered)
    await asyncio.gather(work(), work())
    assert arrived.is_set()
    assert await db.value("SELECT count(*) FROM orders") == 1


async def test_what_is_ordered_for_nothing_and_a_merge_do_not_wait_for_each_other(
    shop: Shop, cast: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    course, ann, bob = await a_course("first", "Your First Chart", price=0), await cast.ann(), await cast.bob()
    form, olga = await a_form(), await signed_in(await cast.olga())
    await send(form, ann.browser, q1="ann@example.org")
    order, under_way = payments._order, list[asyncio.Task[Any]]()

    async def overtaken(*args: Any) -> Any:
        monkeypatch.setattr(payments, "_order", order)
        merge = merging.merge(ann.public_id, bob.public_id, by=olga)
        under_way.append(asyncio.create_task(merge, context=Context()))
        await until_it_waits(under_way[0])
        return await order(*args)

    monkeypatch.setattr(payments, "_order", overtaken)
    await queue.drain()
    await under_way[0]
    assert await entitlements.allows(bob.id, course.id)


async def test_a_guest_gets_the_link_that_the_shop_mails(shop: Shop) -> None:
    await a_course("first", "Your First Chart", price=0)
    await send(await a_form(), shop.client, q1="gus@example.org")
    for _twice in range(2):
        await queue.drain()
        await payments.open_free((await newest()).id)
    [mailed] = await shop.mails("commerce/free_confirmation")
    assert mailed.recipient == "gus@example.org"
    assert (await shop.order()).state == "pending"


async def test_nothing_is_opened_before_the_entry_counts(shop: Shop, cast: Cast) -> None:
    course, ann = await a_course("first", "Your First Chart", price=0), await cast.ann()
    form = await a_form(approval=True)
    await send(form, ann.browser, q1="ann@example.org")
    await queue.drain()
    await payments.open_free((await newest()).id)
    assert not await entitlements.allows(ann.id, course.id)
    await entries.move(await newest(), "approve", readings.of(form))
    await queue.drain()
    assert await entitlements.allows(ann.id, course.id)


async def test_what_was_closed_for_somebody_stays_closed(shop: Shop, cast: Cast) -> None:
    course, ann = await a_course("first", "Your First Chart", price=0), await cast.ann()
    form = await a_form()
    await send(form, ann.browser, q1="ann@example.org")
    await queue.drain()
    await entitlements.close(entitlements.free_ref(ann.id, course.product_id or 0), reason="shared the account")
    await send(form, ann.browser, q1="ann@example.org")
    await queue.drain()
    assert not await entitlements.allows(ann.id, course.id)


@pytest.mark.parametrize("chosen", ["own", ""])
async def test_what_is_no_product_of_the_shop_orders_nothing(shop: Shop, chosen: str) -> None:
    await a_course("first", "Your First Chart", price=0)
    await send(await a_form(), shop.client, q1="gus@example.org", q2=chosen)
    await queue.drain()
    assert await db.value("SELECT count(*) FROM orders") == 0
    assert (await newest()).state == "received"


async def test_who_gives_no_address_is_asked_for_one(shop: Shop, cast: Cast) -> None:
    await a_course("first", "Your First Chart", price=0)
    form = await a_form()
    answer = await send(form, shop.client)
    assert answer.status_code == 422
    assert "Please give an email address" in await answer.get_data(as_text=True)
    # Who is signed in has one.
    assert (await send(form, (await cast.ann()).browser)).status_code == 303


async def test_what_is_free_beside_what_is_paid_opens_with_the_payment(shop: Shop) -> None:
    course = await a_course("first", "Your First Chart", price=0)
    gift = {"id": "q3", "kind": "custom_amount", "label": "Gift"}
    told = {"title": "Begin", "fields": [*FIELDS, gift]}
    form = await versions.publish((await versions.create(definitions.read(told), by=None)).id)
    answer = await send(form, shop.client, q1="gus@example.org", q3="5")
    await shop.pay(answer.headers["Location"])
    await shop.tell()
    order = await shop.order()
    assert [item.product_id for item in await orders.items_of(order)] == [course.product_id, None]
    assert order.user_id is not None and await entitlements.allows(order.user_id, course.id)
    assert await db.value("SELECT count(*) FROM orders") == 1
