"""Writing the demo school's year with COPY: members, orders, access, learning, part after part."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from functools import cache

from app.core import db, settings
from app.core.ids import public_id
from app.core.money import included_tax
from app.demo.history import DemoHistory, Enrolment, Order
from app.demo.keys import TAX_PERCENT, Keys, Sold
from app.demo.school import DemoSchool


async def write(part: DemoHistory, keys: Keys, school: DemoSchool) -> None:
    """One part of the year, table after table; identities are taken from their sequences in one go."""
    keys.members.extend(await _reserve("users", len(part.members)))
    seen = _last_seen(part.enrolments)
    await db.copy(
        "users",
        ["id", "public_id", "email", "name", "role", "email_verified_at", "country", "created_at", "last_seen_at"],
        [
            (
                keys.member(m.number),
                public_id(),
                m.email,
                m.name,
                "member",
                m.joined_at,
                m.country,
                m.joined_at,
                seen.get(m.number),
            )
            for m in part.members
        ],
    )
    sold = await _write_orders(part, keys, school)
    await _write_access(part.enrolments, keys, sold)
    await _write_learning(part.enrolments, keys)


async def _reserve(table: str, count: int) -> list[int]:
    """The next `count` identities of a table."""
    sequence = await db.value("SELECT pg_get_serial_sequence(:table, 'id')", table=table)
    return await _next(sequence, count)


async def _next(sequence: str, count: int) -> list[int]:
    # An array, since a million small rows cost far more than the numbers in them.
    found: list[int] = await db.value(
        "SELECT array(SELECT nextval(CAST(:sequence AS regclass)) FROM generate_series(1, CAST(:count AS integer)))",
        sequence=sequence,
        count=count,
    )
    return found


def _last_seen(enrolments: Iterable[Enrolment]) -> dict[int, datetime]:
    found: dict[int, datetime] = {}
    for enrolment in enrolments:
        at = enrolment.progress.last_seen_at
        if at is not None:
            found[enrolment.member] = max(at, found.get(enrolment.member, at))
    return found


async def _write_orders(part: DemoHistory, keys: Keys, school: DemoSchool) -> Sold:
    sold = Sold()
    people = {member.number: member for member in part.members}
    missing = list({order.member for order in part.orders if order.member not in people})
    buyers = {m: (people[m].email, people[m].name) for m in people}
    if missing:
        rows = await db.many(
            db.Row,
            "SELECT id, email, name FROM users WHERE id = ANY(:ids)",
            ids=[keys.member(number) for number in missing],
        )
        by_id = {row.id: (row.email, row.name) for row in rows}
        buyers.update({number: by_id[keys.member(number)] for number in missing})
    titles = {course.slug: course.title for course in school.courses}
    order_ids = await _reserve("orders", len(part.orders))
    numbers = await _next("order_numbers", len(part.orders))
    item_ids = iter(await _reserve("order_items", sum(len(order.lines) for order in part.orders)))
    orders, items, events = [], [], []
    for order, order_id, number in zip(part.orders, order_ids, numbers, strict=True):
        order_public_id = public_id()
        sold.orders[order.number] = (order_id, order_public_id, number)
        taxes = [_tax(line.price) for line in order.lines]
        orders.append(_order_row(order, order_id, order_public_id, number, keys, buyers[order.member], sum(taxes)))
        for line, tax in zip(order.lines, taxes, strict=True):
            item_id = next(item_ids)
            sold.items[order.number, line.course] = item_id
            items.append((item_id, order_id, keys.products[line.course], titles[line.course], line.price, tax))
        events += _order_events(order, order_id)
    await db.copy("orders", _ORDER_COLUMNS, orders)
    await db.copy("order_items", ["id", "order_id", "product_id", "title", "amount_minor", "tax_minor"], items)
    await db.copy("order_events", ["order_id", "kind", "detail", "created_at"], events)
    await db.copy(
        "refunds", _REFUND_COLUMNS, [_refund_row(order, sold) for order in part.orders if order.state == "refunded"]
    )
    return sold


@cache
def _tax(price: int) -> int:
    return included_tax(price, TAX_PERCENT)


_ORDER_COLUMNS = [
    "id", "public_id", "number", "user_id", "email", "name", "state", "currency", "subtotal_minor", "tax_minor",
    "tax_percent", "tax_label", "total_minor", "refunded_minor", "quote_key", "payment_method", "failure",
    "created_at", "paid_at", "closed_at",
]  # fmt: skip
_REFUND_COLUMNS = [
    "public_id", "order_id", "amount_minor", "reason", "state", "stripe_refund_id", "created_at", "finished_at",
]  # fmt: skip


def _order_row(
    order: Order, order_id: int, order_public_id: str, number: int, keys: Keys, buyer: tuple[str, str], tax: int
) -> tuple[object, ...]:
    card = f"{order.card_brand} •••• {order.card_last4}" if order.card_brand else ""
    refunded = order.total if order.state == "refunded" else 0
    return (
        order_id, order_public_id, number, keys.member(order.member), *buyer, order.state, order.currency,
        order.total - tax, tax, TAX_PERCENT, "VAT", order.total, refunded, f"demo:{order_public_id}", card,
        order.failure or "", order.placed_at, order.paid_at, order.closed_at,
    )  # fmt: skip


def _order_events(order: Order, order_id: int) -> list[tuple[object, ...]]:
    found: list[tuple[object, ...]] = [(order_id, "placed", {}, order.placed_at)]
    if order.paid_at is not None:
        found.append((order_id, "paid", {"amount": order.total}, order.paid_at))
    if order.closed_at is not None and order.state in ("refunded", "failed", "expired"):
        found.append((order_id, order.state, {"amount": order.total}, order.closed_at))
    return found


def _refund_row(order: Order, sold: Sold) -> tuple[object, ...]:
    order_id, order_public_id, _number = sold.orders[order.number]
    return (
        public_id(), order_id, order.total, "Asked within 30 days", "succeeded", f"re_demo_{order_public_id}",
        order.closed_at, order.closed_at,
    )  # fmt: skip


async def _write_access(enrolments: list[Enrolment], keys: Keys, sold: Sold) -> None:
    rows = []
    for e in enrolments:
        user_id, product_id = keys.member(e.member), keys.products[e.course]
        if e.order is None:
            source, ref, note = "free", f"free:{user_id}:{product_id}", ""
        else:
            _order_id, order_public_id, number = sold.orders[e.order]
            source, ref, note = "order", f"order:{order_public_id}:{sold.items[e.order, e.course]}", str(number)
        closed = "refunded" if e.ended_at else None
        rows.append(
            (public_id(), user_id, product_id, source, ref, note, e.enrolled_at, e.ended_at, closed, e.enrolled_at)
        )
    await db.copy(
        "entitlements",
        [
            "public_id",
            "user_id",
            "product_id",
            "source",
            "source_ref",
            "note",
            "starts_at",
            "closed_at",
            "closed_reason",
            "created_at",
        ],
        rows,
    )


async def _write_learning(enrolments: list[Enrolment], keys: Keys) -> None:
    enrolled: list[tuple[object, ...]] = []
    progress: list[tuple[object, ...]] = []
    days: set[tuple[object, int]] = set()
    for e in enrolments:
        user_id, course_id, study = keys.member(e.member), keys.courses[e.course], e.progress
        last = study.lesson or (study.completed[-1].lesson if study.completed else None)
        last_id = keys.lessons[e.course, last] if last else None
        enrolled.append(
            (user_id, course_id, e.enrolled_at, study.last_seen_at, last_id, study.finished_at, len(study.completed))
        )
        for done in study.completed:
            lesson_id = keys.lessons[e.course, done.lesson]
            progress.append((user_id, lesson_id, course_id, 0, done.completed_at, done.completed_at, done.completed_at))
            days.add((done.completed_at.date(), user_id))
        if study.lesson is not None and study.last_seen_at is not None:
            lesson_id = keys.lessons[e.course, study.lesson]
            progress.append(
                (user_id, lesson_id, course_id, study.position, study.last_seen_at, study.last_seen_at, None)
            )
            days.add((study.last_seen_at.date(), user_id))
    await db.copy(
        "enrolments",
        [
            "user_id",
            "course_id",
            "enrolled_at",
            "last_activity_at",
            "last_lesson_id",
            "completed_at",
            "completed_count",
        ],
        enrolled,
    )
    await db.copy(
        "lesson_progress",
        ["user_id", "lesson_id", "course_id", "position_seconds", "first_opened_at", "updated_at", "completed_at"],
        progress,
    )
    await _write_days(days)


async def _write_days(days: set[tuple[object, int]]) -> None:
    """Days with activity; a member may have been active on one in an earlier part too."""
    await db.run(
        """
        INSERT INTO learner_days (on_date, user_id)
        SELECT * FROM unnest(CAST(:dates AS date[]), CAST(:ids AS bigint[])) ON CONFLICT DO NOTHING
        """,
        dates=[day for day, _user in days],
        ids=[user for _day, user in days],
    )


async def write_desk() -> None:
    """What the year left on the desk: the receipts that were mailed, and who gave money back, in the audit log.

    The facts are those of the letters themselves, so that none of these is ever mailed again.
    """
    await db.run(
        """
        INSERT INTO mails (public_id, fact, recipient, template, context, state, attempts, subject, vendor_id,
                           created_at, sent_at)
        SELECT substr(md5('mail' || public_id), 1, 12), 'order:' || id || ':confirmation', email,
               'commerce/order_confirmation', '{}', 'sent', 1, 'Your order ' || number || ' at ' || :school,
               'demo-' || public_id, paid_at, paid_at + interval '2 seconds'
        FROM orders WHERE paid_at IS NOT NULL ORDER BY paid_at
        """,
        school=(await settings.school()).name,
    )
    await db.run(
        """
        INSERT INTO audit_log (actor_id, action, subject_type, subject_id, summary, after, created_at)
        SELECT (SELECT id FROM users WHERE role = 'support' ORDER BY id LIMIT 1), 'order.refund', 'order', o.public_id,
               CAST(o.number AS text), jsonb_build_object('amount_minor', r.amount_minor, 'currency', o.currency, 'reason', r.reason),
               r.created_at
        FROM refunds r JOIN orders o ON o.id = r.order_id ORDER BY r.created_at
        """
    )


async def rest_rollups(resting: bool) -> None:
    """Let the triggers that keep sums rest until the transaction's end, or add up what they missed and wake them."""
    if resting:
        # No figure is written down (app.admin.figures) of days that fill up meanwhile.
        await db.value("SELECT pg_advisory_xact_lock(5230115)")
    else:
        for table in ("learners", "day_figures", "learner_counts"):  # of an empty school
            await db.run(f"DELETE FROM {table}")  # noqa: S608 (names of our own)
        await db.run(
            """
            INSERT INTO learners (user_id, last_on, days, words, name, email)
            SELECT d.user_id, d.last_on, d.days, u.words, u.name, u.email FROM users u
            JOIN (SELECT user_id, max(on_date) AS last_on, count(*) AS days FROM learner_days GROUP BY user_id) d
            ON d.user_id = u.id
            """
        )
    verb = "DISABLE" if resting else "ENABLE"
    for table, trigger in (
        ("orders", "orders_day_of_insert"),
        ("users", "users_day_of_insert"),
        ("learner_days", "learner_days_changed"),
        ("learners", "learners_words"),
    ):
        await db.script(f"ALTER TABLE {table} {verb} TRIGGER {trigger}")


async def drop_indexes(tables: Sequence[str]) -> list[str]:
    """Take the indexes that no rule depends on from these tables until `make_indexes`; how to make them again.

    Filling a table and sorting once is several times faster than finding each row's place in each index. The
    transaction holds the tables for itself alone meanwhile, and a run that is killed has changed nothing.
    """
    rows = await db.many(
        db.Row,
        """
        SELECT quote_ident(c.relname) AS name, pg_get_indexdef(i.indexrelid) AS made_by
        FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid
        WHERE i.indrelid = ANY(CAST(CAST(:tables AS text[]) AS regclass[])) AND NOT i.indisunique
        """,
        tables=list(tables),
    )
    for row in rows:
        await db.script(f"DROP INDEX {row.name}")
    return [row.made_by for row in rows]


async def make_indexes(made_by: Sequence[str]) -> None:
    """Make the indexes that were dropped."""
    await db.script("SET LOCAL maintenance_work_mem = '256MB'")
    for definition in made_by:
        await db.script(definition)
