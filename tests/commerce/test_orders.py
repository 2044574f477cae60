"""What money does to an order: booked once, flagged when it does not fit, given back when it came twice."""

import asyncio
from typing import Any

import pytest

from app.access import entitlements
from app.commerce import orders
from app.commerce.models import Order, Received
from app.core import db, queue
from tests.cast import Cast, Person
from tests.commerce.shop import Shop
from tests.commerce.test_carts import own
from tests.meeting import Meeting
from tests.school import MadeCourse, a_course


async def kinds(order: Order) -> list[str]:
    rows = await db.many(db.Row, "SELECT kind FROM order_events WHERE order_id = :id ORDER BY id", id=order.id)
    return [row.kind for row in rows]


async def an_order(shop: Shop, person: Person, slug: str = "reading-price") -> tuple[Order, str]:
    """A pending order and its payment page."""
    await shop.add(slug, person.browser)
    page = await shop.check_out(person.browser)
    return await shop.order(), page


def received(order: Order, **changes: Any) -> Received:
    facts = {
        "amount_minor": order.total_minor,
        "currency": order.currency,
        "payment_id": f"pi_{order.public_id}",
        **changes,
    }
    return Received(**facts)


async def test_booking_the_same_payment_from_many_places_at_once_books_it_once(shop: Shop, cast: Cast) -> None:
    await a_course()
    ann = await cast.ann()
    order, _page = await an_order(shop, ann)
    done = await asyncio.gather(*(orders.mark_paid(order.id, received(order)) for _ in range(20)))
    assert done.count(True) == 1
    assert (await kinds(order)).count("paid") == 1
    assert await db.value("SELECT count(*) FROM entitlements") == 1


@pytest.mark.parametrize(
    "wrong", [{"amount_minor": 1}, {"amount_minor": 24901}, {"currency": "USD"}, {"amount_minor": 0}]
)
async def test_a_payment_that_does_not_fit_opens_nothing_and_calls_the_owner(
    shop: Shop, cast: Cast, wrong: dict[str, Any]
) -> None:
    course = await a_course()
    ann = await cast.ann()
    order, _page = await an_order(shop, ann)
    for _ in range(2):
        assert not await orders.mark_paid(order.id, received(order, **wrong))
    await queue.drain()
    order = await shop.order()
    assert order.state == "pending"
    assert order.flag
    assert (await kinds(order)).count("flagged") == 1
    assert not await entitlements.allows(ann.id, course.id)
    [mail] = await shop.mails("commerce/owner_flagged_order")
    assert (mail.recipient, mail.state) == ("olga@meridian.example", "sent")
    assert await shop.mails("commerce/order_confirmation") == []
    page = await shop.text(f"/checkout/success?order={order.public_id}", ann.browser)
    assert "We are looking at your payment" in page


async def test_a_flagged_order_does_not_expire_and_can_be_accepted_by_a_person(shop: Shop, cast: Cast) -> None:
    course = await a_course()
    ann, olga, sam = await cast.ann(), await cast.olga(), await cast.sam()
    order, _page = await an_order(shop, ann)
    await orders.mark_paid(order.id, received(order, amount_minor=24800))
    assert not await orders.mark_expired(order.id)
    path = f"/admin/orders/{order.public_id}/acceptance"
    assert (await sam.browser.post(path)).status_code == 403
    assert (await olga.browser.post(path)).status_code == 303
    assert (await olga.browser.post(path)).status_code == 409
    order = await shop.order()
    assert (order.state, order.flag) == ("paid", "")
    assert await entitlements.allows(ann.id, course.id)
    assert await db.value("SELECT count(*) FROM audit_log WHERE action = 'order.accept'") == 1


@pytest.mark.parametrize("ended", ["expired", "failed", "cancelled"])
async def test_money_that_comes_after_the_end_counts(shop: Shop, cast: Cast, ended: str) -> None:
    course = await a_course()
    ann = await cast.ann()
    order, _page = await an_order(shop, ann)
    await db.run("UPDATE orders SET state = :state, closed_at = now() WHERE id = :id", state=ended, id=order.id)
    assert await orders.mark_paid(order.id, received(order))
    order = await shop.order()
    assert (order.state, order.closed_at) == ("paid", None)
    assert await entitlements.allows(ann.id, course.id)


async def test_a_paid_order_can_neither_fail_nor_expire(shop: Shop, cast: Cast) -> None:
    await a_course()
    ann = await cast.ann()
    order, _page = await an_order(shop, ann)
    await orders.mark_paid(order.id, received(order))
    assert not await orders.mark_failed(order.id, reason="bank")
    assert not await orders.mark_expired(order.id)
    assert not await orders.mark_replaced(order.id)
    assert not await orders.mark_processing(order.id, received(order))
    assert (await shop.order()).state == "paid"


async def test_what_waits_for_the_bank_can_neither_expire_nor_be_replaced(shop: Shop, cast: Cast) -> None:
    await a_course()
    order, _page = await an_order(shop, await cast.ann())
    assert await orders.mark_processing(order.id, received(order))
    assert not await orders.mark_expired(order.id)
    assert not await orders.mark_replaced(order.id)
    assert (await shop.order()).state == "processing"
    assert await orders.mark_failed(order.id, reason="bank")


async def test_a_second_payment_is_given_back_once_however_often_it_is_told(shop: Shop, cast: Cast) -> None:
    await a_course()
    order, _page = await an_order(shop, await cast.ann())
    assert await orders.mark_paid(order.id, received(order))
    for told_by in ("its page", "its payment"):
        assert not await orders.mark_paid(order.id, received(order, payment_id="pi_second", told_by=told_by))
    assert await db.value("SELECT array_agg(payment_id) FROM refunds") == ["pi_second"]


async def test_a_second_payment_of_nothing_is_not_given_back(shop: Shop, cast: Cast) -> None:
    await a_course()
    order, _page = await an_order(shop, await cast.ann())
    assert await orders.mark_paid(order.id, received(order))
    assert not await orders.mark_paid(order.id, received(order, payment_id="pi_second", amount_minor=0))
    assert await db.value("SELECT count(*) FROM refunds") == 0


async def test_a_page_that_closed_unused_expires_the_order(shop: Shop, cast: Cast) -> None:
    await a_course()
    ann = await cast.ann()
    order, page = await an_order(shop, ann)
    from tests.stripe import session_of

    await shop.stripe.post(f"/v1/checkout/sessions/{session_of(page)}/expire")
    await shop.tell()
    order = await shop.order()
    assert order.state == "expired"
    assert order.closed_at is not None
    assert "was not paid in time" in await shop.text(f"/checkout/success?order={order.public_id}", ann.browser)
    assert "Reading Price" in await shop.text("/cart", ann.browser)


def as_told(news: list[dict[str, Any]], kind: str, **changes: Any) -> dict[str, Any]:
    """Stripe's event of this kind, with its object changed."""
    [event] = [event for event in news if event["type"] == kind]
    about = {**event["data"]["object"], **changes}
    return {**event, "id": f"{event['id']}_{'_'.join(changes.values())}", "data": {"object": about}}


@pytest.mark.parametrize(("kind", "ends"), [("succeeded", "paid"), ("failed", "failed")])
async def test_a_bank_that_takes_its_time_is_waited_for(shop: Shop, cast: Cast, kind: str, ends: str) -> None:
    course = await a_course()
    ann = await cast.ann()
    _order, page = await an_order(shop, ann)
    await shop.pay(page)
    completed = as_told(await shop.events(), "checkout.session.completed", payment_status="unpaid")
    await shop.deliver(completed)
    await queue.drain()
    order = await shop.order()
    assert order.state == "processing"
    assert not await entitlements.allows(ann.id, course.id)
    assert "Waiting for your bank" in await shop.text(f"/checkout/success?order={order.public_id}", ann.browser)

    later = as_told(
        await shop.events(), "checkout.session.completed", payment_status="paid" if kind == "succeeded" else "unpaid"
    )
    await shop.deliver({**later, "id": "evt_later", "type": f"checkout.session.async_payment_{kind}"})
    await queue.drain()
    assert (await shop.order()).state == ends
    assert await entitlements.allows(ann.id, course.id) == (ends == "paid")
    # The first news once more, late and under another id: too late to matter.
    await shop.deliver({**completed, "id": "evt_late"})
    await queue.drain()
    assert (await shop.order()).state == ends


async def test_a_debit_at_the_local_stripe_ends_as_the_bank_says(shop: Shop, cast: Cast) -> None:
    """The same with the real thing where the page offers a debit; card only otherwise."""
    await a_course()
    ann = await cast.ann()
    _order, page = await an_order(shop, ann)
    if "sepa_debit" not in (await shop.stripe.http.get(page)).text:
        pytest.skip("the payment page offers cards only")
    await shop.pay(page, method="sepa_debit", iban="DE89370400440532013000", name="Ann Archer")
    await shop.tell("checkout.session.completed")
    assert (await shop.order()).state == "processing"


async def two_orders(shop: Shop, ann: Person) -> tuple[tuple[Order, str], tuple[Order, str]]:
    """Two open payment pages for the same course, as two tabs can have them: one as a member, one as a guest."""
    first = await an_order(shop, ann)
    await shop.add("reading-price")
    page = await shop.check_out_as_guest(ann.email)
    return first, (await shop.order(), page)


async def test_what_was_paid_in_two_tabs_goes_back_once_by_itself(shop: Shop, cast: Cast) -> None:
    course = await a_course()
    ann = await cast.ann()
    (first, page), (second, other_page) = await two_orders(shop, ann)
    await shop.pay(page)
    await shop.pay(other_page)
    await shop.tell("checkout.session.completed")
    await queue.drain(ignore_delays=True)
    states = {row.id: row.state for row in await db.many(db.Row, "SELECT id, state FROM orders")}
    assert states == {first.id: "paid", second.id: "refunded"}
    assert await db.value("SELECT count(*) FROM entitlements WHERE closed_at IS NULL") == 1
    assert await entitlements.allows(ann.id, course.id)
    refunds = await db.many(db.Row, "SELECT amount_minor, state, order_id FROM refunds")
    assert [(row.amount_minor, row.state, row.order_id) for row in refunds] == [(24900, "succeeded", second.id)]
    assert "bought_twice" in await kinds(second)
    [mail] = await shop.mails("commerce/refund")
    assert mail.recipient == ann.email
    assert (await shop.stripe.get("/v1/refunds", limit=1))["data"][0]["reason"] == "duplicate"


async def test_two_payments_booked_at_the_same_moment_open_once_and_give_back_once(shop: Shop, cast: Cast) -> None:
    await a_course()
    ann = await cast.ann()
    for _round in range(3):
        (first, _), (second, _) = await two_orders(shop, ann)
        await asyncio.gather(*(orders.mark_paid(order.id, received(order)) for order in (first, second)))
        assert await db.value("SELECT count(*) FROM entitlements WHERE closed_at IS NULL") == 1
        assert await db.value("SELECT count(*) FROM refunds") == 1
        assert await db.value("SELECT count(*) FROM order_events WHERE kind = 'bought_twice'") == 1
        for table in ("refunds", "order_events", "entitlements", "order_items", "cart_items"):
            await db.run(f"DELETE FROM {table}")
        await db.run("DELETE FROM orders")


async def test_of_an_order_only_what_was_owned_already_goes_back(shop: Shop, cast: Cast) -> None:
    course = await a_course()
    other = await a_course("risk", "The Arithmetic of Risk", price=18900)
    ann = await cast.ann()
    await shop.add("risk", ann.browser)
    _order, page = await an_order(shop, ann)
    await own(ann, course)
    await shop.pay(page)
    await shop.tell("checkout.session.completed")
    await queue.drain(ignore_delays=True)
    order = await shop.order()
    assert (order.state, order.refunded_minor) == ("partially_refunded", 24900)
    assert await entitlements.allows(ann.id, other.id)
    assert await entitlements.allows(ann.id, course.id)
    [mail] = await shop.mails("commerce/owner_new_order")
    assert mail.state == "sent"


async def test_paying_for_what_ends_some_day_is_no_double_buy(shop: Shop, cast: Cast) -> None:
    from datetime import timedelta

    from app.core import clock

    course = await a_course()
    assert course.product_id
    ann = await cast.ann()
    async with db.transaction():
        await entitlements.grant(
            ann.id,
            course.product_id,
            source="manual",
            source_ref="manual:trial",
            ends_at=clock.now() + timedelta(days=7),
        )
    _order, page = await an_order(shop, ann)
    await shop.pay(page)
    await shop.tell()
    assert (await shop.order()).state == "paid"
    with clock.shifted(timedelta(days=8)):
        assert await entitlements.allows(ann.id, course.id)


async def test_the_card_of_the_receipt_is_looked_up(shop: Shop, cast: Cast) -> None:
    await a_course()
    ann = await cast.ann()
    _order, page = await an_order(shop, ann)
    await shop.pay(page)
    await shop.tell()
    assert (await shop.order()).card == "4242"


async def test_only_what_was_bought_leaves_the_cart(shop: Shop, cast: Cast) -> None:
    await a_course()
    await a_course("risk", "The Arithmetic of Risk")
    ann = await cast.ann()
    _order, page = await an_order(shop, ann)
    await shop.add("risk", ann.browser)
    await shop.pay(page)
    await shop.tell()
    # By the rows: the page of an empty cart names courses, too.
    left = await db.many(db.Row, "SELECT p.title FROM cart_items i JOIN products p ON p.id = i.product_id")
    assert [row.title for row in left] == ["The Arithmetic of Risk"]


async def test_what_a_guest_bought_leaves_the_members_cart_too(shop: Shop, cast: Cast) -> None:
    await a_course()
    ann = await cast.ann()
    await shop.add("reading-price", ann.browser)
    await shop.add("reading-price")
    await shop.pay(await shop.check_out_as_guest(ann.email))
    await shop.tell()
    assert await db.value("SELECT count(*) FROM cart_items") == 0


async def test_an_unconfirmed_accounts_password_does_not_open_what_was_bought(shop: Shop, cast: Cast) -> None:
    """Somebody registers a stranger's address beforehand; the stranger buys as a guest; the somebody stays outside."""
    await a_course()
    mallory = await cast.person("Mallory", "ann@example.org", verified=False)
    await db.run("UPDATE users SET password_hash = 'x' WHERE id = :id", id=mallory.id)
    await shop.add("reading-price")
    await shop.pay(await shop.check_out_as_guest("ann@example.org", "Ann"))
    await shop.tell()
    assert await db.value("SELECT password_hash FROM users WHERE id = :id", id=mallory.id) is None
    assert (await mallory.browser.get("/account/orders")).status_code == 303


async def test_an_order_that_does_not_exist_cannot_be_paid(shop: Shop) -> None:
    from app.core.errors import NotFound

    with pytest.raises(NotFound):
        await orders.mark_paid(4711, Received(1, "EUR"))


async def test_titles_and_prices_stay_as_they_were_sold(shop: Shop, cast: Cast) -> None:
    from app.catalogue import products

    course: MadeCourse = await a_course()
    ann = await cast.ann()
    order, page = await an_order(shop, ann)
    await shop.pay(page)
    await shop.tell()
    await db.run("UPDATE products SET title = 'Another Name'")
    await products.set_price(course.id, 1000, "EUR")
    receipt = await shop.text(f"/account/orders/{order.public_id}", ann.browser)
    assert "Reading Price" in receipt
    assert "€249" in receipt
    assert "Another Name" not in receipt


async def test_of_two_payments_of_one_person_the_second_waits_for_what_the_first_opens(
    shop: Shop, cast: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    await a_course()
    ann = await cast.ann()
    (first, _), (second, _) = await two_orders(shop, ann)
    true, meeting = entitlements.owned, Meeting(2, patience=0.5)

    async def unhurried(user_id: int, product_ids: Any) -> set[int]:
        found = await true(user_id, product_ids)
        await meeting.wait()
        return found

    monkeypatch.setattr(entitlements, "owned", unhurried)
    await asyncio.gather(*(orders.mark_paid(order.id, received(order)) for order in (first, second)))
    assert await db.value("SELECT count(*) FROM entitlements") == 1
    assert await db.value("SELECT count(*) FROM refunds") == 1
