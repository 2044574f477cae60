"""An integration as the form's definition holds it, and what an entry becomes for its service.

`{"id", "connection", "list", "map": {"email": "q2", "first_name": "q1.first", …}, "tags": [], "consent": "q7", "when": {…}}`.
`map` leads from the service's fields (and email, first_name, last_name, phone) to answers. Without `consent` sending the form
is the agreement; with it, that field has to be answered. Anything in it may be missing or wrong: nothing is believed.
"""

from collections.abc import Mapping
from typing import Any

from app.formbuilder import conditions, trees
from app.formbuilder.fields.kinds import kind_of
from app.formbuilder.integrations import Contact, Value
from app.formbuilder.logic import value as logic_value
from app.formbuilder.models import Answer, Definition

OWN = ("email", "first_name", "last_name", "phone")
MOST_TAGS = 20
_NO = {"", "no", "false", "0", "off"}


def contact_of(
    definition: Definition, title: str, integration: Mapping[str, Any], answers: Mapping[str, Answer], email: str
) -> Contact:
    """What the service is told; also the preview of a mapping. `email` is the entry's own, where none is mapped."""
    mapped = integration.get("map")
    mapped = mapped if isinstance(mapped, Mapping) else {}
    values = {str(target): answer_at(definition, answers, str(source)) for target, source in mapped.items() if source}
    own = {name: _text(values.pop(name, None)) for name in OWN}
    tags = integration.get("tags")
    return Contact(
        email=own["email"] or ("" if mapped.get("email") else email),
        first_name=own["first_name"],
        last_name=own["last_name"],
        phone=own["phone"],
        fields={name: value for name, value in values.items() if value not in (None, "", [])},
        tags=tuple(str(tag)[:100] for tag in tags if str(tag).strip())[:MOST_TAGS] if isinstance(tags, list) else (),
        consent=_agreed(integration, answers),
        title=title,
        answers=tuple(
            (each.label or each.id, kind_of(each).text(each, answers[each.id]))
            for each in definition.fields
            if each.id in answers
        ),
    )


def answer_at(definition: Definition, answers: Mapping[str, Answer], source: str) -> Value:
    """An answer, or with `q1.first` a part of one. Lists stay lists, numbers numbers; others are as people read them."""
    name, _dot, part = source.partition(".")
    answer, field = answers.get(name), definition.find(name)
    if part:
        answer = answer.get(part) if isinstance(answer, Mapping) else None
        return answer if isinstance(answer, str | int | float) else None
    if isinstance(answer, list) and all(isinstance(each, str) for each in answer):
        return list(answer)
    if answer is None or (isinstance(answer, int | float) and not isinstance(answer, bool)):
        return answer
    if field is None or kind_of(field).value_class == "date":  # a day stays as programs read it
        return _text(answer)
    return kind_of(field).text(field, answer)


def is_wanted(
    definition: Definition, integration: Mapping[str, Any], answers: Mapping[str, Answer], today: str
) -> bool:
    """Whether its condition holds for these answers; none always does. `today` is the school's day."""
    when = integration.get("when")
    if not when:
        return True
    known: dict[str, str] = {}
    values: dict[str, Any] = {}
    for field in definition.fields:
        kind = kind_of(field)
        if kind.value_class == "none":
            continue
        calculated = kind.value_class == "calculation"
        classes = {field.id: "number" if calculated else kind.value_class}
        classes |= {f"{field.id}.{part}": of for part, of in kind.parts(field)}
        known |= classes
        if field.id not in answers:
            continue
        if calculated:
            values[field.id] = answers[field.id]
            continue
        texts = kind.posted(field, answers[field.id])
        found = {name: logic_value(of, texts.get(name, ())) for name, of in classes.items()}
        values |= {name: value for name, value in found.items() if value is not None}
    return bool(trees.holds(conditions.tree(when, known), values, today, {"points": {}, "price": {}}))


def _agreed(integration: Mapping[str, Any], answers: Mapping[str, Answer]) -> bool:
    source = integration.get("consent")
    if not source:
        return True
    answer = answers.get(str(source))
    return answer is not None and _text(answer).strip().lower() not in _NO


def _text(value: Any) -> str:
    if isinstance(value, list):
        return ", ".join(str(each) for each in value)
    return "" if value is None else str(value)
