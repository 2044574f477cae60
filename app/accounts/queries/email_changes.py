"""SQL of changes of an address."""

from datetime import datetime

from app.accounts.models import EmailChange
from app.core import db

_COLUMNS = "id, user_id, old_email, new_email, state, expires_at, old_confirmed_at, new_confirmed_at"


async def insert(
    user_id: int,
    *,
    old_email: str,
    new_email: str,
    now: datetime,
    expires_at: datetime,
    old_confirmed_at: datetime | None,
) -> int | None:
    """The new row's id; None when the person has an open one (two at once)."""
    made: int | None = await db.value(
        """
        INSERT INTO email_changes (user_id, old_email, new_email, created_at, expires_at, old_confirmed_at)
        VALUES (:user_id, :old_email, :new_email, :now, :expires_at, :old_confirmed_at)
        ON CONFLICT (user_id) WHERE state = 'open' DO NOTHING RETURNING id
        """,
        user_id=user_id,
        old_email=old_email,
        new_email=new_email,
        now=now,
        expires_at=expires_at,
        old_confirmed_at=old_confirmed_at,
    )
    return made


async def by_id(change_id: int) -> EmailChange | None:
    return await db.one(
        EmailChange,
        f"SELECT {_COLUMNS} FROM email_changes WHERE id = :id",  # noqa: S608
        id=change_id,
    )


async def open_of(user_id: int, now: datetime) -> EmailChange | None:
    return await db.one(
        EmailChange,
        f"SELECT {_COLUMNS} FROM email_changes WHERE user_id = :id AND state = 'open' AND expires_at > :now",  # noqa: S608
        id=user_id,
        now=now,
    )


async def confirm(user_id: int, *, email: str, is_old: bool, now: datetime) -> EmailChange | None:
    """One of the two mailboxes agrees. Both at once wait for each other here, so one of them sees both."""
    return await db.one(
        EmailChange,
        f"""
        UPDATE email_changes
        SET old_confirmed_at = CASE WHEN :is_old THEN coalesce(old_confirmed_at, :now) ELSE old_confirmed_at END,
            new_confirmed_at = CASE WHEN :is_old THEN new_confirmed_at ELSE coalesce(new_confirmed_at, :now) END
        WHERE user_id = :user_id AND state = 'open' AND expires_at > :now
          AND lower(CASE WHEN :is_old THEN old_email ELSE new_email END) = lower(:email)
        RETURNING {_COLUMNS}
        """,  # noqa: S608
        user_id=user_id,
        email=email,
        is_old=is_old,
        now=now,
    )


async def end(user_id: int, state: str, now: datetime) -> bool:
    """Close the open one, whatever its age; False when there is none."""
    return bool(
        await db.run(
            "UPDATE email_changes SET state = :state, ended_at = :now WHERE user_id = :user_id AND state = 'open'",
            user_id=user_id,
            state=state,
            now=now,
        )
    )


async def set_email(user_id: int, *, old: str, new: str, verified_at: datetime | None) -> bool:
    """False when the account has another address by now. Raises UniqueViolationError when somebody else has the new one."""
    return bool(
        await db.run(
            """
            UPDATE users SET email = :new, email_verified_at = :verified_at
            WHERE id = :id AND lower(email) = lower(:old)
            """,
            id=user_id,
            old=old,
            new=new,
            verified_at=verified_at,
        )
    )


async def delete_dead(before: datetime) -> int:
    return await db.run_in_batches(
        "DELETE FROM email_changes WHERE id IN (SELECT id FROM email_changes WHERE expires_at < :before LIMIT :batch)",
        before=before,
    )
