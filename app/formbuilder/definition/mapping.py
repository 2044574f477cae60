"""An integration as the form's definition holds it, and what an entry becomes for its service.

`{"id", "connection", "list", "map": {"email": "q2", "first_name": "q1.first", …}, "tags": [], "tag_fields": ["q4"],
"consent": "q7", "when": {…}}`. `map` leads from the service's fields (and email, first_name, last_name, phone) to answers, to
parts of them, or to what is known of the entry (`@link`). What is chosen in `tag_fields` becomes tags too.

`consent` names the field with which somebody agrees to get mail; `*` says that sending the form is the agreement. Without
it nobody has agreed. Anything in it may be missing or wrong: nothing is believed.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from app.core.i18n import _
from app.formbuilder.fields.kinds import Kind, kind_of
from app.formbuilder.integrations import Contact, Value
from app.formbuilder.logic import conditions, plans, trees
from app.formbuilder.models import Answer, Definition, Field

OWN = ("email", "first_name", "last_name", "phone")
MOST_TAGS = 20
LONGEST_TAG = 100
# In place of a field: sending the form is the agreement.
SENDING = "*"
# What is known of an entry besides its answers.
ABOUT = ("@link", "@id", "@at", "@form")
_NO = {"", "no", "false", "0", "off"}


def contact_of(
    definition: Definition,
    title: str,
    integration: Mapping[str, Any],
    answers: Mapping[str, Answer],
    email: str,
    about: Mapping[str, str] | None = None,
) -> Contact:
    """What the service is told; also the preview of a mapping. `email` is the entry's own, where none is mapped; `about` is
    what is known of the entry, by the names of ABOUT."""
    mapped = integration.get("map")
    mapped = mapped if isinstance(mapped, Mapping) else {}
    known = {"@form": title, **(about or {})}
    values = {
        str(target): known.get(str(source)) if source in ABOUT else answer_at(definition, answers, str(source))
        for target, source in mapped.items()
        if source
    }
    own = {name: _text(values.pop(name, None)) for name in OWN}
    return Contact(
        email=own["email"] or ("" if mapped.get("email") else email),
        first_name=own["first_name"],
        last_name=own["last_name"],
        phone=own["phone"],
        fields={name: value for name, value in values.items() if value not in (None, "", [])},
        tags=_tags(definition, integration, answers),
        consent=_agreed(definition, integration, answers),
        title=title,
        answers=tuple(
            (each.label or each.id, kind_of(each).text(each, answers[each.id]))
            for each in definition.fields
            if each.id in answers and not kind_of(each).is_secret
        ),
    )


def answer_at(definition: Definition, answers: Mapping[str, Answer], source: str) -> Value:
    """An answer, or with `q1.first` a part of one, as programs want it: a number is one, several choices are a list of their
    words, a day is 2026-11-21, a telephone number is in its international form; all else is as people read it."""
    name, _dot, part = source.partition(".")
    answer, field = answers.get(name), definition.find(name)
    if answer is None or field is None:
        return None
    kind = kind_of(field)
    if kind.is_secret:
        return None
    if part:
        return _part(kind, field, answer, part)
    if kind.value_class == "choices":
        return _chosen(kind, field, answer)
    if isinstance(answer, int | float) and not isinstance(answer, bool):
        return answer
    if kind.value_class == "number":
        number = _number("".join(kind.posted(field, answer).get(field.id, [""])[:1]))
        return kind.text(field, answer) if number is None else number
    if isinstance(answer, str) and not kind.options(field):
        return answer
    return kind.text(field, answer)


def _part(kind: Kind, field: Field, answer: Answer, part: str) -> Value:
    parts = list(kind.parts(field))
    number = next((number for number, (name, _class) in enumerate(parts) if name == part), None)
    if number is None:
        found = answer.get(part) if isinstance(answer, Mapping) else None
        return found if isinstance(found, str | int | float) else None
    cells = kind.cells(field, answer)
    if parts[number][1] in ("choice", "choices") and len(cells) == len(parts):  # the words of what was chosen
        return cells[number]
    texts = kind.posted(field, answer).get(f"{field.id}.{part}") or [""]
    return _number(texts[0]) if parts[number][1] == "number" else texts[0]


def _chosen(kind: Kind, field: Field, answer: Answer) -> list[str]:
    """The words of each option that was chosen, and what was written besides."""
    if not isinstance(answer, Mapping):
        return [kind.text(field, answer)]
    words = {option.value: option.label for option in kind.options(field)}
    values = answer.get("values") or ([answer["value"]] if answer.get("value") else [])
    found = [words.get(str(value), str(value)) for value in values]
    return [*found, str(answer["other"])] if answer.get("other") else found


def _number(text: str) -> int | float | None:
    try:
        number = float(text)
    except ValueError:
        return None
    return int(number) if number.is_integer() else number


def _tags(definition: Definition, integration: Mapping[str, Any], answers: Mapping[str, Answer]) -> tuple[str, ...]:
    """Those of the integration, and what was chosen in the fields that it names; each once."""
    fixed, fields = integration.get("tags"), integration.get("tag_fields")
    found = [str(tag) for tag in fixed] if isinstance(fixed, list) else []
    for name in fields if isinstance(fields, list) else []:
        value = answer_at(definition, answers, str(name))
        found += value if isinstance(value, list) else [_text(value)]
    clean = (" ".join(tag.split())[:LONGEST_TAG] for tag in found)
    return tuple(dict.fromkeys(tag for tag in clean if tag))[:MOST_TAGS]


def is_wanted(
    definition: Definition, integration: Mapping[str, Any], answers: Mapping[str, Answer], today: str
) -> bool:
    """Whether its condition holds for these answers; none always does. `today` is the school's day."""
    when = integration.get("when")
    if not when:
        return True
    texts: dict[str, list[str]] = {}
    for field in definition.fields:
        if field.id in answers:
            texts |= kind_of(field).posted(field, answers[field.id])
    known = conditions.classes(plans.nodes_of(definition))
    values = plans.evaluate(definition, texts, today).values
    return trees.holds(conditions.tree(when, known), values, today, {"points": {}, "price": {}})


def problems(definition: Definition) -> list[tuple[str, str]]:
    """What would keep integrations from working, as (integration id, sentence) for the owner."""
    found: list[tuple[str, str]] = []
    known = conditions.classes(plans.nodes_of(definition))
    fields = {field.id for field in definition.fields}
    seen: set[str] = set()
    for integration in definition.integrations:
        name = str(integration.get("id") or "")
        if not name or name in seen:
            found.append((name, _("An integration has no id of its own.")))
        seen.add(name)
        if not integration.get("connection"):
            found.append((name, _("No connection is chosen.")))
        mapped = integration.get("map")
        sources = (
            [str(each) for each in mapped.values() if each and each not in ABOUT] if isinstance(mapped, Mapping) else []
        )
        sources += _named(integration)
        if any(source.partition(".")[0] not in fields for source in sources):
            found.append((name, _("A field that it takes from is not in the form any more.")))
        when = integration.get("when")
        if when and any(looked not in known for looked in conditions.looks_at(when)):
            found.append((name, _("Its condition looks at a field that is not in the form any more.")))
    return found


def _named(integration: Mapping[str, Any]) -> Sequence[str]:
    """Fields that it takes agreement and tags from."""
    fields, consent = integration.get("tag_fields"), integration.get("consent")
    named = [str(each) for each in fields] if isinstance(fields, list) else []
    return [*named, str(consent)] if consent and consent != SENDING else named


def _agreed(definition: Definition, integration: Mapping[str, Any], answers: Mapping[str, Answer]) -> bool:
    """Whether she agreed to get mail: what cannot be told is no agreement."""
    source = integration.get("consent")
    if source == SENDING:
        return True
    field = definition.find(str(source)) if source else None
    if field is None or answers.get(field.id) is None:
        return False
    texts = kind_of(field).posted(field, answers[field.id]).get(field.id, [])
    return bool(texts) and all(text.strip().lower() not in _NO for text in texts)


def _text(value: Any) -> str:
    if isinstance(value, list):
        return ", ".join(str(each) for each in value)
    return "" if value is None else str(value)
