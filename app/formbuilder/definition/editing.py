"""The edits of the builder: each takes a definition and gives the next. Pure; fields are named by id, never by place."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from app.core.errors import Conflict, Invalid
from app.core.i18n import _
from app.formbuilder.definition import definitions
from app.formbuilder.models import Definition, Field
from app.formbuilder.settings import Option, Unfit, read_all, write

FIRST = "-"


def added(definition: Definition, kind: str, after: str = "", *, currency: str = "") -> Definition:
    """With a new field of this kind behind the field `after`, before all (`-`), or at the end; prices in `currency`."""
    if len(definition.fields) >= definitions.MOST_FIELDS:
        raise Invalid(_("A form has at most %(n)s fields.", n=definitions.MOST_FIELDS))
    try:
        made = definitions.new_field(definition, kind, currency=currency)
    except Unfit as error:
        raise Invalid(str(error)) from None
    return _inserted(replace(definition, last=definition.last + 1), made, after)


def priced_in(definition: Definition, currency: str) -> Definition:
    """With all its prices in this currency: a form that somebody begins with knows nothing of the school's."""
    fields = (
        replace(each, settings={**each.settings, "currency": currency}) if "currency" in each.settings else each
        for each in definition.fields
    )
    return replace(definition, fields=tuple(fields))


def duplicated(definition: Definition, field_id: str) -> Definition:
    """With a copy of the field behind it, under a new id."""
    field = found(definition, field_id)
    copy = replace(field, id=f"q{definition.last + 1}")
    return _inserted(replace(definition, last=definition.last + 1), copy, field_id)


def removed(definition: Definition, field_id: str) -> Definition:
    """Without the field. Rules that speak of it stay, and are shown as a problem."""
    found(definition, field_id)
    return replace(definition, fields=tuple(each for each in definition.fields if each.id != field_id))


def moved(definition: Definition, field_id: str, by: int) -> Definition:
    """With the field `by` places further down (below 0: up)."""
    fields = list(definition.fields)
    place = fields.index(found(definition, field_id))
    fields.insert(max(0, min(len(fields) - 1, place + by)), fields.pop(place))
    return replace(definition, fields=tuple(fields))


def ordered(definition: Definition, ids: list[str]) -> Definition:
    """With the fields in this order; fields that the list does not know (somebody added them) stay behind their neighbour."""
    rank = {name: place for place, name in enumerate(ids)}
    last, places = -1.0, {}
    for field in definition.fields:
        last = places[field.id] = float(rank[field.id]) if field.id in rank else last + 0.001
    return replace(definition, fields=tuple(sorted(definition.fields, key=lambda field: places[field.id])))


def changed(definition: Definition, field_id: str, sent: Mapping[str, Any]) -> tuple[Definition, dict[str, str]]:
    """With what was typed for a field, and a sentence for each setting that was refused."""
    field, refused = definitions.edited(found(definition, field_id), sent)
    return _with(definition, field), refused


def with_picture(definition: Definition, field_id: str, value: str, address: str) -> Definition:
    """With another picture for the option of this value. Raises Invalid when there is no such option."""
    field = found(definition, field_id)
    options: Sequence[Option] = field.settings.get("options", ())
    if not any(option.value == value for option in options):
        raise Invalid(_("This option is gone. Look at the field again."))
    changed_ones = tuple(replace(each, picture=address) if each.value == value else each for each in options)
    return _with(definition, replace(field, settings={**field.settings, "options": changed_ones}))


def with_head(definition: Definition, *, title: str, intro: str, button: str) -> Definition:
    """With another name, introduction and word on the button."""
    made = definitions.cleaned(replace(definition, title=title, intro=intro, button=button))
    if not made.title:
        raise Invalid(_("A form needs a name."), field="title")
    return made


def with_settings(definition: Definition, sent: Mapping[str, Any]) -> tuple[Definition, dict[str, str]]:
    """With what was typed for the form as a whole, and a sentence for each setting that was refused."""
    values, refused = dict(definition.settings), {}
    for setting in definitions.SETTINGS:
        try:
            values[setting.name] = setting.read(sent.get(setting.name))
        except Unfit as error:
            refused[setting.name] = str(error)
    return replace(definition, settings=read_all(definitions.SETTINGS, values)), refused


def found(definition: Definition, field_id: str) -> Field:
    """The field of this id. Raises Conflict when it is gone."""
    field = definition.find(field_id)
    if field is None:
        raise Conflict(_("This field is gone: somebody removed it. Look at the form again."))
    return field


def _with(definition: Definition, field: Field) -> Definition:
    return replace(definition, fields=tuple(field if each.id == field.id else each for each in definition.fields))


def _inserted(definition: Definition, field: Field, after: str) -> Definition:
    fields = list(definition.fields)
    place = next((number for number, each in enumerate(fields, start=1) if each.id == after), len(fields))
    place = 0 if after == FIRST else place
    fields.insert(place, field)
    return replace(definition, fields=tuple(fields))


def fingerprint(field: Field) -> str:
    """A short text that differs when anything of the field does."""
    known = [field.kind, field.label, field.help, field.required, field.width]
    told = json.dumps(
        [known, {name: write(value) for name, value in field.settings.items()}], sort_keys=True, default=str
    )
    return hashlib.sha256(told.encode()).hexdigest()[:20]
