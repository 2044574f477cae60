"""Draw the main pages of the demo school into shots/, wide and narrow, light and dark, and docs/picture.webp.

Without --url a school is started for it on a free port, with its data in a temporary folder, and stopped after.
"""

from __future__ import annotations

import argparse
import json
import re
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from checks import find_chromium
from PIL import Image
from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright

ROOT = Path(__file__).resolve().parent.parent
WIDTHS = {1280: 900, 375: 812}
THEMES = ("light", "dark")
READY = re.compile(r"Lectern is ready: (\S+)")

# A page is found as a person finds it: an address, or the way from one page to a link that looks so.
PAGES: dict[str, tuple[str, str, str]] = {
    "home": ("", "/", ""),
    "catalogue": ("", "/courses", ""),
    "course": ("", "/courses", r"/courses/[a-z0-9-]+"),
    "cart": ("", "/cart", ""),
    "login": ("", "/login", ""),
    "learn": ("member", "/learn", ""),
    "course-outline": ("member", "/learn", r"/learn/[a-z0-9-]+"),
    "lesson": ("member", "/learn", r"/learn/[a-z0-9-]+/[a-z0-9-]+"),
    "account": ("member", "/account", ""),
    "admin": ("owner", "/admin", ""),
    "admin-orders": ("owner", "/admin/orders", ""),
    "admin-order": ("owner", "/admin/orders?state=paid", r"/admin/orders/[A-Za-z0-9_-]+"),
    "admin-courses": ("owner", "/admin/courses", ""),
    "admin-course-outline": ("owner", "/admin/courses", r"/admin/courses/[A-Za-z0-9_-]+(/outline)?"),
    "admin-people": ("owner", "/admin/people", ""),
    "admin-settings": ("owner", "/admin/settings", ""),
}


def main() -> int:
    parser = argparse.ArgumentParser(prog="bin/shots", description=__doc__)
    parser.add_argument("--url", help="a running demo school; without it one is started")
    parser.add_argument("--data", type=Path, default=ROOT / "var", help="its data folder, for the demo sign-ins")
    parser.add_argument("--out", type=Path, default=ROOT / "shots")
    parser.add_argument("pages", nargs="*", metavar="page", help=f"some of: {', '.join(PAGES)}")
    options = parser.parse_args()
    unknown = set(options.pages) - set(PAGES)
    if unknown:
        parser.error(f"there is no page {', '.join(sorted(unknown))}")
    options.out.mkdir(parents=True, exist_ok=True)
    wanted = options.pages or list(PAGES)
    with school(options.url, options.data) as (url, people), sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=find_chromium(), args=["--no-sandbox"])
        failed = [name for theme in THEMES for name in draw_all(browser, url, people, theme, wanted, options.out)]
        browser.close()
    if {"course", "admin"} <= set(wanted) and not failed:
        make_picture(options.out)
    print(
        f"{len(wanted) * 4 - len(failed)} pictures in {options.out}", *(f"failed: {name}" for name in failed), sep="\n"
    )
    return 1 if failed else 0


@contextmanager
def school(url: str | None, data: Path) -> Iterator[tuple[str, dict[str, dict[str, str]]]]:
    """The address of a demo school and its sign-ins, by role."""
    if url:
        yield url.rstrip("/"), json.loads((data / "demo.json").read_text("utf-8"))
        return
    data = Path(tempfile.mkdtemp(prefix="lectern-shots-"))
    data.chmod(0o755)
    command = [str(ROOT / "bin" / "run"), "--port", "8920", "--data", str(data)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        for line in process.stdout:
            if found := READY.search(line):
                yield found[1], json.loads((data / "demo.json").read_text("utf-8"))
                return
        sys.exit("The school did not start.")
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(60)
        shutil.rmtree(data, ignore_errors=True)


def draw_all(
    browser: Browser, url: str, people: dict[str, dict[str, str]], theme: str, wanted: list[str], out: Path
) -> Iterator[str]:
    """Draw the wanted pages in one theme; yields the names of those that could not be drawn."""
    contexts: dict[str, BrowserContext] = {}
    for name in wanted:
        role, start, pattern = PAGES[name]
        if role not in contexts:
            contexts[role] = browser.new_context(color_scheme=theme, reduced_motion="reduce", base_url=url)
            sign_in(contexts[role], people.get(role, {}))
        page = contexts[role].new_page()
        try:
            if name == "cart":
                fill_cart(page)
            else:
                go(page, start, pattern)
            for width, height in WIDTHS.items():
                page.set_viewport_size({"width": width, "height": height})
                page.wait_for_load_state("networkidle")
                page.screenshot(path=out / f"{name}-{width}-{theme}.png", full_page=True)
        except Exception as error:
            print(f"{name} ({theme}): {str(error).splitlines()[0]}")
            yield f"{name}-{theme}"
        finally:
            page.close()
    for context in contexts.values():
        context.close()


def sign_in(context: BrowserContext, person: dict[str, str]) -> None:
    if person:
        page = context.new_page()
        page.goto("/login")
        page.fill("input[name=email]", person["email"])
        page.fill("input[name=password]", person["password"])
        page.press("input[name=password]", "Enter")
        page.wait_for_url(lambda address: "/login" not in address)
        page.close()


def go(page: Page, start: str, pattern: str) -> None:
    answered(page, start)
    if pattern:
        paths = page.eval_on_selector_all("main a[href]", "links => links.map(link => new URL(link.href).pathname)")
        found = [path for path in paths if re.fullmatch(pattern, path)]
        if not found:
            raise LookupError(f"{start} has no link like {pattern}")
        answered(page, found[0])


def answered(page: Page, address: str) -> None:
    response = page.goto(address, wait_until="networkidle")
    if response is None or response.status != 200:
        raise LookupError(f"{address} answered {response and response.status}")


def fill_cart(page: Page) -> None:
    """Put the first two courses that cost something into the cart."""
    answered(page, "/courses")
    paths = page.eval_on_selector_all("main a[href]", "links => links.map(link => new URL(link.href).pathname)")
    added = 0
    for path in dict.fromkeys(path for path in paths if re.fullmatch(r"/courses/[a-z0-9-]+", path)):
        answered(page, path)
        button = page.locator("form[action*='/cart'] button").first
        if button.count() and added < 2:
            button.click()
            page.wait_for_load_state("networkidle")
            added += 1
    answered(page, "/cart")


def make_picture(out: Path) -> None:
    """The README's picture: a course as its buyer sees it, and the same school from its back office."""
    picture = Image.new("RGB", (2600, 960), "white")
    for left, name in ((0, "course-1280-light.png"), (1320, "admin-1280-dark.png")):
        page = Image.open(out / name).convert("RGB")
        ground = Image.new("RGB", (1280, 960), page.getpixel((2, page.height - 2)))
        ground.paste(page, (0, 0))
        picture.paste(ground, (left, 0))
    (ROOT / "docs").mkdir(exist_ok=True)
    picture.resize((1800, 665), Image.Resampling.LANCZOS).save(ROOT / "docs" / "picture.webp", quality=84, method=6)


if __name__ == "__main__":
    sys.exit(main())
