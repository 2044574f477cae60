"""Lighthouse over the public pages and a member's lesson, as a phone and as a desk sees them.

It is Google's own program from npm (`npm install lighthouse`, then put node_modules/.bin on the PATH), and drives the
Chromium that CHROME_PATH names.
"""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.bench import people
from tests.bench.stack import Stack

CATEGORIES = ("performance", "accessibility", "best-practices", "seo")
PRESETS = ("mobile", "desktop")
_CHROME = "--chrome-flags=--headless=new --no-sandbox --disable-gpu --disable-background-networking"
_TRIES = 3


def program() -> str:
    """Where Lighthouse is. Raises RuntimeError with what to do when it is nowhere."""
    found = shutil.which("lighthouse")
    if found is None:
        raise RuntimeError("Install Lighthouse (npm install lighthouse) and put its node_modules/.bin on the PATH.")
    return found


def run(stack: Stack, say: Callable[[str], None], *, passes: int) -> list[dict[str, Any]]:
    """A row for each page and preset: the median score of each category, and the audits below full marks."""
    lighthouse = program()
    # Without TLS in front: the address of this machine counts as safe, and cookies go by their plain names.
    stack.env |= {"LECTERN_ENV": "development", "APP_URL": f"http://127.0.0.1:{stack.port}"}
    found = asyncio.run(people.gather(stack))
    stack.start_school()
    pages = {"home": "/", "catalogue": "/courses", "course": found.course}
    pages |= {"free lesson": found.free_lesson, "member's lesson": found.lesson}
    rows = []
    for preset in PRESETS:
        for name, path in pages.items():
            say(f"Lighthouse, {preset}: {name}")
            cookie = found.member.removeprefix("__Host-") if name == "member's lesson" else ""
            seen = [_seen(lighthouse, stack, path, preset, cookie) for _ in range(passes)]
            rows.append({"page": name, "preset": preset, **_middle(seen)})
    return rows


def _seen(lighthouse: str, stack: Stack, path: str, preset: str, cookie: str) -> dict[str, Any]:
    output = stack.folder / "lighthouse.json"
    words = [
        lighthouse,
        f"{stack.env['APP_URL']}{path}",
        "--output=json",
        f"--output-path={output}",
        "--quiet",
        _CHROME,
    ]
    words += ["--preset=desktop"] if preset == "desktop" else []
    words += [f"--extra-headers={json.dumps({'Cookie': cookie})}"] if cookie else []
    chrome = os.environ.get("CHROME_PATH") or shutil.which("chromium") or shutil.which("google-chrome") or ""
    # On a busy machine the browser is now and then gone before Lighthouse has seen the page.
    for _try in range(_TRIES):
        done = subprocess.run(
            words, env={**os.environ, "CHROME_PATH": chrome}, capture_output=True, text=True, check=False, timeout=180
        )
        if done.returncode == 0:
            found: dict[str, Any] = json.loads(Path(output).read_text(encoding="utf-8"))
            return found
    raise RuntimeError(f"Lighthouse failed {_TRIES} times at {path}: {done.stderr[-2000:]}")


def _middle(seen: list[dict[str, Any]]) -> dict[str, Any]:
    """The run with the median performance, as Lighthouse's own advice is; other categories do not vary."""
    ordered = sorted(seen, key=lambda one: one["categories"]["performance"]["score"] or 0)
    chosen = ordered[len(ordered) // 2]
    row: dict[str, Any] = {name: round(100 * chosen["categories"][name]["score"]) for name in CATEGORIES}
    row["below"] = [
        audit["id"]
        for name in CATEGORIES
        for audit in chosen["categories"][name]["auditRefs"]
        if audit["weight"]
        and (chosen["audits"][audit["id"]]["score"] or 0) < 1
        and chosen["audits"][audit["id"]]["score"] is not None
    ]
    return row


def drawn(rows: list[dict[str, Any]]) -> str:
    """The table, in Markdown."""
    lines = [
        "| page | preset | " + " | ".join(CATEGORIES) + " | below full marks |",
        "|---|---|---:|---:|---:|---:|---|",
    ]
    for row in rows:
        scores = " | ".join(str(row[name]) for name in CATEGORIES)
        lines.append(f"| {row['page']} | {row['preset']} | {scores} | {', '.join(row['below'])} |")
    return "\n".join(lines)
