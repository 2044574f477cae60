"""SQL about entries and drafts that go: by age, unconfirmed, thrown away, sent out, or because somebody asks; one statement a function.

A sweep says twice what it takes: while it waits for a row that somebody holds, that may be brought back or gone on with, and of a
row that changed meanwhile PostgreSQL looks again only at what is said outside of `IN`.
"""

from datetime import datetime
from decimal import Decimal

from app.core import db


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
          AND state = 'unconfirmed' AND order_id IS NULL
          AND (confirm_expires_at < :before OR confirm_expires_at IS NULL AND created_at < :unasked_before)
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
          AND state = 'binned' AND binned_at < :before
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


# The owner may want them for longer by now: looked at with each batch.
_STILL_FORGETS = """
    (SELECT v.definition #> '{settings,keep_days}' FROM forms f JOIN form_versions v ON v.id = coalesce(f.live_id, f.head_id)
     WHERE f.id = :form_id) = to_jsonb(CAST(:days AS numeric))
"""


async def delete_older(form_id: int, before: datetime, days: Decimal) -> int:
    """Entries that came before then, while their form wants them for so many days."""
    return await db.run_in_batches(
        f"""
        DELETE FROM form_entries WHERE id IN (
            SELECT id FROM form_entries WHERE form_id = :form_id AND created_at < :before AND {_STILL_FORGETS}
            ORDER BY created_at LIMIT :batch)
        """,  # noqa: S608 (a constant)
        batch=500,
        form_id=form_id,
        before=before,
        days=days,
    )


async def delete_older_drafts(form_id: int, before: datetime, days: Decimal) -> int:
    """The same of what was begun and not touched since then."""
    return await db.run_in_batches(
        f"""
        DELETE FROM form_drafts WHERE id IN (
            SELECT id FROM form_drafts WHERE form_id = :form_id AND updated_at < :before AND {_STILL_FORGETS}
            ORDER BY updated_at LIMIT :batch)
          AND updated_at < :before
        """,  # noqa: S608 (a constant)
        batch=500,
        form_id=form_id,
        before=before,
        days=days,
    )


async def let_go(before: datetime, now: datetime) -> int:
    """Let answers go that a form does not keep and that were never sent out: of entries that were refused, or whose payment was
    given up, before then, and with which nothing was done since, nor may be paid by the link of a mail; how many.
    """
    return await db.run_in_batches(
        """
        UPDATE form_entries SET empty_after = :now WHERE id IN (
            SELECT e.id FROM form_entries e JOIN form_versions v ON v.id = e.version_id
            WHERE (e.state = 'refused' OR e.state = 'unpaid' AND e.given_up_at < :before) AND e.created_at < :before
              AND e.emptied_at IS NULL AND e.empty_after IS NULL AND v.definition #> '{settings,no_store}' = 'true'
              AND (e.pay_until IS NULL OR e.pay_until < :now)
              AND NOT EXISTS (SELECT 1 FROM form_entry_acts a
                              WHERE a.entry_id = e.id AND a.kind = 'state' AND a.created_at >= :before)
            LIMIT :batch)
          AND (state = 'refused' OR state = 'unpaid' AND given_up_at < :before) AND empty_after IS NULL
          AND (pay_until IS NULL OR pay_until < :now)
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
