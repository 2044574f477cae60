"""What a passkey signs: made without keeping anything; good for five minutes, one browser, one purpose, and once.

A challenge proves by itself that it is ours (a MAC over all that it is good for), so nobody fills a table by asking. Only
one that was answered leaves a row, which is what makes the second answer fail.
"""

import hashlib
import hmac
import secrets
from datetime import UTC, datetime, timedelta

from quart import Quart, Response

from app.accounts.queries import passkeys as queries
from app.core import clock, tokens
from app.core.errors import Invalid
from app.core.i18n import _
from app.web import cookies
from app.web.current import g

LIFETIME = timedelta(minutes=5)
COOKIE = "passkey"
_NONCE, _MOMENT = 16, 8


def new(purpose: str, subject: str = "") -> bytes:
    """A challenge for this browser. `purpose`: what the answer is for; `subject`: of whom, or of which sign-in."""
    browser = _browser() or tokens.random_token()
    g.challenge_browser = browser
    nonce = secrets.token_bytes(_NONCE)
    moment = int(clock.now().timestamp()).to_bytes(_MOMENT, "big")
    return nonce + moment + _proof(nonce + moment, purpose, subject, browser)


async def use(challenge: bytes, purpose: str, subject: str = "") -> None:
    """Take a challenge that was answered. Raises Invalid when it is not ours, too old, another browser's, or was used."""
    head, proof = challenge[: _NONCE + _MOMENT], challenge[_NONCE + _MOMENT :]
    is_ours = hmac.compare_digest(proof, _proof(head, purpose, subject, _browser()))
    if not is_ours:
        raise _Stale
    expires_at = datetime.fromtimestamp(int.from_bytes(head[_NONCE:], "big"), UTC) + LIFETIME
    if clock.now() >= expires_at or not await queries.use_challenge(hashlib.sha256(challenge).digest(), expires_at):
        raise _Stale


class _Stale(Invalid):
    """Says the same whatever was wrong with it."""

    def __init__(self) -> None:
        super().__init__(_("That took too long, or was sent before. Please try once more."))


def _proof(head: bytes, purpose: str, subject: str, browser: str) -> bytes:
    return tokens.keyed(f"passkey challenge:{purpose}:{subject}:{browser}:{head.hex()}")


def _browser() -> str:
    sent = cookies.read(COOKIE)
    return sent if len(sent) < 100 else ""


def install(app: Quart) -> None:
    """Let the browser keep what its challenges are bound to, as long as they last."""

    @app.after_request
    async def carry_cookie(response: Response) -> Response:
        if "challenge_browser" in g:
            cookies.put(response, COOKIE, g.challenge_browser, max_age=int(LIFETIME.total_seconds()))
        return response
