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
    email: str
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
SELECT state, status, answers, email, binned_from, counted_at, emptied_at,
       EXISTS (SELECT 1 FROM form_entry_acts a WHERE a.entry_id = e.id AND a.kind = 'state' AND a.body = 'confirm')
           AS is_confirmed
FROM form_entries e WHERE id = :id
"""


async def standing(entry_id: int) -> Standing | None:
    """Where it stands just now."""
    return await db.one(Standing, _STANDING, id=entry_id)


async def lock_state(entry_id: int) -> Standing | None:
    """Where it stands, kept from others until the transaction ends; what is written beside it, such as its deliveries, is not."""
    return await db.one(Standing, f"{_STANDING} FOR NO KEY UPDATE", id=entry_id)


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


async def end_link(entry_id: int) -> None:
    """The link that was mailed confirms nothing any more."""
    await db.run("UPDATE form_entries SET confirm_hash = NULL WHERE id = :id", id=entry_id)


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
    """A form with every definition that may have been answered, that of now first, then the newest, and the columns that somebody
    chose."""

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
                    ORDER BY v.id IS NOT DISTINCT FROM f.live_id DESC, v.number DESC LIMIT 200) newest) AS definitions,
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
