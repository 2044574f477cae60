"""How the services tell where the next page of a list is. `Caller.every` follows them."""

from collections.abc import Callable, Mapping
from typing import Any

from app.formbuilder.integrations.replies import Reply

# Of any list: a service that never ends is not followed for ever.
MOST_PAGES = 20

# By an answer, the rows on its page and the rows so far: the query of the next page, or its address; None after the last.
Follow = Callable[[Reply, int, int], Mapping[str, Any] | str | None]


def at_offset(name: str, size: int) -> Follow:
    """The next page begins after as many rows as were read; one that is not full is the last."""

    def follow(reply: Reply, count: int, seen: int) -> Mapping[str, Any] | None:
        return {name: seen} if count >= size else None

    return follow


def at_page(name: str, size: int) -> Follow:
    """Pages are numbered from 1; one that is not full is the last."""

    def follow(reply: Reply, count: int, seen: int) -> Mapping[str, Any] | None:
        return {name: seen // size + 1} if count >= size else None

    return follow


def at_cursor(name: str, path: str) -> Follow:
    """The answer holds at a dotted path what the next request says."""

    def follow(reply: Reply, count: int, seen: int) -> Mapping[str, Any] | None:
        return {name: reply.at(path)} if reply.at(path) else None

    return follow


def at_link(path: str) -> Follow:
    """The answer holds the address of the next page at a dotted path."""

    def follow(reply: Reply, count: int, seen: int) -> str | None:
        link = reply.at(path)
        return link if isinstance(link, str) and link else None

    return follow
