"""Imports in the back office: the list, one import through its states, its result."""

from typing import BinaryIO, cast

from quart import Blueprint, Response, redirect, request, url_for
from quart.typing import ResponseReturnValue
from werkzeug.datastructures import FileStorage

from app.access import entitlements
from app.accounts.sessions import me
from app.accounts.users import name_from
from app.core.errors import Invalid, NotFound, TooLarge
from app.core.i18n import _
from app.imports import imports, queries, results
from app.imports.forms import BringForm, PlanForm, StartForm, plan_form
from app.imports.kinds import KINDS
from app.imports.models import KEPT, LARGEST, REASONS, Column, Import
from app.imports.people import KEY
from app.web import tables
from app.web.bodies import MEGABYTE, brings
from app.web.flash import flash
from app.web.forms import options, submitted
from app.web.guards import requires
from app.web.render import page
from app.web.request import fragment

admin = Blueprint("imports_admin", __name__, url_prefix="/admin")


@admin.get("/people/imports")
@requires("people.import")
async def list_imports() -> ResponseReturnValue:
    """The form for a file, and the imports so far."""
    return await _list(BringForm())


@admin.post("/people/imports")
@requires("people.import")
@brings(LARGEST + MEGABYTE)
async def create_import() -> ResponseReturnValue:
    """Keep a file and show what it seems to be."""
    form = await submitted(BringForm)
    sent = form.file.data
    if not isinstance(sent, FileStorage) or not sent.filename:
        form.refuse(Invalid(_("Choose a file first."), field="file"))
        return await _list(form, status=422)
    try:
        made = await imports.bring(cast(BinaryIO, sent.stream), sent.filename, kind=KEY, by=me())
    except (Invalid, TooLarge) as error:
        form.refuse(Invalid(error.message, field="file"))
        return await _list(form, status=422)
    return _to(made)


async def _list(form: BringForm, *, status: int = 200) -> Response:
    table = await tables.load(queries.PEOPLE_IMPORTS, "/admin/people/imports", request.args)
    table.export_url = None
    return await page("imports/list.html", status=status, form=form, table=table, days=KEPT.days)


@admin.get("/people/imports/<import_id>")
@requires("people.import")
async def show_import(import_id: str) -> ResponseReturnValue:
    """One import: its columns, its trial, its progress or its result."""
    found = await imports.find(KEY, import_id)
    seen = request.args.get("seen", "")
    if seen and fragment() is not None and seen == _seen(found):
        return "", 204
    return await _show(found)


@admin.post("/people/imports/<import_id>/trials")
@requires("people.import")
async def create_trial(import_id: str) -> ResponseReturnValue:
    """Try it without effect."""
    found = await imports.find(KEY, import_id)
    form = await submitted(plan_form(found.header, _columns()))
    await _offer(form)
    if not form.validate():
        return await _show(found, form=form, status=422)
    options = {
        "existing": form.existing.data,
        "invite": form.invite.data,
        "product": form.product.data,
        "tag": form.tag.data,
    }
    try:
        await imports.check(import_id, kind=KEY, mapping=form.mapping, options=options, by=me())
    except Invalid as error:
        form.refuse(error)
        return await _show(found, form=form, status=422)
    return _to(found)


@admin.post("/people/imports/<import_id>/run")
@requires("people.import", fresh=True)
async def create_run(import_id: str) -> ResponseReturnValue:
    """Carry out what was tried."""
    form = await submitted(StartForm)
    return _to(await imports.start(import_id, kind=KEY, attempt=form.number(), by=me()))


@admin.post("/people/imports/<import_id>/continuation")
@requires("people.import")
async def create_continuation(import_id: str) -> ResponseReturnValue:
    """Send another job after an import that stands still."""
    if await imports.go_on(import_id, kind=KEY):
        flash(_("It goes on from where it stood."))
    return redirect(url_for(".show_import", import_id=import_id), 303)


@admin.post("/people/imports/<import_id>/cancellation")
@requires("people.import")
async def create_cancellation(import_id: str) -> ResponseReturnValue:
    """Stop it; what is done stays."""
    if await imports.cancel(import_id, kind=KEY):
        flash(_("The import is stopped. What was done before stays."))
    return redirect(url_for(".show_import", import_id=import_id), 303)


@admin.get("/people/imports/<import_id>/result.csv")
@requires("people.import")
async def show_result(import_id: str) -> Response:
    """What came of each row, as a file."""
    found = await imports.find(KEY, import_id)
    if not found.has_result:
        raise NotFound(_("There is no result of this import, or not any more."))
    response = Response(results.lines(found), content_type="text/csv; charset=utf-8")
    response.headers["Content-Disposition"] = f'attachment; filename="import-{found.public_id}.csv"'
    response.headers["Cache-Control"] = "private, no-store"
    response.timeout = None
    return response


def _seen(found: Import) -> str:
    """What a page that waits has seen: the state and how far it was."""
    return f"{found.state}:{found.last_row}"


async def _show(found: Import, *, form: PlanForm | None = None, status: int = 200) -> Response:
    if form is None:
        options = {key: found.options[key] for key in ("existing", "invite", "product", "tag") if key in found.options}
        form = plan_form(found.header, _columns())(data=options)
        for field, meaning in zip(form.column_fields, found.mapping, strict=True):
            field.data = meaning if meaning != "tags" or me().can("people.notes") else ""
        await _offer(form)
    return await page(
        "imports/import.html",
        status=status,
        found=found,
        form=form,
        seen=_seen(found),
        is_stuck=imports.is_stuck(found),
        may_plan=found.state in ("ready", "checked") and found.cleared_at is None,
        may_tag=me().can("people.notes"),
        reasons=REASONS,
        lacks_name=_lacks_name(found),
        left_out=[title for title, meaning in zip(found.header, found.mapping, strict=True) if not meaning],
        days=KEPT.days,
        trail=[(_("People"), "/admin/people"), (_("Imports"), url_for(".list_imports"))],
    )


def _lacks_name(found: Import) -> str:
    """What will stand in the place of names that the file does not hold; nothing when a column is one."""
    if {"name", "first_name", "last_name"} & set(found.mapping):
        return ""
    return _(
        "No column is a name. New people are called after their address until they say otherwise: %(name)s for %(email)s.",
        name=name_from("ines.kovac@example.org"),
        email="ines.kovac@example.org",
    )


def _columns() -> list[Column]:
    """What a column can be for whoever asks."""
    return [column for column in KINDS[KEY].columns if column.key != "tags" or me().can("people.notes")]


async def _offer(form: PlanForm) -> None:
    """What may be given depends on who asks."""
    choices = [("", _("nothing more"))]
    if me().can("people.access"):
        choices += [(row.public_id, row.title) for row in await entitlements.grantable() if row.is_active]
    form.product.choices = options(choices)


def _to(found: Import) -> ResponseReturnValue:
    return redirect(url_for(".show_import", import_id=found.public_id), 303)
