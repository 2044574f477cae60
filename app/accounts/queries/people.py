"""SQL of one person as the office sees them, and of what it changes."""

from dataclasses import fields
from datetime import datetime
from typing import Any

from app.accounts.models import Note, PersonFacts, Tag, User
from app.accounts.queries import USER_COLUMNS
from app.core import db

_PERSON, _FACTS = (tuple(field.name for field in fields(kind)) for kind in (User, PersonFacts))


async def person_with_facts(public_id: str) -> tuple[User, PersonFacts] | None:
    """A person with what stands beside their name, in one statement."""
    row = await db.one(
        db.Row,
        f"""
        SELECT p.*, u.country, u.suspension_reason, u.password_change_required_at,
               EXISTS (SELECT 1 FROM mfa_secrets m WHERE m.user_id = u.id) AS has_totp,
               (SELECT count(*) FROM passkeys k WHERE k.user_id = u.id) AS passkeys,
               i.created_at AS invited_at, i.expires_at AS invitation_ends_at, i.used_at AS invitation_used_at,
               (SELECT e.due_at FROM erasures e WHERE e.user_id = u.id AND e.state IN ('waiting', 'begun')) AS erasure_due_at
        FROM (SELECT {USER_COLUMNS} FROM users WHERE public_id = :id) p JOIN users u ON u.id = p.id
        LEFT JOIN LATERAL (
            SELECT created_at, expires_at, used_at FROM one_time_tokens t
            WHERE t.user_id = u.id AND t.purpose = 'set_password' ORDER BY t.created_at DESC LIMIT 1) i ON true
        """,  # noqa: S608
        id=public_id,
    )
    if row is None:
        return None
    return (
        User(**{name: getattr(row, name) for name in _PERSON}),
        PersonFacts(**{name: getattr(row, name) for name in _FACTS}),
    )


async def update_profile(user_id: int, *, name: str, headline: str, time_zone: str | None, country: str | None) -> None:
    await db.run(
        """
        UPDATE users SET name = :name, headline = :headline, time_zone = :time_zone, country = :country WHERE id = :id
        """,
        id=user_id,
        name=name,
        headline=headline,
        time_zone=time_zone,
        country=country,
    )


async def country_of(user_id: int) -> str | None:
    found: str | None = await db.value("SELECT country FROM users WHERE id = :id", id=user_id)
    return found


async def suspend(user_id: int, reason: str) -> bool:
    """False when they were suspended before."""
    return bool(
        await db.run(
            "UPDATE users SET state = 'suspended', suspension_reason = :reason WHERE id = :id AND state = 'active'",
            id=user_id,
            reason=reason,
        )
    )


async def suspension_reason(user_id: int) -> str:
    found: str = await db.value("SELECT suspension_reason FROM users WHERE id = :id", id=user_id)
    return found


async def unsuspend(user_id: int, only_for: str | None = None) -> str | None:
    """Why they were suspended; None when they were not, or for another reason than `only_for`, and once their erasure has
    begun: nobody enters any more.
    """
    found: str | None = await db.value(
        """
        UPDATE users u SET state = 'active', suspension_reason = ''
        FROM (SELECT id, suspension_reason FROM users WHERE id = :id) old
        WHERE u.id = old.id AND u.state = 'suspended' AND u.erased_at IS NULL
          AND old.suspension_reason = coalesce(CAST(:only_for AS text), old.suspension_reason)
          AND NOT EXISTS (SELECT 1 FROM erasures e WHERE e.user_id = u.id AND e.state = 'begun')
        RETURNING old.suspension_reason
        """,
        id=user_id,
        only_for=only_for,
    )
    return found


# Tags


async def all_tags(most: int) -> list[Tag]:
    """All tags by name, with how many people have them, counted no further than `most`."""
    return await db.many(
        Tag,
        """
        SELECT t.id, t.public_id, t.name,
               (SELECT count(*) FROM (SELECT 1 FROM user_tags x WHERE x.tag_id = t.id LIMIT :most) few) AS people
        FROM tags t ORDER BY lower(t.name), t.id
        """,
        most=most,
    )


async def tag_by_public_id(public_id: str) -> Tag | None:
    return await db.one(
        Tag,
        """
        SELECT t.id, t.public_id, t.name, (SELECT count(*) FROM user_tags x WHERE x.tag_id = t.id) AS people
        FROM tags t WHERE t.public_id = :id
        """,
        id=public_id,
    )


async def lock_tags(public_ids: list[str]) -> list[Tag]:
    """These tags, held for a change, in one order."""
    return await db.many(
        Tag,
        """
        SELECT id, public_id, name, 0 AS people FROM tags WHERE public_id = ANY(CAST(:ids AS text[])) ORDER BY id FOR UPDATE
        """,
        ids=public_ids,
    )


async def share_tag(tag_id: int) -> bool:
    """Keep the tag from going for the rest of the transaction; False when it is gone."""
    return await db.value("SELECT 1 FROM tags WHERE id = :id FOR KEY SHARE", id=tag_id) is not None


async def hold_tags_of(user_ids: list[int]) -> None:
    """Keep the tags of these people from going for the rest of the transaction. Before the people are locked, as by whoever
    gives a tag: who merges two holds the tags, and then waits for whom they mark.
    """
    await db.many(
        db.Row,
        """
        SELECT id FROM tags
        WHERE id IN (SELECT tag_id FROM user_tags WHERE user_id = ANY(CAST(:ids AS bigint[]))) ORDER BY id FOR KEY SHARE
        """,
        ids=user_ids,
    )


async def hold_tags_named(names: list[str]) -> None:
    """The same of the tags of these names, in lower case; for who marks people whom they lock first."""
    await db.many(
        db.Row,
        "SELECT id FROM tags WHERE lower(name) = ANY(CAST(:names AS text[])) ORDER BY id FOR KEY SHARE",
        names=names,
    )


async def tag_by_name(name: str) -> Tag | None:
    return await db.one(
        Tag, "SELECT id, public_id, name, 0 AS people FROM tags WHERE lower(name) = lower(:name)", name=name
    )


async def insert_tag(public_id: str, name: str, now: datetime) -> bool:
    """False when there is one of that name."""
    return bool(
        await db.run(
            """
            INSERT INTO tags (public_id, name, created_at) VALUES (:public_id, :name, :now)
            ON CONFLICT (lower(name)) DO NOTHING
            """,
            public_id=public_id,
            name=name,
            now=now,
        )
    )


async def rename_tag(tag_id: int, name: str) -> None:
    await db.run("UPDATE tags SET name = :name WHERE id = :id", id=tag_id, name=name)


async def move_tagged(tag_id: int, to: int) -> int:
    """Give everybody with one tag the other; how many had it."""
    return await db.run(
        """
        WITH moved AS (INSERT INTO user_tags (user_id, tag_id) SELECT user_id, :to FROM user_tags WHERE tag_id = :id
                       ON CONFLICT DO NOTHING)
        DELETE FROM user_tags WHERE tag_id = :id
        """,
        id=tag_id,
        to=to,
    )


async def delete_tag(tag_id: int) -> None:
    await db.run("DELETE FROM tags WHERE id = :id", id=tag_id)


async def add_tag(user_id: int, tag_id: int) -> bool:
    """False when they had it."""
    return bool(
        await db.run(
            "INSERT INTO user_tags (user_id, tag_id) VALUES (:user, :tag) ON CONFLICT DO NOTHING",
            user=user_id,
            tag=tag_id,
        )
    )


async def remove_tag(user_id: int, tag_id: int) -> bool:
    """False when they did not have it."""
    return bool(await db.run("DELETE FROM user_tags WHERE user_id = :user AND tag_id = :tag", user=user_id, tag=tag_id))


# Notes


async def notes_and_tags(user_id: int) -> tuple[list[Note], list[Any]]:
    """The notes about a person, newest first, and their tags, by name."""
    rows = await db.many(
        db.Row,
        """
        (SELECT 'tag' AS kind, t.public_id, t.name AS words, NULL AS author, CAST(NULL AS bigint) AS author_id,
                CAST(NULL AS timestamptz) AS created_at, t.id
         FROM user_tags x JOIN tags t ON t.id = x.tag_id WHERE x.user_id = :id ORDER BY lower(t.name))
        UNION ALL
        (SELECT 'note', n.public_id, n.body, a.name, n.author_id, n.created_at, n.id
         FROM person_notes n LEFT JOIN users a ON a.id = n.author_id
         WHERE n.user_id = :id ORDER BY n.created_at DESC, n.id DESC LIMIT 200)
        """,
        id=user_id,
    )
    notes = [
        Note(row.public_id, row.words, row.author, row.author_id, row.created_at) for row in rows if row.kind == "note"
    ]
    return notes, [row for row in rows if row.kind == "tag"]


async def insert_note(public_id: str, user_id: int, author_id: int, body: str, now: datetime) -> None:
    await db.run(
        """
        INSERT INTO person_notes (public_id, user_id, author_id, body, created_at)
        VALUES (:public_id, :user, :author, :body, :now)
        """,
        public_id=public_id,
        user=user_id,
        author=author_id,
        body=body,
        now=now,
    )


async def delete_note(public_id: str, user_id: int, author_id: int) -> bool:
    """False when it is not there, or somebody else's."""
    return bool(
        await db.run(
            "DELETE FROM person_notes WHERE public_id = :id AND user_id = :user AND author_id = :author",
            id=public_id,
            user=user_id,
            author=author_id,
        )
    )
