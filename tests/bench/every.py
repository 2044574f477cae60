"""`bin/bench --every`: one page of each kind that links lead to, asked for as visitor, member and owner; slowest first.

The table of `bin/bench` holds pages that many ask for. A page that nobody thought of is found here, and a link that leads
nowhere. Time is that on a processor of web process and PostgreSQL, the least of several requests, as in `scale`.
"""

from __future__ import annotations

import asyncio
import re
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from html import unescape
from urllib.parse import parse_qsl, urljoin, urlsplit

from werkzeug.exceptions import HTTPException
from werkzeug.routing import MapAdapter

from app import create_app
from app.config import Config
from tests.bench import scale
from tests.bench.stack import HOST, Stack

# Where each begins to look.
START = {"visitor": ["/"], "member": ["/", "/learn", "/account"], "owner": ["/admin", "/account"]}
REQUESTS = 6
SHOWN = 20
# No page of the school's own answers there: files of the assets' server, and what a browser's own request makes.
_PASSED_OVER = ("/static/", "/media/", "/theme.css")
_LINK = re.compile(r'<(?:a|iframe)\b[^>]*?\s(?:href|src)="([^"#]+)|\shx-get="([^"#]+)')


@dataclass(frozen=True, slots=True)
class Visit:
    """The first of its kind: seconds on a processor, the status, the page that led there, and whether it is no file."""

    path: str
    who: str
    seconds: float
    status: int
    found_on: str
    is_page: bool


def visit(stack: Stack, say: Callable[[str], None]) -> list[Visit]:
    """Follow the links of a school that is not started yet."""
    stack.start_school()
    school = asyncio.run(scale.gather(stack))
    map_of_school = create_app(Config.from_env(stack.env)).url_map.bind(HOST)
    found: list[Visit] = []
    for who, start in START.items():
        found += _visit_as(who, start, school, map_of_school)
        say(f"{len(found)} kinds of pages, {who} last")
    return found


def _visit_as(who: str, start: list[str], school: scale.School, known: MapAdapter) -> Iterator[Visit]:
    waiting, kinds = deque((path, "") for path in start), set()
    while waiting:
        path, found_on = waiting.popleft()
        kind = kind_of(path, known)
        if kind in kinds or path.startswith(_PASSED_OVER):
            continue
        kinds.add(kind)
        seconds, status, body = _least(school, path, who)
        yield Visit(path, who, seconds, status, found_on, _is_page(body))
        waiting.extend((each, path) for each in links(path, body))


def kind_of(path: str, known: MapAdapter) -> tuple[str, ...]:
    """The rule that answers, and the names in the query; an address that no rule answers is a kind of its own."""
    parts = urlsplit(path)
    try:
        rule, _values = known.match(parts.path, method="GET", return_rule=True)
    except HTTPException:
        return (parts.path,)
    return (rule.rule, *sorted({name for name, _value in parse_qsl(parts.query, keep_blank_values=True)}))


def links(path: str, body: str) -> list[str]:
    """Where the page at `path` leads to in this school."""
    found = []
    for anchor, fragment in _LINK.findall(body):
        parts = urlsplit(urljoin(f"https://{HOST}{path}", unescape(anchor or fragment)))
        if parts.scheme == "https" and parts.netloc == HOST:
            found.append(parts._replace(scheme="", netloc="", fragment="").geturl() or "/")
    return found


def _least(school: scale.School, path: str, who: str) -> tuple[float, int, str]:
    """The least time of several requests; what is no page is asked for once."""
    least = float("inf")
    for _ in range(REQUESTS):
        began = school.stack.processor_time()
        status, body = scale.ask(school, path, who)
        least = min(least, school.stack.processor_time() - began)
        if status != 200 or not _is_page(body):
            break
    return least, status, body


def _is_page(body: str) -> bool:
    return "<html" in body


def drawn(visits: list[Visit]) -> str:
    """The slowest pages, how all fared, and what failed."""
    pages = sorted((one for one in visits if one.status == 200 and one.is_page), key=lambda one: -one.seconds)
    lines = ["| address | ms on a processor |", "|---|---:|"]
    lines += [f"| {one.path} ({one.who}) | {one.seconds * 1000:.1f} |" for one in pages[:SHOWN]]
    lines.append(f"\n{len(pages)} kinds of pages; the median took {pages[len(pages) // 2].seconds * 1000:.1f} ms.")
    return "\n".join(
        [*lines, *(f"failed: {one.status} {one.path} ({one.who}), from {one.found_on}" for one in failed(visits))]
    )


def failed(visits: list[Visit]) -> list[Visit]:
    """Links that lead nowhere, or to a mistake of ours."""
    return [one for one in visits if one.status >= 400]
