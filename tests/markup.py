"""More than five hundred ways to smuggle a script into text, ways to write them into every column of the database, and
a reader of pages that tells when one came to life.
"""

from __future__ import annotations

import asyncio
import json
import os
import re
from collections.abc import Iterator
from html.parser import HTMLParser
from itertools import product
from typing import Any

import asyncpg

from app.courses import prose

MARK = "xqz9"
RUN = f"alert('{MARK}')"
_TAGS = (
    "img src=x", "svg", "body", "video src=x", "audio src=x", "details open", "input autofocus", "select autofocus",
    "textarea autofocus", "iframe", "marquee", "object data=x", "math", "a href=x", "button", "form", "style",
    "svg><animate attributeName=x dur=1s", "video><source src=x", "hx-partial", "div hx-on:click=x",
)  # fmt: skip
_HANDLERS = ("onerror", "onload", "onfocus", "ontoggle", "onmouseover", "onbegin")
_BREAKS = ("", '">', "'>", "`>", "--></title></script>", "</textarea></style>")
_SCHEMES = (
    "javascript:", "JaVaScRiPt:", "java\tscript:", "java\nscript:", "\x01javascript:", " javascript:", "javascript\t:",
    "&#106;avascript:", "&#x6A;avascript:", "javascript&colon;", "vbscript:", "data:text/html,<script>", "view-source:javascript:",
    "data:image/svg+xml,<svg onload=", "//evil.example/", "\\\\evil.example\\", "/\\evil.example/", "blob:", "filesystem:",
)  # fmt: skip
_WRAPS = (
    "{}", "[x]({})", "![x]({})", "<{}>", '<a href="{}">x</a>', "<iframe src={}>", "[x]: {}\n\n[x]", '"><a href="{}">x',
    '<form action="{}"><button>x</button></form>', '<base href="{}">', '<meta http-equiv=refresh content="0;url={}">',
)  # fmt: skip
_ODD = (
    f"<script>{RUN}</script>", f"<ScRiPt >{RUN}</ScRiPt>", f"<script\x0c>{RUN}</script>", f"<script/src=//x/{MARK}></script>",
    f"<<script>{RUN}//<</script>", f"</script><script>{RUN}</script>", f"<scr<script>ipt>{RUN}</scr</script>ipt>",
    f"{{{{ {RUN} }}}}", f"{{% print('{MARK}') %}}", "${" + RUN + "}", f"' || {RUN} || '", f"\\u003cscript\\u003e{RUN}",
    f"&lt;script&gt;{RUN}&lt;/script&gt;", f"%3Cscript%3E{RUN}%3C/script%3E", f"<!--><img src=x onerror={RUN}>-->",
    f"<![CDATA[><script>{RUN}</script>]]>", f"<?xml version='1.0'?><script>{RUN}</script>",
    f"<noscript><p title='</noscript><img src=x onerror={RUN}>'>", f"<math><mtext></p><style><img src=x onerror={RUN}>",
    f"<svg><style><img src=x onerror={RUN}></style></svg>", f"```html\n<img src=x onerror={RUN}>\n```",
    f"<table><td background=javascript:{RUN}>", f"<div style='background:url(javascript:{RUN})'>{MARK}</div>",
    f"<style>@import '//{MARK}'</style>", f"<link rel=stylesheet href=//{MARK}>", f"＜script＞{RUN}＜/script＞",
    f"\u202e<script>{RUN}</script>", f"<img src=`x` onerror=`{RUN}`>", f'" autofocus onfocus="{RUN}" x="', f"' onmouseover='{RUN}' x='",
    f"<template><script>{RUN}</script></template>", f"<a href=x hx-get=/logout hx-trigger=load>{MARK}</a>",
    f'<img srcset="x 1x" onload={RUN}>', f"<isindex action=javascript:{RUN}>", f"<input type=image src=x onerror={RUN}>",
)  # fmt: skip


def _made() -> Iterator[str]:
    yield from _ODD
    for tag, handler, begin in product(_TAGS, _HANDLERS, _BREAKS):
        if (len(tag) + len(handler) + len(begin)) % 2:  # half of them are enough
            yield f"{begin}<{tag} {handler}={RUN}>"
    for scheme, wrap in product(_SCHEMES, _WRAPS):
        yield wrap.format(f"{scheme}{RUN}")


PAYLOADS = list(dict.fromkeys(_made()))

# --- into every column ---

# What these hold is chosen by us, never typed by anybody: keys, states, kinds.
_OURS = re.compile(
    r"(?:^|_)(?:public_id|id|state|status|kind|role|currency|slug|token|hash|key|provider|entrypoint|expression|fact|template|purpose|"
    r"source|source_ref|level|language|time_zone|plate_ground|checksum|code|color|country|checkout|intent|action|type|flag)$"
)
_TABLES_OF_OURS = ("schema_migrations", "pgqueuer", "pgqueuer_log", "pgqueuer_schedules", "pgqueuer_statistics")
_COLUMNS = """
    SELECT c.table_name, c.column_name, c.data_type FROM information_schema.columns c
    JOIN information_schema.tables t USING (table_schema, table_name)
    WHERE c.table_schema = 'public' AND t.table_type = 'BASE TABLE' AND c.is_generated = 'NEVER'
      AND c.data_type IN ('text', 'character varying', 'jsonb') ORDER BY 1, 2
"""


def fields_of(text: Any, start: int) -> Any:
    """A JSON value with every text in it replaced, as deep as it goes; addresses of ours stay."""
    if isinstance(text, dict):
        return {name: fields_of(value, start + number) for number, (name, value) in enumerate(text.items())}
    if isinstance(text, list):
        return [fields_of(value, start + number) for number, value in enumerate(text)]
    return bundle(start) if isinstance(text, str) and not text.startswith("/") else text


def bundle(start: int, count: int = 60) -> str:
    """So many payloads in one text, beginning with another one each time."""
    return "\n".join(PAYLOADS[(start * 7 + number * 13) % len(PAYLOADS)] for number in range(count)).replace("\x00", "")


async def poison(url: str, turn: int = 0) -> list[str]:
    """Write payloads into every text that somebody could have typed; which columns took them."""
    connection = await asyncpg.connect(url)
    taken = []
    try:
        await connection.execute("SET session_replication_role = replica")  # the audit log refuses changes
        columns = await connection.fetch(_COLUMNS)
        for number, (table, column, kind) in enumerate(columns):
            if table in _TABLES_OF_OURS or _OURS.search(column):
                continue
            if column == "body_html":  # only ever written from Markdown
                await connection.execute(f'UPDATE "{table}" SET "{column}" = $1', prose.render(bundle(turn, 200)))
                taken.append(f"{table}.{column}")
                continue
            for count in (60, 3, 1):  # a check on the length may let less through
                try:
                    if kind == "jsonb":
                        await _poison_json(connection, table, column, number + turn)
                    else:
                        await connection.execute(
                            f'UPDATE "{table}" SET "{column}" = $1 || ctid WHERE "{column}" IS NOT NULL',
                            bundle(number + turn * 5, count),
                        )
                except asyncpg.PostgresError:
                    continue
                taken.append(f"{table}.{column}")
                break
    finally:
        await connection.close()
    return taken


# What a definition of a form cannot be read without; nobody can type anything else there.
_OF_DEFINITIONS = frozenset({"id", "kind", "do", "field", "is", "targets", "connection", "width"})


def _sound(value: Any, changed: Any) -> Any:
    """The changed definition, with the structure of the one that was there."""
    if isinstance(value, dict):
        return {k: value[k] if k in _OF_DEFINITIONS else _sound(value[k], changed[k]) for k in value}
    if isinstance(value, list):
        return [_sound(*pair) for pair in zip(value, changed, strict=True)]
    return changed


async def _poison_json(connection: asyncpg.Connection, table: str, column: str, start: int) -> None:
    rows = await connection.fetch(f'SELECT ctid, "{column}"::text AS value FROM "{table}" WHERE "{column}" IS NOT NULL')
    for row in rows:
        value = json.loads(row["value"])
        changed = fields_of(value, start)
        if table == "form_versions":
            changed = _sound(value, changed)
        if table == "settings" and isinstance(changed, dict):
            for name in ("currency", "time_zone", "tax_percent", "home_art", "hue", "home_excerpt_from", "mail_sender"):
                if name in value:
                    changed[name] = value[name]
        await connection.execute(
            f'UPDATE "{table}" SET "{column}" = $1::jsonb WHERE ctid = $2', json.dumps(changed), row["ctid"]
        )


# --- what came to life ---

_ADDRESSES = {
    "href",
    "src",
    "action",
    "formaction",
    "data",
    "poster",
    "background",
    "cite",
    "ping",
    "srcset",
    "xlink:href",
}
_ADDRESSES |= {"hx-get", "hx-post", "hx-put", "hx-delete", "hx-patch", "hx-push-url"}
_ALIVE = re.compile(
    r"^(?:javascript|vbscript|data:(?!image/(?:png|jpeg|gif|webp|svg\+xml;base64))|blob|filesystem|view-source)", re.I
)
_FOREIGN = {"object", "embed", "applet", "base", "marquee", "math", "isindex", "frame", "frameset", "noframes", "layer"}


class Reader(HTMLParser):
    """Reads a page as a browser would, and notes what should not be there."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.alive: list[str] = []
        self._raw = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        here = f"<{tag} {attrs}>"[:300]
        if tag in _FOREIGN or MARK in tag:
            self.alive.append(here)
        is_link = tag == "a" and "noopener" in str(dict(attrs).get("rel"))  # authors may link to others
        for name, text in attrs:
            value = re.sub(r"[\x00-\x20]", "", text or "")
            if (
                MARK in name
                or name.startswith(("on", "hx-on"))
                or name in ("srcdoc",)
                or (name in _ADDRESSES and (_ALIVE.match(value) or ("evil.example" in value[:24] and not is_link)))
                or (name == "style" and MARK in value)
                or (tag == "meta" and name == "http-equiv" and MARK in str(attrs))
            ):
                self.alive.append(here)
        self._raw = tag if tag in ("script", "style") else ""

    def handle_endtag(self, tag: str) -> None:
        self._raw = ""

    def handle_data(self, data: str) -> None:
        if self._raw and MARK in data:
            self.alive.append(f"<{self._raw}>{data}"[:300])

    def handle_comment(self, data: str) -> None:
        if MARK in data:
            self.alive.append(f"<!--{data}"[:300])

    def unknown_decl(self, data: str) -> None:
        if MARK in data:
            self.alive.append(f"<![{data}"[:300])


def alive(html: str) -> list[str]:
    """What in this page came to life."""
    reader = Reader()
    reader.feed(html)
    reader.close()
    return reader.alive


if __name__ == "__main__":
    # The browser's tests run beside another event loop, so they call this in a process of its own.
    assert len(asyncio.run(poison(os.environ["DATABASE_URL"]))) > 30
