"""The browsers that a person has signed in with before: guesses from elsewhere cannot shut them out.

A signed cookie names the account and the browser, and when it last signed in there. It opens nothing: it only lets the
browser's tries be counted by themselves (OWASP's device cookies), while everybody else's are counted together, and spares the
person a mail about a browser that is theirs. After "it was not me" that one no longer holds for whoever came before.
"""

import hashlib
import secrets
from datetime import datetime

from quart import Quart, Response

from app.core import clock, tokens
from app.web import cookies
from app.web.current import g

COOKIE = "device"
LIFETIME = 400 * 24 * 3600
# A family at one machine; the account before that is new to it again.
_ACCOUNTS = 4
_PURPOSE = "device"


def account_key(email: str) -> str:
    """An address as the name of a count: no address is kept in Redis. Alike for all spellings that find one account."""
    return hashlib.sha256(_lowered(email.strip()).encode("utf-8", "surrogatepass")).hexdigest()[:32]


def _lowered(text: str) -> str:
    """Letter by letter, as PostgreSQL's lower() does: Python makes two of İ, and another σ at the end of a word."""
    return "".join(character.lower()[:1] for character in text)


def known(account: str) -> str:
    """What this browser is called, when somebody has signed in to `account` with it; else nothing."""
    name, accounts = _sent()
    return name if account in accounts else ""


def is_known_since(account: str, moment: datetime | None) -> bool:
    """Whether somebody has signed in to `account` with this browser, after `moment` when there is one."""
    _name, accounts = _sent()
    return account in accounts and (moment is None or accounts[account] > moment.timestamp())


def remember(account: str) -> None:
    """Let the answer tell this browser that it is known from now on, for the last accounts that it signed in to."""
    name, accounts = _sent()
    others = [f"{one}:{at}" for one, at in accounts.items() if one != account][: _ACCOUNTS - 1]
    g.familiar = [f"{account}:{clock.now().timestamp():.3f}", name or secrets.token_urlsafe(12), *others]


def _sent() -> tuple[str, dict[str, float]]:
    """What the cookie says: the name of this browser, and the accounts that know it, latest first, with when it was there."""
    sent = cookies.read(COOKIE)
    found = tokens.unsign(sent, _PURPOSE, LIFETIME) if sent and len(sent) < 500 else None
    if not isinstance(found, list) or len(found) < 2:
        return "", {}
    first, name, *others = (str(part) for part in found)
    parts = (one.partition(":") for one in (first, *others))
    return name, {account: float(at or 0) for account, _colon, at in parts}


def install(app: Quart) -> None:
    """Set the cookie after a sign-in."""

    @app.after_request
    async def carry_device(response: Response) -> Response:
        if "familiar" in g:
            cookies.put(response, COOKIE, tokens.sign(g.familiar, _PURPOSE), max_age=LIFETIME)
        return response
