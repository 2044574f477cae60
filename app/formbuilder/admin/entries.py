"""The inbox of a form: the list, and one entry."""

from quart import Response

from app.core import clock
from app.core.errors import NotFound
from app.formbuilder import definitions, files, versions
from app.formbuilder.admin import admin
from app.formbuilder.fields.kinds import kind_of
from app.formbuilder.listing import ENTRIES
from app.formbuilder.queries import entries as queries
from app.web import tables
from app.web.guards import requires
from app.web.render import page
from app.web.request import signed_in_user


@admin.get("/<public_id>/entries")
@requires("entries.view")
async def list_entries(public_id: str) -> Response:
    """What was answered."""
    form = await versions.find(public_id)
    binds = {"form_id": form.id, "form": form.public_id}
    return await tables.show(ENTRIES, "formbuilder/admin/entries.html", binds=binds, form=form)


@admin.get("/<public_id>/entries/<entry_id>")
@requires("entries.view")
async def show_entry(public_id: str, entry_id: str) -> Response:
    """One entry, each answer beside its question. Seeing it is reading it."""
    form = await versions.of_entry(public_id, entry_id)
    entry = await queries.entry(form.id, entry_id)
    if entry is None:
        raise NotFound
    if not entry.is_read:
        await queries.mark_read(entry.id, clock.now())
    definition = definitions.read(form.definition)
    answers = [
        (field.label or field.id, kind_of(field).text(field, entry.answers.get(field.id)))
        for field in definition.fields
        if kind_of(field).has_answer
    ]
    links = files.links(form.public_id, definition, entry.answers, signed_in_user().id)
    return await page("formbuilder/admin/entry.html", form=form, entry=entry, answers=answers, links=links)
