"""What a handler says about its page, and what of an address counts."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, TypeVar
from urllib.parse import parse_qsl, urlencode

from quart import Quart
from werkzeug.exceptions import HTTPException

from app.core import limits
from app.web.guards import guard_of

F = TypeVar("F", bound=Callable[..., Awaitable[Any]])

_LONGEST_QUERY = 1000
_LONGEST_PATH = 300
_MOST_PARAMETERS = 24


@dataclass(frozen=True, slots=True)
class Mark:
    """`query` chooses another page; with one of `unkept` the page is not kept; `invented`: anyone may make up addresses."""

    query: frozenset[str]
    unkept: frozenset[str]
    invented: bool
    bare: bool = False


@dataclass(frozen=True, slots=True)
class Wanted:
    """A page that may be kept: its path, and its query string in the one form that all its spellings share."""

    path: str
    query: bytes
    invented: bool


def cached(
    *, query: tuple[str, ...] = (), unkept: tuple[str, ...] = (), invented: bool = False, bare: bool = False
) -> Callable[[F], F]:
    """Let the page of a public GET handler be kept.

    It is drawn from a request that holds nothing of the visitor: no cookie, no header, no parameter but `query`; an
    empty parameter is as good as none. `unkept` are words that anyone may type: with them the page is drawn each time.
    `invented` says that the path itself is such words; `bare` that any parameter with a value means a page of its own,
    drawn each time (a form that the address fills in).
    """

    def mark(view: F) -> F:
        view.cached = Mark(frozenset(query), frozenset(unkept), invented, bare)  # type: ignore[attr-defined]
        return view

    return mark


def mark_of(view: Any) -> Mark | None:
    """What a view function says, or None."""
    return getattr(view, "cached", None)


class Marked:
    """The marked addresses of an application."""

    def __init__(self, app: Quart) -> None:
        self._views = app.view_functions
        self._map = app.url_map.bind("localhost")
        self._beginnings = set()
        for rule in app.url_map.iter_rules():
            view = self._views.get(rule.endpoint)
            if mark_of(view) is None:
                continue
            guard = guard_of(view)
            if guard is None or guard.kind != "public" or guard.limit is not limits.WRITE:
                raise RuntimeError(f"{rule.rule} is not for everyone, or is counted: its page cannot be kept")
            self._beginnings.add(rule.rule[1:].partition("/")[0].partition("<")[0])

        # Routing and parsing take far longer than the answer; a link in a letter brings the same words each time.
        self.wanted = lru_cache(maxsize=1024)(self._wanted)

    def _wanted(self, path: str, query: bytes) -> Wanted | None:
        """The page of an address, or None when it is not to be kept."""
        # Routing forgives slashes before a path; a kept page has one address.
        if len(path) > _LONGEST_PATH or len(query) > _LONGEST_QUERY or path.startswith("//"):
            return None
        if path[1:].partition("/")[0] not in self._beginnings:
            return None
        try:
            endpoint, _arguments = self._map.match(path, "GET")
        except HTTPException:
            return None
        mark = mark_of(self._views.get(endpoint))
        if mark is None:
            return None
        if not query:
            return Wanted(path, b"", mark.invented)
        # As werkzeug reads it, so that a parameter cannot mean one thing here and another there.
        pairs = parse_qsl(query.decode("latin-1"), keep_blank_values=True, errors="werkzeug.url_quote")
        if any((mark.bare or name in mark.unkept) and value for name, value in pairs):
            return None
        kept = [(name, value) for name, value in pairs if value and name in mark.query]
        if len(kept) > _MOST_PARAMETERS:
            return None
        kept.sort(key=lambda pair: pair[0])  # of two values for one name the order may count
        return Wanted(path, urlencode(kept, errors="surrogatepass").encode(), mark.invented)
