"""Whose cart a request is about: the signed-in person's, or the one that the browser's cookie names."""

from quart import Response

from app.commerce import carts
from app.commerce.carts import Whose
from app.commerce.routes import routes
from app.core import tokens
from app.web import acting, cookies
from app.web.current import g
from app.web.request import user

COOKIE = "cart"
LIFETIME = 90 * 24 * 3600


def cart_token() -> str | None:
    """The token in the cookie, if it can be one."""
    token = cookies.read(COOKIE)
    return token if token and len(token) < 100 else None


async def whose_cart(*, make: bool = False) -> Whose:
    """Whose cart this request is about. `make`: give a guest without one a token.

    The first request of a signed-in person that still carries a guest's cookie merges the two carts.
    """
    person, token = user(), cart_token()
    if person is not None:
        if token is not None and acting.current() is None:  # else the cart in this browser is somebody else's
            await carts.merge(person.id, token)
            g.cart_token = None
        return Whose(user_id=person.id)
    if token is None and make:
        token = g.cart_token = tokens.random_token()
    return Whose(token=token)


@routes.after_request
async def carry_cart_cookie(response: Response) -> Response:
    """Set or clear the cookie, as the handler left word."""
    if "cart_token" in g:
        if g.cart_token is None:
            cookies.clear(response, COOKIE)
        else:
            cookies.put(response, COOKIE, g.cart_token, max_age=LIFETIME)
    return response
