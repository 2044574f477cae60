"""How a form gets about: its address, codes for other sites, a QR code, and links that carry values or work once."""

from quart import Response, current_app, redirect, request, url_for
from werkzeug.wrappers import Response as BaseResponse

from app.core.errors import Invalid, NotFound
from app.core.i18n import _
from app.core.numbers import whole_number
from app.formbuilder.admin import admin
from app.formbuilder.answering import embedding, links
from app.formbuilder.definition import readings, versions
from app.formbuilder.fields.kinds import kind_of
from app.formbuilder.models import Definition, Form
from app.formbuilder.queries import forms as queries
from app.formbuilder.queries import links as link_queries
from app.web.flash import flash
from app.web.guards import requires
from app.web.render import page
from app.web.request import signed_in_user

SHOWN = 200


@admin.get("/<public_id>/share")
@requires("forms.edit")
async def show_share(public_id: str) -> Response:
    """Everything to copy."""
    return await _share_page(await versions.find(public_id))


@admin.get("/<public_id>/share/code.svg")
@requires("forms.edit")
async def show_code(public_id: str) -> Response:
    """The QR code of its address as a file, to print."""
    form = await versions.find(public_id)
    response = Response(embedding.code_file(_address(form)), content_type="image/svg+xml")
    response.headers["Content-Disposition"] = f'attachment; filename="{form.slug}.svg"'
    response.headers["Cache-Control"] = "private, no-store"
    return response


@admin.post("/<public_id>/links")
@requires("forms.edit", once=True)
async def create_links(public_id: str) -> Response | BaseResponse:
    """Make links for one answer each, or one that carries values."""
    form = await versions.find(public_id)
    sent = await request.form
    typed, values = sent.get("count", "").strip() or "0", sent.get("values", "")
    try:
        count = whole_number(typed, 4)
        if count is None:
            raise Invalid(_("Write a number."), field="count")
        definition = await _live(form)
        await links.make(form, definition, count, links.values_of(values), by=signed_in_user())
    except Invalid as error:
        return await _share_page(
            form, count=typed, values=values, refused={error.field or "values": error.message}, status=422
        )
    flash(_("The links are made."))
    return redirect(url_for(".show_share", public_id=public_id) + "#links", 303)


@admin.post("/<public_id>/links/<link_id>/removal")
@requires("forms.edit")
async def delete_link(public_id: str, link_id: str) -> BaseResponse:
    """Take a link back: it opens nothing any more."""
    form = await versions.find(public_id)
    if not await link_queries.delete(form.id, link_id):
        raise NotFound
    return redirect(url_for(".show_share", public_id=public_id) + "#links", 303)


def _address(form: Form) -> str:
    return f"{current_app.config['LECTERN'].app_url}/forms/{form.slug}"


async def _live(form: Form) -> Definition:
    live = await queries.live_form(form.slug)
    return readings.of(live or form)


async def _share_page(
    form: Form, *, count: str = "10", values: str = "", refused: dict[str, str] | None = None, status: int = 200
) -> Response:
    definition = await _live(form)
    address = _address(form)
    return await page(
        "formbuilder/admin/share.html",
        status=status,
        form=form,
        definition=definition,
        address=address,
        names=[(field.id, field.label) for field in definition.fields if kind_of(field).has_answer],
        code=embedding.code(address),
        snippets=embedding.snippets(address, form.slug, form.title),
        links=[(link, links.path(form, link)) for link in await link_queries.of_form(form.id, SHOWN)],
        count=count,
        values=values,
        refused=refused or {},
    )
