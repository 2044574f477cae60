"""What a visitor's first page weighs on the wire, with the demo school's words on it."""

import re

import brotli
from quart.typing import TestClientProtocol

from app import Lectern
from app.config import Config
from app.core import db
from app.demo import seed

KILOBYTE = 1024
# Compressed: docs/performance.md.
HTML, CSS, JS = 14 * KILOBYTE, 20 * KILOBYTE, 30 * KILOBYTE


async def _wire(client: TestClientProtocol, path: str) -> tuple[int, str]:
    """The bytes that are sent for an address, and their text."""
    answer = await client.get(path, headers={"Accept-Encoding": "br"})
    body = await answer.get_data(as_text=False)
    assert answer.status_code == 200, path
    packed = answer.headers.get("Content-Encoding") == "br"
    return len(body), (brotli.decompress(body) if packed else body).decode()


async def _addresses() -> list[str]:
    courses = await db.many(db.Row, "SELECT slug FROM courses WHERE state = 'published'")
    lessons = await db.many(
        db.Row,
        """
        SELECT c.slug AS course, l.slug FROM lessons l JOIN courses c ON c.id = l.course_id
        WHERE l.is_preview AND l.state = 'published' AND c.state = 'published'
        """,
    )
    assert courses and lessons
    found = ["/", "/courses", "/cart", "/login", "/register", "/password/forgot"]
    found += [f"/courses/{course.slug}" for course in courses]
    return found + [f"/courses/{lesson.course}/preview/{lesson.slug}" for lesson in lessons]


async def test_public_pages_keep_to_their_weight(app: Lectern, config: Config, client: TestClientProtocol) -> None:
    await seed.run(config, members=5)
    too_heavy = []
    for path in await _addresses():
        html, text = await _wire(client, path)
        sheets = re.findall(r'<link rel="stylesheet" href="([^"]+)"', text)
        scripts = re.findall(r'<script src="([^"]+)"', text)
        assert sheets and scripts, path
        css = sum([(await _wire(client, sheet.replace("&amp;", "&")))[0] for sheet in sheets])
        js = sum([(await _wire(client, script))[0] for script in scripts])
        if html > HTML or css > CSS or js > JS:
            too_heavy.append(f"{path}: HTML {html}, CSS {css}, JavaScript {js}")
    assert not too_heavy, "\n".join(too_heavy)
