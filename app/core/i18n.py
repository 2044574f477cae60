"""Words for people go through gettext. English is the source language; catalogues live in `app/translations`."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import date, datetime
from functools import cache, lru_cache
from pathlib import Path

from babel.dates import format_date, format_datetime
from babel.numbers import format_decimal, format_percent
from babel.support import LazyProxy, NullTranslations, Translations

FOLDER = Path(__file__).resolve().parents[1] / "translations"

_locale: ContextVar[str] = ContextVar("locale", default="en")


def locale() -> str:
    """The language of this request or mail."""
    return _locale.get()


@contextmanager
def speaking(language: str) -> Iterator[None]:
    """Inside, words are in this language."""
    token = _locale.set(language)
    try:
        yield
    finally:
        _locale.reset(token)


def format_locale() -> str:
    """The locale that dates, numbers and amounts are written in: our English is European, day before month."""
    return {"en": "en_GB"}.get(_locale.get(), _locale.get())


# Babel takes 40 µs for a day or a number, and a list shows a hundred: what was written once is kept.


def format_day(when: date, form: str = "medium") -> str:
    """A day as people write it; of a moment, its day in its own time zone."""
    return _day(when.date() if isinstance(when, datetime) else when, form, format_locale())


def format_moment(moment: datetime, form: str = "") -> str:
    """A moment in its own time zone: `9 Nov 2026, 14:05`, or a form of Babel's."""
    if form:
        return str(format_datetime(moment, form, locale=format_locale()))
    return f"{_day(moment.date(), 'd MMM y', format_locale())}, {moment:%H:%M}"


def format_number(number: float) -> str:
    """A number with its thousands apart."""
    return _number(number, format_locale())


def format_share(share: float) -> str:
    """0.25 as `25%`."""
    return _share(share, format_locale())


@lru_cache(maxsize=4096)
def _day(day: date, form: str, locale: str) -> str:
    return str(format_date(day, form, locale=locale))


@lru_cache(maxsize=4096)
def _number(number: float, locale: str) -> str:
    return str(format_decimal(number, locale=locale))


@lru_cache(maxsize=1024)
def _share(share: float, locale: str) -> str:
    return str(format_percent(share, locale=locale))


@cache
def _catalogue(name: str) -> NullTranslations:
    return Translations.load(FOLDER, [name])


def gettext(message: str, **values: object) -> str:
    """The message in the current language, with `%(name)s` filled in."""
    found = str(_catalogue(_locale.get()).gettext(message))
    return found % values if values else found


def ngettext(singular: str, plural: str, n: int, **values: object) -> str:
    """The form for `n`, with its values filled in; `%(num)s` is n."""
    return ngettext_unfilled(singular, plural, n) % {"num": n, **values}


def ngettext_unfilled(singular: str, plural: str, n: int) -> str:
    """The form for `n` as it stands in the catalogue: Jinja and WTForms fill in the values themselves."""
    return str(_catalogue(_locale.get()).ngettext(singular, plural, n))


def lazy(message: str) -> LazyProxy:
    """The message in the language of whoever reads it later: for labels that are written down once, at import."""
    return LazyProxy(gettext, message, enable_cache=False)


_ = gettext
