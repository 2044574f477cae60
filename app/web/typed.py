"""What was typed into a form when the password was asked for in between, in a signed cookie of ten minutes.

Only of routes that ask for a fresh sign-in, never passwords, and only for the page that the form stands on.
"""

from typing import Any

from quart import Quart, Response

from app.core import tokens
from app.web import cookies
from app.web.current import g, request
from app.web.request import user

COOKIE = "typed"
LIFETIME = 600
# Cookies hold about four thousand characters; longer forms are not kept.
LONGEST = 2000


async def keep(page: str) -> None:
    """Keep the form of this request for the page at the address `page`."""
    person = user()
    fields = {
        name: value for name, value in (await request.form).items() if "password" not in name and isinstance(name, str)
    }
    if person is not None and fields and sum(len(name) + len(value) for name, value in fields.items()) <= LONGEST:
        g.typed = {"who": person.id, "page": page.partition("?")[0], "fields": fields}


def take() -> dict[str, Any]:
    """What was typed into the form of the page being drawn now; empty when nothing was kept for it."""
    kept, person = tokens.unsign(cookies.read(COOKIE), "typed", LIFETIME), user()
    if not isinstance(kept, dict) or person is None or (kept["who"], kept["page"]) != (person.id, request.path):
        return {}
    g.typed = None
    fields: dict[str, Any] = kept["fields"]
    return fields


def install(app: Quart) -> None:
    """Set the cookie, and clear it once it was taken."""

    @app.after_request
    async def carry(response: Response) -> Response:
        if "typed" in g:
            if g.typed is None:
                cookies.clear(response, COOKIE)
            else:
                cookies.put(response, COOKIE, tokens.sign(g.typed, "typed"), max_age=LIFETIME)
        return response
