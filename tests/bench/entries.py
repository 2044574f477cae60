"""The inbox of a form with very many entries, and its files: python -m tests.bench.entries [--rows N] [--file-rows N] [--json FILE].

Starts a PostgreSQL of its own, makes two forms, copies entries into them (through the tables' own triggers), and asks each page
through the application, signed in, from this process: what it takes is statement, rendering and all, without a network. Beside
it stand the rows that the list's statement touched (EXPLAIN ANALYZE). A file is read to its end and thrown away; its memory is the highest of
the process while that lasts (VmHWM, set back before), less what it was before.
"""

import argparse
import asyncio
import json
import os
import random
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from app import create_app, start, stop
from app.config import Config
from app.core import clock, db, limits, migrations, settings
from app.formbuilder.inbox import table
from app.formbuilder.models import Form
from app.web.tables.state import read
from app.web.tables.statements import statement
from tests import servers
from tests.cast import Cast, Person
from tests.formbuilder.entering import a_form
from tests.test_scale import touched

TIMES = 9
COLUMNS = (
    "public_id", "form_id", "version_id", "state", "answers", "said", "email", "began_at", "created_at", "read_at",
    "is_starred", "status", "counted_at",
)  # fmt: skip
PAGES = {
    "First page": "",
    "Page 2": "?page=2",
    "The oldest first": "?sort=came",
    "Search, a rare word": "?q=quagga",
    "Search, a word of a tenth": "?q=garden",
    "Search, in none": "?q=zyzzyva",
    "Unread": "?unread=1",
    "Starred (1 of 1,000)": "?starred=1",
    "State: waits for approval (1 of 500)": "?state=waiting",
    "State: refused (none)": "?state=refused",
    "Status: Done (1 of 200)": "?status=Done",
    "Spam": "?state=spam",
    "Answer: search (1 of 10)": "?f_q3=search",
    "Answer: something else (1 of 1,000)": "?f_q3=__other__",
    "Answer and unread": "?f_q3=search&unread=1",
    "One week": "?from=2026-10-01&until=2026-10-07",
    "Starred and a word": "?starred=1&q=garden",
}


def rows_of(form: Form, count: int, prefix: str) -> Iterator[tuple[Any, ...]]:
    """Entries of the last year, the answers in words of a small language."""
    chance, now = random.Random(5), clock.now()
    words = [
        f"{a}{b}"
        for a in ("ka", "lo", "mi", "nu", "pe", "ri", "so", "ta", "vu", "ze")
        for b in ("ba", "den", "fel", "gro")
    ]
    step = timedelta(days=365) / count
    for number in range(count):
        name = f"{chance.choice(words).title()} {chance.choice(words).title()}"
        told = " ".join(chance.choices(words, k=12))
        told += " garden" if number % 10 == 0 else " quagga" if number % 50_000 == 1 else ""
        email = f"p{number}@example.org"
        found = chance.random()
        how: dict[str, str] = (
            {"value": "search"} if found < 0.1 else {"other": told[:30]} if found < 0.101 else {"value": "friend"}
        )
        at = now - step * (count - number)
        state = "spam" if number % 300 == 7 else "waiting" if number % 500 == 3 else "received"
        yield (
            f"{prefix}{number}", form.id, form.version_id, state,
            json.dumps({"q1": name, "q2": email, "q3": how, "q4": chance.randint(18, 80), "q5": told}),
            f"{name}\n{email}\n{told}", email, at - timedelta(seconds=chance.randint(10, 600)), at,
            None if number > count * 0.9 or number % 3 == 0 else at, number % 1000 == 0,
            "Done" if number % 200 == 0 else "", None if state != "received" else at,
        )  # fmt: skip


async def main() -> None:
    """Seed, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--file-rows", type=int, default=100_000)
    parser.add_argument("--json", type=Path)
    wanted = parser.parse_args()
    with servers.running() as running, tempfile.TemporaryDirectory() as folder:
        config = Config.from_env({
            "PATH": os.environ["PATH"], "LECTERN_ENV": "test", "SECRET_KEY": "a key for measuring only, long enough",
            "APP_URL": "http://localhost", "DATA_DIR": folder, "DATABASE_URL": running.database_url,
            "REDIS_URL": running.redis_url, "ADMIN_EMAIL": "olga@meridian.example",
        })  # fmt: skip
        app = create_app(config)
        await start(config)
        await migrations.apply()
        await settings.save_school(name="Meridian", currency="EUR", tax_percent="19")
        limits.check = _unlimited  # type: ignore[assignment]
        try:
            found = await _measured(await Cast(app).olga(), wanted.rows, wanted.file_rows)
        finally:
            await stop()
    _print(found)
    if wanted.json:
        wanted.json.write_text(json.dumps(found, indent=1))


async def _unlimited(*_args: object) -> None:
    return None


async def _measured(olga: Person, count: int, file_count: int) -> dict[str, Any]:
    found: dict[str, Any] = {
        "rows": count,
        "file_rows": file_count,
        "load": os.getloadavg()[0],
        "pages": {},
        "files": {},
    }
    large, small = await _form(), await _form()
    found["seed_seconds"] = await _seed(large, count, "l") + await _seed(small, file_count, "s")
    found["megabytes"] = int(await db.value("SELECT pg_database_size(current_database())")) >> 20
    asked = await table.asked(large.public_id)
    base = f"/admin/forms/{large.public_id}"
    second = await _second_page(olga, f"{base}/entries")
    for name, query in PAGES.items():
        path = second if name == "Page 2" else f"{base}/entries{query}"
        found["pages"][name] = {"ms": await _ms(olga, path), "touched": await _touched(asked, path)}
    middle = f"l{count // 2 + 1}"
    for name, path in {"An entry": f"{base}/entries/{middle}", "Report, 30 days": f"{base}/report",
                       "Report, a year": f"{base}/report?days=365", "Unfinished": f"{base}/unfinished"}.items():  # fmt: skip
        found["pages"][name] = {"ms": await _ms(olga, path), "touched": None}
    for form, size in ((small, file_count), (large, count)):
        for kind in ("csv", "json", "xlsx") if form is small else ("csv",):
            print(f"file: {kind} of {size}", file=sys.stderr, flush=True)
            found["files"][f"{kind.upper()}, {size:,} entries"] = await _file(olga, form, kind)
    found["load_after"] = os.getloadavg()[0]
    return found


async def _form() -> Form:
    fields: list[dict[str, Any]] = [
        {"id": "q1", "kind": "short_text", "label": "Your name"},
        {"id": "q2", "kind": "email", "label": "Email"},
        {"id": "q3", "kind": "radio", "label": "How did you find us?", "settings": {"other": True, "options": [
            {"value": "friend", "label": "A friend"}, {"value": "search", "label": "The search"}]}},
        {"id": "q4", "kind": "number", "label": "Age"},
        {"id": "q5", "kind": "long_text", "label": "Tell us more"},
    ]  # fmt: skip
    form, _definition = await a_form(fields)
    return form


async def _seed(form: Form, count: int, prefix: str) -> float:
    print(f"seed: {count}", file=sys.stderr, flush=True)
    began = time.perf_counter()
    await db.copy("form_entries", COLUMNS, _typed(rows_of(form, count, prefix)))
    await db.script("ANALYZE form_entries; ANALYZE form_answer_choices")
    return time.perf_counter() - began


def _typed(rows: Iterator[tuple[Any, ...]]) -> Iterator[tuple[Any, ...]]:
    place = COLUMNS.index("answers")
    for row in rows:
        yield (*row[:place], json.loads(row[place]), *row[place + 1 :])


async def _second_page(olga: Person, path: str) -> str:
    text = await (await olga.browser.get(path)).get_data(as_text=True)
    after = text.partition('rel="next"')[0].rpartition('href="')[2].partition('"')[0] if 'rel="next"' in text else ""
    return after.replace("&amp;", "&") if after.startswith("/") else path + after.replace("&amp;", "&")


async def _ms(olga: Person, path: str) -> float:
    """Half of the times it took less than this many milliseconds, after two that do not count."""
    taken = []
    for number in range(TIMES + 2):
        began = time.perf_counter()
        answer = await olga.browser.get(path)
        await answer.get_data()
        assert answer.status_code == 200, (path, answer.status_code)
        if number > 1:
            taken.append(1000 * (time.perf_counter() - began))
    return round(statistics.median(taken), 1)


async def _touched(asked: table.Asked, path: str) -> int:
    args = dict(part.split("=", 1) for part in path.partition("?")[2].split("&") if "=" in part)
    listing, choices = table.listing_of(asked, [], args)
    sql, binds = statement(listing, read(listing, args, choices), ZoneInfo("UTC"), choices, limit=41)
    return await touched(sql, binds, "force_custom_plan")


async def _file(olga: Person, form: Form, kind: str) -> dict[str, float]:
    from app.formbuilder.inbox import exports

    app = olga.browser.app  # type: ignore[attr-defined]
    asked = await table.asked(form.public_id)
    Path("/proc/self/clear_refs").write_text("5", encoding="utf-8")
    before, began, size = _high(), time.perf_counter(), 0
    async with app.app_context():
        _name, parts = await exports.begin(asked, kind)
        async for part in parts:
            size += len(part)
    return {
        "seconds": round(time.perf_counter() - began, 1),
        "megabytes": round(size / 1e6, 1),
        "memory_mb": round((_high() - before) / 1024, 1),
    }


def _high() -> int:
    line = next(
        each for each in Path("/proc/self/status").read_text(encoding="utf-8").splitlines() if each.startswith("VmHWM")
    )
    return int(line.split()[1])


def _print(found: dict[str, Any]) -> None:
    print(f"{found['rows']:,} entries, {found['megabytes']} MB, seeded in {found['seed_seconds']:.0f} s; "
          f"load {found['load']:.1f} to {found['load_after']:.1f}\n")  # fmt: skip
    print("| page | ms, median | rows touched |\n|---|---:|---:|")
    for name, each in found["pages"].items():
        print(f"| {name} | {each['ms']} | {'' if each['touched'] is None else format(each['touched'], ',')} |")
    print("\n| file | seconds | MB | memory, MB more |\n|---|---:|---:|---:|")
    for name, each in found["files"].items():
        print(f"| {name} | {each['seconds']} | {each['megabytes']} | {each['memory_mb']} |")


if __name__ == "__main__":
    asyncio.run(main())
