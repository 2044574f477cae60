"""Rows that were drawn before. What a row looks like follows from its values, the school, its zone and the language; where a
listing says so (`keeps_rows`), nothing else counts, and forty rows that most visits share are drawn once.
"""

from collections.abc import Callable
from functools import lru_cache
from operator import attrgetter
from typing import Any

from markupsafe import Markup

from app.core import i18n
from app.web import render

_MOST = 1000


class KeptRows:
    """The drawn rows of one list. A template asks with `drawn`, draws what is missing and hands it to `keep`."""

    __slots__ = ("_rows", "_within")

    def __init__(self) -> None:
        self._within: tuple[object, object, str] | None = None
        self._rows: dict[tuple[Any, ...], Markup] = {}

    def drawn(self, row: Any) -> Markup | None:
        """How this row was drawn, if it was."""
        school, zone, language = *render.surroundings(), i18n.locale()
        now = self._within
        if now is None or now[0] is not school or now[1] is not zone or now[2] != language:
            self._within, self._rows = (school, zone, language), {}
        return self._rows.get(_values(row))

    def keep(self, row: Any, markup: Markup) -> Markup:
        """Remember how this row was drawn, and give it back."""
        if len(self._rows) >= _MOST:
            self._rows.clear()
        self._rows[_values(row)] = markup
        return markup


def _values(row: Any) -> tuple[Any, ...]:
    """What a row shows."""
    return _reader(row.__class__)(row)


@lru_cache(maxsize=256)
def _reader(kind: Any) -> Callable[[Any], tuple[Any, ...]]:
    """Reads the columns of this kind of row. What begins with `list_` is of the list: counts, and the place in its order."""
    names: list[str] = [name for name in kind.__slots__ if not name.startswith("list_")]
    return attrgetter(*names) if len(names) > 1 else lambda row: (getattr(row, names[0]),)


_lists: dict[str, KeptRows] = {}


def of(name: str) -> KeptRows:
    """The kept rows of the list of this name."""
    return _lists.setdefault(name, KeptRows())
