"""Passkeys: what the browser asks for before it asks the device, and what the device answered.

The challenges are JSON for static/js/passkeys.js; everything else is forms and pages as ever.
"""

from quart import Response, redirect, request, url_for
from quart.typing import ResponseReturnValue

from app.accounts import passkeys, second_factors, sign_ins
from app.accounts.forms import ConfirmForm, NewPasskeyForm, PasskeyForm, PasskeyNameForm, SecondStepForm, SignInForm
from app.accounts.models import Passkey
from app.accounts.routes import routes
from app.accounts.routes.second_step import step_page
from app.accounts.routes.security import codes_page
from app.accounts.routes.signing_in import confirmation_page, login_page, to_login
from app.accounts.sessions import me
from app.core import limits
from app.core.errors import Conflict, Invalid
from app.core.i18n import _
from app.web.flash import flash
from app.web.forms import submitted
from app.web.guards import public, signed_in
from app.web.render import page
from app.web.security import NOT_KEPT

# Signing in


@routes.post("/login/passkey/challenges")
@public()
async def create_passkey_challenge() -> ResponseReturnValue:
    """What a device signs to sign in; it tells nothing about anybody."""
    return _json(await passkeys.options_to_sign_in())


@routes.post("/login/passkey")
@public(limit=limits.SENSITIVE)
async def create_passkey_session() -> ResponseReturnValue:
    """Sign in without a password."""
    form = await submitted(PasskeyForm)
    again = SignInForm(data={"next": form.next.data, "keep": form.keep.data})
    try:
        await passkeys.sign_in(_credential(form), keep=form.keep.data)
    except Invalid as refused:
        again.refuse(refused)
        return await login_page(again, status=422)
    return to_login(form.next.data)  # which sends a signed-in person on


@routes.post("/login/second-step/passkey/challenges")
@public()
async def create_second_step_challenge() -> ResponseReturnValue:
    """What a device signs as the second step of this browser's sign-in."""
    waiting = await sign_ins.pending()
    return to_login() if waiting is None else _json(await passkeys.options_for_second_step(waiting))


@routes.post("/login/second-step/passkey")
@public(limit=limits.SENSITIVE)
async def create_passkey_second_step() -> ResponseReturnValue:
    """Take the second step with a passkey."""
    waiting, form = await sign_ins.pending(), await submitted(PasskeyForm)
    if waiting is None:
        flash(_("That took too long. Please sign in once more."), "care")
        return to_login()
    try:
        await passkeys.take_second_step(waiting, _credential(form))
    except Invalid as refused:
        again = SecondStepForm()
        again.refuse(refused)
        return await step_page(waiting, again, status=422)
    return to_login(waiting.onward)


@routes.post("/login/confirmation/passkey/challenges")
@signed_in()
async def create_confirmation_challenge() -> ResponseReturnValue:
    """What a device signs to confirm who is signed in."""
    return _json(await passkeys.options_to_confirm(me()))


@routes.post("/login/confirmation/passkey")
@signed_in(limit=limits.SENSITIVE)
async def create_passkey_confirmation() -> ResponseReturnValue:
    """Show a passkey again; what asked for it goes on."""
    form = await submitted(PasskeyForm)
    try:
        await passkeys.confirm(me(), _credential(form))
    except Invalid as refused:
        again = ConfirmForm(data={"next": form.next.data})
        again.refuse(refused)
        return await confirmation_page(again, status=422)
    return to_login(form.next.data)


# One's own


@routes.get("/account/security/passkeys/new")
@signed_in(fresh=True)
async def show_new_passkey() -> ResponseReturnValue:
    """Say what a passkey is, and add one."""
    try:
        second_factors.check_address(me())
    except Invalid as refused:
        flash(refused.message, "care")
        return redirect(url_for("accounts.show_security"), 303)
    return await _new_page(NewPasskeyForm())


@routes.post("/account/security/passkeys/challenges")
@signed_in(fresh=True)
async def create_new_passkey_challenge() -> ResponseReturnValue:
    """What a device needs to make a passkey."""
    return _json(await passkeys.options_to_add(me()))


@routes.post("/account/security/passkeys")
@signed_in(limit=limits.SENSITIVE, fresh=True)
async def create_passkey() -> ResponseReturnValue:
    """Keep it; with the first second factor the answer shows the recovery codes, this once."""
    form = await submitted(NewPasskeyForm)
    if form.validate():
        agent = request.headers.get("User-Agent", "")
        try:
            codes = await passkeys.add(me(), form.credential.data or "", name=form.name.data or "", user_agent=agent)
        except Invalid as refused:
            form.refuse(refused)
        else:
            flash(_("The passkey is added. You can sign in with it from now on."))
            return await codes_page(codes) if codes else _to_security()
    return await _new_page(form, status=422)


@routes.get("/account/security/passkeys/<public_id>")
@signed_in()
async def show_passkey(public_id: str) -> ResponseReturnValue:
    """One passkey: its name, and the way to remove it."""
    passkey = await passkeys.find(me().id, public_id)
    return await _passkey_page(passkey, PasskeyNameForm(data={"name": passkey.name}))


@routes.post("/account/security/passkeys/<public_id>")
@signed_in()
async def update_passkey(public_id: str) -> ResponseReturnValue:
    """Call it something else."""
    person, form = me(), await submitted(PasskeyNameForm)
    if not form.validate():
        return await _passkey_page(await passkeys.find(person.id, public_id), form, status=422)
    await passkeys.rename(person, public_id, form.name.data)
    flash(_("Saved."))
    return _to_security()


@routes.post("/account/security/passkeys/<public_id>/removal")
@signed_in(limit=limits.SENSITIVE, fresh=True)
async def delete_passkey(public_id: str) -> ResponseReturnValue:
    """Forget it."""
    try:
        await passkeys.remove(me(), public_id)
    except Conflict as refused:
        flash(refused.message, "care")
        return _to_security()
    flash(_("The passkey is removed. Remove it on the device too, so that it is not offered any more."))
    return _to_security()


def _to_security() -> ResponseReturnValue:
    return redirect(url_for("accounts.show_security"), 303)


def _credential(form: PasskeyForm) -> str:
    """The answer of the device. Raises Invalid when it is none, or the form is not one of ours."""
    if not form.validate():
        raise Invalid(_("The device gave no answer. Please try again."))
    return str(form.credential.data)


def _json(options: str) -> Response:
    return Response(options, content_type="application/json", headers=NOT_KEPT)


async def _new_page(form: NewPasskeyForm, *, status: int = 200) -> ResponseReturnValue:
    return await page("accounts/new_passkey.html", status=status, form=form, is_possible=passkeys.are_possible())


async def _passkey_page(passkey: Passkey, form: PasskeyNameForm, *, status: int = 200) -> ResponseReturnValue:
    return await page("accounts/passkey.html", status=status, form=form, passkey=passkey)
