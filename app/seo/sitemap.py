"""The list of the pages that search engines are asked to read (https://www.sitemaps.org/protocol.html)."""

from collections.abc import Iterable
from datetime import datetime
from xml.sax.saxutils import escape

from app.core import db
from app.seo import queries

# The protocol's own limit for one file.
LARGEST = 50_000
NAMESPACE = "http://www.sitemaps.org/schemas/sitemap/0.9"


async def published() -> list[db.Row]:
    """The published courses and their free lessons: `slug`, `lesson_slug` (None for the course), `changed_at`."""
    return await queries.published(LARGEST - 1000)


def drawn(pages: Iterable[tuple[str, datetime | None]]) -> str:
    """The document, from absolute addresses and when each was changed, if that is known."""
    lines = ['<?xml version="1.0" encoding="UTF-8"?>', f'<urlset xmlns="{NAMESPACE}">']
    for address, changed_at in pages:
        changed = f"<lastmod>{changed_at.isoformat(timespec='seconds')}</lastmod>" if changed_at else ""
        lines.append(f"<url><loc>{escape(address)}</loc>{changed}</url>")
    return "\n".join([*lines, "</urlset>", ""])
