"""The act of buying: carts, quotes, orders, refunds, and what Stripe tells about them.

Owns `carts`, `cart_items`, `orders`, `order_items`, `order_events`, `refunds`. Paying and being let in happen in one
transaction, so they cannot drift apart.
"""

from quart import Quart


def install(app: Quart) -> None:
    """Choose who takes the money, and say where the payment page leads back to and who hears of sales."""
    from app.commerce import checkouts, letters
    from app.gateways import payments

    config = app.config["LECTERN"]
    payments.use(payments.choose(config))
    checkouts.configure(config.app_url)
    letters.configure(config.admin_email)
