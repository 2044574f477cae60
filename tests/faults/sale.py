"""One sale and one refund by the book, and Stripe's and the post's side of it, for tests inside one process."""

from __future__ import annotations

from collections import Counter

from app.core import db, queue
from tests.commerce.shop import Shop
from tests.faults.invariants import Books, Post
from tests.faults.people import Told
from tests.school import a_course
from tests.stripe import session_of


async def books_of(shop: Shop) -> Books:
    """Stripe's books, as far as they concern orders that the school knows."""
    known = {row.public_id for row in await db.many(db.Row, "SELECT public_id FROM orders")}
    sessions = (await shop.stripe.get("/v1/checkout/sessions", limit=100))["data"]
    mine = [one for one in sessions if one["client_reference_id"] in known]
    payments = {one["payment_intent"] for one in mine}
    # Payments that came past the payment page.
    rows = await db.many(
        db.Row,
        "SELECT DISTINCT detail ->> 'payment' AS id FROM order_events WHERE kind = 'flagged' AND detail ? 'payment'",
    )
    payments |= {row.id for row in rows}
    refunds = (await shop.stripe.get("/v1/refunds", limit=100))["data"]
    return Books(mine, [one for one in refunds if one["payment_intent"] in payments])


async def post_of() -> Post:
    """A mail server that took each sent mail once."""
    rows = await db.many(db.Row, "SELECT public_id FROM mails WHERE state = 'sent'")
    return Post(Counter(f"{row.public_id}@lectern" for row in rows))


async def pay_for(shop: Shop, slug: str, email: str) -> str:
    """A guest buys a course and pays; the payment page's id. Nothing is told to the school yet."""
    browser = shop.app.test_client()
    await shop.add(slug, browser)
    page = await shop.check_out_as_guest(email, "Gus Guest", browser)
    await shop.pay(page)
    return session_of(page)


async def a_sale(shop: Shop) -> Told:
    """A course bought, told of, opened and learned from; what was acknowledged of it."""
    course = await a_course()
    session = await pay_for(shop, course.slug, "gus@example.org")
    await shop.tell()
    order = await shop.order()
    assert order.user_id is not None
    lesson = course.lesson_ids[0]
    await db.run(
        """
        INSERT INTO lesson_progress (user_id, lesson_id, course_id, position_seconds, first_opened_at, updated_at,
                                     completed_at)
        VALUES (:user, :lesson, :course, 42, now(), now(), now())
        """,
        user=order.user_id,
        lesson=lesson,
        course=course.id,
    )
    told = Told(paid={session: ("gus@example.org", course.slug)}, shown_paid={order.public_id})
    told.places[order.user_id, lesson].note(42, 204)
    told.completed.add((order.user_id, lesson))
    await queue.drain()
    return told
