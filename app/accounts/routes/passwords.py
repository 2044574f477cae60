"""A forgotten password: ask for a link, set a new one."""

from typing import cast

from quart import Response, redirect, request, url_for
from quart.typing import ResponseReturnValue

from app.accounts import meter, passwords, sessions
from app.accounts.forms import ForgotForm, ResetForm
from app.accounts.models import SignedIn
from app.accounts.routes import routes
from app.accounts.routes.signing_in import to_login, to_second_step
from app.core import clock, limits
from app.core.errors import Invalid
from app.core.i18n import _
from app.core.limits import Limit
from app.core.settings import school
from app.web.flash import flash
from app.web.forms import submitted
from app.web.guards import public
from app.web.render import block, page
from app.web.request import client_network, user
from app.web.security import SECRET_ADDRESS
from app.web.traps import captcha_headers, captcha_passes, opened_stamp

RESETS_HERE = Limit(30, 60 * 60)
# Somebody who types and thinks again; each costs a few milliseconds.
READINGS = Limit(60, 10)


@routes.get("/password/forgot")
@public()
async def show_forgotten() -> ResponseReturnValue:
    """Ask where to mail the link."""
    form = ForgotForm(data={"opened": opened_stamp()})
    return await page("accounts/forgot.html", headers=captcha_headers(), form=form)


@routes.post("/password/forgot")
@public(limit=limits.SENSITIVE, once=True)
async def create_reset_mail() -> ResponseReturnValue:
    """Mail the link when there is an account. The answer and its time do not tell."""
    form = await submitted(ForgotForm)
    if form.is_trapped():
        return redirect(url_for("accounts.show_reset_sent"), 303)
    if not form.validate() or not await captcha_passes(form, "forgot"):
        return await page("accounts/forgot.html", status=422, headers=captcha_headers(), form=form)
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


@routes.get("/password/required")
@public()
async def show_required_password() -> ResponseReturnValue:
    """Choose a new password before going on, when the school asks for it."""
    return await _required_page(ResetForm())


@routes.post("/password/required")
@public(limit=limits.SENSITIVE)
async def create_required_password() -> ResponseReturnValue:
    """Set it; then on to where the person was going."""
    form, person = await submitted(ResetForm), cast("SignedIn | None", user())
    if person is not None and person.must_choose_password and sessions.is_fresh() and form.validate():
        try:
            await passwords.change_required(person, form.new_password.data)
            flash(_("Your password is changed. Your other devices are signed out."))
            return to_login(request.args.get("next"))  # which sends a signed-in person on
        except Invalid as refused:
            form.refuse(refused)
    return await _required_page(form, 422)


async def _required_page(form: ResetForm, status: int = 200) -> ResponseReturnValue:
    """Whoever need not choose one is sent on, and whoever showed the old one long ago shows it again."""
    person, onward = cast("SignedIn | None", user()), request.args.get("next", "")
    if person is None or not person.must_choose_password:
        return to_login(onward)
    if not sessions.is_fresh():
        await sessions.end()
        return to_login(onward)
    return await page("accounts/required_password.html", status=status, form=form, onward=onward)


@routes.post("/password/strength")
@public(limit=READINGS)
async def show_strength() -> ResponseReturnValue:
    """The meter below a new password while it is typed. A `POST`, so that it stands in no address; nothing is kept."""
    form, person = await request.form, user()
    password = str(form.get("new_password") or form.get("password") or "")[:1000]
    known = [person.email, person.name] if person else [str(form.get(key, ""))[:254] for key in ("email", "name")]
    answer = Response("", content_type="text/html; charset=utf-8", headers={"Cache-Control": "no-store"})
    if password:
        known = [*known, *known[0].split("@"), (await school()).name]
        answer.set_data(
            await block("accounts/strength.html", "strength", reading=meter.read(password, known), full=meter.FULL)
        )
    return answer


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
