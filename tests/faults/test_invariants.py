"""The checker is checked: each kind of wrong is planted and must be found, and a good school must pass."""

from collections import Counter
from pathlib import Path

import pytest

from app.catalogue import products
from app.commerce import carts, orders
from app.core import db, queue
from tests.cast import Cast
from tests.commerce.shop import Shop
from tests.commerce.test_orders import an_order
from tests.commerce.test_stranded import a_payment
from tests.faults import invariants
from tests.faults.invariants import Books, Post
from tests.faults.people import Place, Told
from tests.faults.sale import a_sale, books_of, pay_for, post_of
from tests.school import a_course

OTHER_ORDER = """
    ALTER TABLE orders DROP CONSTRAINT orders_stripe_session_id_key;
    ALTER TABLE orders DROP CONSTRAINT orders_stripe_payment_intent_id_key;
    INSERT INTO orders (public_id, user_id, email, state, currency, subtotal_minor, tax_minor, total_minor, quote_key,
                        stripe_session_id, stripe_payment_intent_id, created_at, paid_at)
    SELECT 'another', user_id, email, 'paid', currency, subtotal_minor, tax_minor, total_minor, 'another',
           stripe_session_id, stripe_payment_intent_id, now(), now() FROM orders
"""
STRANGER = """
    INSERT INTO users (public_id, email, name, created_at) VALUES ('stranger', 's@example.org', 'Sly', now());
"""
PLANTED = {
    "a payment without an order": ("UPDATE orders SET state = 'expired'", "has 0 paid orders"),
    "a payment with two orders, its unique keys gone": (OTHER_ORDER, "has 2 paid orders"),
    "an order of another amount": ("UPDATE orders SET total_minor = 1, tax_minor = 0, subtotal_minor = 1", "amount"),
    "an order that nobody paid": ("UPDATE orders SET stripe_payment_intent_id = 'pi_made_up'", "nobody paid it"),
    "a page that paid a stranger's order": ("UPDATE orders SET public_id = 'another'", "was not opened for"),
    "a line that opened nothing": ("DELETE FROM entitlements", "opened nothing"),
    "access for somebody else": (
        STRANGER + "UPDATE entitlements SET user_id = (SELECT id FROM users WHERE public_id = 'stranger')",
        "somebody else",
    ),
    "access closed though paid": (
        "UPDATE entitlements SET closed_at = now(), closed_reason = 'why not'",
        "its access is not so",
    ),
    "a refunded order that stays open": ("UPDATE orders SET state = 'refunded'", "its access is not so"),
    "a buyer who is not enrolled": ("DELETE FROM enrolments", "is not enrolled"),
    "access without an order": (
        "UPDATE entitlements SET source_ref = 'order:nothing:1'",
        "is open and its order is not there",
    ),
    "access for an unpaid order": ("UPDATE orders SET state = 'pending'", "is open and its order is pending"),
    "an enrolment that nobody let in": (
        STRANGER + "INSERT INTO enrolments (user_id, course_id, enrolled_at)"
        " SELECT u.id, c.id, now() FROM users u, courses c WHERE u.public_id = 'stranger'",
        "was never let in",
    ),
    "a refund that Stripe does not know": (
        "INSERT INTO refunds (public_id, order_id, amount_minor, state, created_at)"
        " SELECT 'r', id, 100, 'succeeded', now() FROM orders",
        "Stripe gave back 0",
    ),
    "a refund that hangs": (
        "INSERT INTO refunds (public_id, order_id, amount_minor, state, created_at)"
        " SELECT 'r', id, 100, 'pending', now() FROM orders",
        "hangs",
    ),
    "a mail that was never written": ("DELETE FROM mails WHERE fact LIKE 'order:%:confirmation'", "no mail order:"),
    "a mail that was not sent": ("UPDATE mails SET state = 'failed'", "is failed"),
    "a sale that was shown and is gone": ("UPDATE orders SET state = 'expired'", "was shown as paid and is expired"),
    "a position that was lost": ("UPDATE lesson_progress SET position_seconds = 7", "42 was acknowledged, 7 is kept"),
    "progress that is gone": ("DELETE FROM lesson_progress", "42 was acknowledged, None is kept"),
    "a completion that was lost": ("UPDATE lesson_progress SET completed_at = NULL", "completed, and that is lost"),
    "a job that waits": (
        "INSERT INTO pgqueuer (priority, status, entrypoint) VALUES (0, 'queued', 'core.x')",
        "core.x",
    ),
    "a job that failed": ("INSERT INTO pgqueuer (priority, status, entrypoint) VALUES (0, 'failed', 'y')", "is failed"),
    "a delivery that was not handled": ("UPDATE webhook_events SET state = 'received'", "is received"),
}


REJECTED = "(SELECT id FROM orders WHERE state = 'cancelled')"
PLANTED_ODD = {
    "a free start that is not there": ("DELETE FROM entitlements WHERE source_ref LIKE 'free:%'", "opened nothing"),
    "a free start of somebody else": (
        STRANGER + "UPDATE entitlements SET user_id = (SELECT id FROM users WHERE public_id = 'stranger')"
        " WHERE source = 'free'",
        "belongs to another person",
    ),
    "something for nothing that costs": (
        "INSERT INTO entitlements (public_id, user_id, product_id, source, source_ref, starts_at, created_at)"
        " SELECT 'sly', o.user_id, i.product_id, 'free', 'free:' || o.user_id || ':' || i.product_id, now(), now()"
        " FROM orders o JOIN order_items i ON i.order_id = o.id WHERE i.amount_minor > 0 AND o.paid_at IS NOT NULL LIMIT 1",
        "was never free",
    ),
    "access from a rejected order": (
        "INSERT INTO entitlements (public_id, user_id, product_id, source, source_ref, starts_at, created_at)"
        " SELECT 'sly', o.user_id, i.product_id, 'order', 'order:' || o.public_id || ':' || i.id, now(), now()"
        f" FROM orders o JOIN order_items i ON i.order_id = o.id WHERE o.id = {REJECTED}",
        "is open and its order is cancelled",
    ),
    "a rejected payment that was never sent back": (
        f"DELETE FROM refunds WHERE order_id = {REJECTED}",
        "0 is written",
    ),
    "a rejected payment of which too little is written": (
        f"UPDATE refunds SET amount_minor = 1 WHERE order_id = {REJECTED}",
        "1 is written",
    ),
    "a rejected payment that hangs": (
        f"UPDATE refunds SET state = 'pending' WHERE order_id = {REJECTED}",
        "hangs on its way back",
    ),
    "a rejected payment taken for one of the order": (
        f"UPDATE refunds SET payment_id = NULL WHERE order_id = {REJECTED}",
        "and paid nothing",
    ),
    "a rejected order that goes on": (
        f"UPDATE orders SET state = 'pending' WHERE id = {REJECTED}",
        "was rejected and is pending",
    ),
}


class _Undo(Exception):
    """Takes a plant back."""


@pytest.fixture
async def told(shop: Shop) -> Told:
    return await a_sale(shop)


async def test_a_good_school_passes(shop: Shop, told: Told, tmp_path: Path) -> None:
    assert await invariants.every(await books_of(shop), await post_of(), told, tmp_path) == []


async def each_is_found(planted: dict[str, tuple[str, str]], books: Books, post: Post, told: Told) -> None:
    for name, (plant, sentence) in planted.items():
        with pytest.raises(_Undo):
            async with db.hold(), db.transaction():
                await db.script("SET CONSTRAINTS ALL DEFERRED")
                await db.script(plant)
                wrong = await invariants.every(books, post, told)
                assert any(sentence in one for one in wrong), f"{name} was not found; found: {wrong}"
                raise _Undo


async def test_each_planted_wrong_is_found(shop: Shop, told: Told) -> None:
    books, post = await books_of(shop), await post_of()
    await each_is_found(PLANTED, books, post, told)
    assert await invariants.every(books, post, told) == []


@pytest.fixture
async def told_odd(shop: Shop, told: Told, cast: Cast) -> Told:
    """The same with something free, begun with an order and without, and a payment that a person rejected."""
    course = await a_course("first", "Your First Chart", price=0)
    ann, bob = await cast.ann(), await cast.bob()
    await carts.begin(bob.id, (await products.offers([course.product_id or 0]))[0])
    await a_course("risk", "The Arithmetic of Risk")
    guest = shop.app.test_client()
    for slug in ("first", "risk"):
        await shop.add(slug, guest)
    await shop.pay(await shop.check_out_as_guest("hal@example.org", "Hal", guest))
    await shop.tell()
    order, _page = await an_order(shop, ann)
    await a_payment(shop, order)
    await shop.tell()
    assert (await shop.order()).flag
    await orders.reject(order)
    await queue.drain(ignore_delays=True)
    await shop.tell()
    await queue.drain(ignore_delays=True)
    return told


async def test_a_school_with_free_starts_and_a_rejected_payment_passes_and_each_wrong_about_them_is_found(
    shop: Shop, told_odd: Told
) -> None:
    books, post = await books_of(shop), await post_of()
    assert await invariants.every(books, post, told_odd) == []
    assert await db.value("SELECT count(*) FROM entitlements WHERE source = 'free'") == 2
    await each_is_found(PLANTED_ODD, books, post, told_odd)
    assert await invariants.every(books, post, told_odd) == []
    # The bank sent it back after all, and nobody was told.
    for refund in books.refunds:
        refund["status"] = "failed"
    assert any("0 went back" in one for one in await invariants.every(books, post, told_odd))


async def test_a_job_for_tomorrow_is_not_stuck_and_one_that_is_tried_again_late_is(shop: Shop, told: Told) -> None:
    put_off = "INSERT INTO pgqueuer (priority, status, entrypoint, attempts, execute_after)"
    await db.run(put_off + " VALUES (0, 'queued', 'x', 0, now() + interval '1 day')")
    assert await invariants.nothing_is_stuck() == []
    await db.run(put_off + " VALUES (0, 'queued', 'x', 1, now() + interval '1 day')")
    assert len(await invariants.nothing_is_stuck()) == 1


async def test_a_refund_that_the_school_missed_is_found(shop: Shop, told: Told) -> None:
    order = await shop.order()
    await shop.stripe.post("/v1/refunds", payment_intent=order.stripe_payment_intent_id, amount="100")
    assert any("Stripe gave back 100" in one for one in await invariants.refunds_agree(await books_of(shop)))


async def test_a_payment_that_nobody_told_of_is_found(shop: Shop, told: Told) -> None:
    await pay_for(shop, "reading-price", "hal@example.org")
    wrong = await invariants.paid_checkouts_are_orders(await books_of(shop))
    assert any("has 0 paid orders" in one for one in wrong)


async def test_an_accepted_refund_that_did_not_happen_is_found(shop: Shop, told: Told) -> None:
    told.refunded |= told.shown_paid
    assert any("was accepted" in one for one in await invariants.acknowledged_sales_are_kept(told))


async def test_mail_that_went_out_twice_or_never_or_from_nowhere_is_found(shop: Shop, told: Told) -> None:
    post = await post_of()
    key = next(iter(post.taken))
    twice = Post(post.taken + Counter([key]))
    assert any("went out 2 times" in one for one in await invariants.one_mail_a_fact(twice))
    assert await invariants.one_mail_a_fact(Post(twice.taken, may_repeat=True)) == []
    assert any("never went out" in one for one in await invariants.one_mail_a_fact(Post(post.taken - Counter([key]))))
    stray = Post(post.taken + Counter(["stray@lectern"]))
    assert any("nobody knows" in one for one in await invariants.one_mail_a_fact(stray))


def test_half_written_and_empty_files_are_found(tmp_path: Path) -> None:
    (tmp_path / "files").mkdir()
    (tmp_path / "files" / "whole.webm").write_bytes(b"all of it")
    assert invariants.no_half_written_file(tmp_path) == []
    (tmp_path / "files" / "film.part").write_bytes(b"some of it")
    (tmp_path / "files" / "empty.webm").touch()
    assert len(invariants.no_half_written_file(tmp_path)) == 2


def test_a_late_write_may_arrive_and_a_refused_one_only_until_the_next_is_kept() -> None:
    place = Place()
    assert place.allows(5)
    place.note(10, 204)
    place.note(20, 503)
    place.note(30, 0)
    assert [place.allows(n) for n in (10, 20, 30, 40)] == [True, True, True, False]
    place.note(50, 204)
    assert [place.allows(n) for n in (50, 10, 20, 30)] == [True, False, False, True]
