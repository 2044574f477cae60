"""What each call may be sent, read from the parameter types that ship inside the `stripe` package.

The package pinned in the lock file carries a TypedDict for the parameters of every call of its API
version. Reading them here, instead of keeping a copy, means that the local Stripe and the client
always speak of the same parameters, nested ones included.
"""

from __future__ import annotations

import sys
import types
import typing
from dataclasses import dataclass, field
from decimal import Decimal
from functools import cache
from typing import Any, get_args, get_origin

from stripe._request_options import RequestOptions


@dataclass(frozen=True)
class Text:
    """A string.

    `values` are those that Stripe knows (none: any text), `open` says that it may learn more of them,
    `empty` that "" is allowed and unsets the field, `only_empty` that nothing but "" is.
    """

    values: tuple[str, ...] = ()
    open: bool = False
    empty: bool = False
    only_empty: bool = False


@dataclass(frozen=True)
class Number:
    """`integer`, `number` or `decimal` (a number kept as text)."""

    kind: str


@dataclass(frozen=True)
class Flag:
    """true or false."""


@dataclass(frozen=True)
class Items:
    """A list."""

    item: Node


@dataclass(frozen=True)
class Pairs:
    """A hash with free keys, such as metadata."""

    value: Node


@dataclass(frozen=True, eq=False)
class Fields:
    """A hash with known keys. Its fields are read when first needed: some types are very large."""

    source: Any

    @property
    def fields(self) -> dict[str, Node]:
        """The node of each field, by name."""
        return _fields(self.source)

    @property
    def required(self) -> frozenset[str]:
        """Names that must be sent."""
        return frozenset(self.source.__required_keys__) - REQUEST_OPTIONS


@dataclass(frozen=True)
class Choice:
    """One of several shapes, for example a number or a range."""

    options: tuple[Node, ...] = field(default_factory=tuple)


Node = Text | Number | Flag | Items | Pairs | Fields | Choice

# Options of the client itself (api_key, idempotency_key …) share the TypedDict, but are never sent.
REQUEST_OPTIONS = frozenset(RequestOptions.__annotations__)


class NoParams(typing.TypedDict):
    """For calls without parameters."""


@cache
def of(params: Any) -> Fields:
    """The schema of a parameter TypedDict."""
    return Fields(params)


@cache
def _fields(source: Any) -> dict[str, Node]:
    names = {name: hint for name, hint in source.__annotations__.items() if name not in REQUEST_OPTIONS}
    # get_type_hints over a class that holds only these names: the client's own options refer to
    # types that exist only for type checkers.
    holder = type("Holder", (), {"__annotations__": names, "__module__": source.__module__})
    hints = typing.get_type_hints(holder, vars(sys.modules[source.__module__]))
    return {name: node_of(hint) for name, hint in hints.items()}


def node_of(hint: Any) -> Node:
    """The node for one type hint."""
    origin = get_origin(hint)
    if origin in (typing.Union, types.UnionType):
        return _union(get_args(hint))
    if origin is typing.Literal:
        values = tuple(str(value) for value in get_args(hint) if value != "")
        return Text(values, empty="" in get_args(hint), only_empty=not values)
    if origin is list:
        return Items(node_of(get_args(hint)[0]))
    if origin is dict:
        return Pairs(node_of(get_args(hint)[1]))
    plain: dict[Any, Node] = {
        str: Text(),
        int: Number("integer"),
        float: Number("number"),
        Decimal: Number("decimal"),
        bool: Flag(),
    }
    if hint in plain:
        return plain[hint]
    if hasattr(hint, "__required_keys__"):
        return of(hint)
    if hint is Any:
        return Text()
    raise TypeError(f"no schema for {hint!r}")


def _union(hints: tuple[Any, ...]) -> Node:
    # `Dict[str, str] | UntypedStripeObject[str]` are the same thing on the wire.
    hints = tuple(hint for hint in hints if hint is not type(None) and "UntypedStripeObject" not in repr(hint))
    texts = [node for node in map(node_of, hints) if isinstance(node, Text)]
    others = [node for node in map(node_of, hints) if not isinstance(node, Text)]
    options: list[Node] = list(others)
    if texts:
        values = tuple(value for text in texts for value in text.values)
        options.append(_one_text(texts, values))
    return options[0] if len(options) == 1 else Choice(tuple(options))


def _one_text(texts: list[Text], values: tuple[str, ...]) -> Text:
    free = any(not text.values and not text.only_empty for text in texts)
    empty = any(text.empty for text in texts)
    return Text(values, open=free and bool(values), empty=empty, only_empty=not free and not values)
