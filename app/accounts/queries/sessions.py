"""SQL of sessions."""

from datetime import datetime

from app.accounts.models import Begun, Session, SignedIn
from app.core import db


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
    """Note a visit; the person's row, which has many indexes, follows at most once an hour. When somebody holds that it is
    left alone: whoever ends sessions does, and each would wait for the other.
    """
    await db.run(
        """
        WITH touched AS (UPDATE sessions SET last_seen_at = :now WHERE id = :id RETURNING user_id),
             free AS (
                SELECT id FROM users WHERE id = (SELECT user_id FROM touched)
                  AND (last_seen_at IS NULL OR last_seen_at < CAST(:now AS timestamptz) - interval '1 hour')
                FOR NO KEY UPDATE SKIP LOCKED)
        UPDATE users SET last_seen_at = :now WHERE id = (SELECT id FROM free)
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
            RETURNING id, email, strangers_since),
        made AS (
            INSERT INTO sessions (public_id, token_hash, user_id, created_at, fresh_at, last_seen_at, expires_at,
                                  address, user_agent, method, second_factor_at, country)
            SELECT :public_id, :token_hash, id, :now, :now, :now, CAST(:expires_at AS timestamptz),
                   :address, :user_agent, :method, CAST(:second_factor_at AS timestamptz), :country
            FROM seen
            RETURNING id)
        SELECT seen.email, before.last_seen_at IS NULL AS is_first, seen.strangers_since FROM seen, before, made
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
