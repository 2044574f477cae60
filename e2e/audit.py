"""What is looked at on every page that a journey passes: axe-core finds nothing, no two elements have the same id,
and nothing scrolls sideways at 375 px.
"""

from __future__ import annotations

import re
from hashlib import sha256
from pathlib import Path
from typing import Any
from weakref import WeakKeyDictionary

from playwright.sync_api import Browser, CDPSession, Page

_AXE = (Path(__file__).parent / "vendor" / "axe.min.js").read_text("utf-8")
NARROW = 375
RULES = {
    "runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"],
    "resultTypes": ["violations"],
    "preload": False,
}
# A bar that sticks to the foot of the window covers half a row by chance, and scrolling frees it: it stands in its place.
_RUN = """async rules => {
  const bars = [...document.querySelectorAll("body *")].filter(one => {
    const { position, bottom } = getComputedStyle(one);
    return position === "sticky" && bottom !== "auto";
  });
  for (const bar of bars) bar.style.position = "static";
  try { return (await axe.run(document, rules)).violations; }
  finally { for (const bar of bars) bar.removeAttribute("style"); }
}"""
# The elements that stick out to the right, deepest first, for the message.
WIDE = """() => {
  const room = document.documentElement.clientWidth;
  if (document.scrollingElement.scrollWidth <= room) return [];
  return [...document.querySelectorAll("body *")].reverse()
    .filter(one => one.getBoundingClientRect().right > room + 0.5)
    .map(one => one.outerHTML.slice(0, 120)).slice(0, 5);
}"""
TWICE = """() => {
  const ids = [...document.querySelectorAll("[id]")].map(one => one.id);
  return [...new Set(ids.filter((id, place) => ids.indexOf(id) !== place))];
}"""
# What differs from one run to the next although the page is the same.
_PASSING = re.compile(r"[\w.+-]+@[\w.-]+|[A-Za-z0-9_-]{20,}|\d+")
_SCRIPT = re.compile(r"<script\b.*?</script>", re.DOTALL)
_NOSCRIPT = re.compile(r"</?noscript>|<meta http-equiv=\"refresh\"[^>]*>")
# What axe-core can tell apart: elements, and the attributes that style, name or relate them. Words are words, addresses
# are addresses, and of equal ones that follow each other one stands for all. A drawing that is hidden from readers is
# one thing, and of the head only the title and the size of letters matter. Scripts are not seen, nor what htmx leaves
# behind, nor is what is there for browsers without them, when they have them; without them a copy is looked at that
# shows it.
_SHAPE = """scripts => {
  const kept = /^(class|id|for|role|style|type|lang|dir|tabindex|hidden|open|name|autocomplete|scope|headers|rel|aria-.+|data-.+|disabled|required|checked|selected|http-equiv)$/;
  const value = (one, { name, value }) => {
    if (value === "" || (kept.test(name) && name !== "aria-label")) return value;
    if (name === "content" && one.matches("[name=viewport]")) return value;
    return name === "href" && value.startsWith("#") ? value : "x";
  };
  const shape = one => {
    const tag = one.localName;
    if (tag === "script" || (tag === "noscript" && scripts)) return "";
    if (tag === "link" || (tag === "meta" && one.name !== "viewport" && (one.httpEquiv !== "refresh" || !scripts))) return "";
    if (tag === "svg" && one.getAttribute("aria-hidden") === "true") return `<svg ${one.getAttribute("class")}>`;
    const attributes = [...one.attributes].filter(({ name }) => !/^(hx-|data-htmx-)/.test(name))
      .map(found => `${found.name}=${value(one, found)}`).sort().join(" ");
    const inside = [];
    for (const child of one.childNodes) {
      const next = child.nodeType === 1 ? shape(child) : child.nodeType === 3 && child.data.trim() ? "x" : "";
      if (next && next !== inside.at(-1)) inside.push(next);
    }
    return tag === "noscript" ? inside.join("") : `<${tag} ${attributes}>${inside.join("")}</${tag}>`;
  };
  return shape(document.documentElement);
}"""


class Auditor:
    """Looks at pages, at each kind of page once a run: what was looked at already is passed by.

    `seen` is a folder with an empty file for each, which several processes may share.
    """

    def __init__(self, browser: Browser, seen: Path) -> None:
        self._copies = browser.new_context(reduced_motion="reduce")
        self._copy: Page | None = None
        self._seen = seen
        self._seen.mkdir(exist_ok=True)

    def look(self, page: Page, *, scripts: bool) -> list[str]:
        """Return what is wrong with the page as it stands, as sentences."""
        html = _PASSING.sub("", page.content())
        width = (page.viewport_size or {"width": 0})["width"]
        found = []
        if self._is_new(f"{width} {shape_of(page, scripts=scripts)}"):
            found += violations(page) if scripts else self._axe_on_copy(page, width)
            if twice := page.evaluate(TWICE):
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

    def _axe_on_copy(self, page: Page, width: int) -> list[str]:
        """axe-core needs scripts, so where they are off it looks at a copy of the page, without the page's own."""
        address = page.url.partition("#")[0]
        body = _NOSCRIPT.sub("", _SCRIPT.sub("", page.content()))
        if self._copy is None:
            self._copy = self._copies.new_page()
        self._copy.set_viewport_size({"width": width, "height": 900})
        self._copy.route(
            lambda url: url == address,
            lambda route: route.fulfill(body=body, content_type="text/html; charset=utf-8"),
        )
        try:
            self._copy.goto(address)
            return violations(self._copy)
        finally:
            self._copy.unroute_all()

    def _wide(self, page: Page) -> list[str]:
        before = page.viewport_size
        assert before is not None
        page.set_viewport_size({"width": NARROW, "height": before["height"]})
        wide = page.evaluate(WIDE)
        page.set_viewport_size(before)
        return [f"{page.url} scrolls sideways at {NARROW}px: {' … '.join(wide)}"] if wide else []


_sessions: WeakKeyDictionary[Page, CDPSession] = WeakKeyDictionary()


def violations(page: Page, rules: dict[str, Any] = RULES) -> list[str]:
    """What axe-core finds on the page as it stands, as sentences."""
    if not page.evaluate("'axe' in window"):
        if page not in _sessions:
            _sessions[page] = page.context.new_cdp_session(page)
        # Half a megabyte, which takes half as long this way as through `page.evaluate`.
        _sessions[page].send("Runtime.evaluate", {"expression": f"(() => {{ {_AXE} }})(); 0"})
    return [_sentence(page.url, one) for one in page.evaluate(_RUN, rules)]


def shape_of(page: Page, *, scripts: bool) -> str:
    """The page's markup as far as axe-core tells pages apart."""
    return _PASSING.sub("", str(page.evaluate(_SHAPE, scripts)))


def _sentence(address: str, violation: dict[str, Any]) -> str:
    places = [f"{' '.join(map(str, node['target']))}: {node['failureSummary']}" for node in violation["nodes"][:3]]
    return f"{address}: {violation['id']} ({violation['help']})\n    " + "\n    ".join(places)
