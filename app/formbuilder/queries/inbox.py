"""SQL about what the office does with entries, one statement a function."""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from app.core import db


@dataclass(frozen=True, slots=True)
class Standing:
    """An entry under lock: where it stands, and what was answered."""

    state: str
    status: str
    answers: dict[str, Any]
    binned_from: str | None
    counted_at: datetime | None
    emptied_at: datetime | None
    # Whether whoever sent it said so by the link in the mail, wherever it stands by now.
    is_confirmed: bool


@dataclass(frozen=True, slots=True)
class Sheet:
    """An entry with all that its page tells."""

    id: int
    public_id: str
    state: str
    status: str
    answers: dict[str, Any]
    email: str
    is_starred: bool
    is_read: bool
    address: str
    user_agent: str
    began_at: datetime | None
    created_at: datetime
    counted_at: datetime | None
    emptied_at: datetime | None
    confirm_expires_at: datetime | None
    order_id: int | None
    pay_until: datetime | None
    # A key of spam.REASONS, also once it is no spam any more.
    spam_reason: str
    user_name: str | None
    user_public_id: str | None
    newer: str | None
    older: str | None


@dataclass(frozen=True, slots=True)
class Act:
    """A line of an entry's history."""

    kind: str
    body: str
    before: dict[str, Any] | None
    after: dict[str, Any] | None
    created_at: datetime
    by: str | None


async def sheet(form_id: int, public_id: str, seen_at: datetime | None = None) -> Sheet | None:
    """One entry, with its neighbours in the inbox. With a moment, it counts as read from then on."""
    return await db.one(
        Sheet,
        """
        WITH seen AS (UPDATE form_entries SET read_at = CAST(:seen_at AS timestamptz)
                      WHERE form_id = :form_id AND public_id = :id AND read_at IS NULL
                        AND CAST(:seen_at AS timestamptz) IS NOT NULL)
        SELECT e.id, e.public_id, e.state, e.status, e.answers, e.email, e.is_starred, e.read_at IS NOT NULL AS is_read,
               e.address, e.user_agent, e.began_at, e.created_at, e.counted_at, e.emptied_at, e.confirm_expires_at,
               e.order_id, e.pay_until, e.spam_reason, u.name AS user_name, u.public_id AS user_public_id,
               (SELECT n.public_id FROM form_entries n
                WHERE n.form_id = e.form_id AND n.state NOT IN ('spam', 'binned')
                  AND (n.created_at, n.id) > (e.created_at, e.id) ORDER BY n.created_at, n.id LIMIT 1) AS newer,
               (SELECT n.public_id FROM form_entries n
                WHERE n.form_id = e.form_id AND n.state NOT IN ('spam', 'binned')
                  AND (n.created_at, n.id) < (e.created_at, e.id)
                ORDER BY n.created_at DESC, n.id DESC LIMIT 1) AS older
        FROM form_entries e LEFT JOIN users u ON u.id = e.user_id
        WHERE e.form_id = :form_id AND e.public_id = :id
        """,
        form_id=form_id,
        id=public_id,
        seen_at=seen_at,
    )


async def acts(entry_id: int) -> list[Act]:
    """Its notes and history, newest first."""
    return await db.many(
        Act,
        """
        SELECT a.kind, a.body, a.before, a.after, a.created_at, u.name AS by
        FROM form_entry_acts a LEFT JOIN users u ON u.id = a.made_by
        WHERE a.entry_id = :id ORDER BY a.id DESC LIMIT 200
        """,
        id=entry_id,
    )


async def insert_act(
    entry_id: int, kind: str, by: int | None, body: str, before: dict[str, Any] | None, after: dict[str, Any] | None,
    now: datetime,
) -> None:  # fmt: skip
    await db.run(
        """
        INSERT INTO form_entry_acts (entry_id, kind, made_by, body, before, after, created_at)
        VALUES (:id, :kind, :by, :body, CAST(:before AS jsonb), CAST(:after AS jsonb), :now)
        """,
        id=entry_id,
        kind=kind,
        by=by,
        body=body,
        before=before,
        after=after,
        now=now,
    )


async def last_moves(ids: Sequence[int]) -> dict[int, int]:
    """The number of the last move of each of these, by entry; without those that never moved."""
    rows = await db.many(
        db.Row,
        """
        SELECT entry_id, max(id) AS act_id FROM form_entry_acts
        WHERE entry_id = ANY(CAST(:ids AS bigint[])) AND kind = 'state' GROUP BY entry_id
        """,
        ids=list(ids),
    )
    return {row.entry_id: row.act_id for row in rows}


_STANDING = """
SELECT state, status, answers, binned_from, counted_at, emptied_at,
       EXISTS (SELECT 1 FROM form_entry_acts a WHERE a.entry_id = e.id AND a.kind = 'state' AND a.body = 'confirm')
           AS is_confirmed
FROM form_entries e WHERE id = :id
"""


async def standing(entry_id: int) -> Standing | None:
    """Where it stands just now."""
    return await db.one(Standing, _STANDING, id=entry_id)


async def lock_state(entry_id: int) -> Standing | None:
    """Where it stands, kept from others until the transaction ends."""
    return await db.one(Standing, f"{_STANDING} FOR UPDATE", id=entry_id)


async def lock_many(ids: Sequence[int]) -> list[db.Row]:
    """These with their form's version, in one order for everybody."""
    return await db.many(
        db.Row,
        """
        SELECT e.id, e.public_id, e.state, e.status, e.is_starred, e.read_at, e.version_id,
               e.form_id
        FROM form_entries e WHERE e.id = ANY(CAST(:ids AS bigint[])) ORDER BY e.id FOR UPDATE
        """,
        ids=list(ids),
    )


async def move(entry_id: int, before: list[str], state: str, now: datetime) -> bool:
    """Whether it stood where the move begins."""
    return bool(
        await db.run(
            """
            UPDATE form_entries SET state = :state,
                binned_from = CASE WHEN :state = 'binned' THEN state END,
                binned_at = CASE WHEN :state = 'binned' THEN CAST(:now AS timestamptz) END
            WHERE id = :id AND state = ANY(CAST(:before AS text[]))
            """,
            id=entry_id,
            before=before,
            state=state,
            now=now,
        )
    )


async def count_in(entry_id: int, now: datetime, empty_after: datetime | None) -> bool:
    """Whether it counts from now on; False for one that did already."""
    return bool(
        await db.run(
            """
            UPDATE form_entries SET counted_at = :now, empty_after = :empty_after
            WHERE id = :id AND state = 'received' AND counted_at IS NULL
            """,
            id=entry_id,
            now=now,
            empty_after=empty_after,
        )
    )


async def set_link(entry_id: int, confirm_hash: bytes, expires_at: datetime) -> None:
    await db.run(
        "UPDATE form_entries SET confirm_hash = :hash, confirm_expires_at = :expires_at WHERE id = :id",
        id=entry_id,
        hash=confirm_hash,
        expires_at=expires_at,
    )


async def entry_of_link(confirm_hash: bytes) -> db.Row | None:
    return await db.one(
        db.Row,
        "SELECT id, confirm_expires_at AS expires_at FROM form_entries WHERE confirm_hash = :hash",
        hash=confirm_hash,
    )


async def set_star(ids: Sequence[int], is_starred: bool) -> None:
    await db.run(
        "UPDATE form_entries SET is_starred = :on WHERE id = ANY(CAST(:ids AS bigint[]))", on=is_starred, ids=list(ids)
    )


async def set_read(ids: Sequence[int], at: datetime | None) -> None:
    await db.run("UPDATE form_entries SET read_at = :at WHERE id = ANY(CAST(:ids AS bigint[]))", at=at, ids=list(ids))


async def set_status(ids: Sequence[int], status: str) -> None:
    await db.run(
        "UPDATE form_entries SET status = :status WHERE id = ANY(CAST(:ids AS bigint[]))", status=status, ids=list(ids)
    )


async def set_answers(entry_id: int, answers: dict[str, Any], said: str, email: str) -> None:
    await db.run(
        """
        UPDATE form_entries SET answers = CAST(:answers AS jsonb), said = :said, email = :email WHERE id = :id
        """,
        id=entry_id,
        answers=answers,
        said=said,
        email=email,
    )


async def set_columns(user_id: int, form_id: int, fields: list[str]) -> None:
    await db.run(
        """
        INSERT INTO form_columns (user_id, form_id, fields) VALUES (:user, :form, CAST(:fields AS text[]))
        ON CONFLICT (user_id, form_id) DO UPDATE SET fields = excluded.fields
        """,
        user=user_id,
        form=form_id,
        fields=fields,
    )


@dataclass(frozen=True, slots=True)
class Box:
    """A form with every definition that may have been answered, newest first, and the columns that somebody chose."""

    id: int
    public_id: str
    slug: str
    title: str
    definitions: list[Any]
    columns: list[str] | None
    # Entries that are held as spam: how many, or 100 for more.
    held: int


async def box(form_id: str, user_id: int) -> Box | None:
    """The form as this person's inbox shows it. One that was never published shows what is being built."""
    return await db.one(
        Box,
        """
        SELECT f.id, f.public_id, f.slug, f.title,
               (SELECT jsonb_agg(newest.definition) FROM (
                    SELECT v.definition FROM form_versions v
                    WHERE v.form_id = f.id AND (v.published_at IS NOT NULL OR (f.live_id IS NULL AND v.id = f.head_id))
                    ORDER BY v.number DESC LIMIT 200) newest) AS definitions,
               (SELECT c.fields FROM form_columns c WHERE c.form_id = f.id AND c.user_id = :user) AS columns,
               (SELECT count(*) FROM (SELECT FROM form_entries e WHERE e.form_id = f.id AND e.state = 'spam' LIMIT 100) spam)
               AS held
        FROM forms f WHERE f.public_id = :id
        """,
        id=form_id,
        user=user_id,
    )


def for_file(form_id: int, states: Sequence[str]) -> AsyncIterator[db.Row]:
    """Every entry in these states, oldest first, without holding them in memory."""
    return db.stream(
        db.Row,
        """
        SELECT e.public_id, e.state, e.status, e.answers, e.email, e.is_starred, e.address, e.user_agent, e.began_at,
               e.created_at, v.number AS version, u.name AS member
        FROM form_entries e JOIN form_versions v ON v.id = e.version_id LEFT JOIN users u ON u.id = e.user_id
        WHERE e.form_id = :form_id AND e.state = ANY(CAST(:states AS text[])) ORDER BY e.created_at, e.id
        """,
        form_id=form_id,
        states=list(states),
    )


# --- what goes -------------------------------------------------------------------------------------------------------


async def delete_unconfirmed(before: datetime, unasked_before: datetime) -> int:
    """What was paid for stays, confirmed or not: an unconfirmed entry has an order when that was paid. One whose address was
    sent no link, since it had had enough mails, has no end of one and goes by its age. What the office brought back stays as long.
    """
    return await db.run_in_batches(
        """
        DELETE FROM form_entries WHERE id IN (
            SELECT id FROM form_entries e
            WHERE state = 'unconfirmed' AND order_id IS NULL
              AND (confirm_expires_at < :before OR confirm_expires_at IS NULL AND created_at < :unasked_before)
              AND NOT EXISTS (SELECT 1 FROM form_entry_acts a
                              WHERE a.entry_id = e.id AND a.kind = 'state' AND a.created_at >= :before)
            LIMIT :batch)
        """,
        batch=500,
        before=before,
        unasked_before=unasked_before,
    )


async def delete_binned(before: datetime) -> int:
    return await db.run_in_batches(
        """
        DELETE FROM form_entries WHERE id IN (
            SELECT id FROM form_entries WHERE state = 'binned' AND binned_at < :before LIMIT :batch)
        """,
        batch=500,
        before=before,
    )


async def forms_that_forget() -> list[db.Row]:
    """Forms whose entries go after some days: `days` are those of what is asked now."""
    return await db.many(
        db.Row,
        """
        SELECT f.id, f.public_id, f.title, CAST(v.definition #>> '{settings,keep_days}' AS numeric) AS days
        FROM forms f JOIN form_versions v ON v.id = coalesce(f.live_id, f.head_id)
        WHERE jsonb_typeof(v.definition #> '{settings,keep_days}') = 'number'
        """,
    )


async def delete_older(form_id: int, before: datetime) -> int:
    return await db.run_in_batches(
        """
        DELETE FROM form_entries WHERE id IN (
            SELECT id FROM form_entries WHERE form_id = :form_id AND created_at < :before ORDER BY created_at LIMIT :batch)
        """,
        batch=500,
        form_id=form_id,
        before=before,
    )


async def delete_older_drafts(form_id: int, before: datetime) -> int:
    """What was begun and not touched since then."""
    return await db.run_in_batches(
        """
        DELETE FROM form_drafts WHERE id IN (
            SELECT id FROM form_drafts WHERE form_id = :form_id AND updated_at < :before ORDER BY updated_at LIMIT :batch)
        """,
        batch=500,
        form_id=form_id,
        before=before,
    )


async def let_go(before: datetime, now: datetime) -> int:
    """Let answers go that a form does not keep and that were never sent out: of entries that were refused, or whose payment was
    given up, before then, and with which nothing was done since; how many.
    """
    return await db.run_in_batches(
        """
        UPDATE form_entries SET empty_after = :now WHERE id IN (
            SELECT e.id FROM form_entries e JOIN form_versions v ON v.id = e.version_id
            WHERE (e.state = 'refused' OR e.state = 'unpaid' AND e.given_up_at < :before) AND e.created_at < :before
              AND e.emptied_at IS NULL AND e.empty_after IS NULL AND v.definition #> '{settings,no_store}' = 'true'
              AND NOT EXISTS (SELECT 1 FROM form_entry_acts a
                              WHERE a.entry_id = e.id AND a.kind = 'state' AND a.created_at >= :before)
            LIMIT :batch)
        """,
        batch=500,
        before=before,
        now=now,
    )


async def empty_sent(now: datetime) -> int:
    """Take the answers out of entries that were to be kept only until everything was sent; how many.

    What has not been planned or sent yet keeps them: its jobs are in the queue, its deliveries wait.
    """
    return await db.run_in_batches(
        """
        WITH due AS (
            SELECT e.id FROM form_entries e
            WHERE e.empty_after < :now
              AND NOT EXISTS (SELECT 1 FROM form_deliveries d WHERE d.entry_id = e.id AND d.state IN ('waiting', 'held'))
              AND NOT EXISTS (SELECT 1 FROM pgqueuer q WHERE q.entrypoint LIKE 'formbuilder.%'
                              AND q.payload = convert_to('{"entry_id":' || e.id || '}', 'UTF8'))
            ORDER BY e.empty_after LIMIT :batch FOR UPDATE SKIP LOCKED),
        asked AS (UPDATE form_deliveries d SET exchanges = '[]' FROM due WHERE d.entry_id = due.id),
        sent AS (UPDATE form_entry_files f SET entry_id = NULL FROM due WHERE f.entry_id = due.id),
        written AS (DELETE FROM form_entry_acts a USING due WHERE a.entry_id = due.id AND a.kind IN ('edit', 'note'))
        UPDATE form_entries e SET answers = '{}', said = '', email = '', user_id = NULL, address = '', user_agent = '',
               empty_after = NULL, emptied_at = :now, confirm_hash = NULL
        FROM due WHERE e.id = due.id
        """,
        batch=200,
        now=now,
    )


# A draft has an address when its link was mailed, and what was typed in it.
_DRAFT_OF = """
    lower(d.email) = :email OR EXISTS (
        SELECT 1 FROM jsonb_each(d.posted) p
        CROSS JOIN LATERAL jsonb_array_elements_text(CASE jsonb_typeof(p.value) WHEN 'array' THEN p.value ELSE '[]' END) typed
        WHERE lower(btrim(typed)) = :email)
"""


async def found_of_address(email: str) -> db.Row:
    """How many entries and drafts speak of this address."""
    found = await db.one(
        db.Row,
        f"""
        SELECT (SELECT count(*) FROM form_entries WHERE email <> '' AND lower(email) = :email) AS entries,
               (SELECT count(*) FROM form_drafts d WHERE {_DRAFT_OF}) AS drafts
        """,  # noqa: S608 (a constant)
        email=email.lower(),
    )
    assert found is not None  # a row of counts
    return found


async def delete_of_address(email: str) -> int:
    """Delete entries and drafts of this address; how many entries."""
    await db.run(f"DELETE FROM form_drafts d WHERE {_DRAFT_OF}", email=email.lower())  # noqa: S608 (a constant)
    return await db.run("DELETE FROM form_entries WHERE email <> '' AND lower(email) = :email", email=email.lower())
