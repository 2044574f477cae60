"""What the dashboard and the search read, one round trip each; all of it belongs to other domains."""

from collections.abc import Sequence
from datetime import date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from app.admin.models import Day, Totals, Waiting
from app.core import clock, db
from app.core.i18n import lazy
from app.core.numbers import whole_number
from app.web.tables import Column, Dates, Empty, Listing, Search, begin_words, commonness, is_short, whole_words

_DAYS = "FROM learner_days d WHERE d.on_date BETWEEN :first AND :last"
_FEW_DAYS = 5_000
LEARNERS = Listing(
    name="learners",
    select="""
        coalesce(nullif(l.name, ''), l.email) AS name, l.email, u.public_id, '/admin/people/' || u.public_id AS url,
        l.last_on, l.days
    """,
    source="learners l JOIN users u ON u.id = l.user_id",
    key="l.user_id",
    columns=[
        Column("name", lazy("Name"), sort="lower(l.name)", of_names=True),
        Column("email", lazy("Email"), sort="lower(l.email)", priority="mid", of_names=True),
        Column("days", lazy("Days, all told"), sort="l.days", align="end", descending_first=True),
        Column("last_on", lazy("Last"), sort="l.last_on", descending_first=True),
    ],
    filters=[
        Search("q", lazy("Name or email"), words="l.words", of_names=True),
        Dates(
            "learned",
            lazy("Learned"),
            # Who learned last within these days needs no look at the days before. Of the others: few days of learning are
            # brought together once; where there are many, they are asked of each learner, since a page of them is met soon.
            within="l.last_on >= :first",
            certain="l.last_on <= :last",
            where=f"""
                CASE WHEN (SELECT count(*) < {_FEW_DAYS} FROM (SELECT 1 {_DAYS} LIMIT {_FEW_DAYS}) few)
                     THEN l.user_id IN (SELECT d.user_id {_DAYS} LIMIT {_FEW_DAYS})
                     ELSE (SELECT count(*) > 0 FROM (SELECT 1 {_DAYS} AND d.user_id = l.user_id LIMIT 1) one) END
            """,  # noqa: S608 (constants)
        ),
    ],
    sort="-last_on",
    export_needs="people.export",
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
                  AND NOT EXISTS (SELECT 1 FROM refunds n WHERE n.order_id = r.order_id AND n.id > r.id
                                    AND n.payment_id IS NOT DISTINCT FROM r.payment_id)) AS refunds,
               (SELECT count(*) FROM orders WHERE flag <> '') AS flagged,
               (SELECT count(*) FROM form_deliveries WHERE state = 'held') AS held_deliveries
        """,
        ten_minutes_ago=now - timedelta(minutes=10),
        day_ago=now - timedelta(days=1),
        month_ago=now - timedelta(days=30),
    )
    return found or Waiting()


# Days from the rows themselves; `d` has their `on_date` and the moments `since` and `until`.
_ADDED_UP = """
    SELECT d.on_date, sold.revenue, sold.orders, joined.members, learned.learners
    FROM days d
    CROSS JOIN LATERAL (
        SELECT count(*) AS orders, CAST(coalesce(sum(o.total_minor - o.refunded_minor)
                                                 FILTER (WHERE o.currency = :currency), 0) AS bigint) AS revenue
        FROM orders o WHERE o.paid_at >= d.since AND o.paid_at < d.until) sold
    CROSS JOIN LATERAL (
        SELECT count(*) AS members FROM users u
        WHERE u.created_at >= d.since AND u.created_at < d.until AND u.role = 'member') joined
    CROSS JOIN LATERAL (SELECT count(*) AS learners FROM learner_days l WHERE l.on_date = d.on_date) learned
"""
_EACH = "unnest(CAST(:dates AS date[]), CAST(:sinces AS timestamptz[]), CAST(:untils AS timestamptz[]))"


def _moments(dates: Sequence[date], zone: str) -> dict[str, Any]:
    """The days as binds of `_EACH`: each with the moment it begins and the moment the next one does."""
    where = ZoneInfo(zone)
    nexts = [day + timedelta(days=1) for day in dates]
    starts = {day: clock.day_start(day, where) for day in {*dates, *nexts}}
    return {"dates": list(dates), "sinces": [starts[day] for day in dates], "untils": [starts[day] for day in nexts]}


async def days(written: Sequence[Sequence[Any]], first: date, last: date, zone: str, currency: str) -> list[Day]:
    """The figures of each day of the school from `first` to `last`: those `written` down (Totals has them), and the
    others, most often the last alone, from the rows.
    """
    known = [Day(*row) for row in written]
    asked = {first + timedelta(days=number) for number in range((last - first).days + 1)}
    missing = sorted(asked.difference(day.on_date for day in known))
    return sorted([*known, *await add_up(missing, zone, currency)] if missing else known)


async def add_up(dates: Sequence[date], zone: str, currency: str) -> list[Day]:
    """The figures of these days, from the rows."""
    moments, asked = _moments(dates, zone), _EACH
    if len(dates) == 1:
        # Without a list PostgreSQL knows that it is one day, and keeps the plan: 0.2 ms of 0.25.
        asked = "(VALUES (CAST(:dates AS date), CAST(:sinces AS timestamptz), CAST(:untils AS timestamptz)))"
        moments = {name: values[0] for name, values in moments.items()}
    return await db.many(
        Day,
        f"WITH days AS MATERIALIZED (SELECT * FROM {asked} AS asked (on_date, since, until)) {_ADDED_UP}",  # noqa: S608 (constants)
        currency=currency,
        **moments,
    )


async def hold_days(dates: Sequence[date], zone: str, currency: str, draft: str) -> None:
    """Hold a place for the figures of these days, under the name `draft`; a place that somebody else held is ours."""
    await db.run(
        f"""
        INSERT INTO day_figures (on_date, since, until, revenue, orders, members, learners, time_zone, currency, draft)
        SELECT asked.*, 0, 0, 0, 0, :zone, :currency, :draft FROM {_EACH} AS asked (on_date, since, until)
        ON CONFLICT (time_zone, currency, on_date) DO UPDATE SET draft = excluded.draft WHERE day_figures.draft IS NOT NULL
        """,  # noqa: S608 (a constant)
        zone=zone,
        currency=currency,
        draft=draft,
        **_moments(dates, zone),
    )


async def write_days(added: Sequence[Day], draft: str) -> int:
    """Write figures into the places that are still held for them; how many. A day that changed meanwhile has lost its
    place.
    """
    return await db.run(
        """
        UPDATE day_figures f SET revenue = a.revenue, orders = a.orders, members = a.members, learners = a.learners,
                                 draft = NULL
        FROM unnest(CAST(:dates AS date[]), CAST(:revenues AS bigint[]), CAST(:orders AS int[]), CAST(:members AS int[]),
                    CAST(:learners AS int[])) AS a (on_date, revenue, orders, members, learners)
        WHERE f.draft = :draft AND f.on_date = a.on_date
        """,
        draft=draft,
        dates=[day.on_date for day in added],
        revenues=[day.revenue for day in added],
        orders=[day.orders for day in added],
        members=[day.members for day in added],
        learners=[day.learners for day in added],
    )


async def missing_days(first: date, last: date, zone: str, currency: str) -> list[date]:
    """The days from `first` to `last` that are not written down, the latest first."""
    rows = await db.many(
        db.Row,
        """
        SELECT CAST(moment AS date) AS on_date
        FROM generate_series(CAST(CAST(:first AS date) AS timestamp), CAST(:last AS date), interval '1 day') AS moment
        EXCEPT SELECT on_date FROM day_figures WHERE time_zone = :zone AND currency = :currency AND draft IS NULL
        ORDER BY on_date DESC
        """,
        first=first,
        last=last,
        zone=zone,
        currency=currency,
    )
    return [row.on_date for row in rows]


async def hold_learner_count(first: date, last: date, draft: str) -> bool:
    """Hold a place for how many people learned on these days; False when that is written down."""
    return bool(
        await db.run(
            """
            INSERT INTO learner_counts AS known (first_on, last_on, learners, draft) VALUES (:first, :last, 0, :draft)
            ON CONFLICT (first_on, last_on) DO UPDATE SET draft = excluded.draft WHERE known.draft IS NOT NULL
            """,
            first=first,
            last=last,
            draft=draft,
        )
    )


async def count_learners(first: date, last: date) -> int:
    """How many people learned on these days, from the rows."""
    found: int = await db.value(
        "SELECT count(DISTINCT user_id) FROM learner_days WHERE on_date BETWEEN :first AND :last",
        first=first,
        last=last,
    )
    return found


async def write_learner_count(first: date, last: date, learners: int, draft: str) -> bool:
    """Write the count into its place; False when the place is lost, because one of the days changed meanwhile."""
    return bool(
        await db.run(
            """
            UPDATE learner_counts SET learners = :learners, draft = NULL
            WHERE first_on = :first AND last_on = :last AND draft = :draft
            """,
            first=first,
            last=last,
            learners=learners,
            draft=draft,
        )
    )


async def alone_with_figures() -> bool:
    """Keep changes of figures out until the transaction ends; False when some are under way."""
    # The number is that of migration 0012. Waiting for it would let the changes queue up behind us.
    got: bool = await db.value("SELECT pg_try_advisory_xact_lock(5230115)")
    return got


async def forget_days(before: date | None) -> None:
    """Forget the figures of days older than `before`, or of all."""
    await db.run(
        "DELETE FROM day_figures WHERE CAST(:before AS date) IS NULL OR on_date < CAST(:before AS date)", before=before
    )


async def forget_learner_counts(kept: Sequence[tuple[date, date]]) -> None:
    """Forget the counts of all stretches but these."""
    await db.run(
        """
        DELETE FROM learner_counts WHERE (first_on, last_on) NOT IN (
            SELECT * FROM unnest(CAST(:firsts AS date[]), CAST(:lasts AS date[])))
        """,
        firsts=[first for first, _last in kept],
        lasts=[last for _first, last in kept],
    )


# Each person once. Whoever learned last within the days counts without a look at the days themselves, which for days
# that reach up to today is nearly everybody.
_LEARNERS = """
    coalesce((SELECT c.learners FROM learner_counts c WHERE c.first_on = {first} AND c.last_on = {last}
                AND c.draft IS NULL),
             CASE WHEN {last} >= (SELECT max(last_on) FROM learners)
                  THEN (SELECT count(*) FROM learners WHERE last_on >= {first})
                  ELSE (SELECT count(DISTINCT user_id) FROM learner_days WHERE on_date BETWEEN {first} AND {last})
             END, 0)
"""


async def totals(
    before_first: date,
    first: date,
    last: date,
    start: datetime,
    end: datetime,
    now: datetime,
    zone: str,
    currency: str,
    *,
    learners: int | None = None,
) -> Totals:
    """People who learned (each once; not counted when `learners` says how many), the days that are written down, and how
    far a new school has come.
    """
    found = await db.one(
        Totals,
        f"""
        WITH RECURSIVE paid_in(currency) AS (
            (SELECT currency FROM orders WHERE paid_at IS NOT NULL ORDER BY currency LIMIT 1)
            UNION ALL
            SELECT (SELECT o.currency FROM orders o WHERE o.paid_at IS NOT NULL AND o.currency > paid_in.currency
                    ORDER BY o.currency LIMIT 1)
            FROM paid_in WHERE paid_in.currency IS NOT NULL
        )
        -- Ranges have both ends: a plan for any value takes one with a single end for a third of the table.
        SELECT coalesce(CAST(:learners AS bigint),
                        {_LEARNERS.format(first="CAST(:first AS date)", last="CAST(:last AS date)")}) AS learners,
               {_LEARNERS.format(first="CAST(:before_first AS date)", last="CAST(:first AS date) - 1")} AS learners_before,
               (SELECT coalesce(array_agg(p.currency ORDER BY p.currency), '{{}}') FROM paid_in p
                WHERE p.currency <> :currency AND EXISTS (
                    SELECT 1 FROM orders o
                    WHERE o.currency = p.currency AND o.paid_at >= :start AND o.paid_at < :end)) AS other_currencies,
               (SELECT count(*) FROM users u WHERE u.email_verified_at IS NULL AND EXISTS (
                    SELECT 1 FROM orders o WHERE o.user_id = u.id AND o.paid_at < :day_ago)) AS unconfirmed_buyers,
               (SELECT count(*) FROM mails WHERE created_at BETWEEN :day_ago AND :now AND state = 'sent') AS mails_sent,
               (SELECT received_at FROM webhook_events ORDER BY received_at DESC, id DESC LIMIT 1) AS last_webhook_at,
               EXISTS (SELECT 1 FROM courses) AS has_course,
               EXISTS (SELECT 1 FROM prices WHERE replaced_at IS NULL) AS has_price,
               EXISTS (SELECT 1 FROM courses WHERE state = 'published') AS has_published,
               EXISTS (SELECT 1 FROM orders WHERE paid_at IS NOT NULL) AS has_sale,
               ARRAY(SELECT ROW(on_date, revenue, orders, members, learners) FROM day_figures
                     WHERE time_zone = :zone AND currency = :currency
                       AND on_date BETWEEN CAST(:before_first AS date) AND CAST(:last AS date) AND draft IS NULL) AS written
        """,  # noqa: S608 (a constant)
        learners=learners,
        before_first=before_first,
        first=first,
        last=last,
        start=start,
        end=end,
        now=now,
        day_ago=now - timedelta(days=1),
        zone=zone,
        currency=currency,
    )
    assert found is not None
    return found


async def latest_orders(limit: int) -> list[Any]:
    """The orders placed last, with who and what."""
    # The number stands in the statement, so that one plan serves every visit: to make one takes longer than to run it.
    return await db.many(
        db.Row,
        f"""
        SELECT o.public_id, o.number, o.created_at, o.state, o.total_minor, o.currency,
               coalesce(nullif(u.name, ''), nullif(o.name, ''), o.email) AS who, coalesce(items.titles, '') AS titles
        FROM (SELECT * FROM orders ORDER BY created_at DESC, id DESC LIMIT {int(limit)}) o
        LEFT JOIN users u ON u.id = o.user_id
        LEFT JOIN LATERAL (SELECT string_agg(title, ', ' ORDER BY id) AS titles
                           FROM order_items WHERE order_id = o.id) items ON true
        ORDER BY o.created_at DESC, o.id DESC
        """,  # noqa: S608 (a number)
    )


# So many rows are looked at where what is searched for is in very many.
_NEWEST = 1_000


async def found(text: str, *, orders: bool, people: bool, courses: bool, limit: int) -> list[Any]:
    """Orders, people and courses that `text` may mean, best first; `kind, label, note, ref`.

    The best of the first 200. What one or two letters begin is looked for among the newest only, whole words everywhere;
    orders of a common word elsewhere than among the newest only where these are not enough.
    """
    escaped = text.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
    text = text.removeprefix("#")
    short = is_short(text)
    is_common = False
    if orders and not short:
        is_common = (await commonness.statistics("orders", "words")).share(text) * _NEWEST > limit
    return await db.many(
        db.Row,
        f"""
        (SELECT 'order' AS kind, CAST(o.number AS text) AS label, o.email AS note, o.public_id AS ref
         FROM ({_candidates("orders", "id, number, email, public_id, created_at", ":orders", short=short, common=is_common)}) o
         ORDER BY o.number = :number DESC, o.created_at DESC, o.id DESC LIMIT :limit)
        UNION ALL
        (SELECT 'person', coalesce(nullif(u.name, ''), u.email), u.email, u.public_id
         FROM ({_candidates("users", "id, name, email, public_id, created_at", ":people", short=short)}) u
         ORDER BY lower(u.email) LIKE :begin DESC, lower(u.name) LIKE :begin DESC, lower(u.name), u.id LIMIT :limit)
        UNION ALL
        (SELECT 'course', c.title, c.state, c.public_id
         FROM courses c
         WHERE :courses AND (c.title ILIKE :within OR c.slug ILIKE :within)
         ORDER BY c.state = 'archived', c.title, c.id LIMIT :limit)
        """,  # noqa: S608 (constants)
        orders=orders,
        people=people,
        courses=courses,
        number=-1 if (number := whole_number(text, 15)) is None else number,
        begin=f"{escaped.lower()}%",
        within=f"%{escaped}%",
        words=begin_words(text),
        **({"whole": whole_words(text)} if short else {}),
        limit=limit,
    )


def _candidates(table: str, columns: str, may: str, *, short: bool, common: bool = False) -> str:
    """A SELECT of rows that the words may mean."""
    every = f"SELECT {columns} FROM {table} WHERE {may} AND words @@ CAST(:words AS tsquery) LIMIT 200"  # noqa: S608 (constants)
    newest = f"""
        SELECT {columns} FROM (
            SELECT {columns}, words FROM {table} WHERE {may} ORDER BY created_at DESC, id DESC LIMIT {_NEWEST}) newest
        WHERE words @@ CAST(:words AS tsquery) LIMIT 200
    """  # noqa: S608 (constants)
    if common:
        return f"""
            WITH newest AS MATERIALIZED ({newest})
            SELECT * FROM newest UNION SELECT * FROM ({every}) older WHERE (SELECT count(*) < :limit FROM newest)
        """  # noqa: S608 (constants)
    return f"({every.replace(':words', ':whole')}) UNION ({newest})" if short else every
