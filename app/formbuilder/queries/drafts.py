"""SQL about forms that were begun, one statement a function."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from app.core import db
from app.formbuilder.models import Draft


async def insert(values: Mapping[str, Any]) -> None:
    """Begin a draft; the same page sent again finds its own."""
    await db.run(
        """
        INSERT INTO form_drafts (form_id, version_id, token_hash, posted, step, user_id, created_at, updated_at, expires_at)
        VALUES (:form_id, :version_id, :token_hash, CAST(:posted AS jsonb), :step, :user_id, :now, :now, :expires_at)
        ON CONFLICT (token_hash) DO NOTHING
        """,
        **values,
    )


async def find(slug: str, token_hash: bytes, now: datetime) -> Draft | None:
    """The draft behind this token, of a form at this address."""
    return await db.one(
        Draft,
        """
        SELECT d.id, d.form_id, d.version_id, d.posted, d.step, d.email, d.user_id, d.entry_id, d.mails, d.created_at,
               e.public_id AS entry_public_id
        FROM form_drafts d JOIN forms f ON f.id = d.form_id LEFT JOIN form_entries e ON e.id = d.entry_id
        WHERE d.token_hash = :token_hash AND (f.slug = :slug OR :slug = ANY(f.former_slugs)) AND f.state <> 'archived'
          AND d.expires_at > :now
        """,
        slug=slug,
        token_hash=token_hash,
        now=now,
    )


async def lock(draft_id: int) -> db.Row | None:
    """What was typed, kept from others until the transaction ends."""
    return await db.one(db.Row, "SELECT posted, step, entry_id FROM form_drafts WHERE id = :id FOR UPDATE", id=draft_id)


async def keep(draft_id: int, posted: Mapping[str, Sequence[str]], step: str, now: datetime, until: datetime) -> None:
    await db.run(
        """
        UPDATE form_drafts SET posted = CAST(:posted AS jsonb), step = :step, updated_at = :now, expires_at = :until
        WHERE id = :id
        """,
        id=draft_id,
        posted=posted,
        step=step,
        now=now,
        until=until,
    )


async def set_version(draft_id: int, version_id: int) -> None:
    await db.run("UPDATE form_drafts SET version_id = :version_id WHERE id = :id", id=draft_id, version_id=version_id)


async def finish(draft_id: int, entry_id: int, now: datetime) -> None:
    """It has become an entry: what was typed is there now."""
    await db.run(
        "UPDATE form_drafts SET entry_id = :entry_id, posted = '{}', updated_at = :now WHERE id = :id",
        id=draft_id,
        entry_id=entry_id,
        now=now,
    )


async def may_mail(draft_id: int, most: int) -> bool:
    """Whether its link may be mailed once more; keeps the draft from others until the transaction ends."""
    return bool(
        await db.value(
            "SELECT mails < :most AND entry_id IS NULL FROM form_drafts WHERE id = :id FOR UPDATE",
            id=draft_id,
            most=most,
        )
    )


async def count_mail(draft_id: int, email: str) -> None:
    """Note that its link is mailed to this address."""
    await db.run("UPDATE form_drafts SET email = :email, mails = mails + 1 WHERE id = :id", id=draft_id, email=email)


async def delete_expired(now: datetime) -> int:
    return await db.run_in_batches(
        """
        DELETE FROM form_drafts WHERE ctid IN (SELECT ctid FROM form_drafts WHERE expires_at <= :now LIMIT :batch)
          AND expires_at <= :now
        """,
        now=now,
    )


async def leave(form_id: int, stamp: bytes, field_id: str, now: datetime) -> None:
    """A page of this form was touched and left, this question last. Left again, the later one counts."""
    await db.run(
        """
        INSERT INTO form_left (form_id, stamp, field_id, left_at) VALUES (:form_id, :stamp, :field_id, :now)
        ON CONFLICT (form_id, stamp) DO UPDATE SET field_id = excluded.field_id, left_at = excluded.left_at
        """,
        form_id=form_id,
        stamp=stamp,
        field_id=field_id,
        now=now,
    )


async def come_back(form_id: int, stamp: bytes) -> None:
    """The page was gone on with after all."""
    await db.run("DELETE FROM form_left WHERE form_id = :form_id AND stamp = :stamp", form_id=form_id, stamp=stamp)


async def delete_left(before: datetime) -> int:
    return await db.run_in_batches(
        "DELETE FROM form_left WHERE ctid IN (SELECT ctid FROM form_left WHERE left_at < :before LIMIT :batch)",
        before=before,
    )
