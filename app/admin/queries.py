"""What the dashboard and the search read, one round trip each; all of it belongs to other domains."""

from datetime import date, datetime, timedelta
from typing import Any

from app.admin.models import Day, Totals, Waiting
from app.core import db
from app.core.i18n import lazy
from app.web.tables import Column, Dates, Empty, Listing, Search

LEARNERS = Listing(
    name="learners",
    select="""
        coalesce(nullif(u.name, ''), u.email) AS name, u.email, u.public_id, '/admin/people/' || u.public_id AS url,
        l.last_on, l.days
    """,
    source="""
        users u JOIN LATERAL (SELECT max(on_date) AS last_on, count(*) AS days
                              FROM learner_days d WHERE d.user_id = u.id) l ON l.days > 0
    """,
    key="u.id",
    columns=[
        Column("name", lazy("Name"), sort="lower(u.name)"),
        Column("email", lazy("Email"), sort="lower(u.email)", priority="mid"),
        Column("days", lazy("Days, all told"), sort="l.days", align="end", descending_first=True),
        Column("last_on", lazy("Last"), sort="l.last_on", descending_first=True),
    ],
    filters=[
        Search("q", lazy("Name or email"), ["u.name", "u.email"]),
        Dates(
            "learned",
            lazy("Learned"),
            where="EXISTS (SELECT 1 FROM learner_days d WHERE d.user_id = u.id AND d.on_date BETWEEN :first AND :last)",
        ),
    ],
    sort="-last_on",
    empty=Empty(
        lazy("Nobody has learned yet"), lazy("Whoever opens a lesson stands here, with the days on which they did.")
    ),
)


async def waiting(now: datetime) -> Waiting:
    """Counts over partial indexes: small, since what waits is dealt with."""
    found = await db.one(
        Waiting,
        """
        SELECT (SELECT count(*) FROM pgqueuer WHERE status = 'failed') AS failed_jobs,
               (SELECT count(*) FROM pgqueuer WHERE status = 'queued') AS waiting_jobs,
               (SELECT count(*) FROM mails WHERE state = 'failed') AS failed_mails,
               (SELECT count(*) FROM webhook_events WHERE state = 'failed') AS failed_webhooks,
               (SELECT count(*) FROM webhook_events
                WHERE state = 'received' AND received_at < :ten_minutes_ago) AS stuck_webhooks,
               (SELECT count(*) FROM refunds r
                WHERE (r.state = 'failed' AND r.created_at > :month_ago
                       OR r.state = 'pending' AND r.created_at < :day_ago)
                  AND NOT EXISTS (SELECT 1 FROM refunds n WHERE n.order_id = r.order_id AND n.id > r.id)) AS refunds,
               (SELECT count(*) FROM orders WHERE flag <> '') AS flagged
        """,
        ten_minutes_ago=now - timedelta(minutes=10),
        day_ago=now - timedelta(days=1),
        month_ago=now - timedelta(days=30),
    )
    return found or Waiting()


async def days(first: date, last: date, start: datetime, end: datetime, zone: str, currency: str) -> list[Day]:
    """The figures of each day of the school from `first` to `last`; `start` and `end` are the same as moments."""
    return await db.many(
        Day,
        """
        WITH sold AS (
            SELECT CAST(paid_at AT TIME ZONE :zone AS date) AS on_date, count(*) AS orders,
                   sum(total_minor - refunded_minor) FILTER (WHERE currency = :currency) AS revenue
            FROM orders WHERE paid_at >= :start AND paid_at < :end GROUP BY 1
        ), joined AS (
            SELECT CAST(created_at AT TIME ZONE :zone AS date) AS on_date, count(*) AS members
            FROM users WHERE created_at >= :start AND created_at < :end AND role = 'member' GROUP BY 1
        ), learned AS (
            SELECT on_date, count(*) AS learners
            FROM learner_days WHERE on_date BETWEEN :first AND :last GROUP BY 1
        )
        SELECT day.on_date, CAST(coalesce(sold.revenue, 0) AS bigint) AS revenue, coalesce(sold.orders, 0) AS orders,
               coalesce(joined.members, 0) AS members, coalesce(learned.learners, 0) AS learners
        FROM (SELECT CAST(moment AS date) AS on_date
              FROM generate_series(CAST(:first AS timestamp), CAST(:last AS timestamp), interval '1 day') AS moment) day
        LEFT JOIN sold USING (on_date) LEFT JOIN joined USING (on_date) LEFT JOIN learned USING (on_date)
        ORDER BY day.on_date
        """,
        first=first,
        last=last,
        start=start,
        end=end,
        zone=zone,
        currency=currency,
    )


async def totals(
    before_first: date, first: date, last: date, start: datetime, end: datetime, now: datetime, currency: str
) -> Totals:
    """People who learned (each once), and how far a new school has come."""
    found = await db.one(
        Totals,
        """
        SELECT (SELECT count(DISTINCT user_id) FROM learner_days WHERE on_date BETWEEN :first AND :last) AS learners,
               (SELECT count(DISTINCT user_id) FROM learner_days
                WHERE on_date >= :before_first AND on_date < :first) AS learners_before,
               (SELECT coalesce(array_agg(DISTINCT o.currency), '{}') FROM orders o
                WHERE o.paid_at >= :start AND o.paid_at < :end AND o.currency <> :currency) AS other_currencies,
               (SELECT count(*) FROM users u WHERE u.email_verified_at IS NULL AND EXISTS (
                    SELECT 1 FROM orders o WHERE o.user_id = u.id AND o.paid_at < :day_ago)) AS unconfirmed_buyers,
               (SELECT count(*) FROM mails WHERE created_at > :day_ago AND state = 'sent') AS mails_sent,
               (SELECT received_at FROM webhook_events ORDER BY received_at DESC, id DESC LIMIT 1) AS last_webhook_at,
               EXISTS (SELECT 1 FROM courses) AS has_course,
               EXISTS (SELECT 1 FROM prices WHERE replaced_at IS NULL) AS has_price,
               EXISTS (SELECT 1 FROM courses WHERE state = 'published') AS has_published,
               EXISTS (SELECT 1 FROM orders WHERE paid_at IS NOT NULL) AS has_sale
        """,
        before_first=before_first,
        first=first,
        last=last,
        start=start,
        end=end,
        day_ago=now - timedelta(days=1),
        currency=currency,
    )
    assert found is not None
    return found


async def latest_orders(limit: int) -> list[Any]:
    """The orders placed last, with who and what."""
    return await db.many(
        db.Row,
        """
        SELECT o.public_id, o.number, o.created_at, o.state, o.total_minor, o.currency,
               coalesce(nullif(u.name, ''), nullif(o.name, ''), o.email) AS who, coalesce(items.titles, '') AS titles
        FROM (SELECT * FROM orders ORDER BY created_at DESC, id DESC LIMIT :limit) o
        LEFT JOIN users u ON u.id = o.user_id
        LEFT JOIN LATERAL (SELECT string_agg(title, ', ' ORDER BY id) AS titles
                           FROM order_items WHERE order_id = o.id) items ON true
        ORDER BY o.created_at DESC, o.id DESC
        """,
        limit=limit,
    )


async def found(text: str, *, orders: bool, people: bool, courses: bool, limit: int) -> list[Any]:
    """Orders, people and courses that `text` may mean, best first; `kind, label, note, ref`."""
    escaped = text.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
    return await db.many(
        db.Row,
        """
        (SELECT 'order' AS kind, CAST(o.number AS text) AS label, o.email AS note, o.public_id AS ref
         FROM orders o
         WHERE :orders AND (o.number = :number OR lower(o.email) LIKE :begin)
         ORDER BY o.created_at DESC, o.id DESC LIMIT :limit)
        UNION ALL
        (SELECT 'person', coalesce(nullif(u.name, ''), u.email), u.email, u.public_id
         FROM users u
         WHERE :people AND (u.name ILIKE :within OR u.email ILIKE :within)
         ORDER BY lower(u.email) LIKE :begin DESC, lower(u.name) LIKE :begin DESC, lower(u.name), u.id LIMIT :limit)
        UNION ALL
        (SELECT 'course', c.title, c.state, c.public_id
         FROM courses c
         WHERE :courses AND (c.title ILIKE :within OR c.slug ILIKE :within)
         ORDER BY c.state = 'archived', c.title, c.id LIMIT :limit)
        """,
        orders=orders,
        people=people,
        courses=courses,
        number=int(text.removeprefix("#")) if text.removeprefix("#").isdecimal() and len(text) < 16 else -1,
        begin=f"{escaped.lower()}%",
        within=f"%{escaped}%",
        limit=limit,
    )
