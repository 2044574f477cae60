"""What the office has written in the margin of the demo school: tags, notes, a saved view."""

from datetime import datetime, timedelta

from app.core import db
from app.core.ids import public_id

# Name, and which of the members have it (they are numbered by joining, from 0).
_TAGS = (
    ("Early bird", "n < 12"),
    ("Study group", "n % 17 = 5"),
    ("Press", "n IN (23, 61)"),
)
# Days ago, whose place in the order of joining, by whom, what.
_NOTES = (
    (40, 3, "support", "Asked for an invoice with the company's name. Sent it by hand."),
    (12, 23, "support", "Writes for a paper in Utrecht, wants to quote a lesson. Marta says yes, with a link."),
    (9, 23, "owner", "The piece is out, and kind. Sent thanks."),
    (2, 5, "support", "Could not sign in: an old address. Told her how to change it."),
)


async def write(now: datetime) -> None:
    """Tag some members, write about a few, and save a view of the people that the team shares."""
    for name, which in _TAGS:
        tag_id = await db.value(
            "INSERT INTO tags (public_id, name, created_at) VALUES (:public_id, :name, :at) RETURNING id",
            public_id=public_id(),
            name=name,
            at=now - timedelta(days=90),
        )
        await db.run(
            f"""
            INSERT INTO user_tags (user_id, tag_id)
            SELECT id, :tag FROM (
                SELECT id, row_number() OVER (ORDER BY created_at, id) - 1 AS n FROM users WHERE role = 'member') numbered
            WHERE {which}
            """,  # noqa: S608 (conditions of our own)
            tag=tag_id,
        )
    for days, place, role, body in _NOTES:
        await db.run(
            """
            INSERT INTO person_notes (public_id, user_id, author_id, body, created_at)
            SELECT :public_id, users.id, (SELECT a.id FROM users a WHERE a.role = :role ORDER BY a.id LIMIT 1), :body, :at
            FROM users WHERE role = 'member' ORDER BY users.created_at, users.id OFFSET :place LIMIT 1
            """,
            public_id=public_id(),
            role=role,
            body=body,
            at=now - timedelta(days=days),
            place=place,
        )
    await db.run(
        """
        INSERT INTO saved_views (public_id, list, path, query, name, owner_id, is_shared, created_at)
        SELECT :public_id, 'people', '/admin/people', 'role=member&seen=long_ago&sort=seen', 'Gone quiet', id, true, :at
        FROM users WHERE role = 'owner' ORDER BY id LIMIT 1
        """,
        public_id=public_id(),
        at=now - timedelta(days=60),
    )
