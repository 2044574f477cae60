"""An integration as the form's definition holds it, and what an entry becomes for its service.

`{"id", "connection", "list", "map": {"email": "q2", "first_name": "q1.first", …}, "tags": [], "consent": "q7", "when": {…}}`.
`map` leads from the service's fields (and email, first_name, last_name, phone) to answers. Without `consent` sending the form
is the agreement; with it, that field has to be answered. Anything in it may be missing or wrong: nothing is believed.
"""

from collections.abc import Mapping
from typing import Any

from app.core.i18n import _
from app.formbuilder import conditions, plans, trees
from app.formbuilder.fields.kinds import kind_of
from app.formbuilder.integrations import Contact, Value
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
        sources = [str(each) for each in mapped.values() if each] if isinstance(mapped, Mapping) else []
        sources += [str(integration["consent"])] if integration.get("consent") else []
        if any(source.partition(".")[0] not in fields for source in sources):
            found.append((name, _("A field that it takes from is not in the form any more.")))
        when = integration.get("when")
        if when and any(looked not in known for looked in conditions.looks_at(when)):
            found.append((name, _("Its condition looks at a field that is not in the form any more.")))
    return found


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
