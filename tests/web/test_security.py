"""What every answer carries, where writes may come from, and what cookies look like."""

from datetime import timedelta

import pytest
from quart.typing import TestClientProtocol

from app import Lectern
from app.accounts import hashing
from app.core import clock, db, queue
from app.web.clients import Proxies
from app.web.guards import guard_of
from app.web.request import client_address
from app.web.traps import opened_stamp
from tests.cast import PASSWORD, Cast
from tests.office import an_order
from tests.school import a_course

HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "strict-origin-when-cross-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=()",
}


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/", 200),
        ("/static/css/school.css", 200),
        ("/static/nothing.css", 404),
        ("/theme.css", 200),
        ("/plates/x.svg", 200),
        ("/nothing", 404),
        ("/account", 303),
        ("/logout", 405),
        ("/health/live", 200),
        ("/admin", 303),
        ("//evil.example/", 404),
    ],
)
async def test_every_answer_carries_the_headers(client: TestClientProtocol, path: str, status: int) -> None:
    answer = await client.get(path)
    assert answer.status_code == status
    for name, text in HEADERS.items():
        assert answer.headers.get(name, "").startswith(text), name
        assert len(answer.headers.getlist(name)) == 1, name


async def test_a_page_is_framed_by_nobody_and_sends_forms_only_to_those_it_names(client: TestClientProtocol) -> None:
    policy = (await client.get("/")).headers["Content-Security-Policy"]
    parts = dict(part.split(" ", 1) for part in policy.split("; "))
    assert parts["form-action"] == "'self' https://checkout.stripe.com http://sandbox.test"
    for name in ("default-src", "frame-ancestors", "base-uri"):
        assert parts[name] == "'none'", name
    for name in ("script-src", "style-src", "font-src", "connect-src", "manifest-src", "frame-src"):
        assert parts[name] == "'self'", name


async def test_a_fault_carries_them_too_and_tells_nothing(
    app: Lectern, client: TestClientProtocol, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def broken() -> str:
        raise RuntimeError("the database password is hunter2")

    broken.guard = guard_of(app.view_functions["health.show_live"])  # type: ignore[attr-defined]
    monkeypatch.setitem(app.view_functions, "health.show_live", broken)
    answer = await client.get("/health/live")
    assert answer.status_code == 500
    for name, text in HEADERS.items():
        assert answer.headers.get(name, "").startswith(text), name
    assert "hunter2" not in await answer.get_data(as_text=True)


async def test_no_cache_keeps_what_is_personal(app: Lectern, cast: Cast) -> None:
    ann, olga, course = await cast.ann(), await cast.olga(), await a_course()
    order = await an_order(user_id=ann.id)
    paths = ["/account", "/account/orders", f"/account/orders/{order}", "/account/sessions", "/learn", "/cart"]
    paths += ["/cart/count", "/account/corner", f"/courses/{course.slug}", "/", "/login", "/checkout/success"]
    for person in (ann, olga):
        for path in [*paths, "/admin/orders", "/admin/people?format=csv"]:
            kept = (await person.browser.get(path)).headers["Cache-Control"]
            assert kept in ("private, no-cache", "private, no-store"), (path, kept)


async def test_every_cookie_is_for_this_host_over_tls_and_not_for_scripts(
    app: Lectern, cast: Cast, client: TestClientProtocol, monkeypatch: pytest.MonkeyPatch
) -> None:
    await a_course()
    ann = await cast.ann()
    await db.run("UPDATE users SET password_hash = :hash", hash=await hashing.hashed(PASSWORD))
    monkeypatch.setitem(app.config, "SECURE_COOKIES", True)
    answers = [
        await client.post("/cart/items", form={"product": "reading-price"}),
        await client.post("/login", form={"email": ann.email, "password": PASSWORD}),
        await client.post("/logout"),
    ]
    assert [answer.status_code for answer in answers] == [303, 303, 303]
    cookies = [line for answer in answers for line in answer.headers.getlist("Set-Cookie")]
    assert {line.split("=")[0] for line in cookies} == {
        "__Host-cart",
        "__Host-device",
        "__Host-flash",
        "__Host-session",
    }
    for line in cookies:
        marks = {part.strip().lower() for part in line.split(";")[1:]}
        assert {"secure", "httponly", "path=/", "samesite=lax"} <= marks, line
        assert not any(mark.startswith("domain") for mark in marks), line


@pytest.mark.parametrize(
    ("trusted", "forwarded", "expected"),
    [
        (0, ["6.6.6.6"], "unknown"),
        (1, ["6.6.6.6, 9.9.9.9"], "9.9.9.9"),
        (1, ["6.6.6.6", "9.9.9.9"], "9.9.9.9"),
        (2, ["6.6.6.6, 5.5.5.5, 9.9.9.9"], "5.5.5.5"),
        (2, ["6.6.6.6, 5.5.5.5", "9.9.9.9"], "5.5.5.5"),
        (1, [""], "unknown"),
        # Fly adds its own address last; behind Cloudflare one more stands between.
        (2, ["6.6.6.6, 77.1.1.1, 66.241.1.1"], "77.1.1.1"),
        (2, ["77.1.1.1, 66.241.1.1"], "77.1.1.1"),
        (3, ["6.6.6.6, 77.1.1.1, 172.68.1.1, 66.241.1.1"], "77.1.1.1"),
        # Fewer than there should be: somebody reached us past the proxies and is known by the connection.
        (3, ["6.6.6.6, 9.9.9.9"], "unknown"),
        (2, [" , ,"], "unknown"),
        (1, ["x" * 500], "x" * 64),
    ],
)
async def test_a_client_cannot_choose_its_address(
    app: Lectern, monkeypatch: pytest.MonkeyPatch, trusted: int, forwarded: list[str], expected: str
) -> None:
    monkeypatch.setitem(app.config, "PROXIES", Proxies(trusted))
    headers = [("X-Forwarded-For", one) for one in forwarded]
    async with app.test_request_context("/", headers=headers):
        assert client_address() == expected


async def test_links_in_mails_lead_home_whatever_host_was_asked_for(app: Lectern, client: TestClientProtocol) -> None:
    with clock.shifted(-timedelta(minutes=1)):
        opened = opened_stamp()
    form = {"name": "Gus", "email": "gus@example.org", "password": "a good long phrase 17", "opened": opened}
    headers = {"Host": "evil.example", "X-Forwarded-Host": "evil.example", "Forwarded": "host=evil.example"}
    await client.post("/register", form=form, headers=headers)
    await client.post("/password/forgot", form={"email": "gus@example.org", "opened": opened}, headers=headers)
    await queue.drain()
    assert await db.value("SELECT count(*) FROM mails WHERE state = 'sent'") == 2
    mailed = [path.read_text("utf-8") for path in (app.config["LECTERN"].data_dir).rglob("*.eml")]
    assert len(mailed) >= 2
    assert not any("evil.example" in text for text in mailed)


@pytest.mark.parametrize(
    "onward",
    [
        "//evil.example",
        "https://evil.example",
        "/\\evil.example",
        "\\/evil.example",
        "/\t/evil.example",
        "/\n/evil.example",
        "javascript:alert(1)",
        "evil.example",
        "/%2F/evil.example/\\..",
        " //evil.example",
    ],
)
async def test_signing_in_never_leads_to_another_site(app: Lectern, cast: Cast, onward: str) -> None:
    ann = await cast.ann()
    answer = await ann.browser.get("/login", query_string={"next": onward})
    assert answer.status_code == 303
    assert answer.headers["Location"] in ("/learn",)
    answer = await ann.browser.get("/register", query_string={"next": onward})
    assert answer.headers["Location"] == "/account"
