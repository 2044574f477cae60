"""A country, of the list that ISO keeps, in the words of the page's language."""

from collections.abc import Sequence
from functools import lru_cache

from babel import Locale

from app.core.i18n import lazy, locale
from app.formbuilder.fields.choosing import OneOf
from app.formbuilder.models import Field
from app.formbuilder.settings import Lines, Option


class Country(OneOf):
    name = "country"
    label = lazy("Country")
    icon = "map-pin"
    settings = (
        Lines(name="first", label=lazy("At the top"), hint=lazy("Codes of two letters, a line each: DE"), most=20),
        Lines(name="only", label=lazy("Only these"), hint=lazy("Codes of two letters, a line each"), most=250),
    )

    def options(self, field: Field) -> Sequence[Option]:
        return chosen_countries(locale(), _codes(field["first"]), _codes(field["only"]))


def countries() -> Sequence[Option]:
    """Every country, by name."""
    return chosen_countries(locale(), (), ())


@lru_cache(maxsize=64)
def chosen_countries(language: str, first: tuple[str, ...], only: tuple[str, ...]) -> Sequence[Option]:
    """The countries in these words: `first` at the top, the others by name; `only` leaves all others out."""
    found = {
        code: name
        for code, name in Locale.parse(language, sep="-" if "-" in language else "_").territories.items()
        if len(code) == 2 and code.isalpha() and code not in _NO_COUNTRY and (not only or code in only)
    }
    ordered = sorted(
        found, key=lambda code: (first.index(code) if code in first else len(first), found[code].casefold())
    )
    return tuple(Option(code, found[code]) for code in ordered)


# Unions, outlying groups without people of their own, codes for private use.
_NO_COUNTRY = frozenset({"EU", "EZ", "UN", "ZZ", "QO", "XA", "XB", "AC", "CP", "CQ", "DG", "EA", "IC", "TA"})


def _codes(lines: Sequence[str]) -> tuple[str, ...]:
    return tuple(line.strip().upper()[:2] for line in lines)


KIND = Country()
