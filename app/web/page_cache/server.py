"""ASGI middleware that answers for kept pages; all others go on to the framework as they came.

A page is drawn for keeping from a request of our own making, which holds nothing of the visitor's but the path and the
allowed parameters: whatever a hostile visitor sends beside them cannot get into it.
"""

import asyncio
import re
import time
from collections.abc import Callable, Iterable
from functools import lru_cache
from typing import Any
from urllib.parse import quote, urlsplit

import structlog
from quart import Quart
from werkzeug.http import parse_accept_header

from app.core import db, i18n, settings
from app.core.changes import NOTHING, Listener, Relations
from app.web.assets import ASGIApp
from app.web.guards import SAFE_METHODS
from app.web.page_cache import pages
from app.web.page_cache.marks import Marked, Wanted
from app.web.page_cache.pages import NO_BODY, Headers, Key, Page

log = structlog.get_logger()

# What a page shows may also change by the clock alone: it is drawn anew after this many seconds, at leisure …
FRESH_SECONDS = 60.0
# … and not shown any more, not even meanwhile, after this many. (Signed addresses of films are good for hours.)
GONE_SECONDS = 300.0
_RETRY_SECONDS = 5.0
_MOST_OWN = 2_000
# How long an editor waits, at most, until this process, and then every other, has heard of the edit.
_ECHO_SECONDS = 0.2
_LARGEST_BODY = 2 * 1024 * 1024

# With one of these a request is not a plain visit: let the framework see it.
_UNUSUAL = frozenset(
    (b"authorization", b"hx-request", b"range", b"transfer-encoding", b"content-length", b"expect", b"upgrade")
)
_METHODS = frozenset(("GET", "HEAD"))


class Drawn:
    """What the framework answered to a request of ours; `page` when it may be shown to others."""

    __slots__ = ("body", "headers", "kept", "page", "status")

    def __init__(self) -> None:
        self.status = 500
        self.headers: Headers = []
        self.body = b""
        self.page: Page | None = None
        self.kept = False


class PageCache:
    """Answers `GET` and `HEAD` of marked routes for visitors who are nobody in particular.

    Nothing is kept while the database's announcements are not heard: `listener.start()` begins it.
    """

    def __init__(
        self,
        inner: ASGIApp,
        app: Quart,
        *,
        app_url: str,
        database_url: str,
        megabytes: int,
        personal_cookies: Iterable[str],
        language: Callable[[dict[str, Any]], str] = lambda scope: i18n.locale(),
    ) -> None:
        self._inner = inner
        self._app = app
        self._host = urlsplit(app_url).netloc.encode()
        # Anywhere in the header: a cookie of a similar name costs a drawing, an unread spelling would cost a secret.
        self._is_personal = re.compile(b"|".join(re.escape(name.encode()) for name in personal_cookies)).search
        self._language = language
        self._marked: Marked | None = None
        self._shelves = pages.Shelves(megabytes * 1024 * 1024)
        self._kept = self._shelves.by_key
        self._flights: dict[Key, asyncio.Task[Drawn]] = {}
        # Pages that said they are each visitor's own, and until when nobody tries to draw them for all.
        self._own: dict[Key, float] = {}
        self._side: set[asyncio.Task[Any]] = set()
        self._relations = NOTHING
        # Rises with each change that is heard; when a table last changed, and since when this hears, in its terms.
        self._moment = 0
        self._changed_at: dict[str, int] = {}
        self._hears_since: int | None = None
        self._warned: set[str] = set()
        self.is_shared = True  # one drawing serves all who ask meanwhile; tests turn it off
        self.clock = time.monotonic
        self.hits = self.stale = self.drawn = self.passed = 0
        self.listener = Listener(database_url, changed=self.changed, up=self._begin, down=self._end)

    async def __call__(self, scope: dict[str, Any], receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            await self._inner(scope, receive, send)
            return
        method = scope["method"]
        if method not in _METHODS:
            if self._hears_since is None or method in SAFE_METHODS:
                await self._inner(scope, receive, send)
            else:
                await self._write(scope, receive, send)
            return
        if self._hears_since is None:
            await self._inner(scope, receive, send)
            return
        encodings = asked = b""
        for name, text in scope["headers"]:
            if name == b"cookie":
                if self._is_personal(text):
                    break
            elif name == b"accept-encoding":
                encodings = encodings + b"," + text if encodings else text
            elif name == b"if-none-match":
                asked = asked + b"," + text if asked else text
            elif name in _UNUSUAL and not (name == b"content-length" and text == b"0"):
                break
        else:
            await self._visit(scope, receive, send, encodings, asked)
            return
        self.passed += 1
        await self._inner(scope, receive, send)

    async def _visit(self, scope: dict[str, Any], receive: Any, send: Any, encodings: bytes, asked: bytes) -> None:
        """Answer somebody of whom nothing is known."""
        scheme = "https" if scope["scheme"] == "https" else "http"
        language = self._language(scope)
        page = self._kept.get((scheme, language, scope["path"], scope["query_string"]))
        if page is None or self.clock() >= page.fresh_until:
            wanted = self._wanted(scope["path"], scope["query_string"])
            if wanted is None:
                self.passed += 1
                await self._inner(scope, receive, send)
                return
            key: Key = (scheme, language, wanted.path, wanted.query)
            if self._own.get(key, 0.0) > self.clock():
                self.passed += 1
                await self._inner(scope, receive, send)
                return
            page = self._kept.get(key)
            if page is None or self.clock() >= page.gone_at:
                await self._draw_and_answer(key, wanted, scope, receive, send, encodings, asked)
                return
            if self.clock() >= page.fresh_until:
                self.stale += 1
                if key not in self._flights:
                    self._take_off(key, wanted)
        self.hits += 1
        page.shelf.move_to_end(page.key)
        answer = page.answers.get(_encoding(encodings)) or page.answers["identity"]
        if asked and _matches(asked, answer.etag):
            await send(answer.unchanged)
            await send(NO_BODY)
            return
        await send(answer.start)
        await send(answer.body if scope["method"] == "GET" else NO_BODY)

    async def _draw_and_answer(
        self, key: Key, wanted: Wanted, scope: dict[str, Any], receive: Any, send: Any, encodings: bytes, asked: bytes
    ) -> None:
        flight = self._flights.get(key) if self.is_shared else None
        leads = flight is None
        if flight is None:
            flight = self._take_off(key, wanted)
        # Unlike `await flight` this neither stops it when this visitor goes away nor fails when it does.
        await asyncio.wait((flight,))
        drawn = None if flight.cancelled() or flight.exception() is not None else flight.result()
        if drawn is not None and drawn.page is not None:
            how = b"Lectern; fwd=uri-miss" + (b"; stored" if drawn.kept else b"") + (b"" if leads else b"; collapsed")
            answer = drawn.page.answers.get(_encoding(encodings)) or drawn.page.answers["identity"]
            unchanged = bool(asked) and _matches(asked, answer.etag)
            await send(answer.start_as(how, unchanged=unchanged))
            await send(answer.body if scope["method"] == "GET" and not unchanged else NO_BODY)
            return
        if drawn is not None and leads and not pages.is_own(drawn.status, drawn.headers):
            body, headers = pages.packed_once(drawn.headers, drawn.body, _encoding(encodings))
            await send({"type": "http.response.start", "status": drawn.status, "headers": headers})
            await send({"type": "http.response.body", "body": body if scope["method"] == "GET" else b""})
            return
        # No page but an error, or something personal: for each visitor their own.
        await self._inner(scope, receive, send)

    def _take_off(self, key: Key, wanted: Wanted) -> asyncio.Task[Drawn]:
        flight = asyncio.create_task(self._draw(key, wanted))
        self._flights[key] = flight

        def land(done: asyncio.Task[Drawn]) -> None:
            if self._flights.get(key) is done:
                del self._flights[key]
            if not done.cancelled() and (error := done.exception()) is not None:
                log.error("page not drawn", path=key[2], error=type(error).__name__, exc_info=error)

        flight.add_done_callback(land)
        return flight

    async def _draw(self, key: Key, wanted: Wanted) -> Drawn:
        """Let the framework draw the page for nobody, and keep it unless what it shows changed meanwhile."""
        began = self._moment
        self.drawn += 1
        with db.count_queries() as count, i18n.speaking(key[1]):
            drawn = await self._ask(key)
        tags = self._tags(count, key) if pages.may_be_kept(drawn.status, drawn.headers) else None
        if tags is None or len(drawn.body) > _LARGEST_BODY:
            self._give_up(key, drawn.status)
            if pages.is_own(drawn.status, drawn.headers):
                if len(self._own) >= _MOST_OWN:
                    self._own.clear()
                self._own[key] = self.clock() + FRESH_SECONDS
            return drawn
        before = self._kept.get(key)
        is_current = self._hears_since is not None and self._hears_since <= began
        is_current = is_current and all(self._changed_at.get(tag, 0) <= began for tag in tags)
        page = pages.make(key, tags, drawn.headers, drawn.body)
        drawn.page = page
        if is_current:
            if before is not None and before.digest == page.digest and before.tags == tags:
                page = before
                self._pack(page)
            else:
                self._shelves.put(page, invented=wanted.invented or bool(wanted.query))
            now = self.clock()
            page.fresh_until, page.gone_at = now + FRESH_SECONDS, now + GONE_SECONDS
            drawn.kept = self._kept.get(key) is page
        return drawn

    async def _ask(self, key: Key) -> Drawn:
        scheme, language, path, query = key
        scope = {
            "type": "http",
            "asgi": {"version": "3.0", "spec_version": "2.3"},
            "http_version": "1.1",
            "method": "GET",
            "scheme": scheme,
            "path": path,
            "raw_path": quote(path, errors="surrogatepass").encode(),
            "query_string": query,
            "root_path": "",
            # Nobody looks at it yet: what counts visitors leaves this one out.
            "headers": [
                (b"host", self._host),
                (b"accept-language", language.encode()),
                (b"sec-purpose", b"prefetch"),
            ],
            "client": None,
            "server": None,
            "extensions": {},
        }
        drawn, parts, asked = Drawn(), [], False

        async def receive() -> dict[str, Any]:
            nonlocal asked
            if asked:
                await asyncio.Event().wait()  # nobody goes away here
            asked = True
            return {"type": "http.request", "body": b"", "more_body": False}

        async def send(message: dict[str, Any]) -> None:
            if message["type"] == "http.response.start":
                drawn.status = message["status"]
                drawn.headers = [(bytes(name).lower(), bytes(text)) for name, text in message["headers"]]
            elif message["type"] == "http.response.body":
                parts.append(bytes(message.get("body", b"")))

        await self._inner(scope, receive, send)
        drawn.body = b"".join(parts)
        return drawn

    def _tags(self, count: db.QueryCount, key: Key) -> frozenset[str] | None:
        """The tables that a page was drawn from; None when the change of one would not be heard."""
        tags = set(count.tables)
        for statement in count.statements:
            tags |= self._relations.read_by(statement)
        silent = tags - self._relations.announced
        if not silent:
            return frozenset(tags)
        if not silent <= self._warned:
            self._warned |= silent
            log.warning("page is not kept: changes are not announced", path=key[2], tables=sorted(silent))
        return None

    def _give_up(self, key: Key, status: int) -> None:
        """A page that was kept cannot be drawn anew: a fault may pass, anything else is the answer from now on."""
        before = self._kept.get(key)
        if before is not None and status >= 500:
            before.fresh_until = self.clock() + _RETRY_SECONDS
        else:
            self._shelves.take(key)

    def _pack(self, page: Page) -> None:
        """A page that was asked for again after a minute is worth packing hard, aside, once."""
        if page.packed_hard:
            return
        page.packed_hard = True

        async def pack() -> None:
            answers = await asyncio.to_thread(pages.pack_hard, page)
            self._shelves.replace_answers(page, answers)

        task = asyncio.create_task(pack())
        self._side.add(task)
        task.add_done_callback(self._side.discard)

    async def _write(self, scope: dict[str, Any], receive: Any, send: Any) -> None:
        """Before whoever changed something gets the answer, let every process know of it."""
        with db.count_queries() as count:

            async def send_after(message: dict[str, Any]) -> None:
                if message["type"] == "http.response.start":
                    await self._settle(count)
                await send(message)

            await self._inner(scope, receive, send_after)

    async def _settle(self, count: db.QueryCount) -> None:
        if not self._relations.written_by(count.statements):
            return
        # The triggers know which of these changes show on a page (a visit of a person does not), so they announce them.
        if not await self.listener.heard_all(_ECHO_SECONDS):
            self.forget_all()
        await self.listener.heard_everywhere(_ECHO_SECONDS)

    def changed(self, table: str) -> None:
        """Forget what shows something of a table, and what is being drawn from it."""
        if table == "settings":
            settings.drop_copy()
        self._moment += 1
        self._changed_at[table] = self._moment
        self._shelves.take_tagged(table)
        self._own.clear()
        # Who asks from now on must not get what was begun before.
        self._flights.clear()

    def forget_all(self) -> None:
        """Forget every page, and what is being drawn."""
        self._moment += 1
        if self._hears_since is not None:
            self._hears_since = self._moment
        self._shelves.clear()
        self._own.clear()
        self._flights.clear()

    @property
    def size(self) -> int:
        """Bytes held, about."""
        return self._shelves.size

    def is_kept(self, path: str) -> bool:
        """Whether some page of this path is held."""
        return any(key[2] == path for key in self._kept)

    def _begin(self, relations: Relations) -> None:
        self._relations = relations
        settings.follow(is_told=True)
        self._moment += 1
        self._hears_since = self._moment

    def _end(self) -> None:
        self._hears_since = None
        settings.follow(is_told=False)
        self.forget_all()

    def _wanted(self, path: str, query: bytes) -> Wanted | None:
        if self._marked is None:
            self._marked = Marked(self._app)
        return self._marked.wanted(path, query)


@lru_cache(maxsize=512)
def _encoding(accepted: bytes) -> str:
    """The best encoding that is accepted, as `app.web.compression` chooses."""
    choice = parse_accept_header(accepted[:500].decode("latin-1"))
    return next((name for name in ("br", "gzip") if choice[name] > 0), "identity")


def _matches(asked: bytes, etag: bytes) -> bool:
    """If-None-Match compares weakly (RFC 9110, 13.1.2)."""
    if asked == etag:
        return True
    return asked.strip() == b"*" or etag in (tag.strip().removeprefix(b"W/") for tag in asked.split(b","))
