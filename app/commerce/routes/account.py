"""A member's orders and receipts."""

from quart import Response, request

from app.commerce import orders, refunds
from app.commerce.routes import routes
from app.core.errors import NotFound
from app.core.numbers import whole_number
from app.web.guards import signed_in
from app.web.render import page
from app.web.request import signed_in_user

PAGE_SIZE = 20


@routes.get("/account/orders")
@signed_in()
async def list_orders() -> Response:
    """What this person bought, newest first."""
    found = await orders.of_member(
        signed_in_user().id,
        before=whole_number(request.args.get("before"), 15),
        limit=PAGE_SIZE + 1,
    )
    shown = found[:PAGE_SIZE]
    return await page(
        "commerce/orders.html",
        orders=shown,
        items=await orders.items_by_order(shown),
        older=shown[-1].number if len(found) > PAGE_SIZE else None,
        active_page="orders",
    )


@routes.get("/account/orders/<public_id>")
@signed_in()
async def show_order(public_id: str) -> Response:
    """The receipt of one order."""
    order = await orders.find_for_buyer(public_id[:40], user_id=signed_in_user().id)
    if order is None:
        raise NotFound()
    return await page(
        "commerce/receipt.html",
        order=order,
        lines=await orders.items_of(order),
        refunds=[refund for refund in await refunds.of(order) if refund.state == "succeeded"],
    )
