"""Events as the API shows them. https://docs.stripe.com/api/events"""

from __future__ import annotations

from stripe.params import EventListParams, EventRetrieveParams

from app.sandbox.stripe import deliveries, lists
from app.sandbox.stripe.errors import exclusive
from app.sandbox.stripe.operations import operation
from app.sandbox.stripe.store import Doc
from app.sandbox.stripe.work import Call, Work

KEPT_FOR = 30 * 24 * 3600


@operation("GET", "/v1/events/{id}", EventRetrieveParams)
def retrieve_event(call: Call) -> Doc:
    """One event, with the number of endpoints that have not taken it yet."""
    return current(call, call.named("event"))


@operation("GET", "/v1/events", EventListParams)
def list_events(call: Call) -> Doc:
    """Events of the last 30 days, newest first."""
    params = call.params
    if "type" in params and "types" in params:
        raise exclusive("type", "types")
    where: lists.Where = [("created > ?", call.now - KEPT_FOR)]
    if "type" in params:
        where.append(_of_type(params["type"]))
    if "types" in params:
        where.append(lists.one_of("type", params["types"]))
    if "delivery_success" in params:
        where.append(_delivered(params["delivery_success"]))
    page = lists.page(call, "event", where)
    return {**page, "data": [current(call, event) for event in page["data"]]}


def _of_type(kind: str) -> tuple[str, str]:
    """`charge.*` stands for all events that begin so."""
    if kind.endswith("*"):
        return ("json_extract(doc, '$.type') GLOB ?", kind)
    return ("json_extract(doc, '$.type') = ?", kind)


def _delivered(wanted: bool) -> tuple[str, str]:
    """Whether every endpoint has taken the event."""
    some = "EXISTS (SELECT 1 FROM deliveries WHERE event = objects.id AND state != ?)"
    return (f"NOT {some}" if wanted else some, "delivered")


def current(work: Work, event: Doc) -> Doc:
    """An event with its deliveries counted now."""
    return {**event, "pending_webhooks": deliveries.pending_for(work.store, event["id"])}
