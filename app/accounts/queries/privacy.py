"""SQL of exports, erasures and consents, one statement a function."""

from datetime import datetime

from app.accounts.models import Consent, Erasure, PersonalExport
from app.core import db, personal
from app.core.i18n import lazy
from app.web import tables

_EXPORT = "id, public_id, user_id, state, storage_key, size_bytes, created_at, expires_at"
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


# Exports


async def insert_export(user_id: int, public_id: str, now: datetime, *, but_since: datetime) -> int | None:
    """None when one was asked for since then. The caller holds the person's row."""
    found: int | None = await db.value(
        """
        INSERT INTO personal_exports (public_id, user_id, created_at)
        SELECT :public_id, :user_id, :now
        WHERE NOT EXISTS (SELECT 1 FROM personal_exports WHERE user_id = :user_id AND created_at > :but_since)
        RETURNING id
        """,
        public_id=public_id,
        user_id=user_id,
        now=now,
        but_since=but_since,
    )
    return found


async def export_by_id(export_id: int) -> PersonalExport | None:
    return await db.one(
        PersonalExport,
        f"SELECT {_EXPORT} FROM personal_exports WHERE id = :id",  # noqa: S608
        id=export_id,
    )


async def export_of(user_id: int, public_id: str, now: datetime) -> PersonalExport | None:
    """Only the person's own, ready and not too old."""
    return await db.one(
        PersonalExport,
        f"""
        SELECT {_EXPORT} FROM personal_exports
        WHERE user_id = :user_id AND public_id = :public_id AND state = 'ready' AND expires_at > :now
        """,  # noqa: S608
        user_id=user_id,
        public_id=public_id,
        now=now,
    )


async def last_export(user_id: int) -> PersonalExport | None:
    return await db.one(
        PersonalExport,
        f"SELECT {_EXPORT} FROM personal_exports WHERE user_id = :user_id ORDER BY created_at DESC, id DESC LIMIT 1",  # noqa: S608
        user_id=user_id,
    )


async def reserve_key(export_id: int, key: str) -> str | None:
    """The key that an earlier run reserved, or ""; None when the export is ready, or gone."""
    found: str | None = await db.value(
        """
        UPDATE personal_exports e SET storage_key = :key
        FROM (SELECT id, storage_key FROM personal_exports WHERE id = :id AND state = 'asked' FOR UPDATE) before
        WHERE e.id = before.id RETURNING coalesce(before.storage_key, '')
        """,
        id=export_id,
        key=key,
    )
    return found


async def mark_ready(export_id: int, *, key: str, size: int, now: datetime, expires_at: datetime) -> bool:
    """False when another run reserved another key since, or the export is gone."""
    return bool(
        await db.run(
            """
            UPDATE personal_exports SET state = 'ready', size_bytes = :size, ready_at = :now, expires_at = :expires_at
            WHERE id = :id AND state = 'asked' AND storage_key = :key
            """,
            id=export_id,
            key=key,
            size=size,
            now=now,
            expires_at=expires_at,
        )
    )


async def old_exports(now: datetime, asked_before: datetime) -> list[PersonalExport]:
    return await db.many(
        PersonalExport,
        f"""
        SELECT {_EXPORT} FROM personal_exports
        WHERE expires_at <= :now OR (state = 'asked' AND created_at < :asked_before) ORDER BY id LIMIT 500
        """,  # noqa: S608
        now=now,
        asked_before=asked_before,
    )


async def exports_of(user_id: int) -> list[PersonalExport]:
    return await db.many(
        PersonalExport,
        f"SELECT {_EXPORT} FROM personal_exports WHERE user_id = :user_id",  # noqa: S608
        user_id=user_id,
    )


async def delete_export(export_id: int) -> None:
    await db.run("DELETE FROM personal_exports WHERE id = :id", id=export_id)


async def is_kept(storage_key: str) -> bool:
    found: bool = await db.value(
        "SELECT EXISTS (SELECT 1 FROM personal_exports WHERE storage_key = :key)", key=storage_key
    )
    return found


# Erasures


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
    rows = await db.many(
        db.Row,
        """
        SELECT id FROM erasures WHERE state IN ('waiting', 'begun') AND due_at <= :now ORDER BY due_at, id LIMIT :limit
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
    rows = await db.many(
        db.Row, "SELECT DISTINCT old_email FROM email_changes WHERE user_id = :id AND state = 'done'", id=user_id
    )
    return [row.old_email for row in rows]


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


# Consents


async def insert_consent(
    *,
    user_id: int | None,
    kind: str,
    wording: int,
    is_given: bool,
    origin: str,
    address: str | None,
    now: datetime,
) -> None:
    await db.run(
        """
        INSERT INTO consents (user_id, kind, wording, is_given, origin, address, created_at)
        VALUES (:user_id, :kind, :wording, :is_given, :origin, :address, :now)
        """,
        user_id=user_id,
        kind=kind,
        wording=wording,
        is_given=is_given,
        origin=origin,
        address=address,
        now=now,
    )


async def adopt_consents(origin: str, user_id: int) -> int:
    """What a guest agreed to belongs to the account that the order made."""
    return await db.run(
        "UPDATE consents SET user_id = :user_id WHERE origin = :origin AND user_id IS NULL",
        origin=origin,
        user_id=user_id,
    )


async def move_consents(gone_id: int, kept_id: int) -> int:
    return await db.run("UPDATE consents SET user_id = :kept WHERE user_id = :gone", gone=gone_id, kept=kept_id)


async def has_consent_of(origin: str, kind: str) -> bool:
    found: bool = await db.value(
        "SELECT EXISTS (SELECT 1 FROM consents WHERE origin = :origin AND kind = :kind)", origin=origin, kind=kind
    )
    return found


async def lock_person(user_id: int) -> None:
    """Whoever changes what this person agreed to, or asks for them, waits for each other."""
    await db.run("SELECT 1 FROM users WHERE id = :id FOR UPDATE", id=user_id)


async def consents_of(user_id: int, limit: int = 200) -> list[Consent]:
    return await db.many(
        Consent,
        """
        SELECT kind, wording, is_given, origin, address, created_at FROM consents
        WHERE user_id = :user_id ORDER BY id DESC LIMIT :limit
        """,
        user_id=user_id,
        limit=limit,
    )


async def delete_stray_consents(before: datetime) -> int:
    """Those of guests whose order came to nothing."""
    return await db.run_in_batches(
        """
        DELETE FROM consents WHERE id IN (
            SELECT id FROM consents WHERE user_id IS NULL AND created_at < :before LIMIT :batch)
        """,
        before=before,
    )
