"""How many statements were sent, and what a page shows without one: for tests, logs and the page cache."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any


@dataclass(slots=True)
class QueryCount:
    """How many statements were sent while `count_queries` was open, which, and with what."""

    statements: list[str]
    # What was shown without a statement: hot copies by the name of their table, "?" for what went past `core.db`.
    tables: set[str] = field(default_factory=set)
    outer: "QueryCount | None" = None
    arguments: list[list[Any]] = field(default_factory=list)

    @property
    def total(self) -> int:
        return len(self.statements)


_count: ContextVar[QueryCount | None] = ContextVar("db_count", default=None)


@contextmanager
def count_queries() -> Iterator[QueryCount]:
    """Count the statements sent inside the block, in this task and those it starts (tests, logs)."""
    count = QueryCount([], outer=_count.get())
    token = _count.set(count)
    try:
        yield count
    finally:
        _count.reset(token)


def note_statement(statement: str, arguments: list[Any]) -> None:
    """Count a statement that is being sent."""
    count = _count.get()
    while count is not None:
        count.statements.append(statement)
        count.arguments.append(arguments)
        count = count.outer


def note_table(name: str) -> None:
    """Say that something of this table is used without a statement: a hot copy of it."""
    count = _count.get()
    while count is not None:
        count.tables.add(name)
        count = count.outer
