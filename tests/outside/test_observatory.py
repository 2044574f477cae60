"""Every kind of answer gets Mozilla Observatory's A+, twice: from the framework, and from whatever keeps it."""

import io
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import httpx
import pytest

from app.core import db
from app.media import uploads
from tests.cast import Cast, Person
from tests.media import files
from tests.office import an_order
from tests.outside.conftest import HOST
from tests.outside.observatory import A_PLUS, cookie_of, grade
from tests.school import a_course

FRAGMENT = {"HX-Request": "true", "HX-Target": "main#page"}
Ask = Callable[[httpx.AsyncClient, dict[str, str]], Awaitable[httpx.Response]]


def get(path: str, **headers: str) -> Ask:
    return lambda client, cookie: client.get(path, headers={**headers, **cookie})


def post(path: str, headers: dict[str, str] | None = None, **form: str) -> Ask:
    return lambda client, cookie: client.post(path, headers={**(headers or {}), **cookie}, data=form)


# What is asked, and with what status it is answered.
ANONYMOUS: list[tuple[int, Ask]] = [
    (200, get("/")),
    (200, get("/courses")),
    (200, get("/courses?q=price&page=1")),
    (200, get("/courses/reading-price")),
    (200, get("/courses/reading-price/preview/lesson-1")),
    (200, get("/login")),
    (200, get("/cart")),
    (200, get("/courses", **FRAGMENT)),
    (200, get("/health/live")),
    (200, get("/health/ready")),
    (200, get("/time")),
    (200, get("/theme.css?hue=155")),
    (200, get("/plates/x.svg")),
    (200, get("/static/css/school.css")),
    (200, get("/static/img/mark.svg")),
    (404, get("/static/nothing.css")),
    (404, get("/nothing")),
    (404, get("/nothing", **FRAGMENT)),
    (404, get("/courses/nothing")),
    (404, get("/verify/nothing")),
    (405, get("/logout")),
    (405, lambda client, cookie: client.delete("/")),
    (204, get("/account/corner")),
    (303, get("/account")),
    (303, get("/admin")),
    (303, post("/cart/items", product="reading-price")),
    (403, post("/login", {"Sec-Fetch-Site": "cross-site"})),
    (422, post("/login", email="", password="")),
    (422, post("/login", FRAGMENT, email="", password="")),
    (400, post("/webhooks/stripe")),
    (413, post("/login", email="x" * 1_100_000)),
    (200, lambda client, cookie: client.head("/courses")),
    (200, lambda client, cookie: client.options("/courses")),
]


@pytest.fixture
async def olga(cast: Cast) -> Person:
    return await cast.olga()


def cookie_for(person: Person) -> dict[str, str]:
    """The session of the cast, as a browser over TLS would send it."""
    jar = person.browser.cookie_jar  # type: ignore[union-attr]
    token = next(one.value for one in jar if one.name == "session")  # type: ignore[union-attr]
    return {"Cookie": f"__Host-session={token}"}


def judge(answer: httpx.Response, status: int) -> None:
    where = f"{answer.request.method} {answer.request.url.path} {answer.status_code}"
    assert answer.status_code == status, where
    found = grade(answer)
    assert found.points >= 120 > A_PLUS, (where, found)
    policy = answer.headers["Content-Security-Policy"]
    assert "unsafe" not in policy, where
    for name in ("Content-Security-Policy", "Strict-Transport-Security", "X-Frame-Options", "Cache-Control"):
        assert len(answer.headers.get_list(name)) == 1, (where, name)
    assert "Permissions-Policy" in answer.headers, where
    assert answer.headers["Cross-Origin-Opener-Policy"] == "same-origin", where
    for revealing in ("Server", "X-Powered-By"):
        assert not any(char.isdigit() for char in answer.headers.get(revealing, "")), (where, revealing)


async def test_every_kind_of_answer_to_a_visitor_gets_the_best_grade(outside: httpx.AsyncClient) -> None:
    await a_course()
    for status, ask in ANONYMOUS:
        for _again in range(2):  # the second may come from a cache
            judge(await ask(outside, {}), status)


async def test_what_has_not_changed_carries_the_headers_too(outside: httpx.AsyncClient) -> None:
    for path in ("/static/css/school.css", "/", "/courses"):
        first = await outside.get(path)
        if "ETag" in first.headers:
            again = await outside.get(path, headers={"If-None-Match": first.headers["ETag"]})
            judge(again, 304)


async def test_pages_and_downloads_of_members_and_of_the_office_get_it_too(
    outside: httpx.AsyncClient, olga: Person, cast: Cast
) -> None:
    course, ann = await a_course(), await cast.ann()
    order = await an_order(user_id=ann.id)
    picture = await uploads.store(io.BytesIO(files.picture()), "a.png", kind="image", owner_id=None, is_public=True)
    for person, paths in (
        (ann, ["/account", "/account/orders", f"/account/orders/{order}", "/learn", "/account/sessions", "/cart"]),
        (olga, ["/admin", "/admin/orders", "/admin/people?format=csv", f"/admin/courses/{course.public_id}/details"]),
        (olga, ["/admin/settings", "/admin/mails/templates/accounts/welcome/body.html", f"/admin/orders/{order}"]),
    ):
        for path in paths:
            judge(await outside.get(path, headers=cookie_for(person)), 200)
    judge(await outside.get("/admin/nothing", headers=cookie_for(olga)), 404)
    judge(await outside.get("/admin", headers=cookie_for(ann)), 403)
    # A picture may be shown elsewhere, such as in a mail; its bytes lie where the tests' own process put them.
    missing = await outside.get(f"/media/{picture.public_id}/b.png")
    judge(missing, 404)


@asynccontextmanager
async def broken() -> AsyncIterator[None]:
    """Pages that need courses fail meanwhile."""
    await db.run("ALTER TABLE courses RENAME TO courses_away")
    try:
        yield
    finally:
        await db.run("ALTER TABLE courses_away RENAME TO courses")


async def test_a_fault_gets_it_too(outside: httpx.AsyncClient) -> None:
    async with broken():
        answers = [await outside.get("/learn/x"), await outside.get("/courses/never-asked-before?q=zz")]
        fragment = await outside.get("/courses/never-asked-before", headers=FRAGMENT)
    assert {answer.status_code for answer in answers[1:]} == {500}
    for answer in (*answers[1:], fragment):
        judge(answer, 500)
        assert "courses_away" not in answer.text
        assert "Traceback" not in answer.text


def test_the_grader_knows_bad_headers() -> None:
    """The negative control: without this and that the points go."""
    good = {
        "Content-Security-Policy": "default-src 'none'; script-src 'self'; frame-ancestors 'none'",
        "Cross-Origin-Resource-Policy": "same-origin",
        "Referrer-Policy": "same-origin",
        "Strict-Transport-Security": "max-age=31536000",
        "X-Content-Type-Options": "nosniff",
    }
    assert grade(httpx.Response(200, headers=good)).points == 130
    for name in good:
        worse = {other: text for other, text in good.items() if other != name}
        assert grade(httpx.Response(200, headers=worse)).points < 130, name
    unsafe = {**good, "Content-Security-Policy": "default-src 'none'; script-src 'self' 'unsafe-inline'"}
    assert grade(httpx.Response(200, headers=unsafe)).points < 90
    leaky = httpx.Response(200, headers=[*good.items(), ("Set-Cookie", "session=1; Secure")])
    assert grade(leaky).points < 90
    assert grade(httpx.Response(200)).points < 50


# --- cookies ---


async def test_a_sign_in_over_tls_sets_cookies_that_only_this_host_and_no_script_gets(
    outside: httpx.AsyncClient, cast: Cast
) -> None:
    from app.accounts import hashing, queries
    from tests.cast import PASSWORD

    ann = await cast.ann()
    await a_course()
    await queries.set_password(ann.id, await hashing.hashed(PASSWORD))
    answers = [
        await outside.post("/cart/items", data={"product": "reading-price"}),
        await outside.post("/login", data={"email": ann.email, "password": PASSWORD, "keep": "y"}),
        await outside.post("/logout", headers=cookie_for(ann)),
        await outside.post("/account/profile", data={"name": "Ann"}, headers={**cookie_for(ann), "Host": HOST}),
    ]
    lines = [line for answer in answers for line in answer.headers.get_list("Set-Cookie")]
    assert {cookie_of(line) for line in lines} >= {"__Host-cart", "__Host-session", "__Host-device", "__Host-flash"}
    for line in lines:
        marks = {part.strip().lower() for part in line.split(";")[1:]}
        assert line.startswith("__Host-"), line
        assert {"secure", "httponly", "path=/", "samesite=lax"} <= marks, line
        assert not any(mark.startswith("domain") for mark in marks), line
