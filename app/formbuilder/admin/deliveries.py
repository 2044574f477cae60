"""What was handed on of a form's entries: the log, one delivery with all that was said, sending again."""

from datetime import datetime
from itertools import groupby
from typing import Any

from quart import Response, redirect, url_for
from werkzeug.wrappers import Response as BaseResponse

from app.core import clock, db
from app.core.errors import NotFound
from app.core.i18n import _, ngettext
from app.formbuilder import integrations
from app.formbuilder.admin import admin
from app.formbuilder.definition import versions
from app.formbuilder.delivery import deliveries
from app.formbuilder.delivery.delivery_lists import DELIVERY_STATES, OF_FORM, OUTCOMES
from app.formbuilder.queries import deliveries as queries
from app.web import tables
from app.web.flash import flash
from app.web.guards import requires
from app.web.render import page
from app.web.tables import Choice


@admin.get("/<public_id>/deliveries")
@requires("entries.view")
async def list_deliveries(public_id: str) -> Response:
    """What left of this form's entries, or waits."""
    form = await versions.find(public_id)
    kinds = integrations.providers()
    return await tables.show(
        OF_FORM,
        "formbuilder/admin/deliveries.html",
        binds={"form_id": form.id},
        choices={"provider": [Choice(name, kind.label, indexed=False) for name, kind in kinds.items()]},
        form=form,
        connection=None,
        states=DELIVERY_STATES,
        outcomes=OUTCOMES,
        now=clock.now(),
    )


@admin.post("/<public_id>/deliveries/replays")
@requires("connections.edit", once=True)
async def create_replays(public_id: str) -> BaseResponse:
    """Send everything again that is held of this form."""
    done = await deliveries.replay_held_of_form(await versions.find(public_id))
    flash(ngettext("%(num)s entry is sent again.", "%(num)s entries are sent again.", done))
    return redirect(url_for(".list_deliveries", public_id=public_id), 303)


@admin.get("/<public_id>/deliveries/<int:delivery_id>")
@requires("entries.view")
async def show_delivery(public_id: str, delivery_id: int) -> Response:
    """One delivery: where it stands, and each request with its answer, without secrets."""
    form, found = await versions.find(public_id), await _found(public_id, delivery_id)
    tries = [
        (datetime.fromisoformat(at) if at else None, list(rows))
        for at, rows in groupby(found.exchanges, key=lambda each: each.get("at") or "")
    ]
    return await page(
        "formbuilder/admin/delivery.html", form=form, delivery=found, tries=tries, **_about(found),
    )  # fmt: skip


@admin.post("/<public_id>/deliveries/<int:delivery_id>/replays")
@requires("connections.edit", once=True)
async def create_replay(public_id: str, delivery_id: int) -> BaseResponse:
    """Send it again, by the form as it is now; one that waits is tried at once."""
    found = await _found(public_id, delivery_id)
    if found.state == "waiting":
        await deliveries.hurry(found.id)
        flash(_("It is tried now."))
    else:
        await deliveries.replay(found.id)
        flash(_("It is sent again."))
    return redirect(url_for(".show_delivery", public_id=public_id, delivery_id=delivery_id), 303)


@admin.get("/<public_id>/entries/<entry_id>/deliveries")
@requires("entries.view")
async def show_deliveries_of_entry(public_id: str, entry_id: str) -> Response:
    """Where one entry went: a part of its page."""
    rows = await queries.shown_of_entry(public_id, entry_id)
    if not rows:
        await versions.of_entry(public_id, entry_id)
    return await page(
        "formbuilder/admin/entry_deliveries.html", form_id=public_id, entry_id=entry_id, deliveries=rows, **_about(None)
    )


async def _found(public_id: str, delivery_id: int) -> db.Row:
    found = await queries.shown(public_id, delivery_id) if delivery_id < 2**63 else None
    if found is None:
        raise NotFound
    return found


def _about(found: Any) -> dict[str, Any]:
    kind = integrations.providers().get(found.provider) if found is not None else None
    return {"states": DELIVERY_STATES, "outcomes": OUTCOMES, "now": clock.now(), "service": kind.label if kind else ""}
