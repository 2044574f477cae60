"""Look at the school as another person, and read who did."""

from quart import redirect, request, url_for
from quart.typing import ResponseReturnValue

from app.accounts import impersonations, people
from app.accounts.admin import admin
from app.accounts.forms import LookForm
from app.accounts.models import User
from app.accounts.queries.impersonations import LISTING
from app.accounts.sessions import me
from app.core import clock, limits
from app.core.errors import Forbidden, Invalid
from app.core.i18n import _
from app.core.numbers import whole_number
from app.web import tables
from app.web.forms import submitted
from app.web.guards import requires
from app.web.render import page


@admin.get("/people/<public_id>/impersonation")
@requires("people.impersonate", fresh=True)
async def show_new_impersonation(public_id: str) -> ResponseReturnValue:
    """Ask for the reason, and say what will be seen and noted."""
    return await _asking_page(await people.find(public_id), LookForm())


@admin.post("/people/<public_id>/impersonation")
@requires("people.impersonate", limit=limits.SENSITIVE, fresh=True)
async def create_impersonation(public_id: str) -> ResponseReturnValue:
    """Look as this person from the next page on."""
    form = await submitted(LookForm)
    if form.validate():
        try:
            await impersonations.start(public_id, form.reason.data, by=me())
            return redirect("/learn", 303)
        except Invalid as refused:
            form.refuse(refused)
    return await _asking_page(await people.find(public_id), form, status=422)


@admin.get("/impersonations")
@requires("audit.view")
async def list_impersonations() -> ResponseReturnValue:
    """Who looked as whom, why and for how long."""
    return await tables.show(LISTING, "accounts/admin/impersonations.html", now=clock.now())


@admin.get("/impersonations/<public_id>")
@requires("audit.view")
async def show_impersonation(public_id: str) -> ResponseReturnValue:
    """One of them, with every address that was asked for."""
    look = await impersonations.find(public_id)
    before = whole_number(request.args.get("before"), 15)
    visits = await impersonations.visits_of(look, before=before)
    return await page(
        "accounts/admin/impersonation.html",
        look=look,
        visits=visits,
        over_at=look.over_at(clock.now()),
        older=url_for(".show_impersonation", public_id=public_id, before=visits[-1].id)
        if len(visits) == impersonations.VISITS_SHOWN
        else None,
    )


async def _asking_page(person: User, form: LookForm, *, status: int = 200) -> ResponseReturnValue:
    if not impersonations.may_look_as(me(), person):
        raise Forbidden(_("You cannot look as this person: they may do more than you, or are not let in themselves."))
    return await page("accounts/admin/new_impersonation.html", status=status, person=person, form=form)
