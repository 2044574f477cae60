"""The list of forms, a new one, and where a form stands."""

from dataclasses import replace

from quart import Response, redirect, request, url_for
from werkzeug.wrappers import Response as BaseResponse

from app.core.errors import Conflict, Invalid
from app.core.i18n import _
from app.core.settings import school
from app.formbuilder.admin import admin
from app.formbuilder.after_sending import notifications
from app.formbuilder.definition import definitions, editing, starters, versions
from app.formbuilder.forms import NewForm
from app.formbuilder.inbox.listing import FORMS, MOST_COUNTED
from app.formbuilder.models import Definition
from app.web import tables
from app.web.flash import flash
from app.web.forms import submitted
from app.web.guards import requires
from app.web.render import page
from app.web.request import signed_in_user


@admin.get("")
@requires("forms.view")
async def list_forms() -> Response:
    """Every form."""
    return await tables.show(FORMS, "formbuilder/admin/forms.html", most_counted=MOST_COUNTED)


@admin.get("/new")
@requires("forms.edit")
async def show_new_form() -> Response:
    """What a form begins with."""
    return await _new_page(NewForm(), request.args.get("starter", ""))


@admin.post("")
@requires("forms.edit", once=True)
async def create_form() -> Response | BaseResponse:
    """Make a draft, empty or as one of the starters, and go on to the builder."""
    form, key = await submitted(NewForm), (await request.form).get("starter", "")
    starter = starters.one(key) if key else None
    if starter is not None and not (form.title.data or "").strip():
        form.title.process(None, starter.definition.title)
        form.title.raw_data = [starter.definition.title]
    if not form.validate():
        return await _new_page(form, key, status=422)
    begun = starter.definition if starter is not None else Definition(title="")
    begun = editing.priced_in(begun, (await school()).currency)
    told = begun.notifications or (notifications.first(),)
    begun = replace(begun, title=form.title.data, notifications=told)
    begun = definitions.read(definitions.write_definition(begun))
    made = await versions.create(begun, by=signed_in_user())
    return redirect(url_for("forms_admin.show_builder", public_id=made.public_id), 303)


@admin.post("/<public_id>/state")
@requires("forms.edit")
async def update_state(public_id: str) -> BaseResponse:
    """Open, close, put away or bring back."""
    form = await versions.find(public_id)
    wanted = (await request.form).get("state") or request.args.get("state", "")
    if request.args.get("after", form.state) != form.state:  # what a message takes back is not there any more
        raise Conflict(_("Somebody else changed this form. Look at it again."))
    acts = {
        "open": versions.reopen,
        "closed": versions.close,
        "archived": versions.archive,
        "draft": versions.unarchive,
    }
    if wanted not in acts:
        raise Conflict(_("Nothing was chosen."))
    if wanted == "open" and form.state == "archived":
        await versions.unarchive(form.id)
    moved = await acts[wanted](form.id)
    said = {
        "open": _("The form is open again."),
        "closed": _("The form is closed. Nobody can send it."),
        "archived": _("The form is archived. Nothing of it is lost."),
        "draft": _("The form is back."),
    }
    before = "open" if form.state == "open" else "draft" if wanted == "archived" else form.state
    undo_url = url_for(".update_state", public_id=public_id, state=before, after=moved.state)
    flash(said[wanted], undo_url=undo_url if before != wanted else "")
    return redirect(url_for(".show_builder", public_id=public_id), 303)


@admin.post("/<public_id>/publication")
@requires("forms.edit")
async def create_publication(public_id: str) -> BaseResponse:
    """Let visitors answer what the builder shows."""
    form = await versions.find(public_id)
    try:
        await versions.publish(form.id, seen=(await request.form).get("seen", ""), by=signed_in_user())
    except (Invalid, Conflict) as error:
        flash(error.message, "bad")
    else:
        flash(_("The form is open. What visitors see is what you see here."))
    return redirect(url_for(".show_builder", public_id=public_id), 303)


async def _new_page(form: NewForm, picked: str, *, status: int = 200) -> Response:
    found = list(starters.every().values())
    return await page("formbuilder/admin/new.html", status=status, form=form, starters=found, picked=picked)
