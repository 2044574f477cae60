"""Who somebody is, on the word of Google: OpenID Connect, code flow with PKCE, through Authlib.

https://developers.google.com/identity/openid-connect/openid-connect and OpenID Connect Core 1.0 §3.1. Chosen when
GOOGLE_CLIENT_ID and GOOGLE_CLIENT_SECRET are set; otherwise there is none, and no button. GOOGLE_ISSUER leads the same
client to the local provider. Nothing here may be called inside a database transaction: it raises there.
"""

import base64
import re
import time
from dataclasses import dataclass
from typing import Any, Protocol
from urllib.parse import urlsplit

import httpx
import orjson
from authlib.common.security import generate_token
from authlib.oauth2.base import OAuth2Error
from authlib.oauth2.client import OAuth2Client
from authlib.oidc.core import CodeIDToken
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet

from app.config import GOOGLE, Config
from app.core import clock, db
from app.gateways.trust import trust

# Seconds. Somebody waits meanwhile.
TIMEOUT = httpx.Timeout(8.0, connect=4.0)
# A clock may be so many seconds off.
LEEWAY = 60
# Seconds for which the provider's own description and keys are kept, whatever its headers say.
_SHORTEST, _LONGEST = 60, 24 * 3600
# Seconds before keys are asked for again because of one that is not known.
_PATIENCE = 30
_ALGORITHM = "RS256"


class IdentityError(Exception):
    """The parent of what can go wrong. The message is for the log."""


class Unavailable(IdentityError):
    """No usable answer came from the provider; later one may."""


class Refused(IdentityError):
    """The provider refused the code, or what it said does not hold: forged, expired, meant for somebody else."""


@dataclass(frozen=True, slots=True)
class Begun:
    """Where to send the browser, and what must be known again when it comes back."""

    url: str
    state: str
    nonce: str
    verifier: str


@dataclass(frozen=True, slots=True)
class Identity:
    """Somebody whom the provider knows. `subject` never changes; the address may, and counts only when verified."""

    provider: str
    subject: str
    email: str
    is_verified: bool
    name: str


class IdentityProvider(Protocol):
    """Whoever says who somebody is."""

    async def begin(self, redirect_uri: str) -> Begun:
        """Where to send a browser. Raises Unavailable."""
        ...

    async def finish(self, code: str, *, verifier: str, nonce: str, redirect_uri: str) -> Identity:
        """Who came back with this code. Raises Unavailable, or Refused for a code or token that is not good."""
        ...


def choose(config: Config) -> IdentityProvider | None:
    """Google when its keys are set, else nobody."""
    if not config.google_client_id:
        return None
    return Google(config.google_client_id, config.google_client_secret.reveal(), config.google_issuer)


def form_target(config: Config) -> str:
    """The origin that a form of ours leads to through a redirect, or nothing."""
    parts = urlsplit(config.google_issuer)
    return f"{parts.scheme}://{parts.netloc}" if config.google_client_id else ""


class _Client(OAuth2Client):
    """Authlib's client of the OAuth 2.0 protocol over our own asynchronous HTTP."""

    async def _fetch_token(
        self, url: str, body: str = "", headers: Any = None, auth: Any = None, method: str = "POST", **_more: Any
    ) -> dict[str, Any]:
        url, headers, body = auth.prepare(method, url, dict(headers), body)
        answer = await self.session.post(url, content=body, headers=headers)
        found: dict[str, Any] = self.parse_response_token(answer)
        return found


@dataclass(slots=True)
class _Kept:
    """An answer that is good until a moment of `time.monotonic`."""

    answer: dict[str, Any]
    until: float
    asked: float


class Google:
    """Google, or whoever speaks as it does at `issuer`. `transport` replaces the network in tests."""

    name = "google"

    def __init__(
        self,
        client_id: str,
        client_secret: str,
        issuer: str = GOOGLE,
        *,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        self._client_id, self._client_secret, self._issuer = client_id, client_secret, issuer.rstrip("/")
        self._transport = transport
        self._kept: dict[str, _Kept] = {}

    async def begin(self, redirect_uri: str) -> Begun:
        """A fresh state, nonce and PKCE verifier, and the address of the consent page with them."""
        await db.release()
        async with self._http() as http:
            about = await self._about(http)
        begun = Begun("", generate_token(43), generate_token(43), generate_token(64))
        client = self._client(None, redirect_uri)
        url, _state = client.create_authorization_url(
            about["authorization_endpoint"],
            state=begun.state,
            nonce=begun.nonce,
            code_verifier=begun.verifier,
            prompt="select_account",
        )
        return Begun(url, begun.state, begun.nonce, begun.verifier)

    async def finish(self, code: str, *, verifier: str, nonce: str, redirect_uri: str) -> Identity:
        """Exchange the code for an ID token, check it, and read it."""
        await db.release()
        async with self._http() as http:
            about = await self._about(http)
            token = await self._exchange(http, about, code, verifier, redirect_uri)
            raw = token.get("id_token")
            if not isinstance(raw, str) or len(raw) > 10_000:
                raise Refused("the answer holds no ID token")
            keys = await self._keys_for(http, about, raw)
        claims = self._checked(raw, keys, nonce, str(token.get("access_token", "")))
        return Identity(
            provider=self.name,
            subject=claims["sub"],
            email=_text(claims.get("email")),
            # Google sends a boolean; others were seen to send the word.
            is_verified=claims.get("email_verified") is True or claims.get("email_verified") == "true",
            name=_text(claims.get("name")),
        )

    def _http(self) -> httpx.AsyncClient:
        return httpx.AsyncClient(timeout=TIMEOUT, follow_redirects=False, transport=self._transport, verify=trust())

    def _client(self, http: httpx.AsyncClient | None, redirect_uri: str) -> _Client:
        return _Client(
            http,
            client_id=self._client_id,
            client_secret=self._client_secret,
            token_endpoint_auth_method="client_secret_basic",  # noqa: S106 (a name, not a secret)
            scope="openid email profile",
            redirect_uri=redirect_uri,
            code_challenge_method="S256",
        )

    async def _exchange(
        self, http: httpx.AsyncClient, about: dict[str, Any], code: str, verifier: str, redirect_uri: str
    ) -> dict[str, Any]:
        client = self._client(http, redirect_uri)
        try:
            token: dict[str, Any] = await client.fetch_token(
                about["token_endpoint"],
                grant_type="authorization_code",
                code=code,
                redirect_uri=redirect_uri,
                code_verifier=verifier,
            )
        except OAuth2Error as error:
            raise Refused(f"the code was refused: {str(error.error)[:100]}") from error
        except (httpx.HTTPError, ValueError) as error:
            raise Unavailable(f"no usable answer to the code: {type(error).__name__}") from error
        return token

    async def _about(self, http: httpx.AsyncClient) -> dict[str, Any]:
        """What the provider says of itself (OpenID Connect Discovery 1.0), kept for as long as it allows."""
        about = (await self._get(http, f"{self._issuer}/.well-known/openid-configuration")).answer
        if about.get("issuer") != self._issuer:
            raise Unavailable("the provider says that it is another one")
        for name in ("authorization_endpoint", "token_endpoint", "jwks_uri"):
            if urlsplit(str(about.get(name, ""))).scheme != urlsplit(self._issuer).scheme:
                raise Unavailable(f"the provider names no {name} that can be used")
        return about

    async def _keys_for(self, http: httpx.AsyncClient, about: dict[str, Any], raw: str) -> KeySet:
        """The provider's public keys; asked for again when the token names one that is not among them."""
        kept = await self._get(http, about["jwks_uri"])
        wanted = _key_id(raw)
        if wanted not in _key_ids(kept.answer) and time.monotonic() - kept.asked > _PATIENCE:
            kept = await self._get(http, about["jwks_uri"], anew=True)
        usable = [key for key in kept.answer.get("keys", ()) if isinstance(key, dict) and key.get("kty") == "RSA"]
        try:
            return KeySet.import_key_set({"keys": usable})
        except (JoseError, ValueError, KeyError) as error:
            raise Unavailable("the provider's keys cannot be read") from error

    async def _get(self, http: httpx.AsyncClient, url: str, *, anew: bool = False) -> _Kept:
        kept, now = self._kept.get(url), time.monotonic()
        if kept is not None and now < kept.until and not anew:
            return kept
        try:
            answer = await http.get(url, headers={"Accept": "application/json"})
            answer.raise_for_status()
            found = answer.json()
        except (httpx.HTTPError, ValueError) as error:
            raise Unavailable(f"{urlsplit(url).netloc} cannot be asked: {type(error).__name__}") from error
        if not isinstance(found, dict):
            raise Unavailable(f"{urlsplit(url).netloc} answers with something else")
        self._kept[url] = _Kept(found, now + _seconds_of(answer), now)
        return self._kept[url]

    def _checked(self, raw: str, keys: KeySet, nonce: str, access_token: str) -> CodeIDToken:
        """The claims of an ID token that is signed by the provider, for us, now, and in answer to our question."""
        issuers = [self._issuer]
        if self._issuer == GOOGLE:
            issuers.append(urlsplit(GOOGLE).netloc)  # Google's own, older habit
        options = {
            "iss": {"essential": True, "values": issuers},
            "sub": {"essential": True},
            "aud": {"essential": True, "value": self._client_id},
            "exp": {"essential": True},
            "iat": {"essential": True},
        }
        params = {"client_id": self._client_id, "nonce": nonce, "access_token": access_token}
        try:
            token = jwt.decode(raw, keys, algorithms=[_ALGORITHM])
            claims = CodeIDToken(token.claims, token.header, options, params)
            claims.validate(now=int(clock.now().timestamp()), leeway=LEEWAY)
        except (JoseError, ValueError, TypeError, KeyError) as error:
            raise Refused(f"the ID token does not hold: {type(error).__name__} {error}") from error
        subject = claims["sub"]
        # At most 255 ASCII characters (OpenID Connect Core 1.0 §2).
        if not isinstance(subject, str) or not re.fullmatch(r"[\x21-\x7e]{1,255}", subject) or not nonce:
            raise Refused("the ID token names nobody")
        return claims


def _text(value: Any) -> str:
    return value.strip() if isinstance(value, str) else ""


def _key_id(raw: str) -> str:
    """The key that a token names, unchecked."""
    head = raw.partition(".")[0]
    try:
        return str(orjson.loads(base64.urlsafe_b64decode(head + "=" * (-len(head) % 4))).get("kid", ""))
    except (ValueError, AttributeError) as error:
        raise Refused("the ID token cannot be read") from error


def _key_ids(keys: dict[str, Any]) -> set[str]:
    return {str(key.get("kid", "")) for key in keys.get("keys", ()) if isinstance(key, dict)}


def _seconds_of(answer: httpx.Response) -> float:
    """For how long the headers allow an answer to be kept."""
    found = re.search(r"max-age=(\d{1,9})", answer.headers.get("Cache-Control", ""))
    return min(max(int(found[1]) if found else 3600, _SHORTEST), _LONGEST)
