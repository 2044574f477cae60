"""What the pages of operations list; the tables belong to the floor."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

from app.core import db
from app.core.i18n import lazy
from app.web.tables import Choice, Column, Dates, Empty, Listing, Search, Select, Toggle

JOBS = Listing(
    name="jobs",
    select="""
        q.entrypoint AS job, CASE WHEN q.status = 'picked' THEN 'running' WHEN q.status = 'failed' THEN 'failed'
             WHEN q.attempts > 0 THEN 'retrying' WHEN q.execute_after > now() THEN 'scheduled' ELSE 'queued' END AS state,
        q.id, q.created, q.updated, q.attempts, q.execute_after,
        (SELECT l.traceback ->> 'exception_type' || ': ' || left(l.traceback ->> 'exception_message', 200)
         FROM pgqueuer_log l WHERE l.job_id = q.id AND l.traceback IS NOT NULL
         ORDER BY l.created DESC LIMIT 1) AS error, '/admin/jobs/' || q.id AS url
    """,
    source="pgqueuer q",
    key="q.id",
    columns=[
        Column("job", lazy("Job"), sort="q.entrypoint"),
        Column("state", lazy("State")),
        Column("error", lazy("Last error"), priority="wide"),
        Column("attempts", lazy("Tries"), sort="q.attempts", align="end", descending_first=True, priority="mid"),
        Column("created", lazy("Since"), sort="q.created", descending_first=True),
    ],
    filters=[
        Search("q", lazy("Name of a job"), ["q.entrypoint"]),
        Select(
            "state",
            lazy("Any state"),
            choices=[
                Choice("failed", lazy("Failed"), "q.status = 'failed'"),
                Choice("queued", lazy("Waiting"), "q.status = 'queued'"),
                Choice("running", lazy("Running"), "q.status = 'picked'"),
            ],
        ),
    ],
    sort="-created",
    empty=Empty(
        lazy("Nothing waits"),
        lazy(
            "Work that takes longer than a page, such as mail, waits here until a worker takes it. Done jobs are in the log."
        ),
    ),
)

JOB_LOG = Listing(
    name="job-log",
    select="""
        l.entrypoint AS job, CASE CAST(l.status AS text) WHEN 'successful' THEN 'done' WHEN 'exception' THEN 'failed'
             WHEN 'canceled' THEN 'cancelled' WHEN 'deleted' THEN 'cancelled'
             ELSE CAST(l.status AS text) END AS state,
        l.traceback ->> 'exception_type' || ': ' || left(l.traceback ->> 'exception_message', 200) AS error,
        l.created, '/admin/jobs/' || l.job_id AS url
    """,
    source="pgqueuer_log l",
    key="l.id",
    where="l.status NOT IN ('queued', 'picked')",
    columns=[
        Column("job", lazy("Job")),
        Column("state", lazy("End")),
        Column("error", lazy("Error"), priority="mid"),
        Column("created", lazy("When"), sort="l.created", descending_first=True),
    ],
    filters=[
        Select("job", lazy("Any job"), "l.entrypoint"),
        Select(
            "state",
            lazy("Any end"),
            choices=[
                Choice("done", lazy("Done"), "l.status = 'successful'"),
                Choice("failed", lazy("Failed"), "l.status IN ('failed', 'exception')"),
            ],
        ),
        Dates("when", lazy("When"), "l.created"),
    ],
    sort="-created",
    empty=Empty(lazy("Nothing was done yet"), lazy("Done jobs stay here for 7 days, failed ones for 30.")),
)

MAILS = Listing(
    name="mails",
    select="""
        m.recipient, m.template, coalesce(m.subject, '') AS subject, m.state, m.attempts, m.error, m.created_at AS created,
        m.sent_at AS sent, m.public_id
    """,
    source="mails m",
    key="m.id",
    columns=[
        Column("recipient", lazy("To"), sort="lower(m.recipient)", of_names=True),
        Column("subject", lazy("Subject"), priority="mid"),
        Column("state", lazy("State")),
        Column("attempts", lazy("Tries"), align="end", priority="wide"),
        Column("created", lazy("Written"), sort="m.created_at", descending_first=True),
        Column("sent", lazy("Sent"), priority="wide"),
    ],
    filters=[
        Search("q", lazy("Address or subject"), words="m.words", of_names=True),
        Select(
            "state",
            lazy("Any state"),
            "m.state",
            [
                Choice("failed", lazy("Failed"), "m.state = 'failed'", rare=True),
                Choice("waiting", lazy("Waiting"), "m.state IN ('queued', 'sending')", rare=True),
                Choice("sent", lazy("Sent")),
            ],
        ),
        Select("template", lazy("Any mail"), "m.template"),
        Dates("created", lazy("Written"), "m.created_at"),
    ],
    sort="-created",
    empty=Empty(
        lazy("No mail yet"),
        lazy("Every mail that the school writes is listed here. How they look is under Templates."),
        "/admin/mails/templates",
        lazy("See the templates"),
    ),
    # It has the address of everybody.
    export_needs="people.export",
    export=[
        (lazy("To"), "recipient"),
        (lazy("Template"), "template"),
        (lazy("Subject"), "subject"),
        (lazy("State"), "state"),
        (lazy("Tries"), "attempts"),
        (lazy("Written"), "created"),
        (lazy("Sent"), "sent"),
        (lazy("Error"), "error"),
    ],
)

WEBHOOKS = Listing(
    name="webhooks",
    select="""
        w.type, w.provider, w.event_id, w.state, w.error, w.attempts, w.received_at AS received,
        w.handled_at AS handled, '/admin/webhooks/' || w.provider || '/' || w.event_id AS url
    """,
    source="webhook_events w",
    key="w.id",
    columns=[
        Column("type", lazy("What")),
        Column("state", lazy("State")),
        Column("error", lazy("Note"), priority="mid"),
        Column("event_id", lazy("Event"), priority="wide"),
        Column("attempts", lazy("Tries"), align="end", priority="wide"),
        Column("received", lazy("Received"), sort="w.received_at", descending_first=True),
    ],
    filters=[
        Search("q", lazy("Kind or id of an event"), words="w.words"),
        Select(
            "state",
            lazy("Any state"),
            "w.state",
            [
                Choice("failed", lazy("Failed")),
                Choice("received", lazy("Received, not handled yet")),
                Choice("handled", lazy("Handled")),
                Choice("ignored", lazy("Ignored")),
            ],
        ),
        Dates("received", lazy("Received"), "w.received_at"),
    ],
    sort="-received",
    empty=Empty(
        lazy("Nothing was delivered yet"),
        lazy("What Stripe tells the school arrives at /webhooks/stripe and is kept here, to be read and replayed."),
    ),
)

_ACT = """
        l.id, l.created_at AS at, l.action, l.subject_type, l.subject_id, l.summary, l.before, l.after, l.address,
        l.user_agent, l.request_id, l.actor_id, coalesce(nullif(u.name, ''), u.email, '') AS actor,
        u.public_id AS actor_public_id, u.email AS actor_email, l.acting_as_id,
        (SELECT coalesce(nullif(a.name, ''), a.email) FROM users a WHERE a.id = l.acting_as_id) AS acting_as,
        (SELECT a.public_id FROM users a WHERE a.id = l.acting_as_id) AS acting_as_public_id
    """
_ACTS = "audit_log l LEFT JOIN users u ON u.id = l.actor_id"

AUDIT = Listing(
    name="audit",
    select=f"{_ACT}, '/admin/audit/' || l.id AS url",
    source=_ACTS,
    key="l.id",
    columns=[
        Column("at", lazy("When"), sort="l.created_at", descending_first=True),
        Column("actor", lazy("Who")),
        Column("action", lazy("What")),
        Column("subject", lazy("On"), priority="mid"),
        Column("changes", lazy("Before and after"), priority="wide"),
    ],
    filters=[
        Search(
            "q",
            lazy("Id or words"),
            words="l.words",
        ),
        # Those that there are come with the request.
        Select("actor", lazy("Anyone")),
        Select("action", lazy("Any act"), "l.action"),
        Select("subject", lazy("Any kind of thing"), "l.subject_type"),
        Search("address", lazy("Address"), words="search_words(coalesce(l.address, ''))"),
        Dates("at", lazy("When"), "l.created_at"),
        Toggle("as", lazy("While acting as another"), "l.acting_as_id IS NOT NULL"),
    ],
    sort="-at",
    empty=Empty(
        lazy("Nothing was changed yet"),
        lazy("Every change in the back office is kept here, and cannot be undone here."),
    ),
    export_needs="audit.export",
    export=[
        (lazy("When"), "at"),
        (lazy("Who"), "actor"),
        (lazy("Email"), "actor_email"),
        (lazy("Acting as"), "acting_as"),
        (lazy("What"), "action"),
        (lazy("On"), "subject_type"),
        (lazy("Id"), "subject_id"),
        (lazy("Summary"), "summary"),
        (lazy("Before"), lambda row: _compact(row.before)),
        (lazy("After"), lambda row: _compact(row.after)),
        (lazy("Address"), "address"),
        (lazy("Browser"), "user_agent"),
        (lazy("Request"), "request_id"),
    ],
)

HISTORY = Listing(
    name="history",
    select=_ACT,
    source=_ACTS,
    key="l.id",
    columns=[Column("at", lazy("When"), sort="l.created_at", descending_first=True)],
    where="l.subject_type = ANY(CAST(:kinds AS text[])) AND l.subject_id = :subject_id",
    sort="-at",
    page_size=10,
)


async def act(act_id: int) -> Any | None:
    """One row of the audit log."""
    return await db.one(db.Row, f"SELECT {_ACT} FROM {_ACTS} WHERE l.id = :id", id=act_id)  # noqa: S608


def _compact(value: Any) -> str:
    return "; ".join(f"{name}: {item}" for name, item in value.items()) if value else ""


def actor_choices(people: Iterable[Sequence[Any]]) -> list[Choice]:
    """The filter's options: acts of each of these (public id, id, name). The id stands in the statement, so that the planner
    knows how many there are.
    """
    return [Choice(public_id, name, f"l.actor_id = {int(user_id)}") for public_id, user_id, name in people]


async def audit_terms(person_id: str) -> Any:
    """The acts, kinds of things and people that the audit log can be filtered by, in one round trip: those of the team,
    and whoever was asked for.
    """
    return await db.one(
        db.Row,
        """
        WITH RECURSIVE acts(action) AS (
            (SELECT action FROM audit_log ORDER BY action LIMIT 1)
            UNION ALL
            SELECT (SELECT l.action FROM audit_log l WHERE l.action > acts.action ORDER BY l.action LIMIT 1)
            FROM acts WHERE acts.action IS NOT NULL
        ), kinds(kind) AS (
            (SELECT subject_type FROM audit_log ORDER BY subject_type LIMIT 1)
            UNION ALL
            SELECT (SELECT l.subject_type FROM audit_log l WHERE l.subject_type > kinds.kind
                    ORDER BY l.subject_type LIMIT 1)
            FROM kinds WHERE kinds.kind IS NOT NULL
        )
        SELECT (SELECT array_agg(action) FROM acts WHERE action IS NOT NULL) AS actions,
               (SELECT array_agg(kind) FROM kinds WHERE kind IS NOT NULL) AS kinds,
               (SELECT jsonb_agg(jsonb_build_array(public_id, id, coalesce(nullif(name, ''), email))
                                 ORDER BY role = 'member', lower(name), id)
                FROM users WHERE role <> 'member' OR public_id = :person) AS people
        """,
        person=person_id,
    )


async def job(job_id: int) -> Any | None:
    """A job of the queue, or what its log still knows of one that has left it."""
    return await db.one(
        db.Row,
        """
        SELECT q.id, q.entrypoint, CAST(q.status AS text) AS status, q.created, q.execute_after, q.attempts,
               convert_from(coalesce(q.payload, '{}'), 'UTF8') AS arguments
        FROM pgqueuer q WHERE q.id = :id
        UNION ALL
        SELECT * FROM (
            SELECT l.job_id, l.entrypoint, CAST(l.status AS text), l.created, CAST(NULL AS timestamptz), CAST(NULL AS integer),
                   CAST(NULL AS text)
            FROM pgqueuer_log l WHERE l.job_id = :id AND NOT EXISTS (SELECT 1 FROM pgqueuer WHERE id = :id)
            ORDER BY l.created DESC LIMIT 1) gone
        """,
        id=job_id,
    )


async def job_history(job_id: int) -> list[Any]:
    """What happened to a job, newest first."""
    return await db.many(
        db.Row,
        """
        SELECT CAST(status AS text) AS status, created, traceback
        FROM pgqueuer_log WHERE job_id = :id ORDER BY created DESC, id DESC LIMIT 50
        """,
        id=job_id,
    )


async def schedules() -> list[Any]:
    """When the workers last started each scheduled job, and when they will."""
    return await db.many(
        db.Row,
        "SELECT entrypoint, expression, last_run, next_run FROM pgqueuer_schedules ORDER BY entrypoint",
    )


async def webhook(provider: str, event_id: str) -> Any | None:
    """One stored delivery."""
    return await db.one(
        db.Row,
        """
        SELECT id, provider, event_id, type, payload, state, error, attempts, received_at, handled_at
        FROM webhook_events WHERE provider = :provider AND event_id = :event_id
        """,
        provider=provider,
        event_id=event_id,
    )


async def mail_address(public_id: str) -> str | None:
    """Whom a mail is for, or None when there is no such mail."""
    found: str | None = await db.value("SELECT recipient FROM mails WHERE public_id = :id", id=public_id)
    return found


async def failures_since(moment: datetime, *, told: str) -> Any:
    """How many jobs, mails and deliveries are failed, and whether a job failed after `moment`, or after the mail of the fact
    `told` was written.
    """
    return await db.one(
        db.Row,
        """
        SELECT (SELECT count(*) FROM pgqueuer WHERE status = 'failed') AS jobs,
               (SELECT count(*) FROM mails WHERE state = 'failed') AS mails,
               (SELECT count(*) FROM webhook_events WHERE state = 'failed') AS webhooks,
               EXISTS (SELECT 1 FROM pgqueuer WHERE status = 'failed' AND updated > least(
                    :moment, (SELECT created_at FROM mails WHERE fact = :told))) AS is_new
        """,
        moment=moment,
        told=told,
    )
