"""`/stripe`: a page for people, with what has happened here and the switches."""

from __future__ import annotations

from dataclasses import asdict
from gettext import gettext as _

from quart import Blueprint, Response, redirect, request

from app.sandbox.stripe import behaviour, deliveries, ids, lists, refunds, rendering
from app.sandbox.stripe.store import Doc
from app.sandbox.stripe.work import Account, Work

SHOWN = 20
# The switches that the page offers; the others are for tests only.
OFFERED = (
    "delivery_paused",
    "delivery_delay",
    "delivery_copies",
    "delivery_order",
    "api_fault",
    "api_fault_times",
)


def add_panel(blueprint: Blueprint, account: Account) -> None:
    """Put the page on a blueprint."""
    store = account.store

    @blueprint.get("/stripe")
    async def show_panel() -> Response:
        return _panel(account)

    @blueprint.get("/stripe/objects/<object_id>")
    async def show_object(object_id: str) -> Response:
        record = store.get(object_id)
        if record is None:
            return rendering.page(
                "message.html",
                404,
                title=_("There is nothing with this id"),
                text=object_id,
                link="/stripe",
                link_text=_("Back to the local Stripe"),
            )
        about: list[Doc] = []
        if record.doc["object"] == "event":
            about = deliveries.shown(store, event=object_id)
        return rendering.page("object.html", doc=record.doc, deliveries=about)

    @blueprint.post("/stripe/refunds")
    async def create_refund_by_hand() -> Response:
        form = await request.form
        with store.transaction():
            work = Work(account, ids.new("req"))
            charge = work.find(form.get("charge", ""), "charge")
            if charge is not None and charge["paid"] and not charge["refunded"]:
                left = charge["amount"] - charge["amount_refunded"]
                refunds.refund(work, charge, left, reason="requested_by_customer", metadata={})
        return _back()

    @blueprint.post("/stripe/resends")
    async def create_resend() -> Response:
        form = await request.form
        with store.transaction():
            work = account.work()
            event = work.find(form.get("event", ""), "event")
            if event is not None:
                deliveries.queue(work, event)
        return _back()

    @blueprint.post("/stripe/behaviour")
    async def change_switches() -> Response:
        form = await request.form
        sent = {name: form.get(name, "") for name in OFFERED if name in form or name == "delivery_paused"}
        sent["delivery_paused"] = "true" if form.get("delivery_paused") else "false"
        try:
            behaviour.change(store, sent)
        except ValueError as error:
            return _panel(account, str(error), 422)
        account.wake()
        return _back()


def _panel(account: Account, error: str | None = None, status: int = 200) -> Response:
    store = account.store
    return rendering.page(
        "panel.html",
        status,
        error=error,
        sessions=store.find("checkout.session", limit=SHOWN),
        charges=store.find("charge", limit=SHOWN),
        events=store.find("event", limit=2 * SHOWN),
        deliveries=_by_event(deliveries.shown(store, limit=8 * SHOWN)),
        endpoints=store.find("webhook_endpoint", limit=lists.MOST),
        switches=asdict(behaviour.current(store)),
        orders=behaviour.ORDERS,
        faults=behaviour.FAULTS,
    )


def _by_event(found: list[Doc]) -> dict[str, list[Doc]]:
    grouped: dict[str, list[Doc]] = {}
    for delivery in reversed(found):
        grouped.setdefault(delivery["event"], []).append(delivery)
    return grouped


def _back() -> Response:
    return redirect("/stripe", 303)  # type: ignore[return-value]
