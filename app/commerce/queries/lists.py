"""The lists of the back office."""

from typing import Any

from app.core import db
from app.core.i18n import lazy as _l
from app.web.tables import Choice, Column, Dates, Empty, Listing, Search, Select, Toggle, amount

ORDERS = Listing(
    name="orders",
    select="""
        o.number, o.created_at AS placed, o.name, o.email, coalesce(nullif(o.name, ''), o.email) AS customer,
        (SELECT coalesce(string_agg(i.title, ', ' ORDER BY i.id), '') FROM order_items i WHERE i.order_id = o.id) AS what,
        o.state, o.flag, o.payment_method AS method, o.total_minor AS total, o.refunded_minor, o.tax_minor, o.currency,
        o.paid_at, o.stripe_payment_intent_id AS payment_id, '/admin/orders/' || o.public_id AS url
    """,
    source="orders o",
    key="o.id",
    keeps_rows=True,
    columns=[
        # Numbers are given in the order of placing; the moment has indexes with every filter.
        Column("number", _l("Order"), sort="o.created_at", descending_first=True),
        Column("placed", _l("Placed"), sort="o.created_at", descending_first=True, priority="mid"),
        Column("customer", _l("Customer"), sort="lower(coalesce(nullif(o.name, ''), o.email))", of_names=True),
        Column("what", _l("What"), priority="wide"),
        Column("state", _l("State")),
        Column("method", _l("Paid with"), priority="wide"),
        Column("total", _l("Total"), sort="o.total_minor", align="end", descending_first=True),
    ],
    filters=[
        Search("q", _l("Name, email or number"), words="o.words", of_names=True),
        Select(
            "state",
            _l("Any state"),
            "o.state",
            [
                Choice("sold", _l("Sold, refunded or not"), "o.paid_at IS NOT NULL"),
                Choice("paid", _l("Paid")),
                Choice("waiting", _l("Waiting"), "o.state IN ('pending', 'processing')", rare=True),
                Choice("refunded", _l("Refunded"), "o.state IN ('refunded', 'partially_refunded')", has_words=True),
                Choice("failed", _l("Failed"), has_words=True),
                Choice("given_up", _l("Expired or cancelled"), "o.state IN ('expired', 'cancelled')", has_words=True),
                Choice("flagged", _l("Needs a look"), "o.flag <> ''", rare=True),
                Choice(
                    "refunding",
                    _l("Refund not through"),
                    """o.id = ANY (ARRAY(
                        SELECT r.order_id FROM refunds r WHERE r.state IN ('pending', 'failed')
                        AND NOT EXISTS (SELECT 1 FROM refunds n WHERE n.order_id = r.order_id AND n.id > r.id
                                         AND n.payment_id IS NOT DISTINCT FROM r.payment_id)))""",
                    rare=True,
                ),
            ],
        ),
        Select("product", _l("Any course")),
        Dates("placed", _l("Placed"), "o.created_at"),
        Toggle("free", _l("Free of charge"), "o.total_minor = 0"),
    ],
    sort="-placed",
    empty=Empty(
        _l("No orders yet"),
        _l("Each sale is listed here, from the moment somebody goes to payment."),
        "/courses",
        _l("See the school"),
    ),
    export_needs="orders.export",
    export=[
        (_l("Order"), lambda row: row.number),
        (_l("Placed"), lambda row: row.placed),
        (_l("Paid"), lambda row: row.paid_at),
        (_l("Name"), lambda row: row.name),
        (_l("Email"), lambda row: row.email),
        (_l("What"), lambda row: row.what),
        (_l("State"), lambda row: row.state),
        (_l("Currency"), lambda row: row.currency),
        (_l("Total"), amount("total", "currency")),
        (_l("Tax included"), amount("tax_minor", "currency")),
        (_l("Refunded"), amount("refunded_minor", "currency")),
        (_l("Paid with"), lambda row: row.method),
        (_l("Payment"), lambda row: row.payment_id or ""),
    ],
)


async def sold_products() -> list[db.Row]:
    """Everything that may stand in an order, for the filter."""
    return await db.many(db.Row, "SELECT id, public_id, title FROM products ORDER BY lower(title), id")


def product_choices(products: list[Any]) -> list[Choice]:
    """The filter's options: orders with a line of that product."""
    return [
        Choice(
            product.public_id,
            product.title,
            # Asked of each order by itself; as a condition on two tables, all their rows would be brought together.
            f"{int(product.id)} = ANY (ARRAY(SELECT x.product_id FROM order_items x WHERE x.order_id = o.id))",  # noqa: S608
            f"""SELECT o.* FROM order_items x JOIN orders o ON o.id = x.order_id
                WHERE x.product_id = {int(product.id)} ORDER BY x.order_id DESC""",  # noqa: S608
            indexed=False,
        )
        for product in products
    ]
