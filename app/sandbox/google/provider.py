"""The local Google's endpoints (OpenID Connect Core 1.0 §3.1, RFC 6749 §4.1, RFC 7636)."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import re
import secrets
import time
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any
from urllib.parse import unquote, urlencode, urlsplit

from joserfc import jwt
from joserfc.jwk import RSAKey
from quart import Blueprint, Response, jsonify, redirect, render_template, request
from quart.typing import ResponseReturnValue

from app.sandbox.google.people import PEOPLE, Person, chosen

CODE_SECONDS = 120
TOKEN_SECONDS = 3600
_CHALLENGE = re.compile(r"[A-Za-z0-9_-]{43}")


@dataclass(frozen=True, slots=True)
class Grant:
    """What a code stands for."""

    person: Person
    redirect_uri: str
    challenge: str
    nonce: str
    expires: float


class Wrong(Exception):
    """An error answer of the protocol. `error` is its code."""

    def __init__(self, error: str, description: str, status: int = 400) -> None:
        super().__init__(description)
        self.error, self.description, self.status = error, description, status


class LocalGoogle:
    """One client, one key, and codes that live in memory. `issuer` is where browsers and the client reach it."""

    def __init__(self, *, issuer: str, client_id: str, client_secret: str, redirect_uri: str) -> None:
        self.issuer, self.client_id, self.redirect_uri = issuer.rstrip("/"), client_id, redirect_uri
        self._client_secret = client_secret
        self._codes: dict[str, Grant] = {}

    @cached_property
    def key(self) -> RSAKey:
        """Made when first asked for; a client that knows the key of before asks again."""
        return RSAKey.generate_key(2048, {"kid": secrets.token_hex(8), "use": "sig", "alg": "RS256"})

    def blueprint(self) -> Blueprint:
        """The routes, below the path of the issuer."""
        pages = Blueprint("google", __name__, url_prefix=urlsplit(self.issuer).path)

        @pages.get("")
        async def show_people() -> str:
            return await render_template("google/people.html", people=PEOPLE)

        @pages.get("/.well-known/openid-configuration")
        async def show_configuration() -> Response:
            return _cached(jsonify(self.configuration()))

        @pages.get("/keys")
        async def show_keys() -> Response:
            return _cached(jsonify({"keys": [self.key.as_dict(private=False)]}))

        @pages.get("/authorize")
        async def show_choice() -> ResponseReturnValue:
            return await self._choose(request.args)

        @pages.post("/authorize")
        async def create_code() -> ResponseReturnValue:
            if request.headers.get("Sec-Fetch-Site", "same-origin") not in ("same-origin", "none"):
                return Response("Another site's page may not do this.", 403)
            return await self._choose(request.args, await request.form)

        @pages.post("/token")
        async def create_token() -> ResponseReturnValue:
            try:
                self._check_client(request.headers.get("Authorization", ""), await request.form)
                answer, status = self.exchange(await request.form), 200
            except Wrong as wrong:
                answer, status = {"error": wrong.error, "error_description": wrong.description}, wrong.status
            response = jsonify(answer)
            response.status_code = status
            response.headers["Cache-Control"] = "no-store"
            return response

        @pages.after_request
        async def secure(response: Response) -> Response:
            target = urlsplit(self.redirect_uri)
            response.headers["Content-Security-Policy"] = (
                "default-src 'none'; style-src 'self'; img-src 'self' data:; base-uri 'none'; frame-ancestors 'none';"
                f" form-action 'self' {target.scheme}://{target.netloc}"
            )
            response.headers["X-Content-Type-Options"] = "nosniff"
            response.headers["Referrer-Policy"] = "no-referrer"
            response.headers.setdefault("Cache-Control", "no-store")
            return response

        return pages

    def configuration(self) -> dict[str, Any]:
        """What it says of itself (OpenID Connect Discovery 1.0 §3)."""
        return {
            "issuer": self.issuer,
            "authorization_endpoint": f"{self.issuer}/authorize",
            "token_endpoint": f"{self.issuer}/token",
            "jwks_uri": f"{self.issuer}/keys",
            "response_types_supported": ["code"],
            "subject_types_supported": ["public"],
            "id_token_signing_alg_values_supported": ["RS256"],
            "scopes_supported": ["openid", "email", "profile"],
            "token_endpoint_auth_methods_supported": ["client_secret_basic", "client_secret_post"],
            "code_challenge_methods_supported": ["S256"],
        }

    async def _choose(self, asked: Mapping[str, str], form: Mapping[str, str] | None = None) -> ResponseReturnValue:
        """The page on which somebody says who they are, and what follows from the answer."""
        if asked.get("client_id") != self.client_id or asked.get("redirect_uri") != self.redirect_uri:
            # Never sent back to an address that is not known (RFC 6749 §4.1.2.1).
            return Response(await render_template("google/wrong.html"), 400)
        try:
            _check_request(asked)
        except Wrong as wrong:
            return self._back(asked, error=wrong.error, error_description=wrong.description)
        if form is None:
            return await render_template("google/choose.html", people=PEOPLE, problem="")
        if "cancel" in form:
            return self._back(asked, error="access_denied")
        person = chosen(form)
        if person is None:
            page = await render_template("google/choose.html", people=PEOPLE, problem="Type a whole address.")
            return Response(page, 422)
        return self._back(asked, code=self.issue(person, asked["code_challenge"], asked.get("nonce", "")))

    def _back(self, asked: Mapping[str, str], **more: str) -> ResponseReturnValue:
        query = urlencode({**more, "state": asked.get("state", "")})
        return redirect(f"{self.redirect_uri}?{query}", 303)

    def issue(self, person: Person, challenge: str, nonce: str) -> str:
        """A code for this person, good once and not for long."""
        now = time.monotonic()
        self._codes = {code: grant for code, grant in self._codes.items() if grant.expires > now}
        code = f"4/{secrets.token_urlsafe(32)}"
        self._codes[code] = Grant(person, self.redirect_uri, challenge, nonce, now + CODE_SECONDS)
        return code

    def exchange(self, form: Mapping[str, str]) -> dict[str, Any]:
        """Tokens for a code. Raises Wrong; a code that was shown is spent either way."""
        if form.get("grant_type") != "authorization_code":
            raise Wrong("unsupported_grant_type", "Only codes are taken.")
        grant = self._codes.pop(form.get("code", ""), None)
        if grant is None or grant.expires <= time.monotonic():
            raise Wrong("invalid_grant", "The code is not known, was used, or is too old.")
        if form.get("redirect_uri") != grant.redirect_uri:
            raise Wrong("invalid_grant", "The code is for another address.")
        digest = hashlib.sha256(form.get("code_verifier", "").encode()).digest()
        if not hmac.compare_digest(_encoded(digest), grant.challenge):
            raise Wrong("invalid_grant", "The verifier does not match.")
        access_token = f"ya29.{secrets.token_urlsafe(32)}"
        return {
            "access_token": access_token,
            "expires_in": TOKEN_SECONDS,
            "scope": "openid email profile",
            "token_type": "Bearer",
            "id_token": self._id_token(grant, access_token),
        }

    def _id_token(self, grant: Grant, access_token: str) -> str:
        now, half = int(time.time()), hashlib.sha256(access_token.encode()).digest()[:16]
        claims: dict[str, Any] = {
            "iss": self.issuer,
            "azp": self.client_id,
            "aud": self.client_id,
            "sub": grant.person.subject,
            "email": grant.person.email,
            "email_verified": grant.person.is_verified,
            "at_hash": _encoded(half),
            "name": grant.person.name,
            "iat": now,
            "exp": now + TOKEN_SECONDS,
        }
        if grant.nonce:
            claims["nonce"] = grant.nonce
        return jwt.encode({"alg": "RS256", "kid": self.key.kid}, claims, self.key)

    def _check_client(self, authorization: str, form: Mapping[str, str]) -> None:
        """RFC 6749 §2.3.1: by Basic authentication, or in the form."""
        named, secret = form.get("client_id", ""), form.get("client_secret", "")
        scheme, _space, encoded = authorization.partition(" ")
        if scheme.lower() == "basic":
            try:
                named, _colon, secret = base64.b64decode(encoded, validate=True).decode().partition(":")
            except (binascii.Error, UnicodeDecodeError):
                named = ""
        known = hmac.compare_digest(unquote(named).encode(), self.client_id.encode())
        if not known or not hmac.compare_digest(unquote(secret).encode(), self._client_secret.encode()):
            raise Wrong("invalid_client", "The client is not known.", 401)


def _check_request(asked: Mapping[str, str]) -> None:
    if asked.get("response_type") != "code":
        raise Wrong("unsupported_response_type", "Only the code flow is played here.")
    if "openid" not in asked.get("scope", "").split():
        raise Wrong("invalid_scope", "The scope lacks openid.")
    if asked.get("code_challenge_method") != "S256" or not _CHALLENGE.fullmatch(asked.get("code_challenge", "")):
        raise Wrong("invalid_request", "A code challenge by S256 is needed (RFC 7636).")


def _encoded(digest: bytes) -> str:
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()


def _cached(response: Response) -> Response:
    response.headers["Cache-Control"] = "public, max-age=3600"
    return response
