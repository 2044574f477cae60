"""The SQL of merging two accounts: only what accounts owns."""

from app.accounts.models import User
from app.accounts.queries import USER_COLUMNS
from app.core import db


async def alike(user_id: int) -> list[User]:
    """Accounts with the same plain address or the same name, at most 100."""
    return await db.many(
        User,
        f"""
        SELECT {USER_COLUMNS} FROM users
        WHERE id <> :id AND state <> 'merged'
          AND (plain_address(email) = (SELECT plain_address(email) FROM users WHERE id = :id)
               OR lower(name) = (SELECT lower(name) FROM users WHERE id = :id))
        ORDER BY id LIMIT 100
        """,  # noqa: S608
        id=user_id,
    )


async def end_ways_in(user_id: int) -> None:
    """Sessions, links and whatever somebody signs in with; the password stays, and opens nothing."""
    await db.run(
        """
        WITH a AS (DELETE FROM sessions WHERE user_id = :id),
             b AS (DELETE FROM pending_sign_ins WHERE user_id = :id),
             c AS (DELETE FROM one_time_tokens WHERE user_id = :id),
             d AS (DELETE FROM mfa_secrets WHERE user_id = :id),
             e AS (DELETE FROM recovery_codes WHERE user_id = :id),
             f AS (DELETE FROM passkeys WHERE user_id = :id),
             g AS (DELETE FROM sign_in_links WHERE user_id = :id),
             h AS (DELETE FROM access_tokens WHERE user_id = :id)
        DELETE FROM identities WHERE user_id = :id
        """,
        id=user_id,
    )


async def complete_profile(gone_id: int, kept_id: int) -> None:
    """What the kept account does not say about the person, the closed one may."""
    await db.run(
        """
        UPDATE users k SET headline = coalesce(nullif(k.headline, ''), g.headline),
            biography = coalesce(nullif(k.biography, ''), g.biography), time_zone = coalesce(k.time_zone, g.time_zone),
            country = coalesce(k.country, g.country)
        FROM users g WHERE k.id = :kept AND g.id = :gone
        """,
        kept=kept_id,
        gone=gone_id,
    )


async def close(gone_id: int, kept_id: int) -> None:
    """Accounts that were merged into this one before follow it, so that every pointer leads to an open account."""
    await db.run(
        """
        UPDATE users SET merged_into_id = :kept, state = 'merged', role = 'member'
        WHERE id = :gone OR merged_into_id = :gone
        """,
        kept=kept_id,
        gone=gone_id,
    )


async def merged_in(user_id: int) -> list[User]:
    return await db.many(
        User,
        f"SELECT {USER_COLUMNS} FROM users WHERE merged_into_id = :id ORDER BY id",  # noqa: S608
        id=user_id,
    )


async def noted(user_id: int) -> db.Row:
    """How many notes and tags a person has."""
    found = await db.one(
        db.Row,
        """
        SELECT (SELECT count(*) FROM person_notes WHERE user_id = :id) AS notes,
               (SELECT count(*) FROM user_tags WHERE user_id = :id) AS tags
        """,
        id=user_id,
    )
    assert found is not None
    return found


async def move_notes(gone_id: int, kept_id: int) -> int:
    return await db.run("UPDATE person_notes SET user_id = :kept WHERE user_id = :gone", gone=gone_id, kept=kept_id)


async def move_tags(gone_id: int, kept_id: int) -> int:
    """How many tags the closed account had."""
    return await db.run(
        """
        WITH copied AS (
            INSERT INTO user_tags (user_id, tag_id) SELECT :kept, tag_id FROM user_tags WHERE user_id = :gone
            ON CONFLICT DO NOTHING
        )
        DELETE FROM user_tags WHERE user_id = :gone
        """,
        gone=gone_id,
        kept=kept_id,
    )
