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
from dataclasses import replace
from typing import Any, cast
from zoneinfo import ZoneInfo

from quart import Response, redirect

from app.core import db
from app.core.errors import Forbidden
from app.core.i18n import _
from app.core.settings import school
from app.web import render
from app.web.current import request
from app.web.request import fragment, user
from app.web.tables import commonness, views
from app.web.tables.acts import Bulk
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
from app.web.tables.drawing import Picking, Table, draw
from app.web.tables.export import amount, export
from app.web.tables.state import State, read
from app.web.tables.statements import cut_short, met_soon, statement
from app.web.tables.words import begin_words, is_short, whole_words

__all__ = [
    "AnyFilter",
    "Bulk",
    "Choice",
    "Column",
    "Dates",
    "Empty",
    "Listing",
    "Picking",
    "Search",
    "Select",
    "Table",
    "Toggle",
    "amount",
    "begin_words",
    "export",
    "is_short",
    "load",
    "show",
    "whole_words",
]


async def show(
    listing: Listing,
    template: str,
    *,
    binds: Mapping[str, Any] | None = None,
    choices: Choices | None = None,
    bulk: Bulk | None = None,
    **context: Any,
) -> Response:
    """The page of a list at the address asked for, or with `?format=csv` all its rows as a file (audited).

    Above it stand the saved views; asked for without anything, it opens with the one that this person chose for that.
    """
    person = user()
    may_export = not listing.export_needs or (person is not None and person.can(listing.export_needs))
    if request.args.get("format") == "csv":
        if not may_export:
            raise Forbidden(_("Your role does not allow this."))
        return await export(listing, binds=binds, choices=choices)
    saved = await views.of(listing.name, person) if person is not None else []
    first = next((view for view in saved if view.is_default and view.path == request.path), None)
    if first is not None and not request.args and fragment() is None and first.query:
        # The house answers with its own class of response.
        return cast(Response, redirect(first.url, 303))
    opened = f"{request.path}?{views.ALL}" if first is not None else request.path
    table = await load(listing, request.path, request.args, binds=binds, choices=choices, plain_url=opened)
    if not may_export:
        table.export_url = None
    if person is not None:
        table.views = views.drawn(saved, person, listing.name, request.path, table.query)
    offered = bulk.offered(person) if bulk is not None else []
    if offered:
        table.picking = Picking.of(listing, table, [(act.key, str(act.label)) for act in offered])
    table.is_part = fragment() is not None
    return await render.page(template, table=table, **context)


async def load(
    listing: Listing,
    base_url: str,
    args: Mapping[str, str],
    *,
    binds: Mapping[str, Any] | None = None,
    choices: Choices | None = None,
    plain_url: str = "",
) -> Table:
    """One page of rows with everything around it: one query (two when the place asked for is gone, and for some searches;
    of each list's first search in ten minutes one more).

    `plain_url` is the list without filters, where that is not `base_url`.
    """
    zone = (await school()).zone
    state = read(listing, args, choices)
    state = replace(state, about=await commonness.about(listing, state, choices))
    rows, is_cut = await _rows(listing, state, zone, binds or {}, choices)
    if not rows and state.cursor is not None:
        state = replace(state, cursor=None)
        rows, is_cut = await _rows(listing, state, zone, binds or {}, choices)
    return draw(listing, base_url, state, rows, zone, choices, plain_url=plain_url, is_cut=is_cut)


async def _rows(
    listing: Listing, state: State, zone: ZoneInfo, binds: Mapping[str, Any], choices: Choices | None
) -> tuple[list[Any], bool]:
    """A page and one row more, and whether it is only of those that were found first."""
    limit = listing.page_size + 1
    soon = met_soon(listing, state, zone, choices, limit=limit)
    if soon is not None:
        sql, filter_binds = soon
        rows = await db.many(db.Row, sql, **binds, **filter_binds)
        if rows[0].list_is_enough:
            return [row for row in rows if row.list_key is not None], False
    sql, filter_binds = statement(listing, state, zone, choices, limit=limit)
    return await db.many(db.Row, sql, **binds, **filter_binds), cut_short(listing, state, choices)
