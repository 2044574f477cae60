"""A local Turnstile: the widget's script and `siteverify`, as Cloudflare documents them.

https://developers.cloudflare.com/turnstile/get-started/server-side-validation/: a token is good once, for 300 seconds;
the same `idempotency_key` is answered again; secrets for trying out pass (1x…), fail (2x…) or call it spent (3x…).
The widget asks nobody anything: it takes one of the tokens that come with the script.
"""

from __future__ import annotations

import json
import secrets
import time
from base64 import urlsafe_b64decode, urlsafe_b64encode
from datetime import UTC, datetime
from typing import Any

from quart import Blueprint, Response, request

LIFETIME = 300.0
LONGEST_TOKEN = 2048
_TRYING_OUT = {
    "1x0000000000000000000000000000000AA": "passes",
    "2x0000000000000000000000000000000AA": "fails",
    "3x0000000000000000000000000000000AA": "spent",
}
# Tokens with each script: a page has one form or two.
_WITH_SCRIPT = 4


class LocalTurnstile:
    """Tokens that were given out, and what was answered for them. `down` makes every check fail as if it were away."""

    def __init__(self, secret: str) -> None:
        self._secret = secret
        self._issued: dict[str, float] = {}
        self._spent: set[str] = set()
        self._answered: dict[tuple[str, str], dict[str, Any]] = {}
        self.clock = time.monotonic
        self.down = False
        self.lose_next = 0
        self.checks = 0

    def issue(self, *, action: str, hostname: str) -> str:
        """A token as the widget would put it into a form."""
        token = self._new()
        return f"{token}.{_packed(action)}.{_packed(hostname)}"

    def _new(self) -> str:
        token = "0." + secrets.token_urlsafe(24)
        self._issued[token] = self.clock()
        return token

    def verify(self, fields: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        """Status and body of `POST /turnstile/v0/siteverify`."""
        self.checks += 1
        secret, response = str(fields.get("secret") or ""), str(fields.get("response") or "")
        key = str(fields.get("idempotency_key") or "")
        if key and (response, key) in self._answered:
            return 200, self._answered[response, key]
        body = self._judged(secret, response)
        if key:
            self._answered[response, key] = body
        return 200, body

    def _judged(self, secret: str, response: str) -> dict[str, Any]:
        if not secret:
            return _refused("missing-input-secret")
        known = _TRYING_OUT.get(secret)
        if known is None and secret != self._secret:
            return _refused("invalid-input-secret")
        if not response:
            return _refused("missing-input-response")
        if known == "passes":
            return _passed("", "example.com")
        if known is not None:
            return _refused("invalid-input-response" if known == "fails" else "timeout-or-duplicate")
        token, action, hostname = ["", "", "", *response.rsplit(".", 2)][-3:]
        if len(response) > LONGEST_TOKEN or token not in self._issued:
            return _refused("invalid-input-response")
        if token in self._spent or self.clock() - self._issued[token] > LIFETIME:
            return _refused("timeout-or-duplicate")
        self._spent.add(token)
        return _passed(_unpacked(action), _unpacked(hostname))

    def script(self) -> str:
        """What `api.js` does here: a tick beside each widget, and a token in its form."""
        return _SCRIPT % json.dumps([self._new() for _ in range(_WITH_SCRIPT)])

    def blueprint(self) -> Blueprint:
        """The two addresses."""
        routes = Blueprint("turnstile", __name__, url_prefix="/turnstile/v0")

        @routes.get("/api.js")
        async def show_script() -> Response:
            return Response(
                self.script(),
                content_type="text/javascript; charset=utf-8",
                headers={"Cache-Control": "no-store", "Cross-Origin-Resource-Policy": "cross-origin"},
            )

        @routes.post("/siteverify")
        async def create_verification() -> Response:
            fields = (await request.get_json()) if request.is_json else dict(await request.form)
            if self.down:
                return Response("<html>Bad gateway</html>", 502)
            status, body = self.verify(fields if isinstance(fields, dict) else {})
            if self.lose_next:
                self.lose_next -= 1
                return Response("", 504)
            return Response(json.dumps(body), status, content_type="application/json")

        return routes


def _passed(action: str, hostname: str) -> dict[str, Any]:
    return {
        "success": True,
        "challenge_ts": datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        "hostname": hostname,
        "error-codes": [],
        "action": action,
        "cdata": "",
    }


def _refused(code: str) -> dict[str, Any]:
    return {"success": False, "error-codes": [code]}


def _packed(text: str) -> str:
    return urlsafe_b64encode(text.encode()).decode().rstrip("=")


def _unpacked(text: str) -> str:
    return urlsafe_b64decode(text + "=" * (-len(text) % 4)).decode("utf-8", "replace")


_SCRIPT = """(function () {
  const tokens = %s;
  const packed = (text) => btoa(text).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
  function fill() {
    for (const place of document.querySelectorAll(".cf-turnstile")) {
      if (place.firstElementChild || !tokens.length) continue;
      const field = document.createElement("input");
      field.type = "hidden";
      field.name = "cf-turnstile-response";
      field.value = [tokens.pop(), packed(place.dataset.action || ""), packed(location.hostname)].join(".");
      const word = document.createElement("p");
      word.textContent = "\\u2713 Local Turnstile: you are a person";
      place.append(field, word);
    }
  }
  if (document.readyState === "loading") document.addEventListener("DOMContentLoaded", fill);
  else fill();
  window.turnstile = { render: fill };
})();
"""
