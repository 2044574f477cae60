"""The act of buying: carts, quotes, orders, refunds, and what Stripe tells about them.

Owns `carts`, `cart_items`, `orders`, `order_items`, `order_events`, `refunds`. Paying and being let in happen in one
transaction, so they cannot drift apart.
"""
