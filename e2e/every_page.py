"""Every address that shows a page, from the URL map, with things behind it that the demo school has."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import asyncpg

from app import create_app
from app.config import Config
from e2e.school import SmallSchool
from tests.everywhere import address, routes

# Files, fragments and machines' pages.
_NO_PAGES = (
    "/media/",
    "/health/",
    "/time",
    "/theme.css",
    "/robots.txt",
    "/sitemap.xml",
    "/plates/",
    "/account/corner",
    "/cart/count",
    "/courses/<slug>/offer",
)
# What the address of each place is filled with; a kind that the school has none of is passed over.
_PLACES = {
    "public_id": "SELECT public_id FROM courses WHERE state = 'published' ORDER BY id LIMIT 1",
    "slug": "SELECT slug FROM courses WHERE state = 'published' ORDER BY id LIMIT 1",
    "course_slug": """
        SELECT c.slug FROM courses c JOIN products p ON p.course_id = c.id JOIN entitlements e ON e.product_id = p.id
        JOIN users u ON u.id = e.user_id WHERE u.email = $1 AND e.closed_at IS NULL ORDER BY c.id LIMIT 1""",
    "lesson_slug": """
        SELECT l.slug FROM lessons l JOIN courses c ON c.id = l.course_id
        WHERE l.state = 'published' AND l.is_preview ORDER BY c.id, l.position LIMIT 1""",
    "lesson_id": """
        SELECT l.public_id FROM lessons l WHERE l.course_id =
        (SELECT id FROM courses WHERE state = 'published' ORDER BY id LIMIT 1) ORDER BY kind = 'video' DESC, id LIMIT 1""",
    "section_id": """
        SELECT public_id FROM sections WHERE course_id =
        (SELECT id FROM courses WHERE state = 'published' ORDER BY id LIMIT 1) ORDER BY position LIMIT 1""",
    "/orders": "SELECT o.public_id FROM orders o JOIN users u ON u.id = o.user_id WHERE u.email = $1 ORDER BY o.id LIMIT 1",
    "/people": "SELECT public_id FROM users WHERE email = $1",
    "/mails": "SELECT public_id FROM mails ORDER BY id LIMIT 1",
    "/passkeys": "SELECT p.public_id FROM passkeys p JOIN users u ON u.id = p.user_id WHERE u.email = $1 ORDER BY p.id LIMIT 1",
    "job_id": "SELECT id::text FROM pgqueuer WHERE status = 'failed' LIMIT 1",
    "provider": "SELECT provider FROM webhook_events ORDER BY id LIMIT 1",
    "event_id": "SELECT event_id FROM webhook_events ORDER BY id LIMIT 1",
    "act_id": "SELECT max(id)::text FROM audit_log",
    "subject_id": "SELECT subject_id FROM audit_log WHERE subject_type = 'order' ORDER BY id LIMIT 1",
    "key": "SELECT key FROM roles LIMIT 1",
    "tag_id": "SELECT public_id FROM tags ORDER BY id LIMIT 1",
    "entitlement_id": "SELECT public_id FROM entitlements LIMIT 1",
}
_FIXED = {
    "domain": "accounts",
    "name": "welcome",
    "token": "nothing",
    "file_name": "x",
    "role": "video",
    "kind": "order",
}


def beside(work: Any) -> Any:
    """Run a coroutine while Playwright's own event loop holds this thread."""
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(asyncio.run, work).result()


async def _places(url: str, member: str) -> dict[str, str]:
    connection = await asyncpg.connect(url)
    try:
        found = {}
        for name, sql in _PLACES.items():
            found[name] = await connection.fetchval(sql, *([member] if "$1" in sql else []))
        return {name: value for name, value in {**_FIXED, **found}.items() if value is not None}
    finally:
        await connection.close()


def pages(school: SmallSchool, folder: Path) -> list[str]:
    """All addresses of pages, as the demo's member has things behind them."""
    env = {"LECTERN_ENV": "test", "DATABASE_URL": school.database_url, "DATA_DIR": str(folder), "PATH": "x"}
    places = beside(_places(school.database_url, school.password_of("member")[0]))
    found = []
    for rule in routes(create_app(Config.from_env(env)), "GET"):
        if rule.rule.startswith(_NO_PAGES) or rule.rule.endswith((".html", ".svg", ".css")):
            continue
        try:
            found.append(address(rule.rule, places))
        except KeyError:
            continue
    return sorted(set(found))
