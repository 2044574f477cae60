"""Turnstile on the forms that anybody may send: with a key, without one, and while its provider is away.

Asked of the local stand-in, which answers as Cloudflare documents; what that documentation says is checked of it first.
"""

import re
from datetime import timedelta
from typing import Any

import httpx
import pytest
from quart import Quart, Response
from quart.typing import TestClientProtocol

from app import Lectern
from app.accounts import hashing, queries
from app.application import _policy
from app.config import Config, ConfigError
from app.core import clock, db, limits
from app.gateways import captcha
from app.gateways.captcha import Turnstile
from app.sandbox.turnstile import LocalTurnstile
from app.web import traps
from app.web.traps import opened_stamp
from tests import everywhere
from tests.cast import PASSWORD, Cast
from tests.test_config import PRODUCTION

BASE = "https://turnstile.test"
SECRET = "0x4AAAAAAAlocal"


@pytest.fixture
def local() -> LocalTurnstile:
    return LocalTurnstile(SECRET)


@pytest.fixture
def gate(local: LocalTurnstile) -> Turnstile:
    return gate_to(local)


def gate_to(local: LocalTurnstile, secret: str = SECRET) -> Turnstile:
    provider = Quart("provider")
    provider.register_blueprint(local.blueprint())
    transport = httpx.ASGITransport(app=provider)  # type: ignore[arg-type]
    return Turnstile("0xSITE", secret, BASE, ["localhost"], transport)


@pytest.fixture
def keyed(app: Lectern, gate: Turnstile, monkeypatch: pytest.MonkeyPatch) -> None:
    """As if the keys were set."""
    monkeypatch.setitem(app.config, "CAPTCHA", gate)
    monkeypatch.setitem(app.config, "CAPTCHA_POLICY", _policy(app.config["LECTERN"], captcha=[gate.origin]))


# The stand-in answers as documented


def test_a_token_is_good_once_and_for_300_seconds(local: LocalTurnstile) -> None:
    token = local.issue(action="login", hostname="school.test")
    status, first = local.verify({"secret": SECRET, "response": token})
    assert status == 200
    assert (first["success"], first["action"], first["hostname"]) == (True, "login", "school.test")
    assert first["error-codes"] == []
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", first["challenge_ts"])
    assert local.verify({"secret": SECRET, "response": token})[1] == {
        "success": False,
        "error-codes": ["timeout-or-duplicate"],
    }
    old = local.issue(action="login", hostname="school.test")
    before = local.clock
    local.clock = lambda: before() + 301
    assert local.verify({"secret": SECRET, "response": old})[1]["error-codes"] == ["timeout-or-duplicate"]


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({}, "missing-input-secret"),
        ({"response": "x"}, "missing-input-secret"),
        ({"secret": "wrong", "response": "x"}, "invalid-input-secret"),
        ({"secret": SECRET}, "missing-input-response"),
        ({"secret": SECRET, "response": "x"}, "invalid-input-response"),
        ({"secret": SECRET, "response": "a.b.c"}, "invalid-input-response"),
        ({"secret": SECRET, "response": "x" * 3000}, "invalid-input-response"),
        ({"secret": "2x0000000000000000000000000000000AA", "response": "x"}, "invalid-input-response"),
        ({"secret": "3x0000000000000000000000000000000AA", "response": "x"}, "timeout-or-duplicate"),
    ],
)
def test_what_is_wrong_has_its_documented_code(local: LocalTurnstile, fields: dict[str, str], code: str) -> None:
    assert local.verify(fields) == (200, {"success": False, "error-codes": [code]})


def test_the_same_idempotency_key_is_answered_again(local: LocalTurnstile) -> None:
    asked = {"secret": SECRET, "response": local.issue(action="a", hostname="h"), "idempotency_key": "k"}
    first = local.verify(asked)
    assert first[1]["success"]
    assert local.verify(asked) == first
    assert not local.verify({**asked, "idempotency_key": "other"})[1]["success"]


# The gateway


async def test_a_good_token_passes_once(app: Lectern, local: LocalTurnstile, gate: Turnstile) -> None:
    token = local.issue(action="register", hostname="localhost")
    assert await gate.check(token, action="register", address="203.0.113.7") == "passed"
    assert await gate.check(token, action="register", address="203.0.113.7") == "failed"


@pytest.mark.parametrize(
    ("action", "hostname"), [("login", "localhost"), ("", "localhost"), ("register", "evil.example"), ("register", "")]
)
async def test_a_token_of_another_form_or_host_is_refused(
    app: Lectern, local: LocalTurnstile, gate: Turnstile, action: str, hostname: str
) -> None:
    token = local.issue(action=action, hostname=hostname)
    assert await gate.check(token, action="register", address="") == "failed"


async def test_what_is_no_token_is_not_even_asked_about(app: Lectern, local: LocalTurnstile, gate: Turnstile) -> None:
    for token in ("", "x" * 2049):
        assert await gate.check(token, action="register", address="") == "failed"
    assert local.checks == 0
    assert await gate.check("invented", action="register", address="") == "failed"


async def test_a_lost_answer_is_asked_for_again_under_the_same_key(
    app: Lectern, local: LocalTurnstile, gate: Turnstile
) -> None:
    local.lose_next = 1
    token = local.issue(action="register", hostname="localhost")
    assert await gate.check(token, action="register", address="") == "passed"
    assert local.checks == 2


async def test_silence_is_away_after_two_tries(app: Lectern) -> None:
    asked = []

    def silent(request: httpx.Request) -> httpx.Response:
        asked.append(request)
        raise httpx.ConnectTimeout("silence")

    gate = Turnstile("k", SECRET, BASE, ["localhost"], httpx.MockTransport(silent))
    assert await gate.check("token", action="register", address="") == "away"
    assert len(asked) == 2


@pytest.mark.parametrize(
    "body",
    [b"", b"<html>", b"[]", b"null", b'{"success": "yes"}', b'{"success": false, "error-codes": ["internal-error"]}'],
)
async def test_what_is_no_answer_is_away(app: Lectern, body: bytes) -> None:
    transport = httpx.MockTransport(lambda request: httpx.Response(200, content=body))
    assert await Turnstile("k", SECRET, BASE, [], transport).check("t", action="a", address="") == "away"


async def test_wrong_keys_of_ours_shut_nobody_out(app: Lectern, local: LocalTurnstile) -> None:
    token = local.issue(action="register", hostname="localhost")
    assert await gate_to(local, "0xWRONG").check(token, action="register", address="") == "away"


async def test_keys_for_trying_out_pass_fail_and_are_spent_and_not_for_production(
    app: Lectern, local: LocalTurnstile
) -> None:
    for start, verdict in (("1", "passed"), ("2", "failed"), ("3", "failed")):
        secret = f"{start}x0000000000000000000000000000000AA"
        assert await gate_to(local, secret).check("XXXX.DUMMY.TOKEN.XXXX", action="a", address="") == verdict
        with pytest.raises(ConfigError, match="TURNSTILE_SECRET_KEY"):
            Config.from_env({**PRODUCTION, "TURNSTILE_SITE_KEY": "k", "TURNSTILE_SECRET_KEY": secret})
    with pytest.raises(ConfigError, match="TURNSTILE_API_BASE"):
        Config.from_env({**PRODUCTION, "TURNSTILE_API_BASE": "https://elsewhere.example"})
    env = {
        **PRODUCTION,
        "TURNSTILE_SITE_KEY": "k",
        "TURNSTILE_SECRET_KEY": SECRET,
        "APP_URL": "https://school.example:8443",
    }
    chosen = captcha.choose(Config.from_env(env))
    assert isinstance(chosen, Turnstile)
    assert (chosen.hosts, chosen.origin) == (["school.example"], "https://challenges.cloudflare.com")


# The forms


def stamp() -> str:
    with clock.shifted(timedelta(seconds=-20)):
        return opened_stamp()


def registration(**more: str) -> dict[str, str]:
    form = {"name": "Nia", "email": "nia@example.org", "password": "a good long phrase 17", "opened": stamp()}
    return {**form, **more}


async def text(answer: Any) -> str:
    return str(await answer.get_data(as_text=True))


def asks(page: str) -> bool:
    return "cf-turnstile" in page and f"{BASE}/turnstile/v0/api.js" in page


async def test_without_a_key_no_page_mentions_another_site(app: Lectern, cast: Cast) -> None:
    olga = await cast.olga()
    places = await everywhere.one_of_everything(app)
    for rule in everywhere.routes(app, "GET"):
        for browser in (olga.browser, app.test_client()):
            answer = await browser.get(everywhere.address(rule.rule, places))
            assert "cloudflare" not in str(answer.headers), rule.rule
            assert b"cf-turnstile" not in await answer.get_data(), rule.rule


@pytest.mark.usefixtures("keyed")
async def test_only_pages_that_show_it_let_its_script_in(app: Lectern, client: TestClientProtocol) -> None:
    for path, shown in (
        ("/register", True),
        ("/password/forgot", True),
        ("/login/link", True),
        ("/login", False),
        ("/", False),
        ("/courses", False),
        ("/static/css/school.css", False),
        ("/nothing", False),
    ):
        answer = await client.get(path)
        policy = answer.headers["Content-Security-Policy"]
        assert asks(await text(answer)) is shown, path
        assert (f"script-src 'self' {BASE};" in policy) is shown, path
        assert (f"frame-src 'self' {BASE};" in policy) is shown, path
        assert "unsafe" not in policy
        assert policy.count(BASE) == (2 if shown else 0)


@pytest.mark.usefixtures("keyed")
async def test_registering_needs_a_token_of_its_own_form(
    app: Lectern, client: TestClientProtocol, local: LocalTurnstile
) -> None:
    for token in ("", "invented", local.issue(action="forgot", hostname="localhost")):
        answer = await client.post("/register", form=registration(**{traps.FIELD: token}))
        assert answer.status_code == 422
        page = await text(answer)
        assert "We could not see that you are a person" in page
        assert asks(page)
        assert BASE in answer.headers["Content-Security-Policy"]
    assert await db.value("SELECT count(*) FROM users") == 0
    good = local.issue(action="register", hostname="localhost")
    assert (await client.post("/register", form=registration(**{traps.FIELD: good}))).status_code == 303
    assert await db.value("SELECT count(*) FROM users") == 1


@pytest.mark.usefixtures("keyed")
async def test_a_form_that_is_refused_otherwise_does_not_use_the_token_up(
    app: Lectern, client: TestClientProtocol, local: LocalTurnstile
) -> None:
    token = local.issue(action="register", hostname="localhost")
    answer = await client.post("/register", form=registration(name="", **{traps.FIELD: token}))
    assert answer.status_code == 422
    assert local.checks == 0


@pytest.mark.usefixtures("keyed")
async def test_asking_for_a_link_needs_one_too(app: Lectern, client: TestClientProtocol, local: LocalTurnstile) -> None:
    for path, action in (("/password/forgot", "forgot"), ("/login/link", "link")):
        form = {"email": "ann@example.org", "opened": stamp()}
        assert (await client.post(path, form=form)).status_code == 422
        form[traps.FIELD] = local.issue(action=action, hostname="localhost")
        assert (await client.post(path, form=form)).status_code == 303


async def sign_in(client: TestClientProtocol, email: str, password: str, **more: str) -> Response:
    return await client.post("/login", form={"email": email, "password": password, **more})  # type: ignore[return-value]


@pytest.mark.usefixtures("keyed")
@pytest.mark.parametrize("email", ["ann@example.org", "nobody@example.org"])
async def test_signing_in_asks_after_three_failures_whether_there_is_an_account_or_not(
    app: Lectern, client: TestClientProtocol, cast: Cast, local: LocalTurnstile, email: str
) -> None:
    ann = await cast.ann()
    await queries.set_password(ann.id, await hashing.hashed(PASSWORD))
    for number in range(3):
        answer = await sign_in(client, email, "wrong")
        assert "do not go together" in await text(answer)
        assert asks(await text(await client.get("/login"))) is (number == 2)
    # The fourth, right or wrong, is not even looked at without a token.
    for password in ("wrong", PASSWORD):
        page = await text(await sign_in(client, email, password))
        assert "We could not see that you are a person" in page
        assert "do not go together" not in page
        assert asks(page)
    token = local.issue(action="login", hostname="localhost")
    answer = await sign_in(client, "ann@example.org", PASSWORD, **{traps.FIELD: token})
    assert answer.status_code == 303


@pytest.mark.usefixtures("keyed")
async def test_three_accounts_from_one_place_are_three_failures(app: Lectern, client: TestClientProtocol) -> None:
    for number in range(3):
        await sign_in(client, f"n{number}@example.org", "wrong")
    assert "We could not see" in await text(await sign_in(client, "another@example.org", "wrong"))


@pytest.mark.usefixtures("keyed")
async def test_nobody_brings_it_upon_a_browser_that_is_known(app: Lectern, cast: Cast, local: LocalTurnstile) -> None:
    ann = await cast.ann()
    await queries.set_password(ann.id, await hashing.hashed(PASSWORD))
    own = app.test_client()
    assert (await sign_in(own, ann.email, PASSWORD)).status_code == 303
    await own.post("/logout")
    for _ in range(4):
        await sign_in(app.test_client(), ann.email, "wrong")
    assert (await sign_in(own, ann.email, PASSWORD)).status_code == 303


# The provider is away


@pytest.mark.usefixtures("keyed")
async def test_while_the_provider_is_away_a_few_come_through_and_the_traps_hold(
    app: Lectern, client: TestClientProtocol, local: LocalTurnstile
) -> None:
    local.down = True
    codes = []
    for number in range(5):
        form = registration(email=f"n{number}@example.org", **{traps.FIELD: "whatever"})
        codes.append((await client.post("/register", form=form)).status_code)
    assert codes == [303] * traps.WITHOUT.count + [429] * 2
    made = await db.value("SELECT count(*) FROM users")
    assert made == traps.WITHOUT.count
    # No token at all is no token, away or not; a trapped program gets nothing either.
    await limits.forget_all()
    assert (await client.post("/register", form=registration(email="m@example.org"))).status_code == 422
    trapped = registration(email="m@example.org", website="x", **{traps.FIELD: "whatever"})
    assert (await client.post("/register", form=trapped)).status_code == 303
    fast = registration(email="m@example.org", **{traps.FIELD: "whatever"}) | {"opened": opened_stamp()}
    assert (await client.post("/register", form=fast)).status_code == 422
    assert await db.value("SELECT count(*) FROM users") == made


# The traps, with or without a key


@pytest.mark.parametrize("path", ["/register", "/password/forgot", "/login/link"])
async def test_a_form_that_was_filled_in_by_a_program_does_nothing(
    app: Lectern, client: TestClientProtocol, path: str
) -> None:
    before = await db.value("SELECT count(*) FROM pgqueuer")
    answer = await client.post(path, form=registration(website="http://spam.example"))
    assert answer.status_code == 303
    for opened in (opened_stamp(), "", "invented"):
        assert (await client.post(path, form=registration(opened=opened))).status_code == 422, opened
    assert await db.value("SELECT count(*) FROM users") == 0
    assert await db.value("SELECT count(*) FROM pgqueuer") == before
    page = await text(await client.get(path))
    assert 'name="website"' in page
    assert 'name="opened"' in page
