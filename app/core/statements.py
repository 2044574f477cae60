"""Statements as they are written, with named binds, and their rows as the plain data that they become."""

import re
import sys
from collections.abc import Sequence
from dataclasses import fields, is_dataclass, make_dataclass
from functools import lru_cache
from typing import Any, TypeVar

import asyncpg

T = TypeVar("T")


class Row:
    """A result row with its columns as attributes, when no dataclass is worth naming."""

    __slots__ = ()

    def __getattr__(self, name: str) -> Any:  # only for the type checker: real columns are slots
        raise AttributeError(name)


_READ = re.compile(r"\s*(SELECT|WITH)\b(?!.*\b(INSERT|UPDATE|DELETE|FOR UPDATE)\b)", re.IGNORECASE | re.DOTALL)


@lru_cache(maxsize=2048)
def is_read(sql: str) -> bool:
    """Whether a statement only reads, so that it may be sent twice."""
    return _READ.match(sql) is not None


# Quoted text, comments and casts are skipped; `:name` is a bind.
_BIND = re.compile(r"'(?:[^']|'')*'|--[^\n]*|::\w+|:([a-zA-Z_]\w*)")


@lru_cache(maxsize=2048)
def _positional(sql: str) -> tuple[str, dict[str, int]]:
    names: dict[str, int] = {}

    def number(match: re.Match[str]) -> str:
        name = match.group(1)
        if name is None:
            return match.group(0)
        return f"${names.setdefault(sys.intern(name), len(names) + 1)}"

    return _BIND.sub(number, sql), names


def bind(sql: str, binds: dict[str, Any]) -> tuple[str, list[Any]]:
    """The statement with `$n` and its arguments in order. Raises TypeError on a missing or unknown name."""
    statement, names = _positional(sql)
    if binds.keys() != names.keys():
        raise TypeError(f"binds {sorted(binds)} do not match {sorted(names)} in: {sql.strip()[:120]}")
    return statement, [binds[name] for name in names]


def build(into: type[T], records: Sequence[asyncpg.Record]) -> list[T]:
    """The rows as `into`: a dataclass or a named tuple whose fields are the columns, or `Row`."""
    if not records:
        return []
    columns = tuple(records[0].keys())
    if into is Row:
        made: Any = _row_class(columns)
        return [made(*record) for record in records]
    if columns == _field_names(into):  # type: ignore[arg-type]  # rows are dataclasses
        return [into(*record) for record in records]
    return [into(**dict(record)) for record in records]


@lru_cache(maxsize=512)
def _field_names(into: type) -> tuple[str, ...]:
    if not is_dataclass(into):
        return getattr(into, "_fields", ())  # of a named tuple
    return tuple(field.name for field in fields(into) if field.init)


@lru_cache(maxsize=512)
def _row_class(columns: tuple[str, ...]) -> type:
    return make_dataclass("Row", columns, bases=(Row,), slots=True, frozen=False)
