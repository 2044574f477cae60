"""SQL of people as they sign in and describe themselves."""

from datetime import datetime

from app.accounts.models import Credentials, User
from app.core import db

USER_COLUMNS = """id, public_id, email, name, role, state, email_verified_at, created_at,
               password_hash IS NOT NULL AS has_password, headline, biography, time_zone, last_seen_at,
               state = 'merged' OR erased_at IS NOT NULL AS is_closed,
               (SELECT r.capabilities FROM roles r WHERE r.key = users.role) AS granted"""

CREDENTIALS = """id, public_id, email, name, role, state, password_hash,
               (SELECT r.capabilities FROM roles r WHERE r.key = users.role) AS granted"""


async def user_by_id(user_id: int) -> User | None:
    return await db.one(User, f"SELECT {USER_COLUMNS} FROM users WHERE id = :id", id=user_id)  # noqa: S608


async def user_by_public_id(public_id: str) -> User | None:
    return await db.one(User, f"SELECT {USER_COLUMNS} FROM users WHERE public_id = :id", id=public_id)  # noqa: S608


async def user_by_email(email: str) -> User | None:
    return await db.one(
        User,
        f"SELECT {USER_COLUMNS} FROM users WHERE lower(email) = lower(:email)",  # noqa: S608
        email=email,
    )


async def users_before(before: int | None, limit: int) -> list[User]:
    """The newest people, or the newest of those who came before somebody."""
    return await db.many(
        User,
        f"""
        SELECT {USER_COLUMNS} FROM users WHERE id < coalesce(CAST(:before AS bigint), 9223372036854775807)
        ORDER BY id DESC LIMIT :limit
        """,  # noqa: S608
        before=before,
        limit=limit,
    )


async def kept_for(user_id: int) -> User | None:
    """The account into which this one was merged."""
    return await db.one(
        User,
        f"SELECT {USER_COLUMNS} FROM users WHERE id = (SELECT merged_into_id FROM users WHERE id = :id)",  # noqa: S608
        id=user_id,
    )


async def lock_users(user_ids: list[int]) -> list[User]:
    """These people, locked in one order, so that two who act on each other cannot both do so."""
    return await db.many(
        User,
        f"SELECT {USER_COLUMNS} FROM users WHERE id = ANY(CAST(:ids AS bigint[])) ORDER BY id FOR UPDATE",  # noqa: S608
        ids=user_ids,
    )


async def hold_user(user_id: int) -> User | None:
    """This person, who is not merged or erased until the transaction ends. Whoever only points at them does not wait."""
    return await db.one(User, f"SELECT {USER_COLUMNS} FROM users WHERE id = :id FOR KEY SHARE", id=user_id)  # noqa: S608 (a constant)


async def insert_user(
    *, public_id: str, email: str, name: str, password_hash: str | None, time_zone: str | None, now: datetime
) -> User | None:
    """The new row, or None when the address has an account (two at once: one of them waits, then gets None)."""
    return await db.one(
        User,
        f"""
        INSERT INTO users (public_id, email, name, password_hash, time_zone, created_at)
        VALUES (:public_id, :email, :name, :password_hash, :time_zone, :now)
        ON CONFLICT (lower(email)) DO NOTHING
        RETURNING {USER_COLUMNS}
        """,  # noqa: S608
        public_id=public_id,
        email=email,
        name=name,
        password_hash=password_hash,
        time_zone=time_zone,
        now=now,
    )


async def credentials_by_email(email: str) -> Credentials | None:
    return await db.one(
        Credentials,
        f"SELECT {CREDENTIALS} FROM users WHERE lower(email) = lower(:email)",  # noqa: S608
        email=email,
    )


async def credentials_by_id(user_id: int) -> Credentials | None:
    return await db.one(
        Credentials,
        f"SELECT {CREDENTIALS} FROM users WHERE id = :id",  # noqa: S608
        id=user_id,
    )


async def replace_password(user_id: int, old_hash: str | None, new_hash: str | None) -> bool:
    """False when the password is no longer the one that was looked at."""
    return bool(
        await db.run(
            "UPDATE users SET password_hash = :new WHERE id = :id AND password_hash IS NOT DISTINCT FROM :old",
            id=user_id,
            old=old_hash,
            new=new_hash,
        )
    )


async def set_password(user_id: int, new_hash: str) -> None:
    await db.run("UPDATE users SET password_hash = :new WHERE id = :id", id=user_id, new=new_hash)


async def require_password_change(user_id: int, now: datetime) -> bool:
    return bool(
        await db.run(
            """
            UPDATE users SET password_change_required_at = :now
            WHERE id = :id AND password_hash IS NOT NULL AND password_change_required_at IS NULL
            """,
            id=user_id,
            now=now,
        )
    )


async def forget_password_change(user_id: int, asked_by: datetime | None = None) -> bool:
    """False when none was asked for (any more), or only after `asked_by`."""
    return bool(
        await db.run(
            """
            UPDATE users SET password_change_required_at = NULL
            WHERE id = :id AND password_change_required_at <= coalesce(CAST(:asked_by AS timestamptz), 'infinity')
            """,
            id=user_id,
            asked_by=asked_by,
        )
    )


async def forget_password(user_id: int, now: datetime) -> None:
    """It opens nothing any more, and browsers that came until now are strangers."""
    await db.run("UPDATE users SET password_hash = NULL, strangers_since = :now WHERE id = :id", id=user_id, now=now)


async def mark_verified(user_id: int, email: str, now: datetime) -> bool:
    """False when it was verified before, or the account has another address by now."""
    return bool(
        await db.run(
            """
            UPDATE users SET email_verified_at = :now
            WHERE id = :id AND lower(email) = lower(:email) AND email_verified_at IS NULL
            """,
            id=user_id,
            email=email,
            now=now,
        )
    )


async def update_profile(
    user_id: int, *, name: str, headline: str, biography: str | None, time_zone: str | None
) -> bool:
    """False when the account is suspended or closed by now."""
    return bool(
        await db.run(
            """
            UPDATE users SET name = :name, headline = :headline, biography = coalesce(:biography, biography),
                             time_zone = :time_zone
            WHERE id = :id AND state = 'active'
            """,
            id=user_id,
            name=name,
            headline=headline,
            biography=biography,
            time_zone=time_zone,
        )
    )


async def change_role(user_id: int, old: str, new: str) -> bool:
    return bool(
        await db.run("UPDATE users SET role = :new WHERE id = :id AND role = :old", id=user_id, old=old, new=new)
    )
