"""SQL that counts entries for limits and rules, one statement a function. Spam, what was refused and what was given up before
it was paid do not count.
"""

from datetime import datetime

from app.core import db

_COUNTED = "e.form_id = :form_id AND e.state NOT IN ('spam', 'refused', 'binned') AND e.given_up_at IS NULL AND e.created_at > :since"


async def of_form(form_id: int, since: datetime, most: int) -> int:
    """Entries since then, counted up to `most`."""
    return int(
        await db.value(
            f"SELECT count(*) FROM (SELECT 1 FROM form_entries e WHERE {_COUNTED} LIMIT :most) AS found",  # noqa: S608 (a constant)
            form_id=form_id,
            since=since,
            most=most,
        )
    )


async def of_person(form_id: int, user_id: int | None, email: str, since: datetime, most: int) -> int:
    """Entries of an account or of a mail address."""
    return int(
        await db.value(
            f"""
            SELECT count(*) FROM (
                SELECT 1 FROM form_entries e WHERE {_COUNTED}
                AND (e.user_id = CAST(:user_id AS bigint) OR (e.email <> '' AND lower(e.email) = lower(CAST(:email AS text))))
                LIMIT :most) AS found
            """,  # noqa: S608 (a constant)
            form_id=form_id,
            user_id=user_id,
            email=email,
            since=since,
            most=most,
        )
    )


async def of_address(form_id: int, address: str, since: datetime, most: int, *, with_spam: bool = False) -> int:
    """Entries from a network address."""
    return int(
        await db.value(
            """
            SELECT count(*) FROM (
                SELECT 1 FROM form_entries e WHERE e.form_id = :form_id AND e.address = :address AND e.address <> ''
                AND e.created_at > :since AND (CAST(:with_spam AS boolean)
                     OR (e.state NOT IN ('spam', 'refused', 'binned') AND e.given_up_at IS NULL))
                LIMIT :most) AS found
            """,
            form_id=form_id,
            address=address,
            since=since,
            most=most,
            with_spam=with_spam,
        )
    )


async def was_said(form_id: int, said: str, since: datetime) -> bool:
    """Whether the very same answers came since then."""
    return bool(
        await db.value(
            """
            SELECT EXISTS (SELECT 1 FROM form_entries e WHERE e.form_id = :form_id AND e.created_at > :since
                           AND e.given_up_at IS NULL AND md5(e.said) = md5(:said) AND e.said = :said)
            """,
            form_id=form_id,
            said=said,
            since=since,
        )
    )


async def hold_back(entry_id: int, reason: str) -> None:
    """Say why an entry is in quarantine."""
    await db.run("UPDATE form_entries SET spam_reason = :reason WHERE id = :id", id=entry_id, reason=reason)


async def reason_of(entry_id: int) -> str:
    return str(await db.value("SELECT spam_reason FROM form_entries WHERE id = :id", id=entry_id) or "")


async def delete_old_spam(before: datetime) -> int:
    """What came as spam before then, or was called so before then."""
    return await db.run_in_batches(
        """
        DELETE FROM form_entries WHERE ctid IN (
            SELECT ctid FROM form_entries e WHERE state = 'spam' AND created_at < :before
              AND NOT EXISTS (SELECT 1 FROM form_entry_acts a WHERE a.entry_id = e.id AND a.created_at >= :before
                                AND a.kind = 'state' AND a.after ->> 'state' = 'spam')
            LIMIT :batch)
          AND state = 'spam'
        """,
        before=before,
    )
