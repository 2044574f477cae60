"""How the signed-in person proves who they are: second steps and recovery codes."""

from quart import Response, redirect, request, url_for
from quart.typing import ResponseReturnValue

from app.accounts import google, passkeys, second_factors, totp
from app.accounts.forms import TotpForm
from app.accounts.models import SignedIn
from app.accounts.routes import routes
from app.accounts.sessions import me
from app.core import limits
from app.core.errors import Invalid
from app.core.i18n import _
from app.core.settings import school
from app.web.flash import flash
from app.web.forms import submitted
from app.web.guards import signed_in
from app.web.render import page
from app.web.security import NOT_KEPT


@routes.get("/account/security")
@signed_in()
async def show_security() -> ResponseReturnValue:
    """What is turned on, and what may be."""
    person = me()
    return await page(
        "accounts/security.html",
        person=person,
        factors=await second_factors.of(person.id),
        passkeys=await passkeys.of(person.id),
        passkeys_are_possible=passkeys.are_possible(),
        identity=await google.connected(person.id),
        is_asked_of_role=person.role in (await school()).second_factor_roles,
        asked="asked" in request.args,
    )


@routes.get("/account/security/totp")
@signed_in(fresh=True)
async def show_totp() -> ResponseReturnValue:
    """A new key for an authenticator app, as QR code and as text."""
    person = me()
    if (await second_factors.of(person.id)).has_totp:
        return _to_security()
    try:
        second_factors.check_address(person)
    except Invalid as refused:
        flash(refused.message, "care")
        return _to_security()
    return await _totp_page(person, TotpForm())


@routes.post("/account/security/totp")
@signed_in(limit=limits.SENSITIVE, fresh=True)
async def create_totp() -> ResponseReturnValue:
    """Turn it on with the first code; the answer shows the recovery codes, this once."""
    form, person = await submitted(TotpForm), me()
    if form.validate():
        try:
            codes = await second_factors.turn_on_totp(person, form.offer.data or "", form.code.data)
            if codes:
                return await codes_page(codes)
            flash(_("The authenticator app is turned on. Your recovery codes are those of before."))
            return _to_security()
        except Invalid as refused:
            form.refuse(refused)
    return await _totp_page(person, form, status=422)


@routes.post("/account/security/totp/removal")
@signed_in(limit=limits.SENSITIVE, fresh=True)
async def delete_totp() -> ResponseReturnValue:
    """Turn it off."""
    await second_factors.turn_off_totp(me())
    flash(_("The authenticator app is turned off."))
    return _to_security()


@routes.post("/account/security/recovery-codes")
@signed_in(limit=limits.SENSITIVE, fresh=True)
async def create_recovery_codes() -> ResponseReturnValue:
    """Ten new codes, shown in the answer, this once."""
    return await codes_page(await second_factors.renew_recovery_codes(me()))


def _to_security() -> ResponseReturnValue:
    return redirect(url_for("accounts.show_security"), 303)


async def _totp_page(person: SignedIn, form: TotpForm, *, status: int = 200) -> Response:
    offer = await totp.offer(person.id, person.email, form.offer.data or "")
    form.offer.data = offer.sealed
    return await page("accounts/totp.html", status=status, headers=NOT_KEPT, form=form, offer=offer)


async def codes_page(codes: list[str]) -> Response:
    """Show new recovery codes, this once."""
    return await page("accounts/recovery_codes.html", headers=NOT_KEPT, codes=codes)
