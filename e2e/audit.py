"""What is looked at on every page that a journey passes: axe-core finds nothing, no two elements have the same id,
and nothing scrolls sideways at 375 px.
"""

from __future__ import annotations

import re
from hashlib import sha256
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, Page

AXE = (Path(__file__).parent / "vendor" / "axe.min.js").read_text("utf-8")
NARROW = 375
RULES = {
    "runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"],
    "resultTypes": ["violations"],
    "preload": False,
}
_RUN = "rules => axe.run(document, rules).then(found => found.violations)"
# The elements that stick out to the right, deepest first, for the message.
_WIDE = """() => {
  const room = document.documentElement.clientWidth;
  if (document.scrollingElement.scrollWidth <= room) return [];
  return [...document.querySelectorAll("body *")].reverse()
    .filter(one => one.getBoundingClientRect().right > room + 0.5)
    .map(one => one.outerHTML.slice(0, 120)).slice(0, 5);
}"""
_TWICE = """() => {
  const ids = [...document.querySelectorAll("[id]")].map(one => one.id);
  return [...new Set(ids.filter((id, place) => ids.indexOf(id) !== place))];
}"""
# What differs from one run to the next although the page is the same.
_PASSING = re.compile(r"[\w.+-]+@[\w.-]+|[A-Za-z0-9_-]{20,}|\d+")
_TEXT = re.compile(r">\s*[^<\s][^<]*<")
_SCRIPT = re.compile(r"<script\b.*?</script>", re.DOTALL)
_NOSCRIPT = re.compile(r"</?noscript>|<meta http-equiv=\"refresh\"[^>]*>")


class Auditor:
    """Looks at pages, at each kind of page once a run: what was looked at already is passed by.

    `seen` is a folder with an empty file for each, which several processes may share.
    """

    def __init__(self, browser: Browser, seen: Path) -> None:
        self._copies = browser.new_context(reduced_motion="reduce")
        self._seen = seen
        self._seen.mkdir(exist_ok=True)

    def look(self, page: Page, *, scripts: bool) -> list[str]:
        """Return what is wrong with the page as it stands, as sentences."""
        html = _PASSING.sub("", page.content())
        width = (page.viewport_size or {"width": 0})["width"]
        found = []
        if self._is_new(f"{width} {scripts} {_TEXT.sub('>x<', html)}"):  # for axe-core words are words
            found += self._axe(page) if scripts else self._axe_on_copy(page, width)
            if twice := page.evaluate(_TWICE):
                found.append(f"{page.url} has more than one element called {', '.join(twice)}")
        if self._is_new(f"{scripts} {html}"):
            found += self._wide(page)
        return found

    def _is_new(self, sign: str) -> bool:
        try:
            (self._seen / sha256(sign.encode()).hexdigest()).touch(exist_ok=False)
        except FileExistsError:
            return False
        return True

    def _axe(self, page: Page) -> list[str]:
        page.evaluate(f"window.axe || ({{}}, () => {{ {AXE} }})()")
        return [_sentence(page.url, one) for one in page.evaluate(_RUN, RULES)]

    def _axe_on_copy(self, page: Page, width: int) -> list[str]:
        """axe-core needs scripts, so where they are off it looks at a copy of the page, without the page's own."""
        copy, address = self._copies.new_page(), page.url.partition("#")[0]
        body = _NOSCRIPT.sub("", _SCRIPT.sub("", page.content()))
        try:
            copy.set_viewport_size({"width": width, "height": 900})
            copy.route(
                lambda url: url == address,
                lambda route: route.fulfill(body=body, content_type="text/html; charset=utf-8"),
            )
            copy.goto(address)
            return self._axe(copy)
        finally:
            copy.close()

    def _wide(self, page: Page) -> list[str]:
        before = page.viewport_size
        assert before is not None
        page.set_viewport_size({"width": NARROW, "height": before["height"]})
        wide = page.evaluate(_WIDE)
        page.set_viewport_size(before)
        return [f"{page.url} scrolls sideways at {NARROW}px: {' … '.join(wide)}"] if wide else []


def _sentence(address: str, violation: dict[str, Any]) -> str:
    places = [f"{' '.join(map(str, node['target']))}: {node['failureSummary']}" for node in violation["nodes"][:3]]
    return f"{address}: {violation['id']} ({violation['help']})\n    " + "\n    ".join(places)
