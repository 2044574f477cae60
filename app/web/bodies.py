"""How much a request may bring: a megabyte, or what its route declares; never more in memory than is being read.

    @admin.post("/courses/<public_id>/picture")
    @requires("courses.edit")
    @brings(10 * MEGABYTE)
    async def create_picture(public_id: str) -> Response: ...

Quart takes in a body as fast as the network brings it, before anyone knows which handler will read it, and its limit
counts only what has not been read yet. Here the network waits for the reader, and every byte counts.
"""

import asyncio
from collections.abc import Awaitable, Callable, Generator
from contextlib import suppress
from typing import Any, TypeVar
from urllib.parse import urlsplit

from quart import Quart
from quart.asgi import ASGIHTTPConnection
from quart.utils import encode_headers
from quart.wrappers import Request
from quart.wrappers.request import Body
from quart.wrappers.response import DataBody
from werkzeug.datastructures import Headers
from werkzeug.exceptions import RequestEntityTooLarge

from app.web.current import this_request

F = TypeVar("F", bound=Callable[..., Awaitable[Any]])
MEGABYTE = 1024 * 1024
_BUFFER = 256 * 1024
# With these nobody asked for an effect.
_LOOKS = frozenset({"GET", "HEAD", "OPTIONS"})
# What is still taken in, and thrown away, of a body that is too large: so much, for so long.
_DRAIN, _DRAIN_SECONDS = 8 * MEGABYTE, 5.0
# A film over a slow line takes its time; a signed-in person is behind it.
_UPLOAD_SECONDS = 6 * 3600
# Seconds after which a request without a body is cancelled when its visitor goes away; most are answered before.
_WATCHED_AFTER = 0.25


def brings(size: int) -> Callable[[F], F]:
    """Declare that a route takes bodies of up to `size` bytes, files and fields together."""

    def mark(view: F) -> F:
        view.body_limit = size  # type: ignore[attr-defined]
        return view

    return mark


def limit_of(view: Any) -> int | None:
    """How many bytes a route takes at most, if it declares that."""
    limit: int | None = getattr(view, "body_limit", None)
    return limit


def when_read(look: Callable[[], Awaitable[None]]) -> None:
    """Do something once the form of the current request is read, before anybody gets it; what that raises, they get."""
    current: Any = this_request()
    current.look = look


def narrow(limit: int) -> None:
    """Let the current request bring no more than this; called before its body is read. What its route declared still holds."""
    body: Any = this_request().body
    body.allow(min(limit, body.limit))


class PatientBody(Body):
    """A body that counts all it receives, and says when it wants more."""

    def __init__(self, expected_content_length: int | None, max_content_length: int | None) -> None:
        super().__init__(None, None)
        self._expected = expected_content_length or 0
        self._limit: int | None = None  # until it is known, the buffer is the limit
        self._received = 0
        self._wanted_whole = False
        self.is_refused = False
        self.is_expected = True
        self.ended = asyncio.Event()
        self._room = asyncio.Event()
        self._room.set()

    def allow(self, limit: int) -> None:
        """Set the limit; called before the handler."""
        self._limit = limit
        if max(self._expected, self._received) > limit:
            self._refuse()

    @property
    def limit(self) -> int:
        """How many bytes it may have."""
        return self._limit if self._limit is not None else _BUFFER

    def _refuse(self) -> None:
        self.is_refused = True
        self._must_raise = RequestEntityTooLarge()
        self._data.clear()
        self._room.set()
        self.set_complete()

    def append(self, data: bytes) -> None:
        self._received += len(data)
        if self.is_refused:
            return
        super().append(data)
        if self._limit is not None and self._received > self._limit:
            self._refuse()
        elif len(self._data) >= _BUFFER and not self._wanted_whole:
            self._room.clear()

    async def room(self) -> None:
        """Return when there is room for more."""
        await self._room.wait()

    async def __anext__(self) -> bytes:
        try:
            data = await super().__anext__()
        finally:
            if self._must_raise is not None:  # the limit was passed while this waited
                raise self._must_raise
        self._room.set()
        return data

    def __await__(self) -> Generator[Any, None, Any]:
        self._wanted_whole = True
        self._room.set()
        return super().__await__()


class CheckedHeaders(Headers):
    """Headers that were checked before, by the server or one by one. To ask for a missing one costs 0.5 µs, not 4."""

    def __init__(self, checked: list[tuple[str, str]]) -> None:
        super().__init__()
        self._list = checked

    def get(self, key: str, default: Any = None, type: Any = None) -> Any:  # type: ignore[override]
        wanted = key.lower()
        for name, text in self._list:
            if name.lower() == wanted:
                return text if type is None else super().get(key, default, type)
        return default


class PatientRequest(Request):
    """A request with such a body."""

    body_class = PatientBody
    look: Callable[[], Awaitable[None]] | None = None

    async def _load_form_data(self) -> None:
        await super()._load_form_data()
        look, self.look = self.look, None
        if look is not None:
            await look()

    @property
    def blueprints(self) -> list[str]:
        """The blueprint of the route; ours are not nested."""
        name = self.blueprint
        return [name] if name is not None else []


class PatientConnection(ASGIHTTPConnection):
    """Receives only while the body has room, and sends a whole answer as one: Quart makes a stream of each.

    Who hangs up while a page is drawn stops it; a form that was sent whole has its effect, as its sender may think.
    A body that breaks off, or has a broken piece, is the client's fault.
    """

    _body: PatientBody | None = None

    async def __call__(self, receive: Any, send: Any) -> None:
        has_begun = False

        async def watched(message: Any) -> None:
            nonlocal has_begun
            if not has_begun and self._body is not None and self._body.is_refused:
                # Whoever is still sending does not listen: an answer before the end of the body would be lost.
                with suppress(TimeoutError):
                    await asyncio.wait_for(self._body.ended.wait(), _DRAIN_SECONDS)
            has_begun = True
            await send(message)

        if self.scope["path"]:  # CONNECT has none, and Quart reads its first letter
            if _brings_body(self.scope):
                await super().__call__(receive, watched)
            else:
                await self._answer(receive, watched)
        if not has_begun:  # the server would say 500
            await send({"type": "http.response.start", "status": 400, "headers": [(b"content-length", b"0")]})
            await send({"type": "http.response.body", "body": b""})

    async def _answer(self, receive: Any, send: Any) -> None:
        """Answer without receiving: Quart's two tasks for it would cost 60 µs. What takes long is watched."""
        request = self._create_request_from_scope(send)
        body = request.body
        assert isinstance(body, PatientBody)
        body.is_expected = False
        body.set_complete()
        handler = asyncio.current_task()
        watching: asyncio.Task[None] | None = None
        has_left = False

        async def watch() -> None:
            nonlocal has_left
            while (await receive())["type"] != "http.disconnect":
                pass
            has_left = True
            assert handler is not None
            handler.cancel()

        def begin_to_watch() -> None:
            nonlocal watching
            watching = asyncio.create_task(watch())

        timer = asyncio.get_running_loop().call_later(_WATCHED_AFTER, begin_to_watch)
        try:
            await self.handle_request(request, send)
        except asyncio.CancelledError:
            if not has_left:
                raise
            assert handler is not None
            handler.uncancel()
        finally:
            timer.cancel()
            if watching is not None:
                watching.cancel()

    def _create_request_from_scope(self, send: Any) -> Request:
        # As Quart does, without checking each header once more.
        scope: Any = self.scope
        headers = [("Remote-Addr", (scope.get("client") or ["<local>"])[0])]
        headers += [(name.decode("latin1").title(), text.decode("latin1")) for name, text in scope["headers"]]
        path = scope["path"]
        return PatientRequest(
            scope["method"],
            scope["scheme"],
            path if path[0] == "/" else urlsplit(path).path,
            scope["query_string"],
            CheckedHeaders(headers),
            "",
            scope["http_version"],
            max_content_length=self.app.config["MAX_CONTENT_LENGTH"],
            body_timeout=self.app.config["BODY_TIMEOUT"],
            send_push_promise=_push_nothing,
            scope=scope,
        )

    async def handle_messages(self, request: Request, receive: Any) -> None:
        body = request.body
        assert isinstance(body, PatientBody)
        self._body = body
        dropped, is_whole = 0, False
        while True:
            await body.room()
            message = await receive()
            if message["type"] == "http.request":
                data = message.get("body", b"")
                body.append(data)
                dropped += len(data) if body.is_refused else 0
                if not message.get("more_body", False):
                    is_whole = True
                    body.set_complete()
                    body.ended.set()
                elif dropped > _DRAIN:
                    body.ended.set()
                    await asyncio.Event().wait()  # until this is cancelled with the request
            elif message["type"] == "http.disconnect":
                body.ended.set()
                if is_whole and not body.is_refused and request.method not in _LOOKS:
                    await asyncio.Event().wait()  # a form that came whole is carried out to its end
                return

    async def _send_response(self, send: Any, response: Any) -> None:
        body = response.response
        if type(body) is not DataBody:
            await super()._send_response(send, response)
            return
        headers = encode_headers(response.headers)
        await send({"type": "http.response.start", "status": response.status_code, "headers": headers})
        await send({"type": "http.response.body", "body": body.data[body.begin : body.end], "more_body": False})


async def _push_nothing(path: str, headers: Headers) -> None:
    """Servers and browsers have given up pushing."""


def _brings_body(scope: Any) -> bool:
    if scope["method"] not in ("GET", "HEAD"):
        return True
    for name, text in scope["headers"]:
        if name == b"transfer-encoding" or (name == b"content-length" and text != b"0"):
            return True
    return False


def install(app: Quart) -> None:
    """Take bodies patiently, and set the limit of each route before its handler."""
    app.request_class = PatientRequest
    app.asgi_http_class = PatientConnection
    # The server waits for slow readers; a timer around each answer would cost a task.
    app.config["RESPONSE_TIMEOUT"] = None

    @app.before_request
    async def set_limit() -> None:
        current: Any = this_request()
        if not current.body.is_expected:
            return
        limit = limit_of(app.view_functions.get(current.endpoint or ""))
        if current.mimetype != "multipart/form-data":
            limit = None  # only files go to disk as they come; anything else is held whole
        if limit is not None:
            current.max_content_length = limit
            current.body_timeout = _UPLOAD_SECONDS
        current.body.allow(limit or app.config["MAX_CONTENT_LENGTH"])
