"""Bytes that are no proper request, sent to the server itself: smuggling, half requests, floods of headers.

Each is answered with a 4xx or a closed door, soon, and the next visitor notices nothing.
"""

from __future__ import annotations

import asyncio
import re
import time

import httpx

from tests.outside.conftest import HOST, Live

PATIENCE = 8.0  # seconds on a busy machine; alone each takes milliseconds
FORM = b"Content-Type: application/x-www-form-urlencoded\r\n"
H = b"Host: " + HOST.encode() + b"\r\n"
SMUGGLED = b"GET /smuggled-by-mallory HTTP/1.1\r\n" + H + b"\r\n"


def request(line: bytes, *headers: bytes, body: bytes = b"", host: bytes = H) -> bytes:
    return line + b"\r\n" + host + b"".join(header + b"\r\n" for header in headers) + b"\r\n" + body


POST = b"POST /login HTTP/1.1"
GET = b"GET /health/live HTTP/1.1"
# What is sent, and which answers are proper. 0: closed without an answer.
CASES: dict[str, tuple[bytes, set[int]]] = {
    "CL and TE": (
        request(POST, b"Content-Length: 4", b"Transfer-Encoding: chunked", body=b"0\r\n\r\n" + SMUGGLED),
        {0, 400, 422},
    ),
    "TE and CL": (
        request(POST, b"Transfer-Encoding: chunked", b"Content-Length: 5", body=b"0\r\n\r\n" + SMUGGLED),
        {0, 400, 422},
    ),
    "two lengths": (request(POST, b"Content-Length: 0", b"Content-Length: 40", body=SMUGGLED), {0, 400}),
    "two lengths in one": (request(POST, b"Content-Length: 0, 40", body=SMUGGLED), {0, 400}),
    "negative length": (request(POST, b"Content-Length: -1"), {0, 400}),
    "plus length": (request(POST, b"Content-Length: +4", body=b"abcd"), {0, 400}),
    "hex length": (request(POST, b"Content-Length: 0x4", body=b"abcd"), {0, 400}),
    "endless length": (request(POST, b"Content-Length: 99999999999999999999999"), {0, 400, 413}),
    "unknown coding": (request(POST, b"Transfer-Encoding: xchunked", body=SMUGGLED), {0, 400, 501}),
    "hidden coding": (request(POST, b"Transfer-Encoding : chunked", body=b"0\r\n\r\n"), {0, 400}),
    "tabbed coding": (request(POST, b"Transfer-Encoding:\x0bchunked", body=b"0\r\n\r\n"), {0, 400}),
    "two codings": (request(POST, b"Transfer-Encoding: chunked, identity", body=b"0\r\n\r\n"), {0, 400, 501}),
    "bad chunk": (request(POST, b"Transfer-Encoding: chunked", body=b"zz\r\nabc\r\n0\r\n\r\n"), {0, 400, 422}),
    "huge chunk": (request(POST, b"Transfer-Encoding: chunked", body=b"fffffffffffffffff\r\nabc"), {0, 400, 422}),
    "long chunk extension": (
        request(POST, FORM.strip(), b"Transfer-Encoding: chunked", body=b"1;" + b"x" * 100_000 + b"\r\na\r\n0\r\n\r\n"),
        {0, 400, 422},
    ),
    "bare LF": (b"GET /health/live HTTP/1.1\nHost: x\n\n", {0, 200, 400}),
    "bare CR": (b"GET /health/live HTTP/1.1\rHost: x\r\r", {0, 400}),
    "folded header": (request(GET, b"X-A: b\r\n c"), {0, 200, 400}),
    "no host": (request(GET, host=b""), {0, 200, 400}),
    "two hosts": (request(GET, b"Host: evil.example"), {0, 200, 400}),
    "bad host": (request(GET, host=b"Host: evil.example/\\@x\r\n"), {0, 200, 400}),
    "absolute address": (request(b"GET http://evil.example/health/live HTTP/1.1"), {0, 200, 400, 404}),
    "asterisk": (request(b"GET * HTTP/1.1"), {0, 400, 404}),
    "authority": (request(b"CONNECT evil.example:443 HTTP/1.1"), {0, 400, 404, 405}),
    "no slash": (request(b"GET health/live HTTP/1.1"), {0, 400, 404}),
    "raw bytes in the path": (request(b"GET /\xff\xfe\x80 HTTP/1.1"), {0, 400, 404}),
    "NUL in the path": (request(b"GET /\x00 HTTP/1.1"), {0, 400, 404}),
    "NUL in a header": (request(GET, b"X-A: b\x00c"), {0, 400}),
    "space in a header name": (request(GET, b"X A: b"), {0, 400}),
    "long address": (request(b"GET /" + b"x" * 100_000 + b" HTTP/1.1"), {0, 400, 404, 414, 431}),
    "long query": (request(b"GET /courses?q=" + b"x" * 100_000 + b" HTTP/1.1"), {0, 200, 400, 414, 431}),
    "longest address": (request(b"GET /" + b"x" * 2_000_000 + b" HTTP/1.1"), {0, 400, 404, 414, 431}),
    "long header": (request(GET, b"X-A: " + b"x" * 2_000_000), {0, 400, 431}),
    "many headers": (request(GET, *[b"X-%d: y" % n for n in range(20_000)]), {0, 400, 431}),
    "many cookies": (request(GET, b"Cookie: " + b"a=b; " * 20_000), {0, 200, 400, 431}),
    "HTTP/1.0": (b"GET /health/live HTTP/1.0\r\n\r\n", {0, 200, 400}),
    "HTTP/0.9": (b"GET /health/live\r\n", {0, 400}),
    "HTTP/3.7": (request(b"GET /health/live HTTP/3.7"), {0, 400, 505}),
    "unknown method": (request(b"BREW /health/live HTTP/1.1"), {0, 400, 403, 405, 501}),
    "TRACE": (request(b"TRACE /health/live HTTP/1.1", b"X-Secret: echo"), {0, 400, 403, 405, 501}),
    "override": (request(b"GET /logout HTTP/1.1", b"X-HTTP-Method-Override: POST"), {405}),
    "override below a path": (request(b"GET /logout?_method=POST HTTP/1.1"), {405}),
    "upgrade": (
        request(GET, b"Upgrade: websocket", b"Connection: Upgrade", b"Sec-WebSocket-Version: 13"),
        {0, 200, 400, 426},
    ),
    "h2c": (
        request(
            GET, b"Upgrade: h2c", b"HTTP2-Settings: AAMAAABkAARAAAAAAAIAAAAA", b"Connection: Upgrade, HTTP2-Settings"
        ),
        {0, 200, 400},
    ),
    "TLS hello": (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\x00" * 500, {0, 400}),
    "random": (bytes(range(256)) * 20, {0, 400}),
    "line breaks": (b"\r\n" * 5000, {0, 400}),
    "climbing out of static": (request(b"GET /static/../../etc/passwd HTTP/1.1"), {0, 400, 404}),
    "climbing, encoded": (request(b"GET /static/%2e%2e/%2e%2e/pyproject.toml HTTP/1.1"), {400, 404}),
    "climbing, encoded twice": (request(b"GET /static/%252e%252e%252fpyproject.toml HTTP/1.1"), {400, 404}),
    "climbing, overlong": (request(b"GET /static/%c0%ae%c0%ae/pyproject.toml HTTP/1.1"), {400, 404}),
    "climbing out of media": (request(b"GET /media/x/..%2f..%2f..%2fetc%2fpasswd HTTP/1.1"), {400, 404}),
    "climbing with backslashes": (request(b"GET /static/..%5c..%5cpyproject.toml HTTP/1.1"), {400, 404}),
    "header through the address": (request(b"GET /login?next=/%0d%0aSet-Cookie:%20a=b HTTP/1.1"), {200}),
    "header through a bare break": (request(b"GET /account?x=%0aX-A:%20b HTTP/1.1"), {303}),
    "gzip body": (
        request(POST, FORM.strip(), b"Content-Encoding: gzip", b"Content-Length: 4", body=b"\x1f\x8b\x08\x00"),
        {400, 415, 422},
    ),
    "expecting": (request(POST, FORM.strip(), b"Expect: 100-continue", b"Content-Length: 3", body=b"a=b"), {100, 422}),
}


async def talk(port: int, sent: bytes, *, patience: float = PATIENCE) -> tuple[bytes, float]:
    """What comes back until the server closes or falls silent, and how many seconds the first byte took."""
    received, start = b"", time.monotonic()
    took = 0.0
    try:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(sent)
        received = await asyncio.wait_for(reader.read(65536), patience)
        took = time.monotonic() - start
        while more := await asyncio.wait_for(reader.read(65536), 0.5):
            received += more
    except (ConnectionError, TimeoutError):
        pass  # refused, or it waits for the rest, which is its right
    writer.close()
    return received, took


def statuses(received: bytes) -> list[int]:
    return [int(code) for code in re.findall(rb"(?:^|\n)HTTP/1\.[01] ([0-9]{3})", received)] or [0]


async def test_broken_requests_are_refused_soon(live: Live) -> None:
    answers = await asyncio.gather(*(talk(live.port, sent) for sent, _proper in CASES.values()))
    for (name, (_sent, proper)), (received, took) in zip(CASES.items(), answers, strict=True):
        found = statuses(received)
        assert found[0] in proper, (name, received[:300])
        assert all(code < 500 or code in (501, 505) for code in found), (name, received[:300])
        assert took < PATIENCE, name
        # What was hidden in the body has not been taken for the next visitor's request.
        assert 404 not in found[1:], (name, received[:300])
        for leaked in (b"\nSet-Cookie: a=b", b"\nX-A: b", b"root:", b"[project]"):
            assert leaked not in received, name


async def test_the_next_visitor_notices_nothing(live: Live, outside: httpx.AsyncClient) -> None:
    await asyncio.gather(*(talk(live.port, sent) for sent, _proper in list(CASES.values())[:20]))
    assert (await outside.get("/health/ready")).status_code == 200
    assert (await outside.get("/courses")).status_code == 200


async def test_slow_and_unfinished_requests_do_not_keep_others_waiting(live: Live, outside: httpx.AsyncClient) -> None:
    """Two hundred connections that say half a sentence and hold the line."""
    held = [await asyncio.open_connection("127.0.0.1", live.port) for _ in range(200)]
    try:
        for number, (_reader, writer) in enumerate(held):
            half = (
                b"GET / HTTP/1.1\r\nHost: x\r\nX-A: "
                if number % 2
                else request(POST, b"Content-Length: 100", body=b"a=")
            )
            writer.write(half)
        start = time.monotonic()
        assert (await outside.get("/courses")).status_code == 200
        assert time.monotonic() - start < PATIENCE
    finally:
        for _reader, writer in held:
            writer.close()
    assert (await outside.get("/health/ready")).status_code == 200


async def test_a_multipart_body_that_ends_early_is_answered(live: Live, outside: httpx.AsyncClient) -> None:
    body = b'--x\r\nContent-Disposition: form-data; name="email"\r\n\r\nann'
    head = b"Content-Type: multipart/form-data; boundary=x"
    for length in (len(body), len(body) + 500):
        sent = request(b"POST /cart/items HTTP/1.1", head, b"Content-Length: %d" % length, body=body)
        received, _took = await talk(live.port, sent)
        assert statuses(received)[0] in (0, 400, 422, 429), received[:200]
    assert (await outside.get("/health/ready")).status_code == 200
