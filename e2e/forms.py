"""Forms that are put into the running school as they are, for journeys of those who fill them in."""

from __future__ import annotations

import asyncio
import json
import threading
import uuid
from typing import Any

import asyncpg

from e2e.school import SmallSchool


def put(school: SmallSchool, definition: dict[str, Any]) -> tuple[str, str]:
    """An open form with this definition: its slug, which is its public id too, and its title."""
    slug = f"form-{uuid.uuid4().hex[:10]}"
    title = f"{definition['title']} {slug}"
    stored = {**definition, "title": title, "last": 99}
    _apart(_insert(school.database_url, slug, stored))
    return slug, title


def answers_of(school: SmallSchool, slug: str) -> tuple[str, dict[str, Any]]:
    """The newest entry of a form: its public id and its answers."""
    found: list[Any] = []

    async def look() -> None:
        connection = await asyncpg.connect(school.database_url)
        found.append(
            await connection.fetchrow(
                """SELECT e.public_id, e.answers FROM form_entries e JOIN forms f ON f.id = e.form_id
                   WHERE f.slug = $1 ORDER BY e.id DESC LIMIT 1""",
                slug,
            )
        )
        await connection.close()

    _apart(look())
    return found[0]["public_id"], json.loads(found[0]["answers"])


def _apart(work: Any) -> None:
    # The browser's own loop runs in this thread.
    thread = threading.Thread(target=lambda: asyncio.run(work))
    thread.start()
    thread.join()


async def _insert(url: str, slug: str, definition: dict[str, Any]) -> None:
    connection = await asyncpg.connect(url)
    async with connection.transaction():
        form = await connection.fetchval(
            """INSERT INTO forms (public_id, slug, title, created_at, updated_at)
               VALUES ($1, $1, $2, now(), now()) RETURNING id""",
            slug, definition["title"],
        )  # fmt: skip
        version = await connection.fetchval(
            """INSERT INTO form_versions (form_id, number, definition, made_at, published_at)
               VALUES ($1, 1, $2::jsonb, now(), now()) RETURNING id""",
            form, json.dumps(definition),
        )  # fmt: skip
        await connection.execute(
            "UPDATE forms SET head_id = $2, live_id = $2, state = 'open' WHERE id = $1", form, version
        )
    await connection.close()
