"""A forgotten password: ask for a link, set a new one."""

from quart import redirect, url_for
from quart.typing import ResponseReturnValue

from app.accounts import passwords
from app.accounts.forms import ForgotForm, ResetForm
from app.accounts.routes import routes
from app.accounts.routes.registration import SECRET_ADDRESS
from app.accounts.routes.signing_in import to_login, to_second_step
from app.core import clock, limits
from app.core.errors import Invalid
from app.core.i18n import _
from app.core.limits import Limit
from app.web.flash import flash
from app.web.forms import submitted
from app.web.guards import public
from app.web.render import page
from app.web.request import client_network

RESETS_HERE = Limit(30, 60 * 60)


@routes.get("/password/forgot")
@public()
async def show_forgotten() -> ResponseReturnValue:
    """Ask where to mail the link."""
    return await page("accounts/forgot.html", form=ForgotForm())


@routes.post("/password/forgot")
@public(limit=limits.SENSITIVE, once=True)
async def create_reset_mail() -> ResponseReturnValue:
    """Mail the link when there is an account. The answer and its time do not tell."""
    form = await submitted(ForgotForm)
    if not form.validate():
        return await page("accounts/forgot.html", status=422, form=form)
    await limits.check("reset", client_network(), RESETS_HERE)
    await passwords.ask_for_reset(form.email.data)
    return redirect(url_for("accounts.show_reset_sent"), 303)


@routes.get("/password/sent")
@public()
async def show_reset_sent() -> ResponseReturnValue:
    """What to do next: open the mail."""
    return await page("accounts/forgot_sent.html")


@routes.get("/password/reset/<token>")
@public()
async def show_reset(token: str) -> ResponseReturnValue:
    """The form for a new password, or why the link does not work any more."""
    return await _reset_page(token, ResetForm(), 200)


@routes.post("/password/reset/<token>")
@public(limit=limits.SENSITIVE)
async def create_password(token: str) -> ResponseReturnValue:
    """Set the password and sign in; every other session ends."""
    form = await submitted(ResetForm)
    if form.validate():
        try:
            if done := await passwords.reset(token, form.new_password.data):
                flash(_("Your password is set. Other devices are signed out."))
                # The sign-in page sends a signed-in person on.
                return to_second_step() if done == "half" else to_login()
        except Invalid as refused:
            form.refuse(refused)
    return await _reset_page(token, form, 422)


async def _reset_page(token: str, form: ResetForm, status: int) -> ResponseReturnValue:
    link = await passwords.find_link(token)
    state = link.state(clock.now()) if link is not None else "unknown"
    return await page(
        "accounts/reset.html",
        status=status if state == "open" else {"unknown": 404}.get(state, 410),
        headers=SECRET_ADDRESS,
        form=form,
        token=token,
        state=state,
        is_first=link is not None and link.purpose == "set_password",
        email=link.email if link is not None and state == "open" else "",
    )
