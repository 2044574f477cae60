"""The local Google holds clients to the protocol, so that what works here works there."""

import base64
import hashlib
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest
from quart import Quart
from quart.typing import TestClientProtocol

from app.config import Config
from app.sandbox.google import provider
from app.sandbox.server import create_sandbox
from tests.google import SETTINGS

VERIFIER = "a" * 43
CHALLENGE = base64.urlsafe_b64encode(hashlib.sha256(VERIFIER.encode()).digest()).rstrip(b"=").decode()
BACK = "http://127.0.0.1:8000/login/google/callback"
ASKED = {
    "client_id": SETTINGS["GOOGLE_CLIENT_ID"],
    "redirect_uri": BACK,
    "response_type": "code",
    "scope": "openid email",
    "state": "state",
    "nonce": "nonce",
    "code_challenge": CHALLENGE,
    "code_challenge_method": "S256",
}


@pytest.fixture
def client(tmp_path) -> TestClientProtocol:  # type: ignore[no-untyped-def]
    made: Quart = create_sandbox(Config.from_env({"DATA_DIR": str(tmp_path), **SETTINGS}))
    return made.test_client()


async def code(client: TestClientProtocol, **asked: str) -> str:
    answer = await client.post(f"/google/authorize?{urlencode(ASKED | asked)}", form={"email": "ann@example.org"})
    query = parse_qs(urlsplit(answer.headers["Location"]).query)
    assert query["state"] == ["state"]
    return query["code"][0]


async def exchange(client: TestClientProtocol, made: str, **sent: str) -> tuple[int, str]:
    form = {
        "grant_type": "authorization_code",
        "code": made,
        "redirect_uri": BACK,
        "code_verifier": VERIFIER,
        "client_id": SETTINGS["GOOGLE_CLIENT_ID"],
        "client_secret": SETTINGS["GOOGLE_CLIENT_SECRET"],
        **sent,
    }
    answer = await client.post("/google/token", form=form)
    found = await answer.get_json()
    return answer.status_code, str(found.get("error", "id_token" in found))


async def test_a_code_is_good_once(client: TestClientProtocol) -> None:
    made = await code(client)
    assert await exchange(client, made) == (200, "True")
    assert await exchange(client, made) == (400, "invalid_grant")


@pytest.mark.parametrize(
    ("sent", "answer"),
    [
        ({"client_secret": "another"}, (401, "invalid_client")),
        ({"client_id": "another"}, (401, "invalid_client")),
        ({"redirect_uri": f"{BACK}/"}, (400, "invalid_grant")),
        ({"code_verifier": "b" * 43}, (400, "invalid_grant")),
        ({"code_verifier": ""}, (400, "invalid_grant")),
        ({"grant_type": "password"}, (400, "unsupported_grant_type")),
        ({"code": "4/guess"}, (400, "invalid_grant")),
    ],
)
async def test_a_wrong_exchange_is_refused(
    client: TestClientProtocol, sent: dict[str, str], answer: tuple[int, str]
) -> None:
    assert await exchange(client, await code(client), **sent) == answer


async def test_an_old_code_is_refused(client: TestClientProtocol, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(provider, "CODE_SECONDS", -1)
    assert await exchange(client, await code(client)) == (400, "invalid_grant")


@pytest.mark.parametrize("wrong", [{"client_id": "x"}, {"redirect_uri": "https://evil.example/"}, {"redirect_uri": ""}])
async def test_nobody_is_sent_to_an_address_that_is_not_known(
    client: TestClientProtocol, wrong: dict[str, str]
) -> None:
    for method in ("GET", "POST"):
        answer = await client.open(f"/google/authorize?{urlencode(ASKED | wrong)}", method=method)
        assert answer.status_code == 400
        assert "Location" not in answer.headers


@pytest.mark.parametrize(
    ("wrong", "error"),
    [
        ({"code_challenge_method": "plain"}, "invalid_request"),
        ({"code_challenge": ""}, "invalid_request"),
        ({"response_type": "token"}, "unsupported_response_type"),
        ({"scope": "email"}, "invalid_scope"),
    ],
)
async def test_a_request_that_google_would_refuse_is_refused(
    client: TestClientProtocol, wrong: dict[str, str], error: str
) -> None:
    answer = await client.get(f"/google/authorize?{urlencode(ASKED | wrong)}")
    assert parse_qs(urlsplit(answer.headers["Location"]).query)["error"] == [error]


async def test_without_an_address_for_it_there_is_none(tmp_path) -> None:  # type: ignore[no-untyped-def]
    client = create_sandbox(Config.from_env({"DATA_DIR": str(tmp_path)})).test_client()
    assert (await client.get("/google")).status_code == 404
