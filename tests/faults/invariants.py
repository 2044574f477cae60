"""What must be true after every fault run. Each check answers sentences about what is wrong; none is good.

They read the school's own database, the local Stripe's books and the mail server, and compare them with what was
acknowledged to people. `tests/faults/test_invariants.py` plants each kind of wrong and sees it found.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from app.core import db
from tests.faults.people import Told

# Jobs that are to be done now: neither schedules nor what was put off until tomorrow on purpose.
TO_BE_DONE = (
    "coalesce(dedupe_key, '') NOT LIKE '%:schedule'"
    " AND NOT (status = 'queued' AND attempts = 0 AND execute_after > now() + interval '1 hour')"
)


@dataclass
class Books:
    """Stripe's side: its payment pages and what went back, by payment."""

    sessions: list[dict[str, Any]] = field(default_factory=list)
    refunds: list[dict[str, Any]] = field(default_factory=list)

    def went(self) -> Counter[str]:
        """How much went back of each payment."""
        found = Counter[str]()
        for refund in self.refunds:
            if refund["status"] == "succeeded":
                found[refund["payment_intent"]] += refund["amount"]
        return found

    @property
    def paid(self) -> list[dict[str, Any]]:
        return [one for one in self.sessions if one["status"] == "complete" and one["payment_status"] == "paid"]


@dataclass
class Post:
    """The mail server's side: how often each Message-ID was taken, and which may have come twice by right
    (the worker was killed, or the answer was cut, between taking and noting it: SMTP has no idempotency key)."""

    taken: Counter[str] = field(default_factory=Counter)
    may_repeat: bool = False


async def every(books: Books, post: Post, told: Told, data: Path | None = None) -> list[str]:
    """All checks."""
    wrong = [
        *await paid_checkouts_are_orders(books),
        *await orders_were_paid(books),
        *await paid_orders_open_what_they_hold(),
        *await access_has_a_cause(),
        *await what_is_free_has_a_cause(),
        *await enrolments_have_access(),
        *await refunds_agree(books),
        *await odd_payments_went_back(books),
        *await one_mail_a_fact(post),
        *await acknowledged_sales_are_kept(told),
        *await acknowledged_learning_is_kept(told),
        *await nothing_is_stuck(),
        *await webhooks_are_handled(),
    ]
    if data is not None:
        wrong += no_half_written_file(data)
    return wrong


async def paid_checkouts_are_orders(books: Books) -> list[str]:
    """Every payment page that took money has exactly one paid order of the same amount."""
    rows = await db.many(
        db.Row,
        """
        SELECT public_id, state, total_minor, currency, stripe_session_id, stripe_payment_intent_id
        FROM orders WHERE state IN ('paid', 'partially_refunded', 'refunded')
        """,
    )
    wrong = []
    for session in books.paid:
        given_back = books.went()[session["payment_intent"]]
        found = [
            row
            for row in rows
            if session["id"] == row.stripe_session_id or session["payment_intent"] == row.stripe_payment_intent_id
        ]
        if not found and given_back == session["amount_total"]:
            continue  # a second payment for one order, or one that a person rejected: it went back
        if len(found) != 1:
            wrong.append(f"payment page {session['id']} was paid and has {len(found)} paid orders")
        elif (found[0].total_minor, found[0].currency.lower()) != (session["amount_total"], session["currency"]):
            wrong.append(f"order {found[0].public_id} is not of the amount that was paid")
        elif found[0].public_id != session["client_reference_id"]:
            wrong.append(
                f"payment page {session['id']} paid the order {found[0].public_id}, which it was not opened for"
            )
    return wrong


async def orders_were_paid(books: Books) -> list[str]:
    """Every paid order that costs something has its payment at Stripe."""
    payments = {session["payment_intent"] for session in books.paid}
    rows = await db.many(
        db.Row,
        """
        SELECT public_id, stripe_payment_intent_id AS payment FROM orders
        WHERE state IN ('paid', 'partially_refunded', 'refunded') AND total_minor > 0
        """,
    )
    return [f"order {row.public_id} is paid, and nobody paid it" for row in rows if row.payment not in payments]


async def paid_orders_open_what_they_hold() -> list[str]:
    """Each line of a paid order has its entitlement (unless the buyer had it), and its buyer is enrolled."""
    rows = await db.many(
        db.Row,
        """
        SELECT o.public_id, o.state, i.id AS line, i.amount_minor = 0 AS is_free, e.id AS entitlement, e.closed_at, e.user_id = o.user_id AS is_theirs,
               e.product_id = i.product_id AS is_it, n.id AS enrolment,
               EXISTS (SELECT 1 FROM order_events v WHERE v.order_id = o.id AND v.kind = 'bought_twice') AS had_it
        FROM orders o
        JOIN order_items i ON i.order_id = o.id
        JOIN products p ON p.id = i.product_id
        LEFT JOIN entitlements e ON e.source_ref = CASE WHEN i.amount_minor = 0
            THEN 'free:' || o.user_id || ':' || i.product_id ELSE 'order:' || o.public_id || ':' || i.id END
        LEFT JOIN enrolments n ON n.user_id = o.user_id AND n.course_id = p.course_id
        WHERE o.state IN ('paid', 'partially_refunded', 'refunded')
        """,
    )
    wrong = []
    for row in rows:
        if row.entitlement is None and not row.had_it:
            wrong.append(f"order {row.public_id} is paid and line {row.line} opened nothing")
        elif row.entitlement is not None and not (row.is_theirs and row.is_it):
            wrong.append(f"order {row.public_id} opened something else, or for somebody else")
        elif row.is_free:
            pass  # what a person closed of it stays closed; there is nothing to give back
        elif row.entitlement is not None and (row.closed_at is not None) != (row.state == "refunded"):
            wrong.append(f"order {row.public_id} is {row.state} and its access is not so")
        if row.enrolment is None and row.closed_at is None:  # one that was given back at once never began
            wrong.append(f"the buyer of order {row.public_id} is not enrolled")
    return wrong


async def access_has_a_cause() -> list[str]:
    """Nobody may use anything for an order that was not paid, or for a cause that is not there."""
    rows = await db.many(
        db.Row,
        """
        SELECT e.public_id, e.source, e.source_ref, o.state FROM entitlements e
        LEFT JOIN orders o ON e.source = 'order' AND o.public_id = split_part(e.source_ref, ':', 2)
        WHERE e.closed_at IS NULL AND e.source = 'order'
          AND coalesce(o.state, '') NOT IN ('paid', 'partially_refunded')
        """,
    )
    return [f"{row.source_ref} is open and its order is {row.state or 'not there'}" for row in rows]


async def what_is_free_has_a_cause() -> list[str]:
    """Whatever is open for nothing is that person's own free start, of something that was free."""
    rows = await db.many(
        db.Row,
        """
        SELECT e.source_ref, e.source_ref = 'free:' || e.user_id || ':' || e.product_id AS is_own,
               EXISTS (SELECT 1 FROM prices p WHERE p.product_id = e.product_id AND p.amount_minor = 0)
               OR EXISTS (SELECT 1 FROM order_items i JOIN orders o ON o.id = i.order_id
                          WHERE o.user_id = e.user_id AND i.product_id = e.product_id AND i.amount_minor = 0
                            AND o.paid_at IS NOT NULL) AS was_free
        FROM entitlements e WHERE e.closed_at IS NULL AND (e.source = 'free' OR e.source_ref LIKE 'free:%')
        """,
    )
    wrong = [f"{row.source_ref} is open and belongs to another person or product" for row in rows if not row.is_own]
    return wrong + [f"{row.source_ref} is open and was never free" for row in rows if row.is_own and not row.was_free]


async def enrolments_have_access() -> list[str]:
    """Whoever is enrolled was let in at some time."""
    rows = await db.many(
        db.Row,
        """
        SELECT n.user_id, n.course_id FROM enrolments n WHERE NOT EXISTS (
            SELECT 1 FROM entitlements e JOIN products p ON p.id = e.product_id
            WHERE e.user_id = n.user_id AND p.course_id = n.course_id)
        """,
    )
    return [f"user {row.user_id} is enrolled in course {row.course_id} and was never let in" for row in rows]


async def refunds_agree(books: Books) -> list[str]:
    """What Stripe gave back and what the school wrote down are the same, order by order."""
    went = books.went()
    rows = await db.many(
        db.Row,
        """
        SELECT o.public_id, o.stripe_payment_intent_id AS payment, o.refunded_minor,
               coalesce(sum(r.amount_minor) FILTER (WHERE r.state = 'succeeded'), 0) AS written,
               count(r.id) FILTER (WHERE r.state = 'pending') AS pending
        FROM orders o LEFT JOIN refunds r ON r.order_id = o.id AND r.payment_id IS NULL
        WHERE o.stripe_payment_intent_id IS NOT NULL AND o.paid_at IS NOT NULL GROUP BY o.id
        """,
    )
    wrong = [f"a refund of order {row.public_id} hangs" for row in rows if row.pending]
    wrong += [
        f"order {row.public_id}: Stripe gave back {went[row.payment]}, the school wrote {row.written}/{row.refunded_minor}"
        for row in rows
        if not went[row.payment] == row.written == row.refunded_minor
    ]
    return wrong


async def odd_payments_went_back(books: Books) -> list[str]:
    """A payment that paid nothing (its order was rejected, or paid by another) went back whole, and is written so."""
    went = books.went()
    rows = await db.many(
        db.Row,
        """
        SELECT o.public_id, came.payment, came.amount, o.state, o.paid_at IS NOT NULL AS is_paid,
               coalesce(sum(r.amount_minor) FILTER (WHERE r.state = 'succeeded' AND r.stripe_refund_id IS NOT NULL), 0)
                   AS written,
               coalesce(sum(r.amount_minor) FILTER (WHERE r.state = 'succeeded' AND r.stripe_refund_id IS NULL), 0)
                   AS by_hand,
               count(r.id) FILTER (WHERE r.state = 'pending') AS pending
        FROM (SELECT order_id, detail ->> 'payment' AS payment, CAST(detail ->> 'came' AS bigint) AS amount
              FROM order_events f WHERE kind = 'flagged' AND detail ? 'came'
                AND EXISTS (SELECT 1 FROM order_events d WHERE d.order_id = f.order_id AND d.kind IN ('rejected', 'paid')
                              AND d.id > f.id)
              UNION SELECT order_id, detail ->> 'told_by', CAST(detail ->> 'amount' AS bigint)
              FROM order_events WHERE kind = 'paid_again') came
        JOIN orders o ON o.id = came.order_id
        LEFT JOIN refunds r ON r.order_id = o.id AND r.payment_id = came.payment
        GROUP BY o.id, came.payment, came.amount
        """,
    )
    wrong = [f"the payment {row.payment} of order {row.public_id} hangs on its way back" for row in rows if row.pending]
    wrong += [
        f"order {row.public_id}: {row.amount} came with {row.payment} and paid nothing, {went[row.payment]} went back,"
        f" {row.written} is written, {row.by_hand} by hand"
        for row in rows
        if went[row.payment] != row.written or row.written + row.by_hand != row.amount
    ]
    rejected = await db.many(
        db.Row,
        """
        SELECT o.public_id, o.state FROM orders o
        WHERE o.paid_at IS NULL AND o.state <> 'cancelled'
          AND EXISTS (SELECT 1 FROM order_events e WHERE e.order_id = o.id AND e.kind = 'rejected')
        """,
    )
    return wrong + [f"order {row.public_id} was rejected and is {row.state}" for row in rejected]


async def one_mail_a_fact(post: Post) -> list[str]:
    """Every fact that is due a mail has one, and it went out once."""
    wrong = [
        f"no mail {row.fact}"
        for row in await db.many(
            db.Row,
            """
            SELECT due.fact FROM (
                SELECT 'order:' || id || ':confirmation' AS fact FROM orders
                WHERE state IN ('paid', 'partially_refunded', 'refunded')
                UNION ALL SELECT 'refund:' || id FROM refunds WHERE state = 'succeeded' AND payment_id IS NULL
                UNION ALL SELECT 'enrolment:' || n.user_id || ':' || n.course_id FROM enrolments n
                WHERE EXISTS (SELECT 1 FROM entitlements e JOIN products p ON p.id = e.product_id
                              WHERE e.user_id = n.user_id AND p.course_id = n.course_id AND e.source = 'order')
            ) due LEFT JOIN mails m ON m.fact = due.fact WHERE m.id IS NULL
            """,
        )
    ]
    known = await db.many(db.Row, "SELECT public_id, fact, state FROM mails")
    wrong += [f"the mail {row.fact} is {row.state}" for row in known if row.state != "sent"]
    keys = {f"{row.public_id}@lectern": row for row in known}
    wrong += [
        f"the mail {row.fact} never went out"
        for key, row in keys.items()
        if row.state == "sent" and not post.taken[key]
    ]
    wrong += [f"a mail that nobody knows went out: {key}" for key in post.taken if key not in keys]
    if not post.may_repeat:
        wrong += [
            f"the mail {keys[key].fact} went out {n} times" for key, n in post.taken.items() if n > 1 and key in keys
        ]
    return wrong


async def acknowledged_sales_are_kept(told: Told) -> list[str]:
    """What the school showed as paid is paid; what it took a refund for was given back."""
    rows = await db.many(db.Row, "SELECT public_id, state FROM orders")
    states = {row.public_id: row.state for row in rows}
    good = ("paid", "partially_refunded", "refunded")
    wrong = [
        f"order {order} was shown as paid and is {states.get(order, 'gone')}"
        for order in sorted(told.shown_paid)
        if states.get(order) not in good
    ]
    wrong += [
        f"the refund of order {order} was accepted, and it is {states.get(order, 'gone')}"
        for order in sorted(told.refunded)
        if states.get(order) != "refunded"
    ]
    return wrong


async def acknowledged_learning_is_kept(told: Told) -> list[str]:
    """Every acknowledged position and completion is there."""
    rows = await db.many(db.Row, "SELECT user_id, lesson_id, position_seconds, completed_at FROM lesson_progress")
    kept = {(row.user_id, row.lesson_id): row for row in rows}
    wrong = []
    for key, place in told.places.items():
        if place.acknowledged is not None and (key not in kept or not place.allows(kept[key].position_seconds)):
            found = kept[key].position_seconds if key in kept else None
            wrong.append(
                f"user {key[0]}, lesson {key[1]}: position {place.acknowledged} was acknowledged, {found} is kept"
            )
    wrong += [
        f"user {key[0]}, lesson {key[1]}: completed, and that is lost"
        for key in sorted(told.completed)
        if key not in kept or kept[key].completed_at is None
    ]
    return wrong


async def nothing_is_stuck() -> list[str]:
    """No job waits, hangs or failed for good. For a queue that was given time to drain."""
    rows = await db.many(
        db.Row,
        f"""
        SELECT id, entrypoint, status::text AS status, attempts, CAST(extract(epoch FROM now() - created) AS int) AS age
        FROM pgqueuer WHERE {TO_BE_DONE}
        """,
    )
    return [
        f"job {row.entrypoint} {row.id} is {row.status} after {row.attempts} tries, {row.age} s old" for row in rows
    ]


async def webhooks_are_handled() -> list[str]:
    """Every stored delivery came to an end."""
    rows = await db.many(
        db.Row, "SELECT event_id, type, state, error FROM webhook_events WHERE state NOT IN ('handled', 'ignored')"
    )
    return [f"the delivery {row.type} {row.event_id} is {row.state}: {row.error}" for row in rows]


def no_half_written_file(data: Path) -> list[str]:
    """Nothing that was begun and not finished lies in the data folder, and no file is empty."""
    found = [path for path in _files(data) if path.suffix in (".part", ".tmp", ".new") or path.stat().st_size == 0]
    return [f"half written: {path.relative_to(data)}" for path in found]


def _files(data: Path) -> Iterable[Path]:
    kept_elsewhere = ("stripe", "cache")  # SQLite's own files; compiled templates, which may be made again
    return (
        path for path in data.rglob("*") if path.is_file() and path.relative_to(data).parts[0] not in kept_elsewhere
    )
