"""`expand[]`: replacing ids by the objects they stand for, and adding what is shown only on request.

Which fields can be expanded is read from the response types that ship inside the `stripe` package
(`ExpandableField`), so that a field which cannot is refused even while it is empty.
"""

from __future__ import annotations

import types
import typing
from collections.abc import Callable
from functools import cache
from typing import Any, ForwardRef, get_args, get_origin

import stripe
from stripe._object_classes import get_object_class
from stripe._stripe_object import StripeObject

from app.sandbox.stripe.errors import InvalidRequest
from app.sandbox.stripe.store import Doc
from app.sandbox.stripe.work import Work, deleted

DEEPEST = 4
# What an object shows only when it is asked for: (kind, dotted field) to what makes it from the object.
Maker = Callable[[Work, Doc], Any]
# Where a hash without a name of its own is: the object it belongs to, and the dotted way to it.
Place = tuple[Doc, str]
ON_REQUEST: dict[tuple[str, str], Maker] = {}


def on_request(kind: str, field: str) -> Callable[[Maker], Maker]:
    """Register what makes a field that is shown only when expanded."""

    def register(maker: Maker) -> Maker:
        ON_REQUEST[kind, field] = maker
        return maker

    return register


def expand(work: Work, doc: Doc, paths: list[str]) -> Doc:
    """The object with the named fields expanded. Raises InvalidRequest for one that cannot be."""
    for path in paths:
        parts = path.split(".")
        depth = len(parts) - (1 if doc.get("object") == "list" else 0)
        if depth > DEEPEST:
            raise InvalidRequest(f"You cannot expand more than {DEEPEST} levels of a property.", param="expand")
        doc = _expand(work, doc, parts, path)
    return doc


def _expand(work: Work, value: Any, parts: list[str], path: str, at: Place | None = None) -> Any:
    if not parts or value is None:
        return value
    if isinstance(value, list):
        return [_expand(work, item, parts, path, at) for item in value]
    if value.get("deleted"):
        return value
    if value.get("object") != "list":
        return _expand_field(work, value, parts, path, at or (value, ""))
    if parts[0] != "data":
        raise _cannot(path, hint=f"data.{path}")
    return {**value, "data": [_expand(work, item, parts[1:], path) for item in value["data"]]}


def _expand_field(work: Work, value: Doc, parts: list[str], path: str, at: Place) -> Doc:
    root, way = at
    kind = root["object"]
    field, rest = parts[0], parts[1:]
    dotted = f"{way}.{field}" if way else field
    maker = ON_REQUEST.get((kind, dotted))
    if maker is not None:
        made = maker(work, root) if value.get(field) is None else value[field]
        if made is None:
            return value
        return {**value, field: _expand(work, made, rest, path, (root, dotted))}
    sort = fields_of(kind, way).get(field)
    if sort == "reference":
        return {**value, field: _resolve(work, value.get(field), rest, path)}
    if sort is None or not rest:
        raise _cannot(path)
    inner = value.get(field)
    if inner is None:
        return value
    named = isinstance(inner, dict) and "object" in inner
    return {**value, field: _expand(work, inner, rest, path, None if named else (root, dotted))}


def _resolve(work: Work, inner: Any, rest: list[str], path: str) -> Any:
    if isinstance(inner, list):
        return [_resolve(work, item, rest, path) for item in inner]
    if isinstance(inner, str):
        record = work.store.get(inner)
        if record is None:
            return inner
        inner = deleted(record.doc) if record.gone else record.doc
    return _expand(work, inner, rest, path)


def _cannot(path: str, hint: str | None = None) -> InvalidRequest:
    more = f" You may want to expand '{hint}' instead." if hint else ""
    return InvalidRequest(f"This property cannot be expanded ({path}).{more}", param="expand")


@cache
def fields_of(kind: str, way: str = "") -> dict[str, str]:
    """Fields of an object (or of the hash at `way` in it): "reference" when expandable, else "nested"."""
    cls: Any = get_object_class("V1", kind)
    for part in way.split(".") if way else []:
        cls = _nested_class(cls.__annotations__.get(part))
        if cls is None:
            return {}
    return {name: sort for name, hint in cls.__annotations__.items() if (sort := _sort(hint)) is not None}


def _sort(hint: Any) -> str | None:
    """Whether a type hint is an id or its object ("reference"), or holds further fields ("nested")."""
    leaves = list(_leaves(hint))
    objects = [leaf for leaf in leaves if isinstance(leaf, ForwardRef) or _is_object(leaf)]
    if not objects:
        return None
    return "reference" if str in leaves else "nested"


def _leaves(hint: Any) -> typing.Iterator[Any]:
    if get_origin(hint) in (typing.Union, types.UnionType, list, stripe.ListObject):
        for inner in get_args(hint):
            yield from _leaves(inner)
    else:
        yield hint


def _is_object(leaf: Any) -> bool:
    return isinstance(leaf, type) and issubclass(leaf, StripeObject)


def _nested_class(hint: Any) -> Any:
    for leaf in _leaves(hint):
        if _is_object(leaf):
            return leaf
        if isinstance(leaf, ForwardRef):
            return getattr(stripe, leaf.__forward_arg__, None)
    return None
