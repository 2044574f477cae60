"""SQL of impersonations and their visits, one statement a function."""

from datetime import datetime

from app.accounts.models import Impersonation, Look, Visit
from app.core import db
from app.core.i18n import lazy
from app.web import tables

LISTING = tables.Listing(
    name="impersonations",
    select="""a.name AS actor, a.public_id AS actor_public_id, s.name AS subject, s.public_id AS subject_public_id,
              i.reason, i.started_at AS started, i.ends_at, i.ended_at, i.visits,
              '/admin/impersonations/' || i.public_id AS url""",
    source="impersonations i LEFT JOIN users a ON a.id = i.actor_id LEFT JOIN users s ON s.id = i.subject_id",
    key="i.id",
    columns=[
        tables.Column("started", lazy("Began"), sort="i.started_at", descending_first=True),
        tables.Column("actor", lazy("Who looked")),
        tables.Column("subject", lazy("As whom")),
        tables.Column("reason", lazy("Why"), priority="mid"),
        tables.Column("visits", lazy("Pages"), sort="i.visits", descending_first=True, priority="mid"),
    ],
    filters=[tables.Dates("started", lazy("Began"), "i.started_at")],
    sort="-started",
    empty=tables.Empty(
        lazy("Nobody has looked as another person"),
        lazy("Whoever does stands here, with the reason and every page that was opened."),
        "/admin/people",
        lazy("People"),
    ),
    export_needs="audit.export",
)


async def insert(
    *,
    public_id: str,
    session_id: int,
    actor_id: int,
    subject_id: int,
    reason: str,
    now: datetime,
    ends_at: datetime,
) -> bool:
    """False when this session has ended, or acts as somebody already."""
    return bool(
        await db.run(
            """
            INSERT INTO impersonations (public_id, session_id, actor_id, subject_id, reason, started_at, ends_at)
            SELECT :public_id, s.id, :actor_id, :subject_id, :reason, :now, CAST(:ends_at AS timestamptz)
            FROM sessions s WHERE s.id = :session_id AND s.user_id = :actor_id FOR KEY SHARE
            ON CONFLICT (session_id) WHERE session_id IS NOT NULL DO NOTHING
            """,
            public_id=public_id,
            session_id=session_id,
            actor_id=actor_id,
            subject_id=subject_id,
            reason=reason,
            now=now,
            ends_at=ends_at,
        )
    )


_PERSON = """
    i.public_id, i.ends_at, i.ended_at, u.id AS subject_id, u.public_id AS subject_public_id, u.email, u.name,
    u.role, u.state, u.email_verified_at, u.time_zone, r.capabilities AS granted
"""
_JOINED = "LEFT JOIN users u ON u.id = i.subject_id LEFT JOIN roles r ON r.key = u.role"


async def find(impersonation_id: int) -> Impersonation | None:
    return await db.one(
        Impersonation,
        f"SELECT {_PERSON} FROM impersonations i {_JOINED} WHERE i.id = :id AND i.session_id IS NOT NULL",  # noqa: S608
        id=impersonation_id,
    )


async def visit(impersonation_id: int, *, method: str, path: str, query: str, now: datetime) -> Impersonation | None:
    """Note one address, and say as whom it is asked for; one statement."""
    return await db.one(
        Impersonation,
        f"""
        WITH counted AS (
            UPDATE impersonations SET visits = visits + 1 WHERE id = :id AND session_id IS NOT NULL
            RETURNING id, public_id, subject_id, ends_at, ended_at
        ), noted AS (
            INSERT INTO impersonation_visits (impersonation_id, method, path, query, created_at)
            SELECT id, :method, :path, :query, :now FROM counted
        )
        SELECT {_PERSON} FROM counted i {_JOINED}
        """,  # noqa: S608 (constants)
        id=impersonation_id,
        method=method,
        path=path,
        query=query,
        now=now,
    )


async def leave(impersonation_id: int, now: datetime) -> str | None:
    """Let the session go; the public id of the person who was looked at, None when it was left before."""
    found: str | None = await db.value(
        """
        WITH left_now AS (
            UPDATE impersonations SET session_id = NULL, ended_at = coalesce(ended_at, least(ends_at, :now))
            WHERE id = :id AND session_id IS NOT NULL RETURNING subject_id
        )
        SELECT coalesce(u.public_id, '') FROM left_now l LEFT JOIN users u ON u.id = l.subject_id
        """,
        id=impersonation_id,
        now=now,
    )
    return found


async def by_public_id(public_id: str) -> Look | None:
    return await db.one(
        Look,
        """
        SELECT i.id, i.public_id, a.name AS actor, a.public_id AS actor_public_id, s.name AS subject,
               s.public_id AS subject_public_id, i.reason, i.started_at, i.ends_at, i.ended_at, i.visits
        FROM impersonations i LEFT JOIN users a ON a.id = i.actor_id LEFT JOIN users s ON s.id = i.subject_id
        WHERE i.public_id = :public_id
        """,
        public_id=public_id,
    )


async def of_subject(user_id: int, limit: int) -> list[Look]:
    return await db.many(
        Look,
        """
        SELECT i.id, i.public_id, a.name AS actor, a.public_id AS actor_public_id, NULL AS subject,
               NULL AS subject_public_id, i.reason, i.started_at, i.ends_at, i.ended_at, i.visits
        FROM impersonations i LEFT JOIN users a ON a.id = i.actor_id
        WHERE i.subject_id = :user_id ORDER BY i.started_at DESC, i.id DESC LIMIT :limit
        """,
        user_id=user_id,
        limit=limit,
    )


async def visits_of(impersonation_id: int, *, before: int | None, limit: int) -> list[Visit]:
    return await db.many(
        Visit,
        """
        SELECT id, method, path, query, created_at FROM impersonation_visits
        WHERE impersonation_id = :id AND (CAST(:before AS bigint) IS NULL OR id < :before)
        ORDER BY id DESC LIMIT :limit
        """,
        id=impersonation_id,
        before=before,
        limit=limit,
    )


async def delete_old_visits(before: datetime) -> int:
    return await db.run_in_batches(
        """
        DELETE FROM impersonation_visits WHERE id IN (
            SELECT id FROM impersonation_visits WHERE created_at < :before LIMIT :batch)
        """,
        before=before,
    )
