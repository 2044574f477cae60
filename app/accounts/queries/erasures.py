"""SQL of erasures, and of what they take away."""

from collections.abc import Sequence
from datetime import datetime

from app.accounts.models import Erasure
from app.core import db, personal
from app.core.i18n import lazy
from app.web import tables

_ERASURE = """e.id, e.public_id, e.user_id, e.asked_by, e.state, e.asked_at, e.due_at,
              e.words, e.steps, e.hindrance"""

ERASURES = tables.Listing(
    name="erasures",
    select="""u.name AS person, '/admin/people/' || u.public_id AS url, e.state, e.asked_at AS asked, e.due_at AS due,
              e.hindrance, a.name AS asked_by, e.asked_by = e.user_id AS by_themselves, e.done_at, e.cancelled_at""",
    source="erasures e JOIN users u ON u.id = e.user_id LEFT JOIN users a ON a.id = e.asked_by",
    key="e.id",
    columns=[
        tables.Column("person", lazy("Person")),
        tables.Column("state", lazy("State")),
        tables.Column("asked", lazy("Asked for"), sort="e.asked_at", descending_first=True, priority="mid"),
        tables.Column("due", lazy("Due"), sort="e.due_at", descending_first=True),
    ],
    filters=[
        tables.Select(
            "state",
            lazy("Any state"),
            "e.state",
            [
                tables.Choice("waiting", lazy("Waiting"), "e.state IN ('waiting', 'begun')"),
                tables.Choice("done", lazy("Done")),
                tables.Choice("cancelled", lazy("Taken back")),
            ],
        )
    ],
    sort="-asked",
    empty=tables.Empty(
        lazy("Nobody has asked to be erased"),
        lazy("Whoever does stands here until the time to think it over has passed, and afterwards without a name."),
        "/admin/people",
        lazy("People"),
    ),
    export_needs="people.export",
)


async def insert_erasure(
    user_id: int, public_id: str, *, asked_by: int, now: datetime, due_at: datetime
) -> Erasure | None:
    """None when one waits already."""
    return await db.one(
        Erasure,
        f"""
        INSERT INTO erasures AS e (public_id, user_id, asked_by, asked_at, due_at)
        VALUES (:public_id, :user_id, :asked_by, :now, :due_at)
        ON CONFLICT (user_id) WHERE state IN ('waiting', 'begun') DO NOTHING RETURNING {_ERASURE}
        """,  # noqa: S608
        public_id=public_id,
        user_id=user_id,
        asked_by=asked_by,
        now=now,
        due_at=due_at,
    )


async def open_erasure(user_id: int) -> Erasure | None:
    return await db.one(
        Erasure,
        f"SELECT {_ERASURE} FROM erasures e WHERE e.user_id = :id AND e.state IN ('waiting', 'begun')",  # noqa: S608
        id=user_id,
    )


async def erasure_by_public_id(public_id: str) -> Erasure | None:
    return await db.one(
        Erasure,
        f"SELECT {_ERASURE} FROM erasures e WHERE e.public_id = :id",  # noqa: S608
        id=public_id,
    )


async def person_of(erasure_id: int) -> list[int]:
    """Whom it is about, as one id; none for an erasure that is not there."""
    rows = await db.many(db.Row, "SELECT user_id FROM erasures WHERE id = :id", id=erasure_id)
    return [row.user_id for row in rows]


async def lock_erasure(erasure_id: int) -> Erasure | None:
    return await db.one(
        Erasure,
        f"SELECT {_ERASURE} FROM erasures e WHERE e.id = :id FOR UPDATE",  # noqa: S608
        id=erasure_id,
    )


async def cancel_erasure(erasure_id: int, by: int | None, now: datetime) -> bool:
    """False when it has begun, or is over."""
    return bool(
        await db.run(
            """
            UPDATE erasures SET state = 'cancelled', cancelled_at = :now, cancelled_by = :by
            WHERE id = :id AND state = 'waiting'
            """,
            id=erasure_id,
            by=by,
            now=now,
        )
    )


async def due_erasures(now: datetime, limit: int) -> list[int]:
    """The longest due first; those that were hindered after all others, in any order, so that each has its turn."""
    rows = await db.many(
        db.Row,
        """
        SELECT id FROM erasures WHERE state IN ('waiting', 'begun') AND due_at <= :now
        ORDER BY hindrance <> '', CASE WHEN hindrance = '' THEN due_at END, random() LIMIT :limit
        """,
        now=now,
        limit=limit,
    )
    return [row.id for row in rows]


async def begin_erasure(erasure_id: int, words: list[str]) -> None:
    await db.run(
        "UPDATE erasures SET state = 'begun', words = CAST(:words AS text[]), hindrance = '' WHERE id = :id",
        id=erasure_id,
        words=words,
    )


async def set_hindrance(erasure_id: int, why: str) -> None:
    await db.run("UPDATE erasures SET hindrance = :why WHERE id = :id", id=erasure_id, why=why)


async def note_step(erasure_id: int, step: str) -> None:
    await db.run(
        "UPDATE erasures SET steps = array_append(steps, CAST(:step AS text)) WHERE id = :id", id=erasure_id, step=step
    )


async def finish_erasure(erasure_id: int, now: datetime) -> None:
    await db.run(
        "UPDATE erasures SET state = 'done', done_at = :now, words = '{}' WHERE id = :id", id=erasure_id, now=now
    )


async def done_since(since: datetime) -> list[Erasure]:
    return await db.many(
        Erasure,
        f"SELECT {_ERASURE} FROM erasures e WHERE e.state = 'done' AND e.done_at > :since ORDER BY e.id",  # noqa: S608
        since=since,
    )


async def anonymise(user_id: int, *, email: str, name: str, now: datetime) -> None:
    """The row of a person who is erased; suspended, so that nobody enters by it."""
    await db.run(
        """
        UPDATE users SET email = :email, name = :name, password_hash = NULL, headline = '',
                         biography = '', country = NULL, time_zone = NULL, last_seen_at = NULL, role = 'member',
                         password_change_required_at = NULL, suspension_reason = '',
                         state = CASE state WHEN 'merged' THEN 'merged' ELSE 'suspended' END,
                         email_verified_at = coalesce(email_verified_at, :now), erased_at = :now
        WHERE id = :id
        """,
        id=user_id,
        email=email,
        name=name,
        now=now,
    )


async def former_addresses(user_id: int) -> list[str]:
    """Those that were the person's: an address that nobody had proved was not asked, and may be anybody's."""
    rows = await db.many(
        db.Row,
        """
        SELECT DISTINCT old_email FROM email_changes
        WHERE user_id = :id AND state = 'done' AND old_confirmed_at > created_at
        """,
        id=user_id,
    )
    return [row.old_email for row in rows]


async def shared_names(user_id: int, names: Sequence[str]) -> list[str]:
    """Which of these names other accounts have too, or stand in the name of one, of a role or of a tag."""
    rows = await db.many(
        db.Row,
        """
        SELECT asked.word FROM unnest(CAST(:names AS text[])) asked (word)
        WHERE EXISTS (SELECT FROM users u WHERE u.id <> :id AND u.merged_into_id IS DISTINCT FROM :id
                                            AND strpos(lower(u.name), lower(asked.word)) > 0)
           OR EXISTS (SELECT FROM roles r WHERE strpos(lower(r.name), lower(asked.word)) > 0)
           OR EXISTS (SELECT FROM tags t WHERE strpos(lower(t.name), lower(asked.word)) > 0)
        """,
        id=user_id,
        names=list(names),
    )
    return [row.word for row in rows]


async def delete_proofs(user_id: int) -> None:
    """Everything by which the person could prove who they are, and every place where they did."""
    await db.run(
        """
        WITH a AS (DELETE FROM sessions WHERE user_id = :id), b AS (DELETE FROM one_time_tokens WHERE user_id = :id),
             c AS (DELETE FROM pending_sign_ins WHERE user_id = :id), d AS (DELETE FROM mfa_secrets WHERE user_id = :id),
             e AS (DELETE FROM recovery_codes WHERE user_id = :id), f AS (DELETE FROM passkeys WHERE user_id = :id),
             g AS (DELETE FROM identities WHERE user_id = :id), h AS (DELETE FROM email_changes WHERE user_id = :id),
             k AS (DELETE FROM person_notes WHERE user_id = :id), l AS (DELETE FROM user_tags WHERE user_id = :id),
             i AS (DELETE FROM sign_in_links WHERE user_id = :id), j AS (DELETE FROM access_tokens WHERE user_id = :id)
        DELETE FROM consents WHERE user_id = :id
        """,
        id=user_id,
    )


async def forget_looks(user_id: int) -> None:
    """Why somebody looked as the person, and which pages; that they did stays."""
    await db.run("UPDATE impersonations SET reason = '[erased]' WHERE subject_id = :id", id=user_id)
    await db.run(
        """
        DELETE FROM impersonation_visits
        WHERE impersonation_id IN (SELECT id FROM impersonations WHERE subject_id = :id)
        """,
        id=user_id,
    )


async def notes_with(words: list[str]) -> list[db.Row]:
    """Notes (`id, body`) about others that name somebody."""
    return await db.many(
        db.Row,
        "SELECT id, body FROM person_notes WHERE audit_holds(body, CAST(:words AS text[])) ORDER BY id",
        words=words,
    )


async def rewrite_note(note_id: int, body: str) -> None:
    await db.run("UPDATE person_notes SET body = :body WHERE id = :id", id=note_id, body=body)


async def forget_words(words: list[str]) -> None:
    """Reasons and addresses of looks at others, and reasons of suspensions, that name the person."""
    await db.run(
        "UPDATE users SET suspension_reason = '' WHERE audit_holds(suspension_reason, CAST(:words AS text[]))",
        words=words,
    )
    await db.run(
        "UPDATE impersonations SET reason = '[erased]' WHERE audit_holds(reason, CAST(:words AS text[]))", words=words
    )
    await db.run(
        "UPDATE impersonation_visits SET query = '' WHERE audit_holds(query, CAST(:words AS text[]))",
        words=personal.in_addresses(words),
    )
