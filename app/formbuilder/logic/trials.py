"""A calculation tried with sample answers, as its owner looks at it in the builder. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from app.core.i18n import _
from app.formbuilder.logic import evaluation, plans
from app.formbuilder.logic.conditions import Node
from app.formbuilder.logic.trees import names, plain
from app.formbuilder.models import Definition, Field

MOST_SAMPLES = 20


@dataclass(frozen=True, slots=True)
class Sample:
    """What one answer is taken to be. With `options` it is one of them, else a text."""

    name: str
    label: str
    text: str
    is_number: bool
    options: Sequence[tuple[str, str]] = ()


@dataclass(frozen=True, slots=True)
class Trial:
    """The samples that a calculation looks at, and what comes of them; an empty result is none."""

    samples: Sequence[Sample]
    result: str


def tried(definition: Definition, field: Field, given: Mapping[str, str], today: str) -> Trial:
    """What the calculation of this field gives for samples; `given` are those that somebody wrote, by name."""
    nodes = plans.nodes_of(definition)
    samples = [_sample(name, node, given, today) for name, node in _looked_at(nodes, field.id)[:MOST_SAMPLES]]
    # Rules are left out: the fields are taken to be there.
    posted = {each.name: [each.text] for each in samples}
    outcome = evaluation.evaluate(evaluation.compile(nodes, ()), posted, today)
    found = outcome.values.get(field.id)
    unit = str(field.settings.get("unit") or "")
    return Trial(samples, "" if found is None else f"{plain(found)} {unit}".strip())


def looked_at(definition: Definition, field_id: str) -> frozenset[str]:
    """The names of the answers that the calculation of this field rests on; none for another field."""
    return frozenset(name for name, _node in _looked_at(plans.nodes_of(definition), field_id))


def _looked_at(nodes: Sequence[Node], field_id: str) -> list[tuple[str, Node]]:
    """The answers that a calculation rests on, also by way of other calculations: (name, field)."""
    owner = {name: node for node in nodes for name in node.names}
    found: dict[str, Node] = {}
    waiting, seen = [owner[field_id]] if field_id in owner else [], set[str]()
    while waiting:
        node = waiting.pop()
        seen.add(node.id)
        for name in names(evaluation.calculation(node)):
            if name not in owner:
                continue
            if not owner[name].expression:
                found[name] = owner[name]
            elif name not in seen:
                waiting.append(owner[name])
    return list(found.items())


def _sample(name: str, node: Node, given: Mapping[str, str], today: str) -> Sample:
    part = name.partition(".")[2]
    kind = node.names[name]
    label = (node.label or node.id) + (f" ({part})" if part else "")
    options = list((node.options or {}).items()) if not part else []
    usual = options[0][0] if options else {"number": "3", "date": today}.get(kind, _("Text"))
    return Sample(name, label, given.get(name, usual), kind == "number", options)
