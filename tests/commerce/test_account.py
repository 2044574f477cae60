import pytest

from app.core import db
from tests.cast import Cast
from tests.commerce.shop import Shop
from tests.commerce.test_orders import an_order
from tests.commerce.test_refunds import a_sale
from tests.commerce.test_refunds import refund as give_back
from tests.school import a_course


async def test_a_member_sees_orders_with_receipts(shop: Shop, cast: Cast) -> None:
    ann = await cast.ann()
    order, _course = await a_sale(shop, ann)
    page = await shop.text("/account/orders", ann.browser)
    assert str(order.number) in page
    assert "Reading Price" in page
    assert "€249" in page
    receipt = await shop.text(f"/account/orders/{order.public_id}", ann.browser)
    assert f"Receipt {order.number}" in receipt
    assert "card ending 4242" in receipt
    assert "19 %" in receipt
    assert "incl. €39.76" in receipt
    assert "ann@example.org" in receipt


async def test_a_receipt_shows_what_was_given_back(shop: Shop, cast: Cast) -> None:
    ann, olga = await cast.ann(), await cast.olga()
    order, _course = await a_sale(shop, ann)
    await give_back(shop, olga, order, amount="49")
    receipt = await shop.text(f"/account/orders/{order.public_id}", ann.browser)
    assert "−€49" in receipt
    assert "€200" in receipt


async def test_orders_and_receipts_of_others_are_not_there(shop: Shop, cast: Cast) -> None:
    ann, bob, olga = await cast.ann(), await cast.bob(), await cast.olga()
    order, _course = await a_sale(shop, ann)
    for person in (bob, olga):
        assert (await person.browser.get(f"/account/orders/{order.public_id}")).status_code == 404
        assert str(order.number) not in await shop.text("/account/orders", person.browser)
    assert "/login" in (await shop.client.get("/account/orders")).headers["Location"]
    assert "/login" in (await shop.client.get(f"/account/orders/{order.public_id}")).headers["Location"]


async def test_an_order_that_waits_says_that_nothing_was_charged(shop: Shop, cast: Cast) -> None:
    await a_course()
    ann = await cast.ann()
    order, _page = await an_order(shop, ann)
    text = await shop.text(f"/account/orders/{order.public_id}", ann.browser)
    assert f"Order {order.number}" in text
    assert "Receipt" not in text.partition("<main")[2]
    assert "Nothing was charged so far" in text


async def test_an_empty_list_leads_to_the_courses(shop: Shop, cast: Cast) -> None:
    ann = await cast.ann()
    assert "Nothing bought yet" in await shop.text("/account/orders", ann.browser)


@pytest.mark.parametrize("before", ["x", "-1", "9" * 30, ""])
async def test_a_long_list_has_pages_whatever_stands_in_the_address(shop: Shop, cast: Cast, before: str) -> None:
    ann = await cast.ann()
    order, _course = await a_sale(shop, ann)
    for number in range(25):
        await db.run(
            """
            INSERT INTO orders (public_id, user_id, email, state, currency, subtotal_minor, tax_minor, total_minor, quote_key,
                                created_at, paid_at)
            VALUES (:public_id, :user_id, 'ann@example.org', 'paid', 'EUR', 100, 0, 100, :public_id, now(), now())
            """,
            public_id=f"o{number}",
            user_id=ann.id,
        )
    first = await shop.text(f"/account/orders?before={before}", ann.browser)
    assert first.count("/account/orders/") == 20
    assert "Older orders" in first
    older = first.partition("/account/orders?before=")[2].partition('"')[0]
    second = await shop.text(f"/account/orders?before={older}", ann.browser)
    assert second.count("/account/orders/") == 6
    assert str(order.number) in second


async def test_a_member_sees_what_came_to_something_or_may_yet(shop: Shop, cast: Cast) -> None:
    await a_course()
    ann = await cast.ann()
    shown = {}
    for state in ("pending", "processing", "paid", "failed", "partially_refunded", "refunded", "expired", "cancelled"):
        await an_order(shop, ann)
        order = await shop.order()
        await db.run("UPDATE orders SET state = :state WHERE id = :id", state=state, id=order.id)
        shown[state] = f"/account/orders/{order.public_id}" in await shop.text("/account/orders", ann.browser)
    assert [state for state, is_shown in shown.items() if not is_shown] == ["expired", "cancelled"]
