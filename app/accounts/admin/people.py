"""People in the back office: the list, one person, and what may be done."""

from typing import cast

from quart import current_app, redirect, request, url_for
from quart.typing import ResponseReturnValue
from werkzeug.exceptions import HTTPException

from app.accounts import custom_roles, impersonations, merging, people, queries, sessions
from app.accounts.admin import admin
from app.accounts.devices import device_of
from app.accounts.forms import PersonForm, RoleForm
from app.accounts.models import SignedIn, User
from app.accounts.roles import LABELS, covers
from app.core.i18n import _, ngettext
from app.web import tables
from app.web.flash import flash
from app.web.forms import submitted
from app.web.guards import requires
from app.web.render import page
from app.web.request import signed_in_user

# Parts of a person's page that other domains draw, at an address below it.
PANELS = ("access", "orders", "learning")


@admin.get("/people")
@requires("people.view")
async def list_people() -> ResponseReturnValue:
    """Everybody with an account."""
    roles = await custom_roles.labels()
    choices = {"role": [*(tables.Choice(key, label) for key, label in roles.items()), queries.TEAM]}
    return await tables.show(queries.PEOPLE, "accounts/admin/people.html", choices=choices, roles=roles)


@admin.get("/people/new")
@requires("people.edit")
async def show_new_person() -> ResponseReturnValue:
    """The form for somebody who did not register."""
    return await page("accounts/admin/new_person.html", form=PersonForm())


@admin.post("/people")
@requires("people.edit", once=True)
async def create_person() -> ResponseReturnValue:
    """Make an account for an address, and mail the link to enter."""
    form = await submitted(PersonForm)
    if not form.validate():
        return await page("accounts/admin/new_person.html", status=422, form=form)
    person, is_new = await people.add(form.email.data, form.name.data)
    if is_new:
        flash(_("%(name)s has an account now; a mail with the link to enter is on its way.", name=person.name))
    else:
        flash(_("%(email)s had an account already; this is it.", email=person.email), "care")
    return _to(person.public_id)


@admin.get("/people/<public_id>")
@requires("people.view")
async def show_person(public_id: str) -> ResponseReturnValue:
    """One person: facts, role, devices, and the parts that other domains draw."""
    return await _person_page(await people.find(public_id))


@admin.post("/people/<public_id>/role")
@requires("people.roles", fresh=True)
async def update_role(public_id: str) -> ResponseReturnValue:
    """Give the person another role."""
    form = await submitted(RoleForm)
    form.role.choices = custom_roles.to_give(me(), await custom_roles.every())
    if not form.validate():
        return await _person_page(await people.find(public_id), role_form=form, status=422)
    person = await people.change_role(public_id, form.role.data, by=me())
    if person.role != form.role.data:
        flash(_("The role of %(name)s is changed; it begins with the next sign-in.", name=person.name))
    return _to(public_id)


@admin.post("/people/<public_id>/suspension")
@requires("people.suspend")
async def create_suspension(public_id: str) -> ResponseReturnValue:
    """Keep the person out."""
    if await people.suspend(public_id, by=me()):
        flash(_("Suspended and signed out."), undo_url=url_for(".delete_suspension", public_id=public_id))
    return _to(public_id)


@admin.post("/people/<public_id>/suspension/removal")
@requires("people.suspend")
async def delete_suspension(public_id: str) -> ResponseReturnValue:
    """Let the person in again."""
    if await people.unsuspend(public_id, by=me()):
        flash(_("The person can sign in again."))
    return _to(public_id)


@admin.post("/people/<public_id>/sessions/removal")
@requires("people.suspend")
async def delete_sessions(public_id: str) -> ResponseReturnValue:
    """Sign the person out everywhere."""
    ended = await people.sign_out(public_id, by=me())
    if ended:  # the second of two clicks finds none, and leaves what the first said
        flash(ngettext("Signed out of %(num)s device.", "Signed out of %(num)s devices.", ended))
    return _to(public_id)


@admin.post("/people/<public_id>/verification")
@requires("people.edit", once=True)
async def create_verification_mail(public_id: str) -> ResponseReturnValue:
    """Mail the link that confirms the address."""
    if await people.mail_verification(public_id):
        flash(_("A mail with the link is on its way."))
    else:
        flash(_("The address is confirmed already."))
    return _to(public_id)


@admin.post("/people/<public_id>/reset")
@requires("people.edit", once=True)
async def create_reset_mail(public_id: str) -> ResponseReturnValue:
    """Mail the link that sets a password."""
    if await people.mail_reset(public_id):
        flash(_("A mail with the link is on its way."))
    else:
        flash(_("A suspended person cannot sign in, so no link was sent."), "care")
    return _to(public_id)


async def _person_page(person: User, *, role_form: RoleForm | None = None, status: int = 200) -> ResponseReturnValue:
    viewer, places = me(), await sessions.of(person.id)
    roles = await custom_roles.every()
    may_act = person.id != viewer.id and covers(viewer, person)
    role_form = role_form or RoleForm(data={"role": person.role})
    role_form.role.choices = custom_roles.to_give(viewer, roles)
    return await page(
        "accounts/admin/person.html",
        status=status,
        person=person,
        kept=await merging.kept_for(person.id) if person.state == "merged" else None,
        role_name={**LABELS, **{role.key: role.name for role in roles}}.get(person.role, person.role),
        places=[(place, device_of(place.user_agent)) for place in places],
        may_edit=viewer.can("people.edit"),
        may_decide=viewer.can("people.suspend") and may_act,
        may_change_role=viewer.can("people.roles") and may_act,
        may_look=impersonations.may_look_as(viewer, person),
        may_erase=viewer.can("people.erase") and may_act,
        role_form=role_form,
        panels=[(name, f"{request.path}/{name}") for name in PANELS if _is_served(f"{request.path}/{name}")],
    )


def _is_served(path: str) -> bool:
    """Whether some domain serves this address: a panel is shown when its domain is there."""
    try:
        current_app.url_map.bind("").match(path, method="GET")
    except HTTPException:
        return False
    return True


def me() -> SignedIn:
    """Who asks."""
    return cast(SignedIn, signed_in_user())


def _to(public_id: str) -> ResponseReturnValue:
    return redirect(url_for(".show_person", public_id=public_id), 303)
