"""The table of API operations: method and path to handler, and the parameters that each may be sent."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from app.sandbox.stripe import schemas
from app.sandbox.stripe.store import Doc
from app.sandbox.stripe.work import Call

Handler = Callable[[Call], Doc]


@dataclass(frozen=True)
class Operation:
    """One call of the API."""

    method: str
    path: str
    params: Any
    handler: Handler
    pattern: re.Pattern[str]
    # Texts that "" unsets although the description only calls them strings, as the real one does.
    unsettable: frozenset[str] = frozenset()

    @property
    def schema(self) -> schemas.Fields:
        """The parameters that it may be sent."""
        return schemas.of(self.params)


OPERATIONS: list[Operation] = []


def operation(
    method: str, path: str, params: Any = schemas.NoParams, *, unsettable: tuple[str, ...] = ()
) -> Callable[[Handler], Handler]:
    """Register a handler for a method and a path such as `/v1/products/{id}`."""
    pattern = re.compile("^" + re.sub(r"\{(\w+)\}", r"(?P<\1>[^/]+)", path) + "$")

    def register(handler: Handler) -> Handler:
        OPERATIONS.append(Operation(method, path, params, handler, pattern, frozenset(unsettable)))
        return handler

    return register


def find(method: str, path: str) -> tuple[Operation, dict[str, str]] | None:
    """The operation for a request, with the ids in its path. Fixed segments win over ids."""
    matches = [(item, match) for item in OPERATIONS if item.method == method and (match := item.pattern.match(path))]
    # `/v1/products/search` is a call of its own, which is not played; "search" is nobody's id.
    matches = [(item, match) for item, match in matches if "search" not in match.groupdict().values()]
    if not matches:
        return None
    best, match = min(matches, key=lambda pair: pair[0].path.count("{"))
    return best, match.groupdict()
