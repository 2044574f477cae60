"""The order of a list, and the place in it that a page begins behind."""

from dataclasses import replace
from typing import Any

from app.web.tables.declaration import Listing
from app.web.tables.state import Cursor, State, read


def place_and_order(listing: Listing, state: State) -> tuple[str, str, dict[str, Any]]:
    """The condition that rows lie behind the place asked for, their order on the way there, and the condition's binds."""
    backward = state.cursor is not None and state.cursor.backward
    order = order_of(listing, state, backward=backward)
    if state.cursor is None:
        return "true", order, {}
    place, binds = _place(listing, state, state.cursor)
    return place, order, binds


def renamed(listing: Listing, state: State, value: str, key: str) -> tuple[Listing, State]:
    """The same order, by columns of these names."""
    return replace(listing, key=key), replace(state, sort=replace(state.sort, sort=value))


def own_order(listing: Listing) -> str:
    """The order in which the list is opened."""
    own = read(listing, {})
    return order_of(listing, own, backward=False)


def is_own_order(listing: Listing, state: State) -> bool:
    """Whether the list is asked for in the order in which it is opened, or the other way round."""
    own = listing.column(listing.sort.removeprefix("-"))
    return own is not None and own.sort == state.sort.sort


def order_of(listing: Listing, state: State, *, backward: bool) -> str:
    """The ORDER BY, the other way round when `backward`."""
    way = "DESC" if state.descending != backward else "ASC"
    # A plain order is what a plain index has; only expressions with NULLs say where those go.
    nulls = f" NULLS {'FIRST' if backward else 'LAST'}" if state.sort.nullable else ""
    return f"{state.sort.sort} {way}{nulls}, {listing.key} {way}"


def _place(listing: Listing, state: State, cursor: Cursor) -> tuple[str, dict[str, Any]]:
    """Rows behind the cursor in the direction of travel."""
    value, key = state.sort.sort, listing.key
    sign = "<" if state.descending != cursor.backward else ">"
    if cursor.value is None:
        same = f"({value} IS NULL AND {key} {sign} :cursor_key)"
        place = f"({value} IS NOT NULL OR {same})" if cursor.backward else same
        return place, {"cursor_key": cursor.key}
    binds = {"cursor_value": cursor.value, "cursor_key": cursor.key}
    place = f"({value}, {key}) {sign} (:cursor_value, :cursor_key)"
    if state.sort.nullable and not cursor.backward:
        place = f"({place} OR {value} IS NULL)"
    return place, binds
