"""People in the back office: the list, one person, and what may be done."""

from babel import Locale
from quart import current_app, redirect, request, url_for
from quart.typing import ResponseReturnValue
from werkzeug.exceptions import HTTPException

from app.accounts import custom_roles, impersonations, merging, people, people_in_bulk, queries, sessions
from app.accounts.admin import admin
from app.accounts.devices import device_of
from app.accounts.forms import PersonForm, ReasonForm, RoleForm, SuspensionForm
from app.accounts.models import User
from app.accounts.queries import lists
from app.accounts.roles import LABELS, Rule, covers, may_help_in, outranks
from app.accounts.sessions import me
from app.core import clock
from app.core.errors import Forbidden
from app.core.i18n import _, format_locale, ngettext
from app.web import tables, typed
from app.web.flash import flash
from app.web.forms import options, submitted
from app.web.guards import requires
from app.web.render import page

# Parts of a person's page that other domains draw, at an address below it.
PANELS = ("notes", "access", "orders", "learning")


@admin.get("/people")
@requires("people.view")
async def list_people() -> ResponseReturnValue:
    """Everybody with an account."""
    own, tags = await lists.roles_and_tags()
    return await tables.show(
        queries.PEOPLE,
        "accounts/admin/people.html",
        choices=people_in_bulk.filters(own, tags),
        bulk=people_in_bulk.PEOPLE,
        roles={**LABELS, **own},
    )


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
    return to_person(person.public_id)


@admin.get("/people/<public_id>")
@requires("people.view")
async def show_person(public_id: str) -> ResponseReturnValue:
    """One person: facts, role, devices, and the parts that other domains draw."""
    return await person_page(public_id)


@admin.post("/people/<public_id>/role")
@requires("people.roles", fresh=True)
async def update_role(public_id: str) -> ResponseReturnValue:
    """Give the person another role."""
    form = await submitted(RoleForm)
    form.role.choices = options(custom_roles.to_give(me(), await custom_roles.every()))
    if not form.validate():
        return await person_page(public_id, role_form=form, status=422)
    person = await people.change_role(public_id, form.role.data, by=me())
    if person.role != form.role.data:
        flash(_("The role of %(name)s is changed; it begins with the next sign-in.", name=person.name))
    return to_person(public_id)


@admin.post("/people/<public_id>/suspension")
@requires("people.suspend", fresh=True)
async def create_suspension(public_id: str) -> ResponseReturnValue:
    """Keep the person out, for a reason."""
    person, form = await people.find(public_id), await submitted(SuspensionForm)
    check_may_act(person)
    if not form.validate():
        return await person_page(public_id, suspension_form=form, status=422)
    if await people.suspend(public_id, form.reason.data, by=me()):
        mark = people.mark_of_reason(form.reason.data)
        way_back = url_for(".delete_suspension", public_id=public_id, only_for=mark)
        flash(_("Suspended and signed out."), undo_url=way_back)
    return to_person(public_id)


@admin.post("/people/<public_id>/suspension/removal")
@requires("people.suspend", fresh=True)
async def delete_suspension(public_id: str) -> ResponseReturnValue:
    """Let the person in again; from the way back of one suspension, not of a later one."""
    if await people.unsuspend(public_id, only_for=request.args.get("only_for", ""), by=me()):
        flash(_("The person can sign in again."))
    else:
        flash(_("Nothing was changed: the person is not suspended, or is being erased."), "bad")
    return to_person(public_id)


@admin.post("/people/<public_id>/sessions/removal")
@requires("people.suspend")
async def delete_sessions(public_id: str) -> ResponseReturnValue:
    """Sign the person out everywhere."""
    ended = await people.sign_out(public_id, by=me())
    if ended.sessions or ended.tokens:  # the second of two clicks finds none, and leaves what the first said
        words = ngettext("Signed out of %(num)s device.", "Signed out of %(num)s devices.", ended.sessions)
        if ended.tokens:
            words += " " + ngettext("%(num)s access token ended.", "%(num)s access tokens ended.", ended.tokens)
        flash(words)
    return to_person(public_id)


@admin.post("/people/<public_id>/verification")
@requires("people.edit", once=True)
async def create_verification_mail(public_id: str) -> ResponseReturnValue:
    """Mail the link that confirms the address."""
    if await people.mail_verification(public_id):
        flash(_("A mail with the link is on its way."))
    else:
        flash(_("The address is confirmed already."))
    return to_person(public_id)


@admin.post("/people/<public_id>/reset")
@requires("people.edit", once=True)
async def create_reset_mail(public_id: str) -> ResponseReturnValue:
    """Mail the link that sets a password."""
    if await people.mail_reset(public_id):
        flash(_("A mail with the link is on its way."))
    else:
        flash(_("A suspended person cannot sign in, so no link was sent."), "care")
    return to_person(public_id)


async def person_page(
    public_id: str,
    *,
    role_form: RoleForm | None = None,
    suspension_form: SuspensionForm | None = None,
    second_factor_form: ReasonForm | None = None,
    status: int = 200,
) -> ResponseReturnValue:
    """The page of a person, with a form of it that was refused."""
    person, facts = await people.with_facts(public_id)
    viewer, places = me(), await sessions.of(person.id)
    roles = await custom_roles.every()
    may_act, page_url = _may_act(person), url_for(".show_person", public_id=person.public_id)
    before = typed.take() if status == 200 else {}
    role_form = role_form or RoleForm(data={"role": person.role, **before})
    role_form.role.choices = options(custom_roles.to_give(viewer, roles))
    return await page(
        "accounts/admin/person.html",
        status=status,
        person=person,
        kept=await merging.kept_for(person.id) if person.state == "merged" else None,
        facts=facts,
        country=Locale.parse(format_locale()).territories.get(facts.country or "", facts.country),
        now=clock.now(),
        role_name={**LABELS, **{role.key: role.name for role in roles}}.get(person.role, person.role),
        places=[(place, device_of(place.user_agent)) for place in places],
        may_edit=viewer.can("people.edit"),
        may_edit_facts=viewer.can("people.edit") and may_act,
        may_decide=viewer.can("people.suspend") and may_act,
        may_help_in=viewer.can("people.suspend") and may_act and may_help_in(viewer, person),
        may_change_role=viewer.can("people.roles") and may_act and outranks(viewer, person),
        may_look=impersonations.may_look_as(viewer, person),
        may_erase=viewer.can("people.erase") and may_act,
        role_form=role_form,
        suspension_form=suspension_form or SuspensionForm(data=before),
        second_factor_form=second_factor_form
        or ReasonForm(prefix="second-", data={"reason": before.get("second-reason")}),
        panels=[(name, f"{page_url}/{name}") for name in PANELS if _is_served(f"{page_url}/{name}")],
    )


def _may_act(person: User, rule: Rule = covers) -> bool:
    return person.id != me().id and rule(me(), person) and not person.is_closed


def check_may_act(person: User, rule: Rule = covers) -> None:
    """Raise Forbidden for oneself, for whom the rule leaves alone and for a closed account, before a form is looked at; the
    verbs check again.
    """
    if not _may_act(person, rule):
        raise Forbidden(_("Your role does not allow this."))


def _is_served(path: str) -> bool:
    """Whether some domain serves this address: a panel is shown when its domain is there."""
    try:
        current_app.url_map.bind("").match(path, method="GET")
    except HTTPException:
        return False
    return True


def to_person(public_id: str) -> ResponseReturnValue:
    """To the page of the person, where the result shows."""
    return redirect(url_for(".show_person", public_id=public_id), 303)
