"""The name that a request asks for is the visitor's word: it changes no link, no redirect, no kept page, no check."""

import re

import pytest
from quart import Quart
from quart.typing import TestClientProtocol

from app import Lectern
from app.config import Config
from app.core.errors import Forbidden
from app.web import guards, render
from app.web.clients import Proxies
from app.web.security import install
from tests import everywhere
from tests.cast import Cast
from tests.school import a_course

TRICKS = [
    {"Host": "evil.example"},
    {"Host": "localhost.evil.example"},
    {"Host": "localhost:80@evil.example"},
    {"Host": "evil.example:80"},
    {"X-Forwarded-Host": "evil.example"},
    {"X-Forwarded-Host": "evil.example", "X-Forwarded-Proto": "https", "X-Forwarded-Port": "443"},
    {"Forwarded": "host=evil.example;proto=https"},
    {"X-Original-Host": "evil.example", "X-Host": "evil.example", "X-HTTP-Host-Override": "evil.example"},
]


pytestmark = pytest.mark.usefixtures("unlimited")


async def test_no_page_and_no_redirect_leads_to_the_name_that_was_asked_for(app: Lectern, cast: Cast) -> None:
    olga = await cast.olga()
    places = await everywhere.one_of_everything(app, instructor_id=olga.id)
    for number, rule in enumerate(everywhere.routes(app, "GET")):
        headers = TRICKS[number % len(TRICKS)]
        for browser in (olga.browser, app.test_client()):
            answer = await browser.get(everywhere.address(rule.rule, places), headers=headers)
            assert "evil.example" not in str(answer.headers), rule.rule
            assert b"evil.example" not in await answer.get_data(), rule.rule


async def test_what_is_kept_of_a_page_is_the_same_for_every_name(
    app: Lectern, client: TestClientProtocol, monkeypatch: pytest.MonkeyPatch
) -> None:
    await a_course()
    for path in ("/", "/courses", "/courses/reading-price", "/robots.txt", "/sitemap.xml"):
        plain = await (await client.get(path)).get_data()
        for headers in TRICKS:
            answer = await app.test_client().get(path, headers=headers)
            assert await answer.get_data() == plain, (path, headers)
            assert "Host" not in answer.headers.get("Vary", ""), path


@pytest.mark.parametrize("host", ["a" * 64, f"{'a' * 64}.example", "a..b"])
async def test_what_can_be_no_name_is_answered_like_any(client: TestClientProtocol, host: str) -> None:
    """Its error came before anything of ours: the server answered bare, and wrote its trace into the log unscrubbed."""
    answer = await client.get("/cart", headers={"Host": host})
    assert answer.status_code == 200
    assert "Content-Security-Policy" in answer.headers


@pytest.mark.parametrize(
    ("headers", "let_in"),
    [
        ({"Origin": "http://localhost"}, True),
        ({"Origin": "http://www.school.example"}, True),
        ({"Origin": "https://localhost"}, False),
        # A site that answers for our address (DNS rebinding) has a name of its own as origin and as host.
        ({"Origin": "http://evil.example", "Host": "evil.example"}, False),
        ({"Referer": "http://evil.example/x", "Host": "evil.example"}, False),
        ({"Referer": "http://[localhost"}, False),
        ({"Origin": "http://localhost:8080", "Host": "localhost:8080"}, False),
        ({"Origin": "http://evil.example", "X-Forwarded-Host": "evil.example"}, False),
        ({"Origin": "null", "Host": "null"}, False),
    ],
)
async def test_a_write_comes_from_a_name_of_ours(headers: dict[str, str], let_in: bool) -> None:
    small = Quart("small")
    config = Config.from_env({"APP_URL": "http://localhost", "ALLOWED_HOSTS": "www.school.example"})
    install(small, policy="default-src 'none'", app_url=config.app_url, hosts=config.hosts)
    small.config["PROXIES"] = Proxies()

    @small.errorhandler(Forbidden)
    async def refused(_error: Forbidden) -> tuple[str, int]:
        return "", 403

    @small.post("/")
    @guards.public()
    async def create() -> str:
        return "done"

    answer = await small.test_client().post("/", headers=headers)
    assert answer.status_code == (200 if let_in else 403)


async def test_mails_lead_home(app: Lectern) -> None:
    """No template of a mail asks the request for anything."""
    for path in render.TEMPLATES.rglob("mail/*"):
        assert not re.search(r"\brequest\.|host_url|url_root", path.read_text("utf-8")), path
