"""Make an account and confirm its address."""

from quart import redirect, request, url_for
from quart.typing import ResponseReturnValue

from app.accounts import familiar, links, users
from app.accounts.forms import RegisterForm
from app.accounts.routes import routes
from app.accounts.routes.signing_in import to_login
from app.accounts.sessions import me
from app.core import clock, limits
from app.core.errors import Invalid
from app.core.i18n import _
from app.core.limits import Limit
from app.web.flash import flash
from app.web.forms import submitted
from app.web.guards import public, signed_in
from app.web.render import page
from app.web.request import client_network, safe_next, user
from app.web.security import SECRET_ADDRESS
from app.web.traps import captcha_headers, captcha_passes, opened_stamp

REGISTRATIONS_HERE = Limit(30, 60 * 60)
REGISTRATIONS = Limit(5, 60 * 60)
VERIFICATIONS = Limit(3, 60 * 60)


@routes.get("/register")
@public()
async def show_registration() -> ResponseReturnValue:
    """The form; a signed-in person has an account already."""
    onward = request.args.get("next", "")
    if user() is not None:
        return redirect(safe_next(onward, "/account"), 303)
    form = RegisterForm(data={"next": onward, "opened": opened_stamp()})
    return await page("accounts/register.html", headers=captcha_headers(), form=form)


@routes.post("/register")
@public(limit=limits.SENSITIVE, once=True)
async def create_registration() -> ResponseReturnValue:
    """Make the account, unless there is one: the answer is the same. A program in the trap gets it too, for nothing."""
    form = await submitted(RegisterForm)
    if form.is_trapped():
        return _sent(form)
    if form.validate() and await captcha_passes(form, "register"):
        await limits.check("register", client_network(), REGISTRATIONS_HERE)
        await limits.check("register", familiar.account_key(form.email.data), REGISTRATIONS)
        try:
            await users.register(
                name=form.name.data,
                email=form.email.data,
                password=form.password.data,
                wants_offers=form.marketing.data,
            )
            return _sent(form)
        except Invalid as refused:
            form.refuse(refused)
    return await page("accounts/register.html", status=422, headers=captcha_headers(), form=form)


def _sent(form: RegisterForm) -> ResponseReturnValue:
    address = url_for("accounts.show_registration_sent", next=form.next.data or None)
    return redirect(address, 303)


@routes.get("/register/sent")
@public()
async def show_registration_sent() -> ResponseReturnValue:
    """What to do next: open the mail."""
    return await page("accounts/register_sent.html", onward=safe_next(request.args.get("next"), ""))


@routes.get("/verify/<token>")
@public()
async def show_verification(token: str) -> ResponseReturnValue:
    """A button that confirms the address. Opening the link does nothing by itself: mail scanners open links too."""
    link = await links.find(token, "verify_email")
    state = link.state(clock.now()) if link is not None else "unknown"
    return await page(
        "accounts/verify.html",
        status={"open": 200, "unknown": 404}.get(state, 410),
        headers=SECRET_ADDRESS,
        token=token,
        state=state,
        email=link.email if link is not None and state == "open" else "",
    )


@routes.post("/verify/<token>")
@public(limit=limits.SENSITIVE)
async def create_verification(token: str) -> ResponseReturnValue:
    """Confirm the address; then on to the account, or to the sign-in."""
    if await users.verify(token) is None:
        # Used or too old: the page of the link says so, and offers a new one.
        return redirect(url_for("accounts.show_verification", token=token), 303)
    flash(_("Thank you, your address is confirmed."))
    return redirect("/account", 303) if user() is not None else to_login()


@routes.post("/verify/<token>/renewal")
@public(limit=limits.SENSITIVE, once=True)
async def create_verification_renewal(token: str) -> ResponseReturnValue:
    """Mail a new link to where the old one went. The answer does not say whether the address is confirmed by now."""
    link = await links.find(token, "verify_email")
    if link is not None:
        await limits.check("verify", str(link.user_id), VERIFICATIONS)
        await users.mail_verification(link.user_id)
    flash(_("If the address still has to be confirmed, a new mail is on its way."))
    return to_login()


@routes.post("/account/verification")
@signed_in(once=True)
async def create_verification_mail() -> ResponseReturnValue:
    """Mail the signed-in person a new link."""
    person = me()
    await limits.check("verify", str(person.id), VERIFICATIONS)
    if await users.mail_verification(person.id):
        flash(_("A mail to %(email)s is on its way.", email=person.email))
    else:
        flash(_("Your address is confirmed already."))
    return redirect("/account", 303)
