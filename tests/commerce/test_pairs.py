"""Two sessions at once on one cart, and on one order: every pair of verbs."""

import asyncio
from functools import partial
from typing import Any

import pytest
from quart.typing import TestClientProtocol

from app import Lectern
from app.access import entitlements
from app.catalogue import products
from app.commerce import orders, refunds
from app.commerce.models import Buyer, Order, Received
from app.commerce.queries import carts as cart_queries
from app.commerce.quotes import make
from app.core import db, queue
from app.core.ids import public_id
from app.core.settings import school
from app.gateways import payments
from tests.cast import Cast, Person
from tests.commerce.shop import Shop
from tests.commerce.test_carts import token_of
from tests.meeting import Meeting
from tests.pairs import ROUNDS, every_pair, status_of, together
from tests.school import a_course

pytestmark = pytest.mark.usefixtures("unlimited")


# --- the cart ---


async def post(browser: TestClientProtocol, path: str, **form: str) -> int:
    return status_of(await browser.post(path, form=form))


async def add(shop: Shop, ann: Person, quote: str) -> int:
    return await post(ann.browser, "/cart/items", product="free-trade")


async def add_another(shop: Shop, ann: Person, quote: str) -> int:
    return await post(ann.browser, "/cart/items", product="risk")


async def remove(shop: Shop, ann: Person, quote: str) -> int:
    return await post(ann.browser, "/cart/items/reading-price/removal")


async def look(shop: Shop, ann: Person, quote: str) -> int:
    return status_of(await ann.browser.get("/cart"))


async def agree(shop: Shop, ann: Person, quote: str) -> int:
    return await post(ann.browser, "/cart/items/reading-price/agreement", amount="24900")


async def change_price(shop: Shop, ann: Person, quote: str) -> None:
    course_id = await db.value("SELECT id FROM courses WHERE slug = 'reading-price'")
    await products.set_price(course_id, 19900, "EUR")


async def check_out(shop: Shop, ann: Person, quote: str) -> int:
    return await post(ann.browser, "/checkout", quote=quote)


async def sign_in(shop: Shop, ann: Person, quote: str) -> int:
    """The first request after a sign-in, in a browser that still has its guest's cart."""
    other = shop.app.test_client()
    session = next(cookie.value for cookie in ann.browser.cookie_jar if cookie.name == "session")  # type: ignore[union-attr]
    other.set_cookie("localhost", "session", str(session))
    other.set_cookie("localhost", "cart", token_of(shop.client) or "")
    return status_of(await other.get("/cart"))


async def check_out_as_guest(shop: Shop, ann: Person, quote: str) -> int:
    """The guest's cart goes to payment while it is being merged."""
    guests = await db.value("SELECT id FROM carts WHERE token_hash IS NOT NULL")
    if guests is None:
        return 0
    [offer] = await products.offers([await db.value("SELECT id FROM products WHERE slug = 'risk'")])
    settings = await school()
    await orders.place(make([offer], settings.tax_rate, "VAT"), Buyer("gus@example.org", "Gus"), cart_id=guests)
    return 0


CART_VERBS = {
    verb.__name__: verb
    for verb in (add, add_another, remove, look, agree, change_price, check_out, sign_in, check_out_as_guest)
}


async def a_cart(shop: Shop, cast: Cast) -> tuple[Person, str]:
    """Ann has one thing in her cart, a guest's browser another."""
    await a_course()
    await a_course("risk", "The Arithmetic of Risk", price=18900)
    await a_course("free-trade", "Free Trade", price=9900)
    ann = await cast.ann()
    await shop.add("reading-price", ann.browser)
    await shop.add("risk")
    return ann, await shop.quote(ann.browser)


async def cart_is_sound() -> None:
    assert await db.value("SELECT count(*) FROM carts WHERE user_id IS NOT NULL") == 1
    wrong = await db.many(
        db.Row,
        """
        SELECT o.id FROM orders o
        WHERE o.total_minor <> (SELECT coalesce(sum(amount_minor), -1) FROM order_items i WHERE i.order_id = o.id)
           OR o.tax_minor <> (SELECT sum(tax_minor) FROM order_items i WHERE i.order_id = o.id)
           OR o.subtotal_minor + o.tax_minor <> o.total_minor
        """,
    )
    assert wrong == []
    assert (
        await db.value("SELECT count(*) - count(DISTINCT stripe_session_id) FROM orders WHERE stripe_session_id <> ''")
        == 0
    )


@every_pair(CART_VERBS)
async def test_two_sessions_act_on_one_cart(shop: Shop, cast: Cast, one: str, other: str) -> None:
    ann, quote = await a_cart(shop, cast)
    for _round in range(ROUNDS - 1):
        outcomes = await together(*(partial(CART_VERBS[name], shop, ann, quote) for name in (one, other)))
        await cart_is_sound()
        assert not [o for o in outcomes if isinstance(o, int) and o >= 500]
    items = {
        row.slug
        for row in await db.many(db.Row, "SELECT p.slug FROM cart_items i JOIN products p ON p.id = i.product_id")
    }
    for verb, slug in (("add", "free-trade"), ("add_another", "risk")):
        if verb in (one, other):
            assert slug in items
    if "remove" in (one, other):
        assert "reading-price" not in items
    if one == other == "check_out":
        assert await db.value("SELECT count(*) FROM orders") == 1


async def test_a_guest_pays_while_signing_in_elsewhere_and_is_told_to_look_again(shop: Shop, cast: Cast) -> None:
    """The order that is placed in a cart just as it is merged away: placed in the one or the other, or refused, no fault."""
    ann, quote = await a_cart(shop, cast)
    moved, merged = asyncio.Event(), cart_queries.move_items

    async def slow_move(source_id: int, target_id: int) -> int:
        moved.set()
        await asyncio.sleep(0.05)
        return await merged(source_id, target_id)

    async def pay_as_guest() -> int:
        await moved.wait()
        form = {"quote": guest_quote, "email": "gus@example.org", "name": "Gus"}
        return status_of(await shop.client.post("/checkout", form=form))

    guest_quote = await shop.quote(path="/checkout")
    cart_queries.move_items = slow_move
    try:
        outcomes = await together(lambda: sign_in(shop, ann, quote), pay_as_guest)
    finally:
        cart_queries.move_items = merged
    assert outcomes[0] == 200
    assert outcomes[1] == 303
    await cart_is_sound()


# --- the order ---


async def pay(order: Order) -> Any:
    return await orders.mark_paid(order.id, Received(24900, "EUR", payment_id="pi_1"))


async def pay_by_page(order: Order) -> Any:
    return await orders.mark_paid(order.id, Received(24900, "EUR", session_id="cs_1", payment_id="pi_1"))


async def pay_too_little(order: Order) -> Any:
    return await orders.mark_paid(order.id, Received(100, "EUR", payment_id="pi_2"))


async def wait_for_bank(order: Order) -> Any:
    return await orders.mark_processing(order.id, Received(24900, "EUR", payment_id="pi_1"))


async def fail(order: Order) -> Any:
    return await orders.mark_failed(order.id, reason="bank")


async def expire(order: Order) -> Any:
    return await orders.mark_expired(order.id)


async def replace(order: Order) -> Any:
    return await orders.mark_replaced(order.id)


async def accept(order: Order) -> Any:
    return await orders.accept(order)


async def reject(order: Order) -> Any:
    return await orders.reject(order)


async def refund_part(order: Order) -> Any:
    begun = await orders.refund(order, 20000, reason="", ref=public_id(), requested_by=order.user_id or 0)
    return await told_of(order, begun.public_id, 20000, f"re_{begun.id}")


async def refund_elsewhere(order: Order) -> Any:
    """News of a full refund made in Stripe's dashboard."""
    return await told_of(order, "", 24900, "re_dashboard")


async def refund_fails(order: Order) -> Any:
    return await told_of(order, "", 24900, "re_dashboard", state="failed")


async def told_of(order: Order, reference: str, amount: int, refund_id: str, *, state: str = "succeeded") -> Any:
    return await refunds.record(order.id, payments.Refund(refund_id, state, amount, "EUR", reference))


ORDER_VERBS = {
    verb.__name__: verb
    for verb in (
        pay,
        pay_by_page,
        pay_too_little,
        wait_for_bank,
        fail,
        expire,
        replace,
        accept,
        reject,
        refund_part,
        refund_elsewhere,
        refund_fails,
    )
}


async def a_pending_order(ann: Person, title: str = "Reading Price") -> Order:
    [offer] = await products.offers([await db.value("SELECT id FROM products")])
    settings = await school()
    return await orders.place(make([offer], settings.tax_rate, "VAT"), Buyer(ann.email, ann.name, ann.id), cart_id=None)


async def order_is_sound(order: Order, course_id: int) -> None:
    """What must hold of an order whatever happened to it, in whatever order."""
    found = await orders.find(order.id)
    assert found is not None
    facts = await db.one(
        db.Row,
        """
        SELECT (SELECT count(*) FROM entitlements WHERE source_ref LIKE 'order:' || o.public_id || ':%') AS rows,
               (SELECT count(*) FROM entitlements WHERE source_ref LIKE 'order:' || o.public_id || ':%'
                  AND closed_at IS NULL) AS open,
               (SELECT count(*) FROM order_events e WHERE e.order_id = o.id AND kind IN ('paid', 'accepted')) AS paid,
               (SELECT coalesce(sum(amount_minor), 0) FROM refunds r WHERE r.order_id = o.id AND state = 'succeeded'
                      AND payment_id IS NULL) AS back
        FROM orders o WHERE o.id = :id
        """,
        id=order.id,
    )
    assert facts is not None
    assert facts.paid == (1 if found.is_paid else 0), facts
    assert facts.rows == (1 if found.is_paid else 0), facts
    assert facts.open == (1 if found.state in ("paid", "partially_refunded") else 0), (found.state, facts)
    assert found.refunded_minor == min(facts.back, found.total_minor), facts
    assert await entitlements.allows(found.user_id or 0, course_id) == bool(facts.open)
    assert (found.paid_at is not None) == found.is_paid
    assert not (found.is_paid and found.flag)


@pytest.mark.parametrize("start", ["pending", "paid", "flagged"])
@every_pair(ORDER_VERBS)
async def test_two_workers_act_on_one_order(app: Lectern, cast: Cast, one: str, other: str, start: str) -> None:
    course = await a_course()
    ann = await cast.ann()
    for _round in range(ROUNDS if start == "pending" else 1):
        order = await a_pending_order(ann)
        if start == "paid":
            await pay(order)
        elif start == "flagged":
            await pay_too_little(order)
        await together(*(partial(ORDER_VERBS[name], order) for name in (one, other)), allowed=[refunds.NotPaidYet])
        await order_is_sound(order, course.id)
        for table in ("refunds", "order_events", "entitlements", "order_items", "orders"):
            await db.run(f"DELETE FROM {table}")


async def test_without_the_lock_pairs_of_verbs_would_break_an_order(
    app: Lectern, cast: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The negative control: read without holding, and two refunds give back more than was paid."""
    from app.commerce.queries import orders as queries

    await a_course()
    ann = await cast.ann()
    order = await a_pending_order(ann)
    await pay(order)

    both = Meeting(2)

    async def unlocked(order_id: int) -> Order | None:
        return await queries.order(order_id)

    async def met(order_id: int) -> db.Row:
        """What is promised, before either has promised more."""
        found = await sums(order_id)
        await both.wait()
        return found

    async def begin() -> Any:
        return await orders.refund(order, 20000, reason="", ref=public_id(), requested_by=ann.id)

    outcomes = await together(begin, begin)
    assert len([o for o in outcomes if not isinstance(o, Exception)]) == 1
    await db.run("DELETE FROM refunds")
    sums = refunds.queries.sums
    monkeypatch.setattr(refunds.order_queries, "lock_order", unlocked)
    monkeypatch.setattr(refunds.queries, "sums", met)
    assert await together(begin, begin)
    assert await db.value("SELECT sum(amount_minor) FROM refunds") == 40000


async def test_the_jobs_that_pairs_leave_behind_all_end(shop: Shop, cast: Cast) -> None:
    await a_course()
    ann = await cast.ann()
    order = await a_pending_order(ann)
    await together(
        lambda: pay(order), lambda: expire(order), lambda: refund_elsewhere(order), allowed=[refunds.NotPaidYet]
    )
    await queue.drain(ignore_delays=True)
    assert await db.value("SELECT count(*) FROM pgqueuer") == 0
