"""Kept pages: each in three encodings with its headers ready to send, and the shelf that holds so many bytes of them."""

import gzip
import hashlib
from collections import OrderedDict
from dataclasses import dataclass, field
from typing import Any

import brotli

Headers = list[tuple[bytes, bytes]]
Key = tuple[str, str, str, bytes]  # scheme, language, path, query

# Browsers ask each time; a cache in front may keep a page for a minute. Only that one may show an old page while it
# fetches the new: a browser that did would show a page of before the form that was just sent (RFC 9213).
_CACHE_CONTROL = b"public, max-age=0, s-maxage=60"
_CDN_CACHE_CONTROL = b"max-age=60, stale-while-revalidate=300"
_DEFAULT = b"private, no-cache"  # what app.web.security says of a page that says nothing itself
_HIT = b"Lectern; hit"
_SMALLEST = 1024
_TEXT = (b"text/", b"image/svg+xml", b"application/json", b"application/xml")
_DROPPED = {
    *(b"content-length", b"content-encoding", b"cache-control", b"vary", b"etag"),
    *(b"x-request-id", b"cache-status", b"cdn-cache-control", b"date"),
}
_PER_PAGE = 4000  # what objects and headers of a page weigh, about


@dataclass(frozen=True, slots=True)
class Answer:
    """One encoding of a page as ASGI messages, made once."""

    etag: bytes
    start: dict[str, Any]
    body: dict[str, Any]
    unchanged: dict[str, Any]

    def start_as(self, status: bytes, *, unchanged: bool = False) -> dict[str, Any]:
        """The first message with another word about how the cache came to it."""
        chosen = self.unchanged if unchanged else self.start
        headers = [(name, status if name == b"cache-status" else text) for name, text in chosen["headers"]]
        return {**chosen, "headers": headers}


NO_BODY: dict[str, Any] = {"type": "http.response.body", "body": b""}


@dataclass(slots=True, eq=False)
class Page:
    """A kept page. `fresh_until` and `gone_at` are on the monotonic clock."""

    key: Key
    tags: frozenset[str]
    digest: str
    identity: bytes
    answers: dict[str, Answer]
    fresh_until: float = 0.0
    gone_at: float = 0.0
    shelf: "OrderedDict[Key, Page]" = field(default_factory=OrderedDict)
    packed_hard: bool = False

    @property
    def size(self) -> int:
        """Bytes of memory, about."""
        return _PER_PAGE + sum(len(answer.body["body"]) for answer in self.answers.values())


def may_be_kept(status: int, headers: Headers) -> bool:
    """A whole, plain answer that sets no cookie and does not call itself private."""
    if status != 200:
        return False
    for name, text in headers:
        if name in (b"set-cookie", b"content-range") or (name == b"content-encoding" and text != b"identity"):
            return False
        if name == b"cache-control" and text != _DEFAULT and (b"no-store" in text or b"private" in text):
            return False
        if name == b"vary" and text.strip() == b"*":
            return False
    return True


def is_own(status: int, headers: Headers) -> bool:
    """Whether a page says that it is not the same for all: what was drawn for nobody is then shown to nobody."""
    return status == 200 and any(
        name == b"cache-control" and text != _DEFAULT and (b"no-store" in text or b"private" in text)
        for name, text in headers
    )


def make(key: Key, tags: frozenset[str], headers: Headers, body: bytes) -> Page:
    """A page from what the framework answered, packed as one would for a single visitor."""
    digest = hashlib.sha256(body).hexdigest()[:24]
    return Page(key, tags, digest, body, _answers(headers, digest, body, brotli_quality=5, gzip_level=6))


def packed_once(headers: Headers, body: bytes, encoding: str) -> tuple[bytes, Headers]:
    """Body and headers of an answer that is not kept, for the one visitor who asked."""
    said = dict(headers)
    kept = [(name, text) for name, text in headers if name != b"content-length"]
    is_text = said.get(b"content-type", b"").startswith(_TEXT) and b"content-encoding" not in said
    if encoding != "identity" and is_text and len(body) >= _SMALLEST:
        body = brotli.compress(body, quality=4) if encoding == "br" else gzip.compress(body, 5, mtime=0)
        kept.append((b"content-encoding", encoding.encode()))
    return body, [*kept, (b"content-length", str(len(body)).encode())]


def pack_hard(page: Page) -> dict[str, Answer]:
    """The answers of a page that was worth keeping, as small as they get; tens of milliseconds, for a thread."""
    headers = page.answers["identity"].start["headers"]
    return _answers(headers, page.digest, page.identity, brotli_quality=11, gzip_level=9)


def _answers(headers: Headers, digest: str, body: bytes, *, brotli_quality: int, gzip_level: int) -> dict[str, Answer]:
    said = dict(headers)
    fixed = [(name, text) for name, text in headers if name not in _DROPPED]
    own = said.get(b"cache-control", _DEFAULT)
    if own in (_DEFAULT, _CACHE_CONTROL):
        fixed += [(b"cache-control", _CACHE_CONTROL), (b"cdn-cache-control", _CDN_CACHE_CONTROL)]
    else:
        fixed.append((b"cache-control", own))
    # A part of the page, as htmx asks for it, has the same address.
    fixed += [(b"vary", b"Accept-Encoding, HX-Request"), (b"cache-status", _HIT)]
    bodies = {"identity": body}
    if len(body) >= _SMALLEST and said.get(b"content-type", b"").startswith(_TEXT):
        bodies["br"] = brotli.compress(body, quality=brotli_quality)
        bodies["gzip"] = gzip.compress(body, gzip_level, mtime=0)
    return {name: _answer(fixed, digest, name, packed, brotli_quality) for name, packed in bodies.items()}


def _answer(fixed: Headers, digest: str, encoding: str, body: bytes, quality: int) -> Answer:
    # Strong: the same bytes. Packed harder, they are others.
    suffix = "" if encoding == "identity" else f"-{encoding}{quality}"
    etag = f'"{digest}{suffix}"'.encode()
    headers = [*fixed, (b"etag", etag)]
    about_body = [(b"content-length", str(len(body)).encode())]
    if encoding != "identity":
        about_body.append((b"content-encoding", encoding.encode()))
    unchanged = [(name, text) for name, text in headers if name != b"content-type"]
    return Answer(
        etag,
        {"type": "http.response.start", "status": 200, "headers": headers + about_body},
        {"type": "http.response.body", "body": body},
        {"type": "http.response.start", "status": 304, "headers": unchanged},
    )


class Shelves:
    """Kept pages up to so many bytes; the one that was longest not asked for goes first.

    Addresses that anyone can make up share an eighth of the room, so that they cannot push the others out.
    """

    def __init__(self, room: int) -> None:
        self.by_key: dict[Key, Page] = {}
        self._by_tag: dict[str, set[Key]] = {}
        self._own: OrderedDict[Key, Page] = OrderedDict()
        self._invented: OrderedDict[Key, Page] = OrderedDict()
        self._room = {id(self._own): room - room // 8, id(self._invented): room // 8}
        self._used = {id(self._own): 0, id(self._invented): 0}

    @property
    def size(self) -> int:
        """Bytes held, about."""
        return sum(self._used.values())

    def put(self, page: Page, *, invented: bool) -> None:
        """Keep a page instead of the one of this key; one that would need a quarter of the room is not kept."""
        self.take(page.key)
        shelf = self._invented if invented else self._own
        if page.size > self._room[id(shelf)] // 4:
            return
        page.shelf = shelf
        shelf[page.key] = self.by_key[page.key] = page
        self._used[id(shelf)] += page.size
        for tag in page.tags:
            self._by_tag.setdefault(tag, set()).add(page.key)
        while self._used[id(shelf)] > self._room[id(shelf)]:
            self.take(next(iter(shelf)))

    def replace_answers(self, page: Page, answers: dict[str, Answer]) -> None:
        """Let a page that is still kept be sent in other bytes."""
        if self.by_key.get(page.key) is page:
            before = page.size
            page.answers = answers
            self._used[id(page.shelf)] += page.size - before

    def take(self, key: Key) -> None:
        """Forget a page, if it is there."""
        page = self.by_key.pop(key, None)
        if page is None:
            return
        del page.shelf[key]
        self._used[id(page.shelf)] -= page.size
        for tag in page.tags:
            self._by_tag[tag].discard(key)

    def take_tagged(self, tag: str) -> int:
        """Forget every page that shows something of this table; how many there were."""
        keys = list(self._by_tag.get(tag, ()))
        for key in keys:
            self.take(key)
        return len(keys)

    def clear(self) -> None:
        """Forget everything."""
        for key in list(self.by_key):
            self.take(key)
