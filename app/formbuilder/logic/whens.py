"""Whether a condition holds for an entry: what its answers were, and what became of them (score, outcome)."""

from collections.abc import Mapping
from typing import Any

from app.core.i18n import _, lazy
from app.formbuilder.fields.kinds import kind_of
from app.formbuilder.logic import conditions, trees
from app.formbuilder.logic.evaluation import value as logic_value
from app.formbuilder.models import Answer, Definition

# What a condition can ask besides the answers: name, class, label.
RESULTS = (
    ("score", "number", lazy("Points")),
    ("percent", "number", lazy("Points in percent")),
    ("grade", "text", lazy("Grade")),
    ("passed", "text", lazy("Passed (yes or no)")),
    ("outcome", "text", lazy("Outcome")),
)


def names_of(definition: Definition) -> dict[str, str]:
    """Every name that a condition can ask, with its class."""
    known: dict[str, str] = {name: kind_class for name, kind_class, _label in RESULTS}
    for field in definition.fields:
        kind = kind_of(field)
        if kind.value_class != "none":
            known[field.id] = "number" if kind.value_class == "calculation" else kind.value_class
        known |= {f"{field.id}.{part}": of for part, of in kind.parts(field)}
    return known


def holds(
    definition: Definition,
    when: Any,
    answers: Mapping[str, Answer],
    today: str,
    results: Mapping[str, Any] | None = None,
) -> bool:
    """Whether `when` holds; without one it always does. `today` is the school's day, `results` what RESULTS name."""
    if not when:
        return True
    known = names_of(definition)
    values: dict[str, Any] = {name: value for name, value in (results or {}).items() if value not in (None, "")}
    for field in definition.fields:
        answer, kind = answers.get(field.id), kind_of(field)
        if answer is None:
            continue
        if kind.value_class == "calculation":
            values[field.id] = answer
            continue
        texts = kind.posted(field, answer)
        for name in (field.id, *(f"{field.id}.{part}" for part, _class in kind.parts(field))):
            found = logic_value(known.get(name, "none"), texts.get(name, ())) if name in known else None
            if found is not None:
                values[name] = found
    return bool(trees.holds(conditions.tree(when, known), values, today, {"points": {}, "price": {}}))


def labels_of(definition: Definition) -> dict[str, str]:
    """Names as people know them, for pickers and sentences."""
    found: dict[str, str] = {}
    for field in definition.fields:
        kind = kind_of(field)
        label = field.label or field.id
        if kind.value_class != "none":
            found[field.id] = label
        found |= {f"{field.id}.{part}": f"{label}: {part}" for part, _class in kind.parts(field)}
    return found | {name: str(label) for name, _class, label in RESULTS}


def wrong(definition: Definition, when: Any) -> str:
    """What is wrong with a condition, in a sentence; empty when nothing is."""
    if not when:
        return ""
    if not conditions.is_sound(when):
        return _("Its condition cannot be read.")
    known = names_of(definition)
    gone = [name for name in conditions.looks_at(when) if name not in known]
    return _("Its condition asks for a field that is gone.") if gone else ""
