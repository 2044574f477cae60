"""Orders, for programs. Amounts are whole minor units of `currency` (cents)."""

from typing import Any

from quart import Blueprint, Response

from app.commerce import orders, refunds
from app.commerce.models import Order
from app.commerce.queries import orders as queries
from app.core.errors import NotFound
from app.core.i18n import _
from app.web.api import answer, listed
from app.web.guards import api

routes = Blueprint("commerce_api", __name__, url_prefix="/api/v1")


@routes.get("/orders")
@api("orders.view")
async def list_orders() -> Response:
    """Every order, newest first."""
    return await listed("orders", queries.orders_before, lambda order: order.id, _drawn)


@routes.get("/orders/<public_id>")
@api("orders.view")
async def show_order(public_id: str) -> Response:
    """One order with its lines and what went back."""
    order = await orders.find_by_public_id(public_id)
    if order is None:
        raise NotFound(_("There is no such order."))
    lines = [
        {"title": line.title, "amount_minor": line.amount_minor, "tax_minor": line.tax_minor}
        for line in await orders.items_of(order)
    ]
    returns = [
        {
            "id": refund.public_id,
            "amount_minor": refund.amount_minor,
            "state": refund.state,
            "created_at": refund.created_at,
            "finished_at": refund.finished_at,
        }
        for refund in await refunds.of(order)
    ]
    return answer({**_drawn(order), "lines": lines, "refunds": returns})


def _drawn(order: Order) -> dict[str, Any]:
    return {
        "id": order.public_id,
        "number": order.number,
        "state": order.state,
        "name": order.name,
        "email": order.email,
        "currency": order.currency,
        "subtotal_minor": order.subtotal_minor,
        "tax_minor": order.tax_minor,
        "tax_percent": str(order.tax_percent),
        "total_minor": order.total_minor,
        "refunded_minor": order.refunded_minor,
        "needs_a_look": order.flag != "",
        "created_at": order.created_at,
        "paid_at": order.paid_at,
        "closed_at": order.closed_at,
    }
