"""A form's definition: reading it from JSON, writing it, and what is wrong with it. The one validator."""

import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from app.core.i18n import _, lazy
from app.core.numbers import whole_number
from app.formbuilder.answering import drafts, embedding, limits, prefill, spam
from app.formbuilder.definition import entry_settings, field_checks, mapping
from app.formbuilder.fields.kinds import all_kinds
from app.formbuilder.logic import conflicts, plans, scoring
from app.formbuilder.models import FIRST_STEP, Definition, Field
from app.formbuilder.settings import Choice, Setting, Switch, Text, Unfit, read_all, write

SCHEMA = 1
MOST_FIELDS, MOST_RULES = 300, 200
WIDTHS = (6, 4, 3, 2, 1)
_ID = re.compile(r"[a-z][a-z0-9_]{0,39}")

# Of the form as a whole. More join here by the module that acts on them.
SETTINGS: tuple[Setting, ...] = (
    Choice(
        name="presentation",
        label=lazy("Questions are shown"),
        default="classic",
        choices=(("classic", lazy("All of a page together")), ("one", lazy("One at a time"))),
    ),
    Switch(name="numbers", label=lazy("Number the questions")),
    Text(name="thanks_title", label=lazy("Heading after sending"), longest=120),
    Text(name="thanks", label=lazy("Words after sending"), hint=lazy("Markdown"), longest=2000, rows=4),
    *drafts.SETTINGS,
    *prefill.SETTINGS,
    *embedding.SETTINGS,
    *limits.SETTINGS,
    *spam.SETTINGS,
    *entry_settings.SETTINGS,
    *scoring.SETTINGS,
)


class Malformed(ValueError):
    """JSON that is not a definition; the text says where and why."""


@dataclass(frozen=True, slots=True)
class Problem:
    """Something that the owner should know. An `error` keeps the form from being published, a `warning` does not."""

    level: str
    sentence: str
    field: str = ""
    rule: str = ""
    integration: str = ""


def read(stored: Any) -> Definition:
    """A definition from JSON, each setting sound. Raises Malformed for what cannot be understood."""
    if not isinstance(stored, Mapping):
        raise Malformed(_("This is not a form."))
    if stored.get("schema", SCHEMA) != SCHEMA:
        raise Malformed(_("This form was made by a newer version of Lectern."))
    fields = tuple(_field(row, number) for number, row in enumerate(_rows(stored, "fields", MOST_FIELDS), start=1))
    ids = [field.id for field in fields]
    twice = next((each for each, count in Counter(ids).items() if count > 1), None)
    if twice is not None:
        raise Malformed(_("Two fields are called “%(id)s”.", id=twice))
    payment, last = stored.get("payment"), stored.get("last")
    numbers = [int(each[1:]) for each in ids if re.fullmatch(r"q\d{1,9}", each)]
    return Definition(
        title=_line(stored.get("title"), 120) or _("Form without a name"),
        intro=_text(stored.get("intro"), 5000),
        button=_line(stored.get("button"), 60),
        fields=fields,
        rules=_rows(stored, "rules", MOST_RULES),
        settings=read_all(SETTINGS, stored.get("settings")),
        notifications=_rows(stored, "notifications", 30),
        confirmations=_rows(stored, "confirmations", 30),
        integrations=_rows(stored, "integrations", 30),
        payment=_payment(payment),
        last=max([last if isinstance(last, int) and 0 <= last < 10**9 else 0, *numbers]),
    )


def _payment(stored: Any) -> Mapping[str, Any]:
    """What is told of the payment, each part of its kind; what nobody knows is dropped."""
    told = stored if isinstance(stored, Mapping) else {}
    kept = {name: told[name] for name in ("amount", "title") if isinstance(told.get(name), str)}
    return {**({"on": told["on"]} if isinstance(told.get("on"), bool) else {}), **kept}


def write_definition(definition: Definition) -> dict[str, Any]:
    """A definition as JSON: what `read` reads."""
    return {
        "schema": SCHEMA,
        "title": definition.title,
        "intro": definition.intro,
        "button": definition.button,
        "fields": [_field_json(field) for field in definition.fields],
        "rules": [dict(rule) for rule in definition.rules],
        "settings": {name: write(value) for name, value in definition.settings.items()},
        "notifications": [dict(row) for row in definition.notifications],
        "confirmations": [dict(row) for row in definition.confirmations],
        "integrations": [dict(row) for row in definition.integrations],
        "payment": dict(definition.payment),
        "last": definition.last,
    }


def new_field(definition: Definition, kind: str, **begins: Any) -> Field:
    """A field of this kind under an id that nobody has, with its defaults but for settings that begin otherwise.

    Raises Unfit for an unknown kind.
    """
    if kind not in all_kinds():
        raise Unfit(_("There is no such kind of field."))
    found = all_kinds()[kind]
    return Field(f"q{definition.last + 1}", kind, str(found.label), settings=read_all(found.settings, begins))


def edited(field: Field, changes: Mapping[str, Any]) -> tuple[Field, dict[str, str]]:
    """The field with what was posted for it, and a sentence for each setting that did not fit (which stays as it was)."""
    kind = all_kinds()[field.kind]
    refused: dict[str, str] = {}
    settings = dict(field.settings)
    for setting in kind.settings:
        try:
            settings[setting.name] = setting.read(changes.get(setting.name))
        except Unfit as error:
            refused[setting.name] = str(error)
    width = whole_number(str(changes.get("width", "")))
    return (
        replace(
            field,
            label=_line(changes.get("label"), 500),
            help=_text(changes.get("help"), 1000),
            required=kind.can_be_required and bool(changes.get("required")),
            width=width if width in WIDTHS else field.width,
            settings=settings,
        ),
        refused,
    )


# What other modules know to be wrong: (level, check); they import this one, so they join here.
_CHECKS: list[tuple[str, Callable[[Definition], list[str]]]] = []


def checked_by(level: str, check: Callable[[Definition], list[str]]) -> None:
    """Let `problems` tell the sentences of this check too."""
    if (level, check) not in _CHECKS:
        _CHECKS.append((level, check))


def problems(definition: Definition) -> list[Problem]:
    """What is wrong with a form, as its owner is told."""
    found = [Problem(level, sentence) for level, check in _CHECKS for sentence in check(definition)]
    if not any(all_kinds()[field.kind].has_answer for field in definition.fields):
        found.append(Problem("error", _("There is nothing to answer yet. Add a field.")))
    for field in definition.fields:
        is_asked = all_kinds()[field.kind].has_answer and field.kind != "hidden"
        if not field.label and (is_asked or field.kind in plans.GROUPS):
            found.append(Problem("warning", _("A field has no label."), field.id))
    found += [Problem(level, sentence, name) for level, sentence, name in field_checks.problems(definition)]
    for step in definition.steps:
        if not step.fields and definition.fields:
            found.append(Problem("warning", _("A page has no fields."), "" if step.id == FIRST_STEP else step.id))
    wrong = conflicts.problems(plans.nodes_of(definition), definition.rules)
    found += [Problem("warning", sentence) for sentence in limits.doubts(definition)]
    found += [Problem("error", sentence, integration=name) for name, sentence in mapping.problems(definition)]
    return found + [Problem(each.level, each.sentence, each.field, each.rule) for each in wrong]


def _rows(stored: Mapping[str, Any], name: str, most: int) -> tuple[Mapping[str, Any], ...]:
    rows = stored.get(name) or ()
    if not isinstance(rows, Sequence) or isinstance(rows, str) or any(not isinstance(row, Mapping) for row in rows):
        raise Malformed(_("“%(name)s” is not a list of objects.", name=name))
    if len(rows) > most:
        raise Malformed(_("“%(name)s” has more than %(n)s rows.", name=name, n=most))
    return tuple(rows)


def _field(row: Mapping[str, Any], number: int) -> Field:
    name, kind = str(row.get("id") or ""), all_kinds().get(str(row.get("kind") or ""))
    if not _ID.fullmatch(name):
        raise Malformed(_("Field %(n)s has no sound id.", n=number))
    if kind is None:
        raise Malformed(_("Field %(n)s is of an unknown kind, “%(kind)s”.", n=number, kind=str(row.get("kind"))[:40]))
    width = row.get("width", 6)
    return Field(
        id=name,
        kind=kind.name,
        label=_line(row.get("label"), 500),
        help=_text(row.get("help"), 1000),
        required=kind.can_be_required and row.get("required") is True,
        width=width if width in WIDTHS and isinstance(width, int) else 6,
        settings=read_all(kind.settings, row.get("settings")),
    )


def _field_json(field: Field) -> dict[str, Any]:
    return {
        "id": field.id,
        "kind": field.kind,
        "label": field.label,
        "help": field.help,
        "required": field.required,
        "width": field.width,
        "settings": {name: write(value) for name, value in field.settings.items()},
    }


def cleaned(definition: Definition) -> Definition:
    """With name, introduction and words on the button as they can be kept."""
    return replace(
        definition,
        title=_line(definition.title, 120),
        intro=_text(definition.intro, 5000),
        button=_line(definition.button, 60),
    )


def _line(value: Any, longest: int) -> str:
    return " ".join(_text(value, longest).split())


def _text(value: Any, longest: int) -> str:
    text = str(value or "").replace("\r\n", "\n").replace("\x00", "").strip()
    return text.encode("utf-8", "ignore").decode()[:longest].strip()
