"""The one table of the back office: filters, sort and place live in the address, pages are keysets, CSV is streamed.

    # app/commerce/queries.py: a list is declared once, its SQL fragments are ours alone
    ORDERS = tables.Listing(
        name="orders",
        select="o.number, o.created_at AS placed, o.email, o.state, '/admin/orders/' || o.public_id AS url",
        source="orders o",                              # joins go here; no GROUP BY (join a subselect instead)
        key="o.id",                                     # unique: breaks ties
        columns=[
            Column("number", lazy("Order"), sort="o.number", descending_first=True),
            Column("placed", lazy("Placed"), sort="o.created_at", descending_first=True, priority="mid"),
            Column("email", lazy("Customer"), sort="lower(o.email)"),
            Column("state", lazy("State")),
        ],
        filters=[
            Search("q", lazy("Email or number"), words="o.words"),  # made by search_words(…)
            Select("state", lazy("Any state"), "o.state", [Choice("paid", lazy("Paid")), Choice("failed", lazy("Failed"))]),
            Dates("placed", lazy("Placed"), "o.created_at"),
            Toggle("free", lazy("Free of charge"), "o.total_minor = 0"),
        ],
        sort="-placed",
        empty=Empty(lazy("No orders yet"), lazy("The first sale stands here."), "/courses", lazy("See the school")),
    )

    # app/commerce/admin.py: the page, one block of it, or with ?format=csv the whole list as a file
    return await tables.show(queries.ORDERS, "commerce/admin/orders.html")     # the template gets `table`

Only fragments of the declaration reach the SQL; what comes from the address is compared with the declared names or
travels as a bind (a day, once it is read as one, is written out). Sorting an expression that may be NULL needs `nullable=True` (such rows come last, either way).
"""

from collections.abc import Mapping
from typing import Any
from zoneinfo import ZoneInfo

from quart import Response, request

from app.core import db
from app.core.errors import Forbidden
from app.core.i18n import _
from app.core.settings import school
from app.web import render
from app.web.request import user
from app.web.tables.declaration import (
    AnyFilter,
    Choice,
    Choices,
    Column,
    Dates,
    Empty,
    Listing,
    Search,
    Select,
    Toggle,
)
from app.web.tables.drawing import Table, draw
from app.web.tables.export import amount, export
from app.web.tables.query import State, begin_words, read, statement

__all__ = [
    "AnyFilter",
    "Choice",
    "Column",
    "Dates",
    "Empty",
    "Listing",
    "Search",
    "Select",
    "Table",
    "Toggle",
    "amount",
    "begin_words",
    "export",
    "load",
    "show",
]


async def show(
    listing: Listing,
    template: str,
    *,
    binds: Mapping[str, Any] | None = None,
    choices: Choices | None = None,
    **context: Any,
) -> Response:
    """The page of a list at the address asked for, or with `?format=csv` all its rows as a file (audited)."""
    person = user() if listing.export_needs else None
    may_export = not listing.export_needs or (person is not None and person.can(listing.export_needs))
    if request.args.get("format") == "csv":
        if not may_export:
            raise Forbidden(_("Your role does not allow this."))
        return await export(listing, binds=binds, choices=choices)
    table = await load(listing, request.path, request.args, binds=binds, choices=choices)
    if not may_export:
        table.export_url = None
    return await render.page(template, table=table, **context)


async def load(
    listing: Listing,
    base_url: str,
    args: Mapping[str, str],
    *,
    binds: Mapping[str, Any] | None = None,
    choices: Choices | None = None,
) -> Table:
    """One page of rows with everything around it: one query (two when the place asked for is gone)."""
    zone = (await school()).zone
    state = read(listing, args, choices)
    rows = await _rows(listing, state, zone, binds or {}, choices)
    if not rows and state.cursor is not None:
        state = State(state.values, state.sort, state.descending, state.sort_name, None)
        rows = await _rows(listing, state, zone, binds or {}, choices)
    return draw(listing, base_url, state, rows, zone, choices)


async def _rows(
    listing: Listing, state: State, zone: ZoneInfo, binds: Mapping[str, Any], choices: Choices | None
) -> list[Any]:
    sql, filter_binds = statement(listing, state, zone, choices, limit=listing.page_size + 1)
    return await db.many(db.Row, sql, **binds, **filter_binds)
