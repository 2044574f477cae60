"""Rows that were drawn before. What a row looks like follows from its values, the school, its zone and the language; where a
listing says so (`keeps_rows`), nothing else counts, and forty rows that most visits share are drawn once.
"""

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
        within = (*render.surroundings(), i18n.locale())
        if within != self._within:
            self._within, self._rows = within, {}
        return self._rows.get(_values(row))

    def keep(self, row: Any, markup: Markup) -> Markup:
        """Remember how this row was drawn, and give it back."""
        if len(self._rows) >= _MOST:
            self._rows.clear()
        self._rows[_values(row)] = markup
        return markup


def _values(row: Any) -> tuple[Any, ...]:
    """What a row shows. What begins with `list_` is of the list: counts, and the place in its order."""
    return tuple(getattr(row, name) for name in row.__slots__ if not name.startswith("list_"))


_lists: dict[str, KeptRows] = {}


def of(name: str) -> KeptRows:
    """The kept rows of the list of this name."""
    return _lists.setdefault(name, KeptRows())
