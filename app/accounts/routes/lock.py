"""It was not me: the page that the link of an alert opens."""

from quart import Response, redirect, url_for
from quart.typing import ResponseReturnValue

from app.accounts import lock
from app.accounts.routes import routes
from app.core import clock, limits
from app.core.i18n import _
from app.web.flash import flash
from app.web.guards import public
from app.web.render import page
from app.web.security import SECRET_ADDRESS


@routes.get("/not-me/<token>")
@public()
async def show_not_me(token: str) -> ResponseReturnValue:
    """Say what will happen, with a button; opening the link does nothing by itself."""
    return await _not_me_page(token)


@routes.post("/not-me/<token>")
@public(limit=limits.SENSITIVE)
async def create_lock(token: str) -> ResponseReturnValue:
    """Sign every device out, take the password away, and go on to choose a new one."""
    reset = await lock.use_link(token)
    if reset is None:
        return redirect(url_for("accounts.show_not_me", token=token), 303)
    return after_lock(reset)


def after_lock(reset: str) -> ResponseReturnValue:
    """On to the new password, or to where a link for it can be asked."""
    flash(_("Every device is signed out, and the old password opens nothing any more."))
    if reset:
        return redirect(url_for("accounts.show_reset", token=reset), 303)
    return redirect(url_for("accounts.show_forgotten"), 303)


async def _not_me_page(token: str) -> Response:
    link = await lock.find_link(token)
    state = link.state(clock.now()) if link is not None else "unknown"
    return await page(
        "accounts/not_me.html",
        status={"open": 200, "unknown": 404}.get(state, 410),
        headers=SECRET_ADDRESS,
        token=token,
        state=state,
        email=link.email if link is not None and state == "open" else "",
    )
