"""SQL about what became of an entry's notifications, one statement a function."""

from datetime import datetime

from app.core import db

# Stands where the id of a notification does; none is called so.
_AWAY = ".away"


async def insert(entry_id: int, notification_id: str, now: datetime) -> bool:
    """Take it on; False when it was decided before."""
    return bool(
        await db.run(
            """
            INSERT INTO form_notifications (entry_id, notification_id, state, created_at)
            VALUES (:entry_id, :notification_id, 'skipped', :now) ON CONFLICT DO NOTHING
            """,
            entry_id=entry_id,
            notification_id=notification_id,
            now=now,
        )
    )


async def set_state(entry_id: int, notification_id: str, state: str, recipients: int) -> None:
    await db.run(
        """
        UPDATE form_notifications SET state = :state, recipients = :recipients
        WHERE entry_id = :entry_id AND notification_id = :notification_id
        """,
        entry_id=entry_id,
        notification_id=notification_id,
        state=state,
        recipients=recipients,
    )


async def note_again(entry_id: int, notification_id: str, recipients: int, now: datetime) -> None:
    """One more sending."""
    await db.run(
        """
        INSERT INTO form_notifications (entry_id, notification_id, state, recipients, created_at)
        VALUES (:entry_id, :notification_id, 'sent', :recipients, :now)
        ON CONFLICT (entry_id, notification_id) DO UPDATE
        SET sendings = form_notifications.sendings + 1, state = 'sent', recipients = excluded.recipients
        """,
        entry_id=entry_id,
        notification_id=notification_id,
        recipients=recipients,
        now=now,
    )


async def of_entry(entry_id: int) -> list[db.Row]:
    """`notification_id, state, recipients, sendings, created_at` of each."""
    return await db.many(
        db.Row,
        """
        SELECT notification_id, state, recipients, sendings, created_at FROM form_notifications
        WHERE entry_id = :entry_id AND notification_id <> :away ORDER BY notification_id
        """,
        entry_id=entry_id,
        away=_AWAY,
    )


async def note_away(entry_id: int, now: datetime) -> None:
    """The mails of an entry were to be decided while it did not count."""
    await insert(entry_id, _AWAY, now)


async def forget_away(entry_id: int) -> bool:
    """They are decided now; False when that was not noted."""
    return bool(
        await db.run(
            "DELETE FROM form_notifications WHERE entry_id = :id AND notification_id = :away", id=entry_id, away=_AWAY
        )
    )
