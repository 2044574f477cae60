"""Sign in, or confirm that it is you, with a mailed link."""

from quart import redirect, request, url_for
from quart.typing import ResponseReturnValue

from app.accounts import magic_links
from app.accounts.devices import device_of
from app.accounts.forms import LinkForm, LinkRequestForm
from app.accounts.routes import routes
from app.accounts.routes.signing_in import to_login, to_second_step
from app.accounts.sessions import me
from app.core import clock, limits
from app.core.errors import Invalid
from app.core.i18n import _
from app.core.limits import Limit
from app.web.flash import flash
from app.web.forms import submitted
from app.web.guards import public, signed_in
from app.web.render import page
from app.web.request import client_network, safe_next
from app.web.security import SECRET_ADDRESS
from app.web.traps import captcha_headers, captcha_passes, opened_stamp

LINKS_HERE = Limit(30, 60 * 60)


@routes.get("/login/link")
@public()
async def show_link_request() -> ResponseReturnValue:
    """Ask where to mail the link. The browser gets its secret here, so that a double click does not miss it."""
    magic_links.bind_browser()
    form = LinkRequestForm(data={"next": request.args.get("next", ""), "opened": opened_stamp()})
    return await page("accounts/link_request.html", headers=captcha_headers(), form=form)


@routes.post("/login/link")
@public(limit=limits.SENSITIVE, once=True)
async def create_sign_in_link() -> ResponseReturnValue:
    """Mail the link when there is an account. The answer and its time do not tell."""
    form = await submitted(LinkRequestForm)
    if form.is_trapped():
        return redirect(url_for("accounts.show_link_sent"), 303)
    if not form.validate() or not await captcha_passes(form, "link"):
        return await page("accounts/link_request.html", status=422, headers=captcha_headers(), form=form)
    await limits.check("sign-in-link", client_network(), LINKS_HERE)
    await magic_links.ask(form.email.data, onward=form.next.data or "")
    return redirect(url_for("accounts.show_link_sent"), 303)


@routes.get("/login/link/sent")
@public()
async def show_link_sent() -> ResponseReturnValue:
    """What to do next: open the mail in this browser."""
    return await page("accounts/link_sent.html")


@routes.post("/login/confirmation/link")
@signed_in(limit=limits.SENSITIVE, once=True)
async def create_confirmation_link() -> ResponseReturnValue:
    """Mail the signed-in person a link that confirms that it is them; what asked for it goes on from there."""
    form = await submitted(LinkForm)
    await limits.check("sign-in-link", client_network(), LINKS_HERE)
    await magic_links.ask(me().email, onward=safe_next(form.next.data, ""))
    return redirect(url_for("accounts.show_link_sent"), 303)


@routes.get("/login/link/<token>")
@public()
async def show_link(token: str) -> ResponseReturnValue:
    """A button that signs in; in another browser than the one that asked, with a warning. Looking uses nothing up."""
    return await _link_page(token)


@routes.post("/login/link/<token>")
@public(limit=limits.SENSITIVE)
async def create_session_by_link(token: str) -> ResponseReturnValue:
    """Use the link and sign in. In another browser only after its warning was seen."""
    link = await magic_links.find(token)
    if link is None or (not magic_links.is_here(link) and "elsewhere" not in await request.form):
        return await _link_page(token, open_status=422)
    try:
        how, used = await magic_links.use(token)
    except Invalid as refused:
        return await _link_page(token, refused.message, open_status=422)
    if used is None:
        return await _link_page(token)
    if how == "taken":
        flash(_("Your address is confirmed. What was set before that, such as a password, does not count any more."))
    return to_second_step() if how == "half" else to_login(used.onward)  # which sends a signed-in person on


async def _link_page(token: str, problem: str = "", *, open_status: int = 200) -> ResponseReturnValue:
    link = await magic_links.find(token)
    state = link.state(clock.now()) if link is not None else "unknown"
    status = {"open": open_status, "unknown": 404}.get(state, 410)
    return await page(
        "accounts/link.html",
        status=status,
        headers=SECRET_ADDRESS,
        token=token,
        state=state,
        problem=problem,
        link=link,
        is_here=link is not None and magic_links.is_here(link),
        device=device_of(link.user_agent).name if link is not None else "",
    )
