"""While somebody of the school looks at it as another person: what they may open, and what every page says about it.

Deny first: only pages are shown, nothing is sent, and what is a person's own alone (passwords, second factors, privacy,
paying) stays shut. `app.accounts.impersonations` finds who acts; every layout draws the banner.
"""

import re
from dataclasses import dataclass
from datetime import datetime

from app.core.errors import Forbidden
from app.core.i18n import _
from app.web.current import g, request
from app.web.request import Visitor

# Nothing of a person; every page needs them.
_NEUTRAL = ("/theme.css", "/plates/", "/time", "/health/")
# Whatever proves or changes who somebody is begins with one of these. What is new below them is shut too.
_SHUT = (
    "/account/",
    "/login",
    "/password/",
    "/verify/",
    "/register",
    "/checkout",
    "/privacy/",
    "/email-changes/",
    "/not-me/",
)
_OPEN = ("/account/corner", "/account/orders")
_SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
# What the office makes a file of when it is asked for: the end of its address.
_FILE = re.compile(r"^/admin/.*(/file|/pdf|\.[a-z]{3,4})$")


@dataclass(frozen=True, slots=True)
class Acting:
    """`real` acts as the person `name`. `is_over`: the time is up, and `real` has not gone back to themselves yet."""

    public_id: str
    real: Visitor
    name: str
    ends_at: datetime
    is_over: bool


def current() -> Acting | None:
    """Who acts as whom in this request; None is the rule."""
    found: Acting | None = g.get("acting")
    return found


def refusal() -> str:
    """Why this request is not for somebody who acts as another; empty when it is, or nobody does."""
    acting = current()
    if acting is None or _is_below(request.path, _NEUTRAL):
        return ""
    if acting.is_over:
        return _("You looked as %(name)s, and that is over. Go back to yourself to go on.", name=acting.name)
    if request.method not in _SAFE:
        return _("You look as %(name)s: you see what they see, and change nothing.", name=acting.name)
    if _is_below(request.path, _SHUT) and not _is_below(request.path, _OPEN):
        return _("This page belongs to %(name)s alone.", name=acting.name)
    if request.args.get("format") or _FILE.search(request.path):
        return _("Files are not made while you look as %(name)s.", name=acting.name)
    return ""


def check(*, is_sensitive: bool) -> None:
    """Raise Forbidden for what is not done as another. `is_sensitive`: the route asks for a fresh sign-in."""
    why = refusal()
    acting = current()
    if acting is not None and is_sensitive and not why:
        why = _("This page belongs to %(name)s alone.", name=acting.name)
    if why:
        raise Forbidden(why)


def _is_below(path: str, prefixes: tuple[str, ...]) -> bool:
    return any(
        path == prefix or path.startswith(prefix if prefix.endswith("/") else f"{prefix}/") for prefix in prefixes
    )
