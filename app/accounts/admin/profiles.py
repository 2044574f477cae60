"""What the office changes about a person, and how it helps them in."""

from quart.typing import ResponseReturnValue

from app.accounts import people
from app.accounts.admin import admin
from app.accounts.admin.people import check_may_act, person_page, to_person
from app.accounts.forms import PersonEditForm, ReasonForm
from app.accounts.models import PersonFacts, User
from app.accounts.roles import may_help_in
from app.accounts.sessions import me
from app.core.errors import Conflict, Invalid, Stale
from app.core.i18n import _
from app.web import typed
from app.web.flash import flash
from app.web.forms import submitted
from app.web.guards import requires
from app.web.render import page
from app.web.stale import catch_up, differing


@admin.get("/people/<public_id>/details")
@requires("people.edit")
async def show_details(public_id: str) -> ResponseReturnValue:
    """The form for name, address, headline, country and time zone."""
    person, facts = await people.with_facts(public_id)
    check_may_act(person)
    seen = people.mark_of(person, facts.country)
    form = PersonEditForm(data={**_kept(person, facts), "seen": seen, **typed.take()})
    return await _details_page(person, form)


@admin.post("/people/<public_id>/details")
@requires("people.edit", fresh=True)
async def update_details(public_id: str) -> ResponseReturnValue:
    """Change them."""
    person, form = await people.find(public_id), await submitted(PersonEditForm)
    check_may_act(person)
    if not form.validate():
        return await _details_page(person, form, status=422)
    try:
        moved = await people.edit(
            public_id,
            name=form.name.data,
            email=form.email.data,
            headline=form.headline.data or "",
            time_zone=form.time_zone.data or None,
            country=form.country.data or None,
            seen=form.seen.data or "",
            by=me(),
        )
    except Invalid as error:
        form.refuse(error)
        return await _details_page(person, form, status=422)
    except Stale:
        person, facts = await people.with_facts(public_id)
        catch_up(form.seen, people.mark_of(person, facts.country))
        if not may_help_in(me(), person):  # the field is only to be read
            form.email.data = person.email
        return await _details_page(person, form, status=409, stored=differing(form, _kept(person, facts)))
    except Conflict as error:  # the account is closed: to save it again is of no use
        form.refuse(Invalid(error.message))
        return await _details_page(person, form, status=409)
    flash(_("Saved. A mail asks them to confirm the new address.") if moved else _("Saved."))
    return to_person(public_id)


def _kept(person: User, facts: PersonFacts) -> dict[str, str]:
    """What stands about them, as the form has it."""
    words = {name: getattr(person, name) for name in ("name", "email", "headline")}
    return {**words, "country": facts.country or "", "time_zone": person.time_zone or ""}


async def _details_page(
    person: User, form: PersonEditForm, *, status: int = 200, stored: list[tuple[str, str]] | None = None
) -> ResponseReturnValue:
    return await page(
        "accounts/admin/details.html",
        status=status,
        person=person,
        form=form,
        stored=stored,
        may_move=may_help_in(me(), person),
    )


@admin.post("/people/<public_id>/password-change")
@requires("people.suspend", fresh=True)
async def create_password_change(public_id: str) -> ResponseReturnValue:
    """Have the person choose a new password before they go on."""
    if await people.require_password_change(public_id, by=me()):
        flash(_("They choose a new password before they go on."))
    else:
        flash(_("They are asked for one already, or have no password."), "care")
    return to_person(public_id)


@admin.post("/people/<public_id>/second-factor/removal")
@requires("people.suspend", fresh=True)
async def delete_second_factor(public_id: str) -> ResponseReturnValue:
    """Turn off the second step of somebody who lost the device."""
    person, form = await people.find(public_id), await submitted(ReasonForm, prefix="second-")
    check_may_act(person, may_help_in)
    if not form.validate():
        return await person_page(public_id, second_factor_form=form, status=422)
    await people.turn_off_second_factor(public_id, form.reason.data, by=me())
    flash(_("The second step is turned off; a mail tells %(name)s.", name=person.name))
    return to_person(public_id)
