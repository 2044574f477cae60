"""Words for people go through gettext. English is the source language; catalogues live in `app/translations`."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import cache
from pathlib import Path

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
