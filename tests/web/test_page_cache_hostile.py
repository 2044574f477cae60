"""Nothing that a visitor sends beside a known address gets into a kept page, and no personal page is kept."""

import asyncio
from typing import Any

import pytest
from quart.typing import TestClientProtocol

from app import Lectern
from app.web.page_cache import PageCache
from tests.cast import Cast
from tests.school import a_course
from tests.web.kept import Entries, text

MARK = b"evil-7f3a"

HEADERS: tuple[list[tuple[bytes, bytes]], ...] = (
    [(b"host", MARK + b".example")],
    [(b"host", b"localhost"), (b"host", MARK + b".example")],
    [(b"x-forwarded-host", MARK)],
    [(b"x-forwarded-proto", b"gopher"), (b"x-forwarded-scheme", MARK)],
    [(b"forwarded", b"host=" + MARK + b";proto=https")],
    [(b"x-original-url", b"/" + MARK), (b"x-rewrite-url", b"/admin")],
    [(b"x-http-method-override", b"DELETE")],
    [(b"x-forwarded-for", MARK), (b"x-real-ip", MARK), (b"true-client-ip", MARK)],
    [(b"x-forwarded-prefix", b"/" + MARK)],
    [(b"origin", b"https://" + MARK), (b"access-control-request-method", b"POST")],
    [(b"accept", MARK), (b"accept-language", MARK), (b"user-agent", b"<script>" + MARK)],
    [(b"accept-encoding", MARK * 50), (b"accept-encoding", b"gzip;q=nan, br;q=-1, ;;;,")],
    [(b"referer", b"https://" + MARK), (b"x-request-id", MARK)],
    [(b"cookie", b"cart=" + MARK), (b"cookie", b"theme=" + MARK)],
    [(b"cookie", b"typed=" + MARK)],
    [(b"hx-target", MARK), (b"hx-current-url", MARK), (b"hx-request-type", MARK)],
    [(b"if-none-match", b'W/"' + MARK + b'", *****')],
    [(b"cache-control", b"no-cache"), (b"pragma", MARK)],
    [(b"purpose", b"prefetch"), (b"sec-fetch-site", b"cross-site")],
    [(b"te", b"trailers"), (b"connection", b"x-forwarded-host")],
)


async def ask(
    app: Any,
    path: str,
    query: bytes = b"",
    headers: list[tuple[bytes, bytes]] | None = None,
    method: str = "GET",
) -> tuple[int, list[tuple[bytes, bytes]], bytes]:
    """A request as a server hands it over, with nothing put right by a client library."""
    got: list[dict[str, Any]] = []
    messages = iter([True])

    async def receive() -> dict[str, Any]:
        if not next(messages, False):
            await asyncio.Event().wait()
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: dict[str, Any]) -> None:
        got.append(message)

    scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": method,
        "scheme": "http",
        "path": path,
        "raw_path": path.encode("utf-8", "surrogatepass"),
        "query_string": query,
        "root_path": "",
        "headers": [(b"host", b"localhost"), *(headers or [])],
        "client": ("127.0.0.1", 1),
        "server": ("127.0.0.1", 80),
        "extensions": {},
    }
    await app(scope, receive, send)
    body = b"".join(message.get("body", b"") for message in got[1:])
    return got[0]["status"], [(bytes(name), bytes(said)) for name, said in got[0]["headers"]], body


@pytest.mark.parametrize("headers", HEADERS, ids=lambda headers: headers[0][0].decode())
async def test_a_hostile_header_of_the_first_visitor_does_not_reach_the_second(
    app: Lectern, kept: PageCache, entries: Entries, headers: list[tuple[bytes, bytes]]
) -> None:
    await a_course()
    await kept.listener.heard_all(2)
    for path in ("/", "/courses", "/courses/reading-price"):
        _status, _said, clean = await ask(app, path)
        kept.forget_all()
        status, said, poisoned = await ask(app, path, headers=headers)
        assert status == 200
        for name, value in [(b"body", poisoned), *said]:
            assert MARK not in value, name
        before = len(entries)
        status, said, body = await ask(app, path)
        assert (status, body) == (200, clean)
        assert len(entries) == before, "the second visitor was to be served from what the first one left"


@pytest.mark.parametrize(
    "query",
    [
        b"utm_source=evil-7f3a&fbclid=1",
        b"evil-7f3a",
        b"q[]=evil-7f3a&__proto__=1",
        b"level=evil-7f3a",
        b"page=1;page=evil-7f3a",
        b"&&&=&=evil-7f3a",
        b"sort=evil-7f3a&sort=title",
        b"page=%00evil-7f3a",
        b"%6cevel=evil-7f3a",
        b"level=%ff%fe",
        b"_method=DELETE&callback=evil-7f3a",
    ],
)
async def test_junk_in_the_address_does_not_reach_the_page(app: Lectern, kept: PageCache, query: bytes) -> None:
    await a_course()
    await kept.listener.heard_all(2)
    status, said, body = await ask(app, "/courses", query)
    assert status == 200
    assert MARK not in body
    assert all(MARK not in value for _name, value in said)


async def test_junk_parameters_do_not_draw_the_page_anew(app: Lectern, kept: PageCache, entries: Entries) -> None:
    await ask(app, "/courses", b"level=beginner&sort=title")
    for junk in (b"", b"&utm_source=mail", b"&fbclid=x&gclid=y", b"&page=", b"&q="):
        await ask(app, "/courses", b"sort=title" + junk + b"&level=beginner")
    assert len(entries) == 1
    assert entries.scopes[0]["query_string"] == b"level=beginner&sort=title"


async def test_a_long_or_crowded_address_is_not_kept(app: Lectern, kept: PageCache) -> None:
    for query in (b"level=" + b"x" * 2000, b"&".join(b"topic=a%d" % number for number in range(40))):
        status, _said, _body = await ask(app, "/courses", query)
        assert status == 200
    assert not kept.is_kept("/courses")
    await ask(app, "/plates/" + "x" * 400 + ".svg")
    assert kept.size == 0


@pytest.mark.parametrize(
    "path",
    [
        "/account/x.css",
        "/account/..%2fcourses",
        "/account;/courses",
        "/account/orders/x.svg",
        "/learn/reading-price/a.css",
        "/admin/theme.css",
        "/cart/count",
        "/cart/x.css",
        "/courses/reading-price/offer",
        "/courses/reading-price/nonexistent.css",
        "/courses/reading-price/preview/lesson-2",
        "/courses/reading-price;.css",
        "/courses/reading-price.",
        "/courses/reading-price%00.css",
        "/courses/reading-price\x00",
        "/courses/../account",
        "/courses/..%2faccount",
        "//courses",
        "/courses/",
        "/courses//reading-price",
        "/./courses",
        "/COURSES",
        "/courses/ünï-\u202e",
        "/theme.css/x",
        "/plates/../theme.css",
        "/theme.css%0d%0aX-Evil:1",
    ],
)
async def test_an_address_that_only_looks_like_a_public_page_is_not_kept(
    app: Lectern, cast: Cast, kept: PageCache, path: str
) -> None:
    await a_course()
    ann = await cast.ann()
    token = next(cookie.value for cookie in ann.browser.cookie_jar if cookie.name == "session")  # type: ignore[attr-defined]
    await kept.listener.heard_all(2)
    for headers in ([(b"cookie", b"session=" + token.encode())], []):
        status, said, body = await ask(app, path, headers=headers)
        assert status < 500
        assert (b"cache-status", b"Lectern; hit") not in said
        assert not any(name == b"cache-control" and b"s-maxage" in value for name, value in said)
        if not headers:
            assert b"Ann Archer" not in body
    assert kept.size == 0


async def test_spellings_of_one_path_are_one_page(app: Lectern, kept: PageCache, entries: Entries) -> None:
    """A server hands the path over decoded, and by that the framework routes: there is nothing else to confuse it."""
    await ask(app, "/courses")
    scope = entries.scopes[0]
    assert (scope["path"], scope["raw_path"]) == ("/courses", b"/courses")


async def test_what_is_drawn_for_keeping_holds_nothing_of_the_visitor(
    app: Lectern, kept: PageCache, entries: Entries
) -> None:
    await ask(app, "/courses", b"page=1&x=evil-7f3a", [pair for headers in HEADERS for pair in headers])
    [scope] = entries.scopes
    assert MARK not in repr(scope).encode()
    assert scope["client"] is None
    assert [name for name, _said in scope["headers"]] == [b"host", b"accept-language", b"sec-purpose"]


@pytest.mark.parametrize(
    "header",
    [
        (b"authorization", b"Bearer x"),
        (b"hx-request", b"true"),
        (b"range", b"bytes=0-3"),
        (b"transfer-encoding", b"chunked"),
        (b"content-length", b"7"),
        (b"cookie", b"flash=x"),
        (b"cookie", b"a=b; __Host-session=x"),
    ],
)
async def test_an_unusual_request_goes_to_the_framework_as_it_came(
    app: Lectern, kept: PageCache, entries: Entries, header: tuple[bytes, bytes]
) -> None:
    await ask(app, "/courses")
    _status, said, _body = await ask(app, "/courses", headers=[header])
    assert len(entries) == 2
    assert header in entries.scopes[1]["headers"]
    assert all(name != b"cache-status" for name, _said in said)
    for method in ("POST", "OPTIONS", "PUT", "BREW"):
        status, _said, _body = await ask(app, "/courses", method=method)
        assert status in (200, 403, 405)
    assert len(entries) == 6


async def test_a_wave_of_made_up_addresses_leaves_the_front_page(
    app: Lectern, client: TestClientProtocol, kept: PageCache
) -> None:
    await text(client, "/")
    for number in range(300):
        assert (await ask(app, f"/courses/made-up-{number}"))[0] == 404
    assert len(kept._kept) == 1
