"""All SQL of accounts, one statement a function."""

from datetime import datetime

from app.accounts.models import Begun, Credentials, Link, Session, SignedIn, User
from app.accounts.queries.lists import PEOPLE, TEAM
from app.core import db

__all__ = ["PEOPLE", "TEAM"]  # beside what is below

USER_COLUMNS = """id, public_id, email, name, role, state, email_verified_at, created_at,
               password_hash IS NOT NULL AS has_password, headline, biography, time_zone, last_seen_at,
               state = 'merged' OR erased_at IS NOT NULL AS is_closed,
               (SELECT r.capabilities FROM roles r WHERE r.key = users.role) AS granted"""

CREDENTIALS = """id, public_id, email, name, role, state, password_hash,
               (SELECT r.capabilities FROM roles r WHERE r.key = users.role) AS granted"""


# Users


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


async def forget_password_change(user_id: int) -> bool:
    """False when none was asked for (any more)."""
    return bool(
        await db.run(
            """
            UPDATE users SET password_change_required_at = NULL
            WHERE id = :id AND password_change_required_at IS NOT NULL
            """,
            id=user_id,
        )
    )


async def forget_password(user_id: int) -> None:
    await db.run("UPDATE users SET password_hash = NULL WHERE id = :id", id=user_id)


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
) -> None:
    await db.run(
        """
        UPDATE users SET name = :name, headline = :headline, biography = coalesce(:biography, biography),
                         time_zone = :time_zone
        WHERE id = :id
        """,
        id=user_id,
        name=name,
        headline=headline,
        biography=biography,
        time_zone=time_zone,
    )


async def change_role(user_id: int, old: str, new: str) -> bool:
    return bool(
        await db.run("UPDATE users SET role = :new WHERE id = :id AND role = :old", id=user_id, old=old, new=new)
    )


# Sessions


async def session_by_token(
    token_hash: bytes, now: datetime, *, seen_after: datetime, staff_seen_after: datetime
) -> SignedIn | None:
    return await db.one(
        SignedIn,
        """
        SELECT u.id, u.public_id, u.email, u.name, u.role, u.state, u.email_verified_at, u.time_zone,
               s.id AS session_id, s.public_id AS session_public_id, s.fresh_at, s.last_seen_at, s.expires_at,
               r.capabilities AS granted, s.method, s.second_factor_at,
               (SELECT i.id FROM impersonations i WHERE i.session_id = s.id) AS impersonation_id,
               (SELECT e.due_at FROM erasures e
                WHERE e.user_id = u.id AND e.state IN ('waiting', 'begun')) AS erasure_due_at,
               u.password_change_required_at IS NOT NULL AND s.method = 'password' AS must_choose_password
        FROM sessions s JOIN users u ON u.id = s.user_id LEFT JOIN roles r ON r.key = u.role
        WHERE s.token_hash = :token_hash AND s.expires_at > :now AND u.state = 'active'
          AND s.last_seen_at > CASE WHEN u.role = 'member' THEN CAST(:seen_after AS timestamptz)
                                    ELSE CAST(:staff_seen_after AS timestamptz) END
        """,
        token_hash=token_hash,
        now=now,
        seen_after=seen_after,
        staff_seen_after=staff_seen_after,
    )


async def touch_session(session_id: int, now: datetime) -> None:
    """Note a visit; the person's row, which has many indexes, follows at most once an hour."""
    await db.run(
        """
        WITH touched AS (UPDATE sessions SET last_seen_at = :now WHERE id = :id RETURNING user_id)
        UPDATE users SET last_seen_at = :now WHERE id = (SELECT user_id FROM touched)
          AND (last_seen_at IS NULL OR last_seen_at < CAST(:now AS timestamptz) - interval '1 hour')
        """,
        id=session_id,
        now=now,
    )


async def insert_session(
    *,
    public_id: str,
    token_hash: bytes,
    user_id: int,
    now: datetime,
    expires_at: datetime,
    address: str,
    user_agent: str,
    password_hash: str | None,
    method: str,
    second_factor_at: datetime | None,
    country: str = "",
) -> Begun | None:
    """None when the person was suspended, or the password that was checked has been changed, a moment ago.

    The update waits for a change of password under way and then sees it; the other way round, the change ends
    the session that is made here.
    """
    return await db.one(
        Begun,
        """
        WITH before AS (SELECT last_seen_at FROM users WHERE id = :user_id),
        seen AS (
            UPDATE users SET last_seen_at = :now
            WHERE id = :user_id AND state = 'active'
              AND (CAST(:password_hash AS text) IS NULL OR password_hash = :password_hash)
            RETURNING id, email),
        made AS (
            INSERT INTO sessions (public_id, token_hash, user_id, created_at, fresh_at, last_seen_at, expires_at,
                                  address, user_agent, method, second_factor_at, country)
            SELECT :public_id, :token_hash, id, :now, :now, :now, CAST(:expires_at AS timestamptz),
                   :address, :user_agent, :method, CAST(:second_factor_at AS timestamptz), :country
            FROM seen
            RETURNING id)
        SELECT seen.email, before.last_seen_at IS NULL AS is_first FROM seen, before, made
        """,
        public_id=public_id,
        token_hash=token_hash,
        user_id=user_id,
        now=now,
        expires_at=expires_at,
        address=address,
        user_agent=user_agent,
        password_hash=password_hash,
        method=method,
        second_factor_at=second_factor_at,
        country=country,
    )


async def delete_oldest_sessions(user_id: int, *, keep: int) -> None:
    await db.run(
        """
        DELETE FROM sessions WHERE id IN (
            SELECT id FROM sessions WHERE user_id = :user_id ORDER BY last_seen_at DESC, id DESC OFFSET :keep)
        """,
        user_id=user_id,
        keep=keep,
    )


async def hold_session(session_id: int, user_id: int) -> bool:
    """Keep a session from ending for the rest of the transaction; False when it has ended."""
    return (
        await db.value(
            "SELECT 1 FROM sessions WHERE id = :id AND user_id = :user_id FOR KEY SHARE", id=session_id, user_id=user_id
        )
        is not None
    )


async def delete_session(session_id: int) -> None:
    await db.run("DELETE FROM sessions WHERE id = :id", id=session_id)


async def delete_session_of(user_id: int, public_id: str) -> bool:
    return bool(
        await db.run(
            "DELETE FROM sessions WHERE user_id = :user_id AND public_id = :public_id",
            user_id=user_id,
            public_id=public_id,
        )
    )


async def delete_sessions_of(user_id: int, *, but: int | None = None) -> int:
    """Half-done sign-ins end with them."""
    return await db.run(
        """
        WITH half_done AS (DELETE FROM pending_sign_ins WHERE user_id = :user_id)
        DELETE FROM sessions WHERE user_id = :user_id AND id IS DISTINCT FROM CAST(:but AS bigint)
        """,
        user_id=user_id,
        but=but,
    )


async def sessions_of(
    user_id: int, now: datetime, *, seen_after: datetime, staff_seen_after: datetime
) -> list[Session]:
    return await db.many(
        Session,
        """
        SELECT s.id, s.public_id, s.created_at, s.fresh_at, s.last_seen_at, s.expires_at, s.address, s.user_agent,
               s.method, s.second_factor_at, s.country, u.role <> 'member' AS is_staff
        FROM sessions s JOIN users u ON u.id = s.user_id
        WHERE s.user_id = :user_id AND s.expires_at > :now
          AND s.last_seen_at > CASE WHEN u.role = 'member' THEN CAST(:seen_after AS timestamptz)
                                    ELSE CAST(:staff_seen_after AS timestamptz) END
        ORDER BY s.last_seen_at DESC, s.id DESC LIMIT 100
        """,
        user_id=user_id,
        now=now,
        seen_after=seen_after,
        staff_seen_after=staff_seen_after,
    )


async def delete_dead_sessions(now: datetime, seen_after: datetime) -> int:
    return await db.run_in_batches(
        """
        DELETE FROM sessions WHERE id IN (
            SELECT id FROM sessions WHERE expires_at <= :now OR last_seen_at <= :seen_after LIMIT :batch)
        """,
        now=now,
        seen_after=seen_after,
    )


# One-time links


async def insert_link(
    *, token_hash: bytes, purpose: str, user_id: int, email: str, now: datetime, expires_at: datetime
) -> int:
    made: int = await db.value(
        """
        INSERT INTO one_time_tokens (token_hash, purpose, user_id, email, created_at, expires_at)
        VALUES (:token_hash, :purpose, :user_id, :email, :now, :expires_at) RETURNING id
        """,
        token_hash=token_hash,
        purpose=purpose,
        user_id=user_id,
        email=email,
        now=now,
        expires_at=expires_at,
    )
    return made


async def link_by_token(token_hash: bytes, purposes: list[str]) -> Link | None:
    return await db.one(
        Link,
        """
        SELECT id, purpose, user_id, email, expires_at, used_at FROM one_time_tokens
        WHERE token_hash = :token_hash AND purpose = ANY(CAST(:purposes AS text[]))
        """,
        token_hash=token_hash,
        purposes=purposes,
    )


async def use_link(token_hash: bytes, purposes: list[str], now: datetime) -> Link | None:
    """The link when it is open, used from here on; None when somebody was first, or it is too old or of another kind."""
    return await db.one(
        Link,
        """
        UPDATE one_time_tokens SET used_at = :now
        WHERE token_hash = :token_hash AND purpose = ANY(CAST(:purposes AS text[]))
          AND used_at IS NULL AND expires_at > :now
        RETURNING id, purpose, user_id, email, expires_at, used_at
        """,
        token_hash=token_hash,
        purposes=purposes,
        now=now,
    )


async def use_up_links(user_id: int, purposes: list[str], now: datetime) -> None:
    await db.run(
        """
        UPDATE one_time_tokens SET used_at = :now
        WHERE user_id = :user_id AND purpose = ANY(CAST(:purposes AS text[])) AND used_at IS NULL
        """,
        user_id=user_id,
        purposes=purposes,
        now=now,
    )


async def delete_dead_links(before: datetime) -> int:
    return await db.run_in_batches(
        """
        DELETE FROM one_time_tokens WHERE id IN (
            SELECT id FROM one_time_tokens WHERE expires_at < :before OR used_at < :before LIMIT :batch)
        """,
        before=before,
    )
