"""What a forged, old or misdirected ID token is worth: nothing. The provider here is made of a key and a few answers."""

import base64
import hmac
import json
import time
from typing import Any
from urllib.parse import parse_qs

import httpx
import pytest
from joserfc import jwt
from joserfc.jwk import RSAKey

from app import Lectern
from app.core import db
from app.gateways import identity
from app.gateways.identity import Google, Identity, Refused, Unavailable

ISSUER = "https://provider.example"
# Later than any run of the tests lasts: it is reckoned from when they were gathered.
LATER = 24 * 60 * 60
KEY = RSAKey.generate_key(2048, {"kid": "one"})  # says nothing of its use: only we insist on the algorithm
OTHER = RSAKey.generate_key(2048, {"kid": "one", "alg": "RS256", "use": "sig"})


class Provider:
    """Answers as told, and counts what it was asked."""

    def __init__(self) -> None:
        self.keys: list[dict[str, Any]] = [KEY.as_dict(private=False)]
        self.token: Any = {}
        self.status = 200
        self.asked: list[httpx.Request] = []
        self.about: dict[str, Any] = {
            "issuer": ISSUER,
            "authorization_endpoint": f"{ISSUER}/authorize",
            "token_endpoint": f"{ISSUER}/token",
            "jwks_uri": f"{ISSUER}/keys",
        }

    def answer(self, request: httpx.Request) -> httpx.Response:
        self.asked.append(request)
        if request.url.path == "/token":
            content = self.token if isinstance(self.token, bytes) else json.dumps(self.token).encode()
            return httpx.Response(self.status, content=content)
        answers = {"/.well-known/openid-configuration": self.about, "/keys": {"keys": self.keys}}
        return httpx.Response(200, json=answers[request.url.path], headers={"Cache-Control": "public, max-age=600"})

    def asks(self, path: str) -> int:
        return sum(request.url.path == path for request in self.asked)


@pytest.fixture
def provider() -> Provider:
    return Provider()


@pytest.fixture
def google(provider: Provider) -> Google:
    return Google("us", "secret", ISSUER, transport=httpx.MockTransport(provider.answer))


def claims(**more: Any) -> dict[str, Any]:
    now = int(time.time())
    found = {
        "iss": ISSUER,
        "aud": "us",
        "azp": "us",
        "sub": "1234",
        "email": "ann@example.org",
        "email_verified": True,
        "name": "Ann Archer",
        "nonce": "nonce",
        "iat": now,
        "exp": now + 3600,
        **more,
    }
    return {name: value for name, value in found.items() if value is not ...}


def signed(key: RSAKey = KEY, kid: str = "one", **more: Any) -> str:
    return jwt.encode({"alg": "RS256", "kid": kid}, claims(**more), key)


async def finish(google: Google, provider: Provider, token: str) -> Identity:
    provider.token = {"access_token": "a", "token_type": "Bearer", "id_token": token}
    return await google.finish("code", verifier="v" * 43, nonce="nonce", redirect_uri="https://us.example/back")


async def test_a_good_token_names_somebody(google: Google, provider: Provider) -> None:
    found = await finish(google, provider, signed())
    assert found == Identity("google", "1234", "ann@example.org", True, "Ann Archer")
    asked = provider.asked[1]
    assert base64.b64decode(asked.headers["Authorization"].removeprefix("Basic ")) == b"us:secret"
    assert parse_qs(asked.content.decode()) == {
        "grant_type": ["authorization_code"],
        "code": ["code"],
        "redirect_uri": ["https://us.example/back"],
        "code_verifier": ["v" * 43],
    }


@pytest.mark.parametrize(("sent", "counts"), [(True, True), ("true", True), (False, False), ("false", False), (1, False), (None, False), (..., False)])  # fmt: skip
async def test_only_a_plain_yes_verifies_an_address(
    google: Google, provider: Provider, sent: object, counts: bool
) -> None:
    # 1 == True in Python; the specification knows a JSON boolean.
    assert (await finish(google, provider, signed(email_verified=sent))).is_verified is counts


@pytest.mark.parametrize(
    "wrong",
    [
        {"iss": "https://evil.example"},
        {"iss": "accounts.google.com"},
        {"iss": ...},
        {"aud": "somebody-else"},
        {"aud": ["somebody-else"]},
        {"aud": ...},
        {"aud": ["us", "somebody-else"], "azp": "somebody-else"},
        {"aud": ["us", "somebody-else"], "azp": ...},
        {"azp": "somebody-else"},
        {"exp": int(time.time()) - 120},
        {"exp": ...},
        {"exp": "tomorrow"},
        {"iat": int(time.time()) + LATER},
        {"iat": ...},
        {"nbf": int(time.time()) + LATER},
        {"nonce": "another"},
        {"nonce": ...},
        {"nonce": ["nonce"]},
        {"sub": ...},
        {"sub": ""},
        {"sub": 1234},
        {"sub": "x" * 256},
        {"sub": "né"},
        {"at_hash": "bm90IHRoZSBoYXNo"},
    ],
    # Moments are not the same in each process that the tests run in.
    ids=lambda claims: ", ".join(
        f"{name} {'moment' if isinstance(value, int) and value > 10**6 else value}" for name, value in claims.items()
    ),
)
async def test_a_token_with_a_wrong_claim_names_nobody(
    google: Google, provider: Provider, wrong: dict[str, Any]
) -> None:
    with pytest.raises(Refused):
        await finish(google, provider, signed(**wrong))


def _part(part: dict[str, Any]) -> str:
    return base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=").decode()


def unsigned() -> str:
    return f"{_part({'alg': 'none', 'kid': 'one'})}.{_part(claims())}."


def by_public_key_as_secret() -> str:
    """The classic confusion: HMAC with the public key, which everybody has, as its secret."""
    head, body = (_part(part) for part in ({"alg": "HS256", "kid": "one"}, claims()))
    mark = hmac.digest(KEY.as_pem(private=False), f"{head}.{body}".encode(), "sha256")
    return f"{head}.{body}.{base64.urlsafe_b64encode(mark).rstrip(b'=').decode()}"


def changed() -> str:
    head, _body, mark = signed().split(".")
    return f"{head}.{_part(claims(sub='5678'))}.{mark}"


@pytest.mark.parametrize(
    "make",
    [
        unsigned,
        by_public_key_as_secret,
        changed,
        lambda: signed(OTHER),
        lambda: signed(OTHER, kid="two"),
        lambda: jwt.encode({"alg": "RS512", "kid": "one"}, claims(), KEY, ["RS512"]),
        lambda: jwt.encode({"alg": "PS256", "kid": "one"}, claims(), KEY, ["PS256"]),
        lambda: "",
        lambda: "a.b.c",
        lambda: signed() + "x",
        lambda: "x" * 20_000,
    ],
)
async def test_a_token_that_the_provider_did_not_sign_names_nobody(google: Google, provider: Provider, make) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(Refused):
        await finish(google, provider, make())


async def test_googles_own_issuer_has_two_spellings() -> None:
    provider = Provider()
    provider.about = json.loads(json.dumps(provider.about).replace(ISSUER, identity.GOOGLE))
    google = Google("us", "secret", transport=httpx.MockTransport(provider.answer))
    for issuer in ("https://accounts.google.com", "accounts.google.com"):
        assert (await finish(google, provider, signed(iss=issuer))).subject == "1234"
    with pytest.raises(Refused):
        await finish(google, provider, signed(iss=ISSUER))


async def test_description_and_keys_are_asked_for_once(google: Google, provider: Provider) -> None:
    for _ in range(3):
        await google.begin("https://us.example/back")
        await finish(google, provider, signed())
    assert (provider.asks("/.well-known/openid-configuration"), provider.asks("/keys")) == (1, 1)


async def test_a_new_key_is_asked_for_but_not_at_each_forged_token(
    google: Google, provider: Provider, monkeypatch: pytest.MonkeyPatch
) -> None:
    await finish(google, provider, signed())
    second = RSAKey.generate_key(2048, {"kid": "two", "alg": "RS256", "use": "sig"})
    for _ in range(3):
        with pytest.raises(Refused):
            await finish(google, provider, signed(second, kid="two"))
    assert provider.asks("/keys") == 1
    provider.keys.append(second.as_dict(private=False))
    monkeypatch.setattr(identity, "_PATIENCE", -1)
    assert (await finish(google, provider, signed(second, kid="two"))).subject == "1234"


@pytest.mark.parametrize(
    ("status", "token", "error"),
    [
        (400, {"error": "invalid_grant"}, Refused),
        (401, {"error": "invalid_client"}, Refused),
        (200, {"access_token": "a"}, Refused),
        (200, {"id_token": 7}, Refused),
        (200, b"<html>", Unavailable),
        (200, [], Unavailable),
        (500, {"error": "server_error"}, Unavailable),
        (503, b"", Unavailable),
        (429, b"slow down", Unavailable),
    ],
)
async def test_an_odd_answer_to_the_code_is_no_fault_of_ours(
    google: Google, provider: Provider, status: int, token: Any, error: type[Exception]
) -> None:
    provider.status, provider.token = status, token
    with pytest.raises(error):
        await google.finish("code", verifier="v" * 43, nonce="nonce", redirect_uri="https://us.example/back")


@pytest.mark.parametrize(
    "change",
    [{"issuer": "https://evil.example"}, {"token_endpoint": "http://provider.example/token"}, {"jwks_uri": None}],
)
async def test_a_provider_that_describes_itself_oddly_is_not_used(
    google: Google, provider: Provider, change: dict[str, Any]
) -> None:
    provider.about |= change
    with pytest.raises(Unavailable):
        await google.begin("https://us.example/back")


async def test_a_provider_that_cannot_be_reached_is_unavailable(app: Lectern) -> None:
    def broken(request: httpx.Request) -> httpx.Response:
        raise httpx.ConnectTimeout("nobody there")

    google = Google("us", "secret", ISSUER, transport=httpx.MockTransport(broken))
    with pytest.raises(Unavailable):
        await google.begin("https://us.example/back")


async def test_nobody_is_asked_inside_a_transaction(app: Lectern, google: Google) -> None:
    with pytest.raises(RuntimeError, match="inside a transaction"):
        async with db.transaction():
            await google.begin("https://us.example/back")
