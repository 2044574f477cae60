"""The roles of a school: which there are, who holds them, what they may do."""

from quart import redirect, request, url_for
from quart.typing import ResponseReturnValue
from wtforms import SelectChoice

from app.accounts import custom_roles
from app.accounts.admin import admin
from app.accounts.forms import CustomRoleForm, RoleRemovalForm
from app.accounts.models import Role
from app.accounts.roles import CAPABILITIES, DESCRIPTIONS, GROUPS, LABELS, ROLES
from app.accounts.sessions import me
from app.core.errors import Conflict, Invalid
from app.core.i18n import _, ngettext
from app.web.flash import flash
from app.web.forms import options, submitted
from app.web.guards import requires
from app.web.render import page


@admin.get("/roles")
@requires("roles.edit")
async def list_roles() -> ResponseReturnValue:
    """The built-in roles and those of the school, with how many people hold each."""
    return await page(
        "accounts/admin/roles.html",
        built_in=[(key, LABELS[key], DESCRIPTIONS[key], ROLES[key]) for key in ROLES],
        roles=await custom_roles.every(),
        holders=await custom_roles.holders(),
        all_capabilities=CAPABILITIES,
    )


@admin.get("/roles/new")
@requires("roles.edit", fresh=True)
async def show_new_role() -> ResponseReturnValue:
    """The form of a new role, empty or as a copy of the role `from`."""
    source = request.args.get("from", "")
    form = CustomRoleForm()
    if source in ROLES:
        form.capabilities.data = list(ROLES[source])
    elif source:
        copied = await custom_roles.find(source)
        form.description.data, form.capabilities.data = copied.description, list(copied.capabilities)
    return await _role_page(form, None)


@admin.post("/roles")
@requires("roles.edit", fresh=True, once=True)
async def create_role() -> ResponseReturnValue:
    """Make the role."""
    form = await submitted(CustomRoleForm)
    _offer(form)
    if not form.validate():
        return await _role_page(form, None, status=422)
    try:
        role = await custom_roles.create(
            name=form.name.data,
            description=form.description.data or "",
            capabilities=form.capabilities.data or [],
            by=me(),
        )
    except Invalid as error:
        form.refuse(error)
        return await _role_page(form, None, status=422)
    flash(_("The role “%(name)s” is there. Give it to somebody on their page.", name=role.name))
    return redirect(url_for(".show_role", key=role.key), 303)


@admin.get("/roles/<key>")
@requires("roles.edit", fresh=True)
async def show_role(key: str) -> ResponseReturnValue:
    """What a role of the school may do, to be changed."""
    role = await custom_roles.find(key)
    form = CustomRoleForm(
        data={
            "name": role.name,
            "description": role.description,
            "capabilities": role.capabilities,
            "revision": role.revision,
        }
    )
    return await _role_page(form, role)


@admin.post("/roles/<key>")
@requires("roles.edit", fresh=True)
async def update_custom_role(key: str) -> ResponseReturnValue:
    """Change the role for everybody who holds it."""
    role = await custom_roles.find(key)
    form = await submitted(CustomRoleForm)
    _offer(form)
    if not form.validate():
        return await _role_page(form, role, status=422)
    try:
        ended = await custom_roles.change(
            key,
            name=form.name.data,
            description=form.description.data or "",
            capabilities=form.capabilities.data or [],
            revision=form.revision_number(),
            by=me(),
        )
    except Invalid as error:
        form.refuse(error)
        return await _role_page(form, role, status=422)
    except Conflict as error:
        form.refuse(Invalid(error.message))
        return await _role_page(form, role, status=409)
    flash(_("The role is saved."))
    if ended:
        flash(
            ngettext(
                "%(num)s device was signed out, since it may do other things now.",
                "%(num)s devices were signed out, since they may do other things now.",
                ended,
            )
        )
    return redirect(url_for(".show_role", key=key), 303)


@admin.post("/roles/<key>/removal")
@requires("roles.edit", fresh=True)
async def delete_role(key: str) -> ResponseReturnValue:
    """Remove the role; its people get another one."""
    role = await custom_roles.find(key)
    form = await submitted(RoleRemovalForm)
    try:
        if (form.confirmation.data or "").casefold() != role.name.casefold():
            raise Invalid(_("Type %(name)s to confirm.", name=role.name), field="confirmation")
        moved = await custom_roles.delete(key, move_to=form.move_to.data or "", by=me())
    except Invalid as error:
        form.refuse(error)
        shown = CustomRoleForm(data={"name": role.name, "description": role.description, "revision": role.revision})
        shown.capabilities.data = list(role.capabilities)
        return await _role_page(shown, role, removal=form, status=422)
    flash(_("The role “%(name)s” is gone.", name=role.name))
    if moved:
        flash(
            ngettext("%(num)s person has another role now.", "%(num)s people have another role now.", moved),
        )
    return redirect(url_for(".list_roles"), 303)


def _offer(form: CustomRoleForm) -> None:
    """What the product knows may be sent; whether this person may give it is the verb's question."""
    form.capabilities.choices = [SelectChoice(name) for name in CAPABILITIES]


async def _role_page(
    form: CustomRoleForm, role: Role | None, *, removal: RoleRemovalForm | None = None, status: int = 200
) -> ResponseReturnValue:
    viewer = me()
    removal = removal or RoleRemovalForm()
    held = 0
    if role is not None:
        held = await custom_roles.held_by(role.key)
        others = [other for other in await custom_roles.every() if other.key != role.key] if held else []
        removal.move_to.choices = options(custom_roles.to_give(viewer, others)) if held else []
        if not removal.move_to.data:
            removal.move_to.data = "member"
    return await page(
        "accounts/admin/role.html",
        status=status,
        role=role,
        form=form,
        removal=removal,
        held=held,
        groups=GROUPS,
        ticked=frozenset(form.capabilities.data or ()),
        may_change=role is None or custom_roles.may_change(viewer, role, is_held=held > 0),
        trail=[(_("People"), url_for(".list_people")), (_("Roles"), url_for(".list_roles"))],
    )
