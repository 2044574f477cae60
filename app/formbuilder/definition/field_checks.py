"""What is wrong with the settings of one field: bounds that cross, nothing to choose, fields that are not there. Pure."""

from collections.abc import Iterator, Mapping
from typing import Any

from app.core.i18n import _
from app.formbuilder.fields.kinds import kind_of
from app.formbuilder.models import Definition, Field
from app.formbuilder.settings import OneField, Options, SomeFields

# The lower and the upper bound, where a kind has both.
_BOUNDS = (("low", "high"), ("least", "most"), ("min_length", "max_length"), ("first", "last"))


def problems(definition: Definition) -> Iterator[tuple[str, str, str]]:
    """(level, sentence, id of the field)."""
    there = {field.id for field in definition.fields}
    for field in definition.fields:
        for level, sentence in (*_bounds(field), *_options(field), *_references(field, there), *_calculation(field)):
            yield level, sentence, field.id


def offered(definition: Definition, setting: OneField | SomeFields, but: str) -> list[tuple[str, str]]:
    """The fields that such a setting of the field `but` can name: (id, words)."""
    return [
        (field.id, field.label or field.id)
        for field in definition.fields
        if field.id != but and any(_has(each, setting.having) for each in kind_of(field).settings)
    ]


def _has(setting: Any, extra: str) -> bool:
    return isinstance(setting, Options) and setting.name == "options" and extra in setting.extras


def _bounds(field: Field) -> Iterator[tuple[str, str]]:
    labels: Mapping[str, str] = {setting.name: str(setting.label) for setting in kind_of(field).settings}
    for lower, upper in _BOUNDS:
        low, high = field.settings.get(lower), field.settings.get(upper)
        if lower in labels and upper in labels and low not in (None, "") and high not in (None, "") and low > high:
            said = {"low": labels[lower], "m": low, "high": labels[upper], "n": high}
            yield "error", _("“%(low)s” (%(m)s) is beyond “%(high)s” (%(n)s): nothing fits.", **said)


def _options(field: Field) -> Iterator[tuple[str, str]]:
    for setting in kind_of(field).settings:
        if isinstance(setting, Options) and not field[setting.name]:
            level = "error" if field.required else "warning"
            yield level, _("There is nothing in “%(label)s”.", label=str(setting.label))
    chosen, least = field.settings.get("options"), field.settings.get("least")
    if chosen and least and not field.settings.get("other") and least > len(chosen):
        yield "error", _("It asks for %(n)s, and has %(m)s options.", n=least, m=len(chosen))


def _references(field: Field, there: set[str]) -> Iterator[tuple[str, str]]:
    for setting in kind_of(field).settings:
        if not isinstance(setting, OneField | SomeFields):
            continue
        named = field[setting.name]
        for name in [named] if isinstance(named, str) else named:
            if name and name not in there:
                said = {"label": str(setting.label), "id": name}
                yield "error", _("“%(label)s” names the field “%(id)s”, which is not there.", **said)


def _calculation(field: Field) -> Iterator[tuple[str, str]]:
    if "expression" in field.settings and not str(field["expression"]).strip():
        yield "warning", _("There is nothing to calculate yet.")
