"""What merging two accounts means for orders and carts. Who acted on an order stays as it was written down."""

from app.accounts import merging
from app.commerce.queries import carts as cart_queries
from app.commerce.queries import merging as queries
from app.core import clock
from app.core.i18n import ngettext


async def _preview(gone_id: int, kept_id: int) -> list[str]:
    orders, things = await queries.counts(gone_id), await cart_queries.count_items(gone_id, None)
    said = [ngettext("%(num)s order moves.", "%(num)s orders move.", orders)] if orders else []
    if things:
        said.append(ngettext("%(num)s thing in the cart moves.", "%(num)s things in the cart move.", things))
    return said


async def _move(gone_id: int, kept_id: int) -> dict[str, int]:
    orders = await queries.move_orders(gone_id, kept_id)
    cart_id = await cart_queries.cart_of_user(gone_id)
    if cart_id is not None:
        kept_cart = await cart_queries.ensure_cart_of_user(kept_id, clock.now())
        await cart_queries.move_orders(cart_id, kept_cart)
        await cart_queries.move_items(cart_id, kept_cart)
        await cart_queries.delete_cart(cart_id)
    await queries.move_merged_carts(gone_id, kept_id)
    return {"orders": orders}


merging.register(merging.Step("commerce", _preview, _move))
