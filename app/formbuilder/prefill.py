"""What stands in a form before anybody typed: from the address, from who is signed in, from a link of the office."""

from collections.abc import Iterable, Mapping, Sequence

from app.core.i18n import lazy
from app.formbuilder.fields.kinds import kind_of
from app.formbuilder.models import Definition, Field, Posted, field_of
from app.formbuilder.settings import Setting, Switch
from app.web.request import Visitor

LONGEST, MOST = 1000, 200

SETTINGS: tuple[Setting, ...] = (
    Switch(name="prefill_member", label=lazy("Fill in name and email address of who is signed in")),
)


def unasked(definition: Definition) -> dict[str, list[str]]:
    """Hidden values that the owner wrote: they hold on screens, too, that nobody comes to see."""
    return {each.id: [each["value"]] for each in definition.fields if each.kind == "hidden" and each["value"]}


def from_address(definition: Definition, given: Iterable[tuple[str, Sequence[str]]]) -> dict[str, list[str]]:
    """`?q1=Ann&q2.first=Ann`: what names a field of the form."""
    known = {each.id for each in definition.fields}
    return {
        name: [value[:LONGEST] for value in values[:MOST]]
        for name, values in given
        if field_of(name) in known
    }  # fmt: skip


def from_person(definition: Definition, person: Visitor | None) -> dict[str, list[str]]:
    """Name and address of who is signed in, where the form asks for them and its owner wants that."""
    if person is None or not definition.settings.get("prefill_member"):
        return {}
    first, _space, last = person.name.partition(" ")
    names = {"name": person.name, "given-name": first, "family-name": last}
    found: dict[str, list[str]] = {}
    for field in definition.fields:
        parts = {part for part, _class in kind_of(field).parts(field)}
        if field.kind in ("email", "confirm_email"):
            found[field.id] = [person.email]
            if field.kind == "confirm_email":
                found[f"{field.id}.again"] = [person.email]
        elif {"first", "last"} <= parts:
            found |= {f"{field.id}.first": [first], f"{field.id}.last": [last]}
            if "email" in parts:
                found[f"{field.id}.email"] = [person.email]
        elif _asks_for(field) in names:
            found[field.id] = [names[_asks_for(field)]]
    return found


def with_given(posted: Posted, given: Mapping[str, Sequence[str]]) -> Posted:
    """What was posted, with what a link carries in its place: nobody can change that."""
    ids = {name.partition(".")[0] for name in given}
    texts = {name: values for name, values in posted.texts.items() if name.partition(".")[0] not in ids}
    return Posted({**texts, **given}, posted.files)


def _asks_for(field: Field) -> str:
    return str(field.settings.get("autocomplete") or "") if field.kind == "short_text" else ""
