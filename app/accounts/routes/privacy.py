"""What people may ask about themselves: everything in a file, to be forgotten, what they agreed to."""

from quart import Response, redirect, url_for
from quart.typing import ResponseReturnValue

from app.accounts import consents, erasures, exports
from app.accounts.forms import ConsentForm, ErasureForm
from app.accounts.models import Erasure
from app.accounts.routes import routes
from app.accounts.sessions import me
from app.core import clock, limits
from app.core.errors import Conflict
from app.core.i18n import _
from app.web.flash import flash
from app.web.forms import submitted
from app.web.guards import public, signed_in
from app.web.render import page
from app.web.security import SECRET_ADDRESS


@routes.get("/account/privacy")
@signed_in()
async def show_privacy() -> ResponseReturnValue:
    """Everything about privacy on one page."""
    return await _privacy_page()


@routes.post("/account/privacy/exports")
@signed_in(limit=limits.SENSITIVE, fresh=True)
async def create_export() -> ResponseReturnValue:
    """Have everything gathered, once a day."""
    try:
        await exports.ask(me())
        flash(_("We gather your data. A mail tells you when the file is there."))
    except Conflict as refused:
        flash(refused.message, "care")
    return _to_privacy()


@routes.get("/account/privacy/exports/<public_id>/data.zip")
@signed_in(fresh=True)
async def show_export(public_id: str) -> Response:
    """The person's own file."""
    export = await exports.find(me().id, public_id)
    response = Response(
        await exports.begun(export),
        headers={
            "Content-Type": "application/zip",
            "Content-Disposition": 'attachment; filename="data.zip"',
            "Content-Length": str(export.size_bytes),
            "Cache-Control": "private, no-store",
        },
    )
    response.timeout = None
    return response


@routes.get("/account/privacy/erasure")
@signed_in(fresh=True)
async def show_own_erasure() -> ResponseReturnValue:
    """What goes, what stays and why; confirmed by typing the address."""
    return await _erasure_page(ErasureForm())


@routes.post("/account/privacy/erasure")
@signed_in(limit=limits.SENSITIVE, fresh=True)
async def create_own_erasure() -> ResponseReturnValue:
    """Begin the time to think it over."""
    form, person = await submitted(ErasureForm), me()
    if (form.confirmation.data or "").lower() != person.email.lower():
        form.confirmation.errors = [_("Type your email address as it stands here: %(email)s", email=person.email)]
        return await _erasure_page(form, status=422)
    try:
        await erasures.ask(person)  # every page says so from now on
    except Conflict as refused:
        flash(refused.message, "care")
    return _to_privacy()


@routes.post("/account/privacy/erasure/removal")
@signed_in()
async def delete_own_erasure() -> ResponseReturnValue:
    """Keep the account."""
    person = me()
    waiting = await erasures.of(person.id)
    if waiting is not None and await erasures.cancel(waiting, by=person.id):
        flash(_("Your account stays. Nothing was erased."))
    return _to_privacy()


@routes.post("/account/privacy/consents")
@signed_in()
async def update_consents() -> ResponseReturnValue:
    """Say yes or no to mails about offers."""
    form, person = await submitted(ConsentForm), me()
    changed = await consents.say(
        person.id, consents.MARKETING, yes=form.marketing.data, origin="account", subject=person.public_id
    )
    if changed:
        flash(_("Kept. You can change it here at any time."))
    return _to_privacy()


@routes.get("/privacy/keep/<token>")
@public()
async def show_keeping(token: str) -> ResponseReturnValue:
    """The link from the mail: a button, because mail programs open links by themselves."""
    return await _keeping_page(token, await erasures.behind(token))


@routes.post("/privacy/keep/<token>")
@public(limit=limits.SENSITIVE)
async def create_keeping(token: str) -> ResponseReturnValue:
    """Keep the account after all."""
    waiting = await erasures.behind(token)
    if waiting is not None:
        await erasures.cancel(waiting, by=None)
    return redirect(url_for("accounts.show_keeping", token=token), 303)


async def _keeping_page(token: str, erasure: Erasure | None) -> ResponseReturnValue:
    return await page(
        "accounts/keep_account.html",
        status=404 if erasure is None else 200,
        headers=SECRET_ADDRESS,
        erasure=erasure,
        token=token,
    )


async def _privacy_page(*, status: int = 200) -> ResponseReturnValue:
    person = me()
    history = await consents.of(person.id)
    export = await exports.last_of(person.id)
    now = clock.now()
    return await page(
        "accounts/privacy.html",
        status=status,
        person=person,
        export=export,
        may_export=export is None or now - export.created_at >= exports.EVERY,
        is_there=export is not None and export.expires_at is not None and export.expires_at > now,
        history=history,
        words=consents.words_of,
        form=ConsentForm(data={"marketing": consents.is_given(history, consents.MARKETING)}),
    )


async def _erasure_page(form: ErasureForm, *, status: int = 200) -> ResponseReturnValue:
    return await page("accounts/erasure.html", status=status, person=me(), form=form)


def _to_privacy() -> ResponseReturnValue:
    return redirect(url_for("accounts.show_privacy"), 303)
