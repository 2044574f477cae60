"""A form as a file, from a file, and once more."""

from dataclasses import replace

from quart import Response, redirect, request, url_for
from werkzeug.wrappers import Response as BaseResponse

from app.core.i18n import _, ngettext
from app.formbuilder.admin import admin
from app.formbuilder.definition import definitions, exchange, readings, versions
from app.formbuilder.definition.definitions import Malformed
from app.formbuilder.models import Form
from app.web.bodies import brings
from app.web.flash import flash
from app.web.guards import requires
from app.web.render import page
from app.web.request import signed_in_user

FILE_BYTES = 2_000_000


@admin.get("/<public_id>/definition.json")
@requires("forms.view")
async def show_definition(public_id: str) -> Response:
    """What the builder shows, as a file."""
    form = await versions.find(public_id)
    response = Response(exchange.written(readings.of(form)), content_type="application/json")
    response.headers["Content-Disposition"] = f'attachment; filename="{form.slug}.json"'
    return response


@admin.get("/import")
@requires("forms.edit")
async def show_import() -> Response:
    """Where a file is given."""
    return await page("formbuilder/admin/import.html", text="", error="")


@admin.post("/imports")
@requires("forms.edit", once=True)
@brings(FILE_BYTES)
async def create_import() -> Response | BaseResponse:
    """Make a draft of a file, or of what was pasted; what is wrong with it is told."""
    text, files = (await request.form).get("definition", ""), await request.files
    file = files.get("file")
    if file is not None and file.filename:
        text = file.read().decode("utf-8", "replace")
    try:
        definition = exchange.read(text)
    except Malformed as error:
        return await page("formbuilder/admin/import.html", status=422, text=text[:100_000], error=str(error))
    form = await versions.create(definition, by=signed_in_user())
    found = len(definitions.problems(definition))
    if found:
        words = ngettext(
            "The form is here, with %(num)s thing to look at.",
            "The form is here, with %(num)s things to look at.",
            found,
        )
        flash(words, "care")
    else:
        flash(_("The form is here. Nobody sees it until you publish it."))
    return _to(form)


@admin.post("/<public_id>/duplicates")
@requires("forms.edit", once=True)
async def create_duplicate(public_id: str) -> BaseResponse:
    """The same form once more, as a draft without entries."""
    form = await versions.find(public_id)
    definition = readings.of(form)
    title = _("Copy of %(title)s", title=definition.title)[:120]
    made = await versions.create(replace(definition, title=title), by=signed_in_user())
    flash(_("This is the copy. Nobody sees it until you publish it."))
    return _to(made)


def _to(form: Form) -> BaseResponse:
    return redirect(url_for("forms_admin.show_builder", public_id=form.public_id), 303)
