"""Telling people from programs: Cloudflare Turnstile when its keys are set; else nothing is asked, and no page
mentions another site (the traps of `app.web.traps` are there either way).

Turnstile puts a token into the form; `POST /turnstile/v0/siteverify` says what it is worth
(https://developers.cloudflare.com/turnstile/get-started/server-side-validation/). A token is good once, for 300 s.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol
from urllib.parse import urlsplit
from uuid import uuid4

import httpx
import structlog

from app.config import Config
from app.core import db
from app.gateways.trust import trust

log = structlog.get_logger()

LONGEST_TOKEN = 2048
# Seconds. Somebody waits for this; it is asked twice at most.
TIMEOUT = 3.0
# Whose fault an answer is: of the token …
_REFUSED = {"missing-input-response", "invalid-input-response", "timeout-or-duplicate", "bad-request"}
# … or of our settings, which is no reason to shut everybody out.
_OURS = {"missing-input-secret", "invalid-input-secret"}

# "away": nobody could say; the caller goes on with stricter limits.
Verdict = Literal["passed", "failed", "away"]


class Captcha(Protocol):
    """What pages need to show the question, and handlers to check the answer."""

    @property
    def site_key(self) -> str: ...
    @property
    def script(self) -> str: ...
    @property
    def origin(self) -> str: ...
    async def check(self, token: str, *, action: str, address: str) -> Verdict: ...


def choose(config: Config) -> Captcha | None:
    """Turnstile when its keys are set."""
    if not config.turnstile_secret_key:
        return None
    return Turnstile(
        site_key=config.turnstile_site_key,
        secret=config.turnstile_secret_key.reveal(),
        base=config.turnstile_api_base,
        hosts=[urlsplit(f"//{host}").hostname or "" for host in config.hosts],
    )


def is_test_secret(secret: str) -> bool:
    """Cloudflare's secrets for trying out, which pass, fail or call a token spent whatever it is."""
    return secret[:2] in ("1x", "2x", "3x") and set(secret[2:]) <= set("0A")


@dataclass(frozen=True, slots=True)
class Turnstile:
    """Cloudflare Turnstile. Answers for other hosts than `hosts`, or for another form, are refused."""

    site_key: str
    secret: str
    base: str
    hosts: Sequence[str]
    transport: httpx.AsyncBaseTransport | None = None

    @property
    def script(self) -> str:
        """The address of the widget's script."""
        return f"{self.base}/turnstile/v0/api.js"

    @property
    def origin(self) -> str:
        """What a content security policy has to let in."""
        parts = urlsplit(self.base)
        return f"{parts.scheme}://{parts.netloc}"

    async def check(self, token: str, *, action: str, address: str) -> Verdict:
        """Whether this token was given to a person for this form. Used up by asking."""
        if not token or len(token) > LONGEST_TOKEN:
            return "failed"
        await db.release()
        # The same key at the second time: what was used up by a lost answer is answered again.
        fields = {"secret": self.secret, "response": token, "remoteip": address, "idempotency_key": str(uuid4())}
        async with httpx.AsyncClient(
            timeout=TIMEOUT, transport=self.transport, verify=trust(), trust_env=False
        ) as client:
            for _attempt in range(2):
                found = await self._ask(client, fields)
                if found is not None:
                    return self._judge(found, action)
        log.warning("the captcha's provider is away")
        return "away"

    async def _ask(self, client: httpx.AsyncClient, fields: dict[str, str]) -> dict[str, Any] | None:
        """The answer; None when there is none worth the name."""
        try:
            answer = await client.post(f"{self.base}/turnstile/v0/siteverify", data=fields)
            found = answer.json()
        except (httpx.HTTPError, ValueError):
            return None
        if not isinstance(found, dict) or not isinstance(found.get("success"), bool):
            return None
        return None if answer.status_code >= 500 or "internal-error" in found.get("error-codes", []) else found

    def _judge(self, found: dict[str, Any], action: str) -> Verdict:
        codes = {str(code) for code in found.get("error-codes") or []}
        if not found["success"]:
            if codes & _OURS:
                log.error("the captcha's keys are wrong", codes=sorted(codes))
                return "away"
            if not codes <= _REFUSED:
                log.warning("the captcha was refused", codes=sorted(codes))
            return "failed"
        if is_test_secret(self.secret):  # they answer for example.com and no action
            return "passed"
        if found.get("hostname") not in self.hosts or found.get("action") != action:
            log.warning("a captcha of elsewhere", hostname=found.get("hostname"), action=found.get("action"))
            return "failed"
        return "passed"
