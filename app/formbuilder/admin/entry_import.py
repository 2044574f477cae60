"""Bringing entries as a file."""

from quart import Response, redirect, request, url_for
from werkzeug.wrappers import Response as BaseResponse

from app.core.errors import Invalid, TooLarge
from app.core.i18n import _, ngettext
from app.formbuilder.admin import admin
from app.formbuilder.inbox import entry_import, table
from app.web.bodies import brings
from app.web.flash import flash
from app.web.guards import requires
from app.web.render import page


@admin.get("/<public_id>/entries/import")
@requires("entries.edit")
async def show_entry_import(public_id: str) -> Response:
    """What can be brought, and how."""
    return await _import_page(await table.asked(public_id))


@admin.post("/<public_id>/entries/import")
@requires("entries.edit", once=True)
@brings(entry_import.LARGEST + 64 * 1024)
async def create_entry_import(public_id: str) -> Response | BaseResponse:
    """Try the file without effect, or keep what is in it."""
    found = await table.asked(public_id)
    sent, attached = await request.form, await request.files
    file = attached.get("file")
    if file is None or not file.filename:
        return await _import_page(found, error=_("Choose a file."), status=422)
    is_trial, skips = sent.get("go") != "keep", sent.get("skip") == "1"
    try:
        result = await entry_import.bring(found, file.stream, is_trial=is_trial, skips_refused=skips)
    except (Invalid, TooLarge) as error:
        return await _import_page(found, error=error.message, status=error.status)
    if not result.is_done:
        refused = result.refused and not is_trial and not skips
        return await _import_page(found, result=result, is_trial=is_trial, status=422 if refused else 200)
    flash(ngettext("%(num)s entry was imported.", "%(num)s entries were imported.", result.new))
    return redirect(url_for(".list_entries", public_id=public_id), 303)


async def _import_page(
    found: table.Asked, *, result: entry_import.Result | None = None, is_trial: bool = True, error: str = "",
    status: int = 200,
) -> Response:  # fmt: skip
    return await page(
        "formbuilder/admin/entry_import.html",
        status=status,
        form=found.form,
        result=result,
        is_trial=is_trial,
        error=error,
    )
