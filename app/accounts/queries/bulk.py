"""The SQL of many accounts at once."""

from datetime import datetime

from app.accounts.models import User
from app.accounts.queries import USER_COLUMNS
from app.core import db


async def by_emails(emails: list[str]) -> list[User]:
    return await db.many(
        User,
        f"SELECT {USER_COLUMNS} FROM users WHERE lower(email) = ANY(CAST(:emails AS text[]))",  # noqa: S608
        emails=emails,
    )


async def lock_by_emails(emails: list[str]) -> list[User]:
    return await db.many(
        User,
        f"""
        SELECT {USER_COLUMNS} FROM users WHERE lower(email) = ANY(CAST(:emails AS text[])) ORDER BY id FOR UPDATE OF users
        """,  # noqa: S608
        emails=emails,
    )


async def insert_many(public_ids: list[str], emails: list[str], names: list[str], now: datetime) -> list[db.Row]:
    """Those that had no account, with their new one."""
    return await db.many(
        db.Row,
        """
        INSERT INTO users (public_id, email, name, created_at)
        SELECT public_id, email, name, :now
        FROM unnest(CAST(:public_ids AS text[]), CAST(:emails AS text[]), CAST(:names AS text[]))
             AS made (public_id, email, name)
        ON CONFLICT (lower(email)) DO NOTHING
        RETURNING id, public_id, email
        """,
        public_ids=public_ids,
        emails=emails,
        names=names,
        now=now,
    )


async def rename_many(user_ids: list[int], names: list[str]) -> None:
    await db.run(
        """
        UPDATE users SET name = named.name
        FROM unnest(CAST(:ids AS bigint[]), CAST(:names AS text[])) AS named (id, name) WHERE users.id = named.id
        """,
        ids=user_ids,
        names=names,
    )


async def public_ids(user_ids: list[int]) -> list[str]:
    rows = await db.many(
        db.Row, "SELECT public_id FROM users WHERE id = ANY(CAST(:ids AS bigint[])) ORDER BY id", ids=user_ids
    )
    return [row.public_id for row in rows]


async def tags_of(user_ids: list[int]) -> list[db.Row]:
    return await db.many(
        db.Row,
        """
        SELECT ut.user_id, t.name FROM user_tags ut JOIN tags t ON t.id = ut.tag_id
        WHERE ut.user_id = ANY(CAST(:ids AS bigint[]))
        """,
        ids=user_ids,
    )


async def insert_user_tags(user_ids: list[int], tag_ids: list[int]) -> list[db.Row]:
    """Those that were not there: the person's public id and the tag's name."""
    return await db.many(
        db.Row,
        """
        WITH made AS (
            INSERT INTO user_tags (user_id, tag_id)
            SELECT user_id, tag_id
            FROM unnest(CAST(:users AS bigint[]), CAST(:tags AS bigint[])) AS wanted (user_id, tag_id)
            ON CONFLICT DO NOTHING RETURNING user_id, tag_id
        )
        SELECT u.public_id, t.name FROM made JOIN users u ON u.id = made.user_id JOIN tags t ON t.id = made.tag_id
        ORDER BY u.id, t.id
        """,
        users=user_ids,
        tags=tag_ids,
    )
