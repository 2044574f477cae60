"""What the school is compared with, served by the same command in the same run.

`/hello` is Quart's smallest page. `/list` is what Quart and asyncpg give to who takes them as they come: 50 orders
through a pool, drawn by `render_template`. `/hand/<name>` is a page of the product written by hand as well as can be:
the same statements with the same arguments, recorded from the real page, on one connection that is given back
without a reset; one synchronous template that escapes every value of every row, filled up with the real page's markup
to the same length; brotli as the product has it. No session logic, no rules, no translations, no links, no headers.
"""

from __future__ import annotations

import os
import pickle
from pathlib import Path
from typing import Any

import asyncpg
import brotli
import jinja2
import orjson
from quart import Quart, Response, render_template

from app.web.compression import QUALITY

ROWS = """
{%- for rows in results %}<section>{% for row in rows %}<article>{% for cell in row %}<span>{{ cell }}</span>
{%- endfor %}</article>{% endfor %}</section>{% endfor -%}
"""
LIST = """<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Orders</title>
<link rel="stylesheet" href="/static/list.css"></head><body><main><h1>Orders</h1><table>
{% for order in orders %}<tr class="order-row order-row--{{ order.state }}"><td class="order-row__number">
<a href="/orders/{{ order.public_id }}">{{ order.number }}</a></td><td class="order-row__placed">
<time datetime="{{ order.created_at.isoformat() }}">{{ order.created_at.strftime("%d %b %Y, %H:%M") }}</time></td>
<td class="order-row__customer">{{ order.name or order.email }}<small class="order-row__email">{{ order.email }}</small>
</td><td class="order-row__state"><span class="badge badge--{{ order.state }}">{{ order.state }}</span></td>
<td class="order-row__total">{{ "%.2f" | format(order.total_minor / 100) }} {{ order.currency }}</td></tr>
{% endfor %}</table></main></body></html>
"""

app = Quart(__name__)
# From a loader, as templates in a folder are: compiled once. (`render_template_string` compiles at each request.)
app.jinja_options = {"loader": jinja2.DictLoader({"list.html": LIST})}
_pools: dict[str, asyncpg.Pool] = {}
_pages: dict[str, tuple[list[tuple[bool, str, tuple[Any, ...]]], jinja2.Template]] = {}
_environment = jinja2.Environment(autoescape=True)


@app.before_serving
async def open_pools() -> None:
    url = os.environ["DATABASE_URL"]
    _pools["plain"] = await asyncpg.create_pool(url, min_size=1, max_size=10)
    _pools["tuned"] = await asyncpg.create_pool(url, min_size=1, max_size=10, init=_init, reset=_no_reset)
    recorded = pickle.loads(Path(os.environ["BENCH_REFERENCE"]).read_bytes())
    for name, (statements, html) in recorded.items():
        queries = [(_is_housekeeping(text), text, arguments) for text, arguments in statements]
        rows = _environment.from_string(ROWS).render(results=await _results(queries))
        _pages[name] = queries, _environment.from_string(filled_up(ROWS, html, len(rows)))


@app.after_serving
async def close_pools() -> None:
    for pool in _pools.values():
        await pool.close()


@app.get("/hello")
async def show_hello() -> str:
    return "Hello, world"


@app.get("/list")
async def show_list() -> str:
    orders = await _pools["plain"].fetch(
        "SELECT public_id, number, created_at, name, email, state, total_minor, currency"
        " FROM orders ORDER BY created_at DESC, id DESC LIMIT 50"
    )
    return await render_template("list.html", orders=orders)


@app.get("/hand/<name>")
async def show_page(name: str) -> Response:
    queries, template = _pages[name]
    body = template.render(results=await _results(queries))
    headers = {"Content-Encoding": "br", "Content-Type": "text/html; charset=utf-8"}
    return Response(brotli.compress(body.encode(), quality=QUALITY), headers=headers)


async def _results(queries: list[tuple[bool, str, tuple[Any, ...]]]) -> list[list[asyncpg.Record]]:
    async with _pools["tuned"].acquire() as connection:
        results = []
        for is_housekeeping, text, arguments in queries:
            if is_housekeeping:
                await connection.execute(text)
            else:
                results.append(await connection.fetch(text, *arguments))
        return results


def filled_up(rows: str, html: str, drawn: int) -> str:
    """The template of the rows inside so much of a page's markup that together they are as long as the page."""
    frame = html[: max(0, len(html) - drawn)]
    half = len(frame) // 2
    return f"{_raw(frame[:half])}{rows}{_raw(frame[half:])}"


def _raw(text: str) -> str:
    return "{% raw %}" + text.replace("{%", "").replace("{{", "") + "{% endraw %}"


def _is_housekeeping(text: str) -> bool:
    return text.lstrip().upper().startswith(("BEGIN", "COMMIT", "ROLLBACK", "SAVEPOINT", "RELEASE"))


async def _init(connection: asyncpg.Connection) -> None:
    await connection.set_type_codec(
        "jsonb",
        schema="pg_catalog",
        format="binary",
        encoder=lambda value: b"\x01" + orjson.dumps(value, default=str),
        decoder=lambda value: orjson.loads(value[1:]),
    )


async def _no_reset(connection: asyncpg.Connection) -> None:
    return None
