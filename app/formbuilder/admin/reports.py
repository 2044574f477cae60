"""What came of a form, as a page and as a file."""

from collections.abc import AsyncIterator
from functools import partial

from quart import Response, request

from app.core.errors import NotFound
from app.formbuilder.admin import admin
from app.formbuilder.inbox import exports, reports, table, unfinished
from app.formbuilder.logic import days
from app.web import tables
from app.web.guards import requires
from app.web.render import page


@admin.get("/<public_id>/report")
@requires("entries.view")
async def show_report(public_id: str) -> Response:
    """Results of each question, entries a day, and where people leave."""
    asked = request.args.get("days", "")
    days = int(asked) if asked in [str(each) for each in reports.PERIODS] else 30
    found = await table.asked(public_id)
    report = await reports.of_form(found, days)
    return await page("formbuilder/admin/report.html", form=found.form, report=report, periods=reports.PERIODS)


@admin.get("/<public_id>/entries/file")
@requires("entries.export")
async def show_entries_file(public_id: str) -> Response:
    """Every entry as CSV, Excel or JSON."""
    kind = request.args.get("format", "csv")
    if kind not in exports.FORMATS:
        raise NotFound
    name, content = await exports.begin(await table.asked(public_id), kind)
    return _file(kind, name, content)


@admin.get("/<public_id>/unfinished")
@requires("entries.view")
async def list_unfinished(public_id: str) -> Response:
    """What was begun and not sent, and how far it came."""
    found, today = await table.asked(public_id), await days.today()
    return await tables.show(
        unfinished.listing_of(found, today),
        "formbuilder/admin/unfinished.html",
        form=found.form,
        said=partial(unfinished.said, found.definition, today=today),
        came_to=partial(unfinished.came_to, found.definition),
    )


@admin.get("/<public_id>/unfinished/file")
@requires("entries.export")
async def show_unfinished_file(public_id: str) -> Response:
    """The same as CSV, Excel or JSON, each answer in its column."""
    kind = request.args.get("format", "csv")
    if kind not in exports.FORMATS:
        raise NotFound
    found = await table.asked(public_id)
    rows = unfinished.for_file(found, await days.today())
    name, content = await exports.begin(found, kind, rows, what="unfinished")
    return _file(kind, name, content)


def _file(kind: str, name: str, content: AsyncIterator[bytes]) -> Response:
    response = Response(content, content_type=exports.FORMATS[kind])
    response.headers["Content-Disposition"] = f'attachment; filename="{name}"'
    response.headers["Cache-Control"] = "private, no-store"
    response.timeout = None
    return response
