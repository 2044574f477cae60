"""The versions of a form: who changed what, two of them compared, an older one restored."""

from quart import Response, redirect, request, url_for
from werkzeug.wrappers import Response as BaseResponse

from app.core.errors import NotFound
from app.core.i18n import _
from app.core.numbers import whole_number
from app.formbuilder.admin import admin
from app.formbuilder.admin.frame import framed
from app.formbuilder.definition import differences, readings, versions
from app.formbuilder.queries import forms as queries
from app.formbuilder.queries import history as history
from app.web.flash import flash
from app.web.guards import requires
from app.web.render import page
from app.web.request import signed_in_user

PAGE = 50
# Of a form that cannot be read: so many versions are looked through for those that can.
LOOKED_AT = 60


@admin.errorhandler(readings.Unreadable)
async def show_unreadable(error: readings.Unreadable) -> Response:
    """In place of any page of a form that cannot be read: why, and the versions that can be put in its place."""
    rows = await history.stored_versions(error.form.id, LOOKED_AT)
    return await page(
        "formbuilder/admin/unreadable.html",
        status=409,
        form=error.form,
        why=error.why,
        rows=[row for row in rows if row.number != error.form.number and readings.soundly(row.definition) is not None],
    )


@admin.get("/<public_id>/versions")
@requires("forms.view")
async def show_versions(public_id: str) -> Response:
    """The newest versions; `?before=` goes on, `?a=` and `?b=` compare two."""
    form = await versions.find(public_id)
    rows = await queries.versions(form.id, whole_number(request.args.get("before")), PAGE + 1)
    older, newer = whole_number(request.args.get("a")), whole_number(request.args.get("b"))
    compared = None
    if older is not None and newer is not None:
        older, newer = sorted((older, newer))
        before, after = await queries.version(form.id, older), await queries.version(form.id, newer)
        if before is None or after is None:
            raise NotFound
        compared = differences.between(readings.of(before), readings.of(after))
    return await page(
        "formbuilder/admin/versions.html",
        **await framed(form, "versions"),
        rows=rows[:PAGE],
        more=rows[PAGE - 1].number if len(rows) > PAGE else None,
        compared=compared,
        older=older,
        newer=newer,
    )


@admin.post("/<public_id>/versions/<int:number>/restoration")
@requires("forms.edit", once=True)
async def create_restoration(public_id: str, number: int) -> BaseResponse:
    """Make an older version the newest; undo takes it back."""
    form = await versions.find(public_id)
    form = await versions.restore(form.id, number, by=signed_in_user())
    flash(
        _("Version %(n)s is what the builder shows. Publish it to let visitors see it.", n=number),
        undo_url=url_for(".create_undoing", public_id=public_id, of=form.number),
    )
    return redirect(url_for(".show_versions", public_id=public_id), 303)
