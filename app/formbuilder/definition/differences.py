"""What differs between two definitions, as people read it: by field, by rule, by setting. Pure."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from app.core.i18n import _
from app.formbuilder.definition import definitions
from app.formbuilder.fields.kinds import kind_of
from app.formbuilder.logic import sentences
from app.formbuilder.models import Definition, Field
from app.formbuilder.settings import Option, Setting


@dataclass(frozen=True, slots=True)
class Change:
    """One thing that reads otherwise; an empty text was not there."""

    what: str
    before: str
    after: str


@dataclass(frozen=True, slots=True)
class Difference:
    """What became of one field, rule or part: `how` is added, removed, moved or changed."""

    how: str
    what: str
    changes: Sequence[Change] = ()


def between(before: Definition, after: Definition) -> list[Difference]:
    """Everything that differs, in the order in which the form is read."""
    head = [
        Change(str(what), old, new)
        for what, old, new in (
            (_("Name"), before.title, after.title),
            (_("Introduction"), before.intro, after.intro),
            (_("Words on the button"), before.button, after.button),
        )
        if old != new
    ]
    found = [Difference("changed", _("The form"), head)] if head else []
    return [*found, *_fields(before, after), *_rules(before, after), *_whole(before, after)]


def of_fields(before: Field, after: Field) -> Difference:
    """What differs between two states of one field."""
    said = [
        Change(str(what), old, new)
        for what, old, new in (
            (_("Kind"), str(kind_of(before).label), str(kind_of(after).label)),
            (_("Label"), before.label, after.label),
            (_("Hint"), before.help, after.help),
            (_("Must be answered"), _yes(before.required), _yes(after.required)),
            (_("Width"), f"{before.width}/6", f"{after.width}/6"),
        )
        if old != new
    ]
    said += _settings(kind_of(after).settings, before.settings, after.settings)
    return Difference("changed", _named(after), said)


def of_words(before: Mapping[str, str], after: Mapping[str, str]) -> list[Change]:
    """What differs between two states of a part that is told as {what: words}."""
    names = dict.fromkeys((*before, *after))
    pairs = ((name, before.get(name, ""), after.get(name, "")) for name in names)
    return [Change(name, old, new) for name, old, new in pairs if old != new]


def _fields(before: Definition, after: Definition) -> Iterator[Difference]:
    old = {field.id: field for field in before.fields}
    new = {field.id: field for field in after.fields}
    stayed = [field.id for field in after.fields if field.id in old]
    moved = set(stayed) - set(_in_order([field.id for field in before.fields if field.id in new], stayed))
    for field in after.fields:
        if field.id not in old:
            yield Difference("added", _named(field), [Change(_("Kind"), "", str(kind_of(field).label))])
            continue
        if field.id in moved:
            yield Difference("moved", _named(field))
        changed = of_fields(old[field.id], field)
        if changed.changes:
            yield changed
    for field in before.fields:
        if field.id not in new:
            yield Difference("removed", _named(field), [Change(_("Kind"), str(kind_of(field).label), "")])


def _in_order(before: Sequence[str], after: Sequence[str]) -> list[str]:
    """The longest run of names that stand in the same order in both: the others were moved."""
    place = {name: number for number, name in enumerate(before)}
    best: list[list[str]] = []
    # best[n] is a run of n + 1 names that ends as early as possible.
    for name in after:
        number = next((at for at, run in enumerate(best) if place[run[-1]] > place[name]), len(best))
        run = [*(best[number - 1] if number else ()), name]
        best[number : number + 1] = [run]
    return best[-1] if best else []


def _rules(before: Definition, after: Definition) -> Iterator[Difference]:
    old, new = _said(before), _said(after)
    for name, sentence in new.items():
        if name not in old:
            yield Difference("added", _("Rule"), [Change("", "", sentence)])
        elif old[name] != sentence:
            yield Difference("changed", _("Rule"), [Change("", old[name], sentence)])
    for name, sentence in old.items():
        if name not in new:
            yield Difference("removed", _("Rule"), [Change("", sentence, "")])
    if [name for name in old if name in new] != [name for name in new if name in old]:
        yield Difference("moved", _("Rules"))


def _said(definition: Definition) -> dict[str, str]:
    labels = {field.id: field.label or field.id for field in definition.fields}
    options = {
        field.id: {each.value: each.label for each in kind_of(field).options(field)} for field in definition.fields
    }
    return {str(rule.get("id", "")): sentences.sentence(rule, labels, options) for rule in definition.rules}


def _whole(before: Definition, after: Definition) -> Iterator[Difference]:
    changed = _settings(definitions.SETTINGS, before.settings, after.settings)
    if changed:
        yield Difference("changed", _("Settings"), changed)
    for name, what in (
        ("notifications", _("Notifications")), ("confirmations", _("Confirmations")),
        ("integrations", _("Connections")), ("payment", _("Payment")),
    ):  # fmt: skip
        if getattr(before, name) != getattr(after, name):
            yield Difference("changed", what)


def _settings(settings: Sequence[Setting], old: Mapping[str, Any], new: Mapping[str, Any]) -> list[Change]:
    return [
        Change(str(setting.label), text(setting, old.get(setting.name)), text(setting, new.get(setting.name)))
        for setting in settings
        if old.get(setting.name) != new.get(setting.name)
    ]


def text(setting: Setting, value: Any) -> str:
    """A value of a setting as people read it."""
    if value is None or value == "":
        return ""
    if isinstance(value, bool):
        return _yes(value)
    labels = {key: str(label) for key, label in getattr(setting, "choices", ())}
    if isinstance(value, tuple | list):
        return ", ".join(_option(each) if isinstance(each, Option) else labels.get(each, str(each)) for each in value)
    return labels.get(value, str(value)) if isinstance(value, str) else str(value)


def _option(option: Option) -> str:
    extras = [f"{option.points:g}" if option.points else "", str(option.stock) if option.stock is not None else ""]
    told = " / ".join(each for each in extras if each)
    return f"{option.label} ({told})" if told else option.label


def _yes(value: bool) -> str:
    return _("Yes") if value else _("No")


def _named(field: Field) -> str:
    return _("“%(label)s”", label=field.label or field.id)
