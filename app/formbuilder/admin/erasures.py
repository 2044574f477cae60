"""Forgetting whoever asks for it: every entry and draft of a mail address, in all forms."""

from quart import Response, redirect, request, url_for
from werkzeug.wrappers import Response as BaseResponse

from app.core.errors import Invalid
from app.core.i18n import ngettext
from app.formbuilder.admin import admin
from app.formbuilder.forms import ErasureForm
from app.formbuilder.inbox import privacy
from app.web.flash import flash
from app.web.forms import submitted
from app.web.guards import requires
from app.web.render import page


@admin.get("/erasure")
@requires("entries.edit")
async def show_erasure() -> Response:
    """Ask for the address; with one, say how much there is of it."""
    form = ErasureForm(request.args) if request.args.get("email") else ErasureForm()
    counts = None
    if request.args.get("email"):
        try:
            counts = await privacy.found(request.args["email"])
        except Invalid as error:
            form.refuse(error)
    return await page("formbuilder/admin/erasure.html", form=form, counts=counts, email=request.args.get("email", ""))


@admin.post("/erasure")
@requires("entries.edit", fresh=True, once=True)
async def create_erasure() -> Response | BaseResponse:
    """Delete them for good; the address is typed once more."""
    form = await submitted(ErasureForm)
    email = (form.email.data or "").strip()
    try:
        if email.lower() != (await request.form).get("confirmation", "").strip().lower():
            counts = await privacy.found(email)
            return await page(
                "formbuilder/admin/erasure.html", status=422, form=form, counts=counts, email=email, is_unconfirmed=True
            )
        gone = await privacy.erase(email)
    except Invalid as error:
        form.refuse(error)
        return await page("formbuilder/admin/erasure.html", status=422, form=form, counts=None, email=email)
    flash(ngettext("%(num)s entry was deleted.", "%(num)s entries were deleted.", gone))
    return redirect(url_for(".show_erasure"), 303)
