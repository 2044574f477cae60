"""Lists as Stripe gives them: newest first, by cursor, 1 to 100 at a time."""

from __future__ import annotations

from typing import Any

from app.sandbox.stripe.errors import InvalidRequest, exclusive, missing_resource
from app.sandbox.stripe.store import Doc
from app.sandbox.stripe.work import Call

Where = list[tuple[str, Any]]
DEFAULT = 10
MOST = 100
RANGES = {"gt": ">", "gte": ">=", "lt": "<", "lte": "<="}


def limit_of(params: Doc, *, most: int = MOST) -> int:
    """The page size. Refuses what is not within 1 and `most`."""
    limit = params.get("limit", DEFAULT)
    if limit < 1:
        raise InvalidRequest(
            f"This value must be greater than or equal to 1 (it currently is '{limit}').",
            code="parameter_invalid_integer",
            param="limit",
        )
    if limit > most:
        raise InvalidRequest(
            f"This value must be less than or equal to {most} (it currently is '{limit}').",
            code="parameter_invalid_integer",
            param="limit",
        )
    return int(limit)


def page(call: Call, kind: str, where: Where | None = None) -> Doc:
    """One page of the living objects of a kind."""
    conditions = list(where or [])
    conditions += created_within(call.params)
    limit = limit_of(call.params)
    after, before = _cursors(call.params)
    if before is not None:
        conditions.append(("seq > ?", _place(call, kind, before, "ending_before")))
        docs = call.store.find(kind, conditions, limit=limit + 1, oldest_first=True)
        return _listing(call.path, docs[:limit][::-1], more=len(docs) > limit)
    if after is not None:
        conditions.append(("seq < ?", _place(call, kind, after, "starting_after")))
    docs = call.store.find(kind, conditions, limit=limit + 1)
    return _listing(call.path, docs[:limit], more=len(docs) > limit)


def page_of(items: list[Doc], params: Doc, url: str) -> Doc:
    """One page of a list that is at hand, in the order given."""
    limit = limit_of(params)
    after, before = _cursors(params)
    places = {item["id"]: place for place, item in enumerate(items)}
    if before is not None:
        end = _known(places, before, "ending_before")
        start = max(0, end - limit)
        return _listing(url, items[start:end], more=start > 0)
    start = 0 if after is None else _known(places, after, "starting_after") + 1
    return _listing(url, items[start : start + limit], more=len(items) > start + limit)


def whole(items: list[Doc], url: str, *, most: int = DEFAULT) -> Doc:
    """The list inside an object: its first items."""
    return _listing(url, items[:most], more=len(items) > most)


def equals(params: Doc, **fields: str) -> Where:
    """Conditions for filters that compare one field: `equals(params, customer="customer")`."""
    where: Where = []
    for name, path in fields.items():
        if params.get(name) is not None:
            value = params[name]
            where.append((f"json_extract(doc, '$.{path}') = ?", int(value) if isinstance(value, bool) else value))
    return where


def one_of(path: str, values: list[Any]) -> tuple[str, Any]:
    """A condition that a field has one of the values."""
    marks = ", ".join("?" for _ in values)
    return (f"json_extract(doc, '$.{path}') IN ({marks})", tuple(values))


def created_within(params: Doc, field: str = "created") -> Where:
    """Conditions for `created=<time>` or `created[gte]=<time>` and its like."""
    wanted = params.get(field)
    if wanted is None:
        return []
    if isinstance(wanted, int):
        return [("created = ?", wanted)]
    return [(f"created {RANGES[name]} ?", value) for name, value in wanted.items()]


def _cursors(params: Doc) -> tuple[str | None, str | None]:
    after, before = params.get("starting_after"), params.get("ending_before")
    if after is not None and before is not None:
        raise exclusive("starting_after", "ending_before")
    return after, before


def _place(call: Call, kind: str, cursor: str, param: str) -> int:
    record = call.store.get(cursor)
    seq = call.store.seq_of(cursor)
    if record is None or record.doc["object"] != kind or seq is None:
        raise missing_resource(kind, cursor, param, in_path=False)
    return seq


def _known(places: dict[str, int], cursor: str, param: str) -> int:
    if cursor not in places:
        raise InvalidRequest(f"No such object: '{cursor}'", code="resource_missing", param=param)
    return places[cursor]


def _listing(url: str, data: list[Doc], *, more: bool) -> Doc:
    return {"object": "list", "data": data, "has_more": more, "url": url}
