"""Public pages are kept whole and answered before the framework is entered."""

import asyncio
import gzip

import brotli
import pytest
from quart.typing import TestClientProtocol

from app import Lectern
from app.core import db, i18n, settings
from app.web.page_cache import PageCache, pages
from app.web.page_cache.marks import mark_of
from tests.cast import Cast
from tests.everywhere import a_form
from tests.school import a_course
from tests.web.kept import Entries, how, text, until

PAGES = (
    "/",
    "/courses",
    "/courses?level=beginner",
    "/courses/reading-price",
    "/courses/reading-price/preview/lesson-1",
    "/teachers/ines-ito",
    "/forms/reading-price",
    "/theme.css?hue=20",
    "/plates/reading-price.svg",
)


async def a_school(cast: Cast, cache: PageCache | None = None) -> None:
    """A course with a teacher, of which the cache has heard."""
    ines = await cast.ines()
    await a_course(instructor_id=ines.id)
    await a_form(ines.id, "reading-price")
    assert cache is None or await cache.listener.heard_all(2)


async def an_announced_course(cache: PageCache) -> None:
    await a_course()
    assert await cache.listener.heard_all(2)


@pytest.mark.parametrize("path", PAGES)
async def test_the_second_visitor_does_not_enter_the_framework(
    client: TestClientProtocol, cast: Cast, entries: Entries, kept: PageCache, path: str
) -> None:
    await a_school(cast, kept)
    first = await text(client, path)
    assert len(entries) == 1
    with db.count_queries() as count:
        assert await text(client, path) == first
    assert len(entries) == 1
    assert count.total == 0


async def test_every_marked_page_is_among_those_tested_here(app: Lectern) -> None:
    match = app.url_map.bind("localhost").match
    tested = {match(path.partition("?")[0])[0] for path in PAGES}
    assert {name for name, view in app.view_functions.items() if mark_of(view)} == tested


async def test_a_kept_page_says_the_same_as_a_drawn_one(
    client: TestClientProtocol, cast: Cast, kept: PageCache
) -> None:
    await a_school(cast, kept)
    for path in PAGES:
        await client.get(path)
        answer = await client.get(path)
        await kept.listener.stop()
        drawn = await client.get(path)
        kept.listener.start()
        await until(lambda: kept.listener.is_live)
        own = {"x-request-id", "cache-status", "cache-control", "cdn-cache-control", "vary", "etag"}
        assert await answer.get_data() == await drawn.get_data()
        for headers, other in ((answer.headers, drawn.headers), (drawn.headers, answer.headers)):
            for name, said in headers.items():
                assert name.lower() in own or other[name] == said, (path, name)
        assert "X-Request-Id" not in answer.headers
        assert answer.headers["Cache-Status"] == "Lectern; hit"


async def test_a_cart_does_not_turn_the_cache_off(
    client: TestClientProtocol, cast: Cast, entries: Entries, kept: PageCache
) -> None:
    await a_school(cast, kept)
    await client.post("/cart/items", form={"product": "reading-price"})
    assert any(cookie.name == "cart" for cookie in client.cookie_jar)  # type: ignore[attr-defined]
    # The sentence about it is shown by the cart, which takes the cookie that carried it.
    await client.get("/cart")
    await text(client, "/courses")
    before = len(entries)
    assert await how(client, "/courses") == "hit"
    assert len(entries) == before


async def test_signed_in_people_are_neither_kept_nor_served_from_what_is_kept(
    client: TestClientProtocol, cast: Cast, entries: Entries, kept: PageCache
) -> None:
    await a_school(cast, kept)
    ann = await cast.ann()
    for path in PAGES:
        answer = await ann.browser.get(path)
        assert not kept.is_kept(path.partition("?")[0])
        assert "Cache-Status" not in answer.headers
        if "html" in answer.content_type:
            assert answer.headers["Cache-Control"] == "private, no-cache"
    for path in PAGES:
        await text(client, path)
    before = len(entries)
    for path in PAGES:
        assert "Cache-Status" not in (await ann.browser.get(path)).headers
    assert len(entries) == before + len(PAGES)


async def test_a_cache_in_front_may_show_the_kept_page_to_signed_in_people_for_it_is_the_same(
    client: TestClientProtocol, cast: Cast, kept: PageCache
) -> None:
    await a_school(cast, kept)
    ann = await cast.ann()
    for path in PAGES:
        assert await text(client, path) == await text(ann.browser, path)


@pytest.mark.parametrize("cookie", ["session=x", "__Host-session=x", " session =x", "a=b; session=", "flash=x"])
async def test_a_personal_cookie_in_any_spelling_goes_past_the_cache(
    client: TestClientProtocol, kept: PageCache, cookie: str
) -> None:
    await text(client, "/courses")
    assert await how(client, "/courses", Cookie=cookie) == ""
    assert await how(client, "/courses", Cookie="theme=dark; _ga=GA1.2") == "hit"


async def test_a_sentence_for_one_visitor_is_never_kept(
    client: TestClientProtocol, app: Lectern, kept: PageCache
) -> None:
    await an_announced_course(kept)
    other = app.test_client()
    await client.post("/cart/items", form={"product": "reading-price"})
    shown = await text(client, "/courses")
    assert "is in your cart" in shown
    assert "is in your cart" not in await text(other, "/courses")
    assert "is in your cart" not in await text(client, "/courses")


async def test_languages_are_kept_apart(
    client: TestClientProtocol, kept: PageCache, entries: Entries, monkeypatch: pytest.MonkeyPatch
) -> None:
    spoken: list[str] = []
    inner = kept._inner

    async def listen(scope: dict[str, object], receive: object, send: object) -> None:
        spoken.append(i18n.locale())
        await inner(scope, receive, send)  # type: ignore[arg-type]

    monkeypatch.setattr(kept, "_inner", listen)
    monkeypatch.setattr(kept, "_language", lambda scope: dict(scope["headers"]).get(b"accept-language", b"en").decode())
    for language in ("en", "de", "en", "de"):
        await text(client, "/courses", Accept_Language=language)
    assert spoken == ["en", "de"]


async def test_schemes_are_kept_apart(client: TestClientProtocol, entries: Entries) -> None:
    for scheme in ("http", "https", "http", "https"):
        await client.get("/courses", scheme=scheme)
    assert [scope["scheme"] for scope in entries.scopes] == ["http", "https"]


async def test_a_fragment_is_drawn_each_time(client: TestClientProtocol, kept: PageCache) -> None:
    await an_announced_course(kept)
    await text(client, "/courses")
    part = await text(client, "/courses", HX_Request="true", HX_Target="div#results")
    assert part.lstrip().startswith('<div class="catalogue__results"')
    assert "<html" in await text(client, "/courses")


async def test_free_words_are_not_kept(client: TestClientProtocol, kept: PageCache) -> None:
    for _time in range(2):
        assert await how(client, "/courses?q=risk") == ""
    assert await how(client, "/courses?q=&sort=") == "miss"
    assert await how(client, "/courses") == "hit"


async def test_encodings_head_and_unchanged(client: TestClientProtocol, kept: PageCache) -> None:
    await an_announced_course(kept)
    plain = (await text(client, "/courses")).encode()
    etags = set()
    for accepted, encoding, unpack in (
        ("br, gzip", "br", brotli.decompress),
        ("gzip", "gzip", gzip.decompress),
        ("gzip;q=1.0, br;q=0", "gzip", gzip.decompress),
        ("deflate, zstd", None, bytes),
        ("", None, bytes),
        ("*", "br", brotli.decompress),
    ):
        answer = await client.get("/courses", headers={"Accept-Encoding": accepted})
        body = await answer.get_data(as_text=False)
        assert answer.headers.get("Content-Encoding") == encoding
        assert unpack(body) == plain
        assert int(answer.headers["Content-Length"]) == len(body)
        assert answer.headers["Vary"] == "Accept-Encoding, HX-Request"
        etag = answer.headers["ETag"]
        etags.add(etag)
        for asked in (etag, f'W/{etag}, "other"', f'"other",{etag}', "*"):
            again = await client.get("/courses", headers={"Accept-Encoding": accepted, "If-None-Match": asked})
            assert (again.status_code, await again.get_data(as_text=False)) == (304, b"")
            assert again.headers["ETag"] == etag
        assert (await client.get("/courses", headers={"If-None-Match": '"other"'})).status_code == 200
        head = await client.head("/courses", headers={"Accept-Encoding": accepted})
        assert await head.get_data(as_text=False) == b""
    assert len(etags) == 3


async def test_a_head_request_that_comes_first_keeps_the_whole_page(
    client: TestClientProtocol, kept: PageCache
) -> None:
    answer = await client.head("/courses")
    assert answer.status_code == 200
    assert await answer.get_data(as_text=False) == b""
    assert "<html" in await text(client, "/courses")
    assert await how(client, "/courses") == "hit"


async def test_a_page_that_is_not_there_is_not_kept(client: TestClientProtocol, kept: PageCache) -> None:
    for _time in range(2):
        answer = await client.get("/courses/nothing", headers={"Accept-Encoding": "br"})
        assert answer.status_code == 404
        assert answer.headers["Content-Encoding"] == "br"
        assert answer.headers["X-Request-Id"].encode() in brotli.decompress(await answer.get_data(as_text=False))
    assert not kept.is_kept("/courses/nothing")


async def test_an_hour_of_fame_is_one_drawing(
    client: TestClientProtocol, kept: PageCache, entries: Entries, monkeypatch: pytest.MonkeyPatch
) -> None:
    await an_announced_course(kept)
    inner = kept._inner

    async def slow(*request: object) -> None:
        await asyncio.sleep(0.05)
        await inner(*request)  # type: ignore[arg-type]  # whatever a request is

    monkeypatch.setattr(kept, "_inner", slow)
    bodies = await asyncio.gather(*(text(client, "/courses/reading-price") for _ in range(20)))
    assert len(set(bodies)) == 1
    assert len(entries) == 1
    # Without sharing, each of them is drawn.
    kept.forget_all()
    kept.is_shared = False
    await asyncio.gather(*(text(client, "/courses/reading-price") for _ in range(20)))
    assert len(entries) == 21


@pytest.mark.parametrize("fault", [RuntimeError("broken"), asyncio.CancelledError()])
async def test_when_the_one_drawing_fails_the_others_are_served_all_the_same(
    client: TestClientProtocol, kept: PageCache, monkeypatch: pytest.MonkeyPatch, fault: BaseException
) -> None:
    await an_announced_course(kept)
    inner, seen = kept._inner, []

    async def fails_once(*request: object) -> None:
        seen.append(request)
        await asyncio.sleep(0.02)
        if len(seen) == 1:
            raise fault
        await inner(*request)  # type: ignore[arg-type]  # whatever a request is

    monkeypatch.setattr(kept, "_inner", fails_once)
    bodies = await asyncio.gather(*(text(client, "/courses/reading-price") for _ in range(5)))
    assert len(set(bodies)) == 1
    assert len(seen) == 6


async def test_an_old_page_is_shown_while_one_new_one_is_drawn(
    client: TestClientProtocol, kept: PageCache, entries: Entries, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = 1000.0
    kept.clock = lambda: now
    await text(client, "/courses")
    now += 59
    assert await how(client, "/courses") == "hit"
    assert len(entries) == 1
    now += 2
    inner, stale, go_on = kept._inner, kept.stale, asyncio.Event()

    async def slow(*request: object) -> None:
        await go_on.wait()
        await inner(*request)  # type: ignore[arg-type]  # whatever a request is

    monkeypatch.setattr(kept, "_inner", slow)
    for _time in range(3):
        assert await how(client, "/courses") == "hit"
    go_on.set()
    await until(lambda: len(entries) == 2 and not kept._flights)
    assert await how(client, "/courses") == "hit"
    assert (kept.stale - stale, len(entries)) == (3, 2)
    now += 301
    assert await how(client, "/courses") == "miss"


async def test_a_page_that_lasts_is_packed_harder(client: TestClientProtocol, kept: PageCache) -> None:
    now = 1000.0
    kept.clock = lambda: now
    for number in range(6):
        await a_course(f"course-{number}", f"Course {number}")
    await kept.listener.heard_all(2)
    before = await client.get("/courses", headers={"Accept-Encoding": "br"})
    now += 61
    await client.get("/courses")
    await until(lambda: not kept._flights and not kept._side)
    after = await client.get("/courses", headers={"Accept-Encoding": "br"})
    small, large = await after.get_data(as_text=False), await before.get_data(as_text=False)
    assert len(small) < len(large)
    assert brotli.decompress(small) == brotli.decompress(large)
    assert before.headers["ETag"] != after.headers["ETag"]


async def test_memory_is_bounded_and_made_up_addresses_push_nobody_out(app: Lectern, kept: PageCache) -> None:
    client = app.test_client()
    room = kept._shelves._room
    for shelf, size in zip(list(room), (400_000, 200_000), strict=True):
        room[shelf] = size
    await text(client, "/courses")
    for number in range(60):
        await text(client, f"/courses?topic=made-up-{number}")
        await text(client, f"/plates/made-up-{number}.svg")
    assert kept.size < 600_000
    assert await how(client, "/courses") == "hit"
    assert await how(client, "/plates/made-up-59.svg") == "hit"
    assert await how(client, "/plates/made-up-0.svg") == "miss"
    kept.forget_all()
    assert kept.size == 0


async def test_an_answer_that_sets_a_cookie_is_not_kept(
    app: Lectern, client: TestClientProtocol, kept: PageCache, monkeypatch: pytest.MonkeyPatch
) -> None:
    view = app.view_functions["catalogue.list_courses"]

    async def personal() -> object:
        answer = await view()
        answer.set_cookie("who", "me")  # type: ignore[union-attr]
        return answer

    personal.guard, personal.cached = view.guard, view.cached  # type: ignore[attr-defined]
    monkeypatch.setitem(app.view_functions, "catalogue.list_courses", personal)
    for _time in range(2):
        answer = await client.get("/courses")
        assert "who=me" in answer.headers["Set-Cookie"]
    assert not kept.is_kept("/courses")


async def test_without_redis_pages_are_kept_too(
    client: TestClientProtocol, kept: PageCache, without_redis: None
) -> None:
    await text(client, "/")
    assert await how(client, "/") == "hit"
    await settings.save_school(home_title="Said without Redis")
    await until(lambda: not kept.is_kept("/"))
    assert "Said without Redis" in await text(client, "/")


async def test_a_process_that_does_not_listen_keeps_nothing(app: Lectern, client: TestClientProtocol) -> None:
    for _time in range(2):
        assert await how(client, "/courses") == ""


@pytest.mark.parametrize(
    ("name", "text"),
    [
        (b"cache-control", b"private, no-store"),
        (b"cache-control", b"no-store"),
        (b"cache-control", b"private"),
        (b"set-cookie", b"device=x"),
        (b"vary", b"*"),
        (b"content-range", b"bytes 0-1/2"),
        (b"content-encoding", b"br"),
    ],
)
def test_an_answer_that_is_not_whole_and_for_all_is_not_kept(name: bytes, text: bytes) -> None:
    plain = [(b"content-type", b"text/html"), (b"cache-control", b"private, no-cache")]  # as a page says by itself
    assert pages.may_be_kept(200, plain)
    assert not pages.may_be_kept(200, [(b"content-type", b"text/html"), (name, text)])
    assert not pages.may_be_kept(404, plain)
