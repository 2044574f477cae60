"""Who asked to be forgotten, and what the office may do about it."""

from quart import redirect, url_for
from quart.typing import ResponseReturnValue

from app.accounts import consents, erasures, people
from app.accounts.admin import admin
from app.accounts.forms import ErasureForm
from app.accounts.models import User
from app.accounts.queries.erasures import ERASURES
from app.accounts.sessions import me
from app.core import limits
from app.core.errors import Conflict
from app.core.i18n import _
from app.web import tables
from app.web.flash import flash
from app.web.forms import submitted
from app.web.guards import requires
from app.web.render import page


@admin.get("/privacy")
@requires("people.erase")
async def list_erasures() -> ResponseReturnValue:
    """Whose account will be erased, and whose was."""
    return await tables.show(ERASURES, "accounts/admin/privacy.html")


@admin.get("/people/<public_id>/erasure")
@requires("people.erase", fresh=True)
async def show_erasure(public_id: str) -> ResponseReturnValue:
    """What this person agreed to, and the way to have them erased or kept."""
    return await _erasure_page(await people.find(public_id), ErasureForm())


@admin.post("/people/<public_id>/erasure")
@requires("people.erase", limit=limits.SENSITIVE, fresh=True)
async def create_erasure(public_id: str) -> ResponseReturnValue:
    """Ask for somebody, confirmed by typing their address."""
    form, person = await submitted(ErasureForm), await people.find(public_id)
    if (form.confirmation.data or "").lower() != person.email.lower():
        form.confirmation.errors = [_("Type the email address as it stands here: %(email)s", email=person.email)]
        return await _erasure_page(person, form, status=422)
    try:
        await erasures.ask_for(public_id, by=me())
        flash(_("%(name)s will be erased when the time is over, and was told so by mail.", name=person.name), "care")
    except Conflict as refused:
        flash(refused.message, "care")
    return redirect(url_for(".show_erasure", public_id=public_id), 303)


@admin.post("/people/<public_id>/erasure/removal")
@requires("people.erase")
async def delete_erasure(public_id: str) -> ResponseReturnValue:
    """Keep the account of somebody who asked for that."""
    if await erasures.cancel_for(public_id, by=me()):
        flash(_("The account stays."))
    return redirect(url_for("accounts_admin.show_person", public_id=public_id), 303)


async def _erasure_page(person: User, form: ErasureForm, *, status: int = 200) -> ResponseReturnValue:
    return await page(
        "accounts/admin/erasure.html",
        status=status,
        person=person,
        form=form,
        erasure=await erasures.of(person.id),
        history=await consents.of(person.id),
        words=consents.words_of,
    )
