"""Sign in with Google, connect it, disconnect it."""

from typing import cast

from quart import redirect, request, url_for
from quart.typing import ResponseReturnValue

from app.accounts import google
from app.accounts.google import NotSignedIn
from app.accounts.models import SignedIn
from app.accounts.routes import routes
from app.accounts.routes.signing_in import to_login, to_second_step
from app.accounts.sessions import me
from app.core import limits
from app.core.errors import NotFound
from app.core.i18n import _
from app.core.limits import Limit
from app.web.flash import flash
from app.web.guards import public, signed_in
from app.web.render import page
from app.web.request import client_network, safe_next, user

# The address of the page that a browser comes back to holds the code: it goes nowhere, and stays in no cache.
_ARRIVAL = {"Referrer-Policy": "no-referrer", "Cache-Control": "no-store"}
ARRIVALS = Limit(60, 10 * 60)
_STATUS = {"away": 503, "refused": 502, "stale": 400, "cancelled": 400, "suspended": 403}


@routes.post("/login/google")
@public(limit=limits.SENSITIVE)
async def create_google_sign_in() -> ResponseReturnValue:
    """Send the browser to Google."""
    _offered()
    return await _depart((await request.form).get("next", ""), None)


@routes.post("/account/security/google")
@signed_in(limit=limits.SENSITIVE, fresh=True)
async def create_google_connection() -> ResponseReturnValue:
    """Send the browser to Google, to connect whoever is signed in there."""
    _offered()
    return await _depart(url_for("accounts.show_security"), me())


async def _depart(onward: str, connects: SignedIn | None) -> ResponseReturnValue:
    try:
        url = await google.begin(onward=safe_next(onward, ""), connects=connects)
    except NotSignedIn as error:
        return await _trouble(error)
    return redirect(url, 303)


@routes.get(google.CALLBACK)
@public()
async def show_google_arrival() -> ResponseReturnValue:
    """The browser comes back: sign in, or connect, whoever Google says it is."""
    _offered()
    await limits.check("google", client_network(), ARRIVALS)
    try:
        flow = google.take_flow(request.args.get("state", ""))
        code = request.args.get("code", "")
        if request.args.get("error") or not code:
            raise NotSignedIn("cancelled" if request.args.get("error") == "access_denied" else "refused")
        person = cast("SignedIn | None", user())
        if flow.connects is not None and (person is None or person.id != flow.connects):
            raise NotSignedIn("stale")
        found = await google.identify(flow, code)
        if flow.connects is None:
            is_in = await google.sign_in(found, onward=flow.onward)
            # The sign-in page sends a signed-in person on.
            return to_login(flow.onward) if is_in else to_second_step()
        await google.connect(cast(SignedIn, person), found)
    except NotSignedIn as error:
        return await _trouble(error)
    flash(_("Google is connected. You can sign in with it from now on."))
    return redirect(url_for("accounts.show_security"), 303)


@routes.post("/account/security/google/removal")
@signed_in(limit=limits.SENSITIVE, fresh=True)
async def delete_google_connection() -> ResponseReturnValue:
    """Forget the connection."""
    await google.disconnect(me())
    flash(_("Google is disconnected."))
    return redirect(url_for("accounts.show_security"), 303)


def _offered() -> None:
    if not google.is_offered():
        raise NotFound


async def _trouble(error: NotSignedIn) -> ResponseReturnValue:
    return await page(
        "accounts/google_trouble.html",
        status=_STATUS.get(error.why, 409),
        headers=_ARRIVAL,
        why=error.why,
        email=error.email,
    )
