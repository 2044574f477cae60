"""From a definition to what its logic is evaluated from (docs/forms.md). A plan is the same for every visitor."""

from collections import OrderedDict
from collections.abc import Mapping, Sequence

from babel.numbers import get_currency_precision

from app.formbuilder.fields.kinds import kind_of
from app.formbuilder.logic import evaluation
from app.formbuilder.logic.evaluation import Node, Outcome, Plan
from app.formbuilder.models import Answer, Definition, Field

GROUPS = ("section", "accordion")
# Plans of the definitions that are in use, by which object they are made of: compiling one takes half a millisecond, and a
# page asks for it twice. `readings` gives the same definition as long as its form does not change.
_MOST_KEPT = 128
_kept: OrderedDict[int, tuple[Definition, Plan]] = OrderedDict()


def nodes_of(definition: Definition) -> list[Node]:
    """Each field as rules and calculations know it."""
    nodes, step, group = [], evaluation.FIRST_STEP, ""
    for field in definition.fields:
        if field.kind == "page_break":
            step, group = field.id, ""
        elif field.kind in GROUPS:
            group = ""
        nodes.append(_node(field, step, group, definition.fields))
        if field.kind in GROUPS:
            group = field.id
    return nodes


def plan_of(definition: Definition) -> Plan:
    """What the server evaluates, and the browser too. Nobody writes into it."""
    kept = _kept.get(id(definition))
    if kept is None or kept[0] is not definition:
        kept = _kept[id(definition)] = (definition, evaluation.compile(nodes_of(definition), definition.rules))
        while len(_kept) > _MOST_KEPT:
            _kept.popitem(last=False)
    else:
        _kept.move_to_end(id(definition))
    return kept[1]


def evaluate(definition: Definition, texts: Mapping[str, Sequence[str]], today: str) -> Outcome:
    """Which fields are shown, which must be answered, and what is calculated."""
    meant = {name: sent for field in definition.fields for name, sent in kind_of(field).meant(field, texts).items()}
    return evaluation.evaluate(plan_of(definition), {**texts, **meant} if meant else texts, today)


def posted(definition: Definition, answers: Mapping[str, Answer]) -> dict[str, list[str]]:
    """Answers as a browser posted them."""
    found: dict[str, list[str]] = {}
    for each in definition.fields:
        answer = answers.get(each.id)
        if answer is not None:
            found |= kind_of(each).posted(each, answer)
    return found


def _node(field: Field, step: str, group: str, fields: Sequence[Field]) -> Node:
    kind = kind_of(field)
    options = kind.options(field)
    is_calculated = kind.value_class == "calculation"
    whole = 10 ** get_currency_precision(str(field.settings.get("currency") or "EUR"))
    return Node(
        id=field.id,
        kind_class="text" if is_calculated else kind.value_class,
        step=step,
        group=group,
        required=field.required,
        expression=kind.expression(field, fields) if is_calculated else "",
        decimals=field.settings.get("decimals") if is_calculated else None,
        worth={
            "points": {option.value: option.points for option in options if option.points},
            "price": {option.value: option.price / whole for option in options if option.price},
        },
        parts=kind.parts(field),
        label=field.label,
        options={option.value: option.label for option in options} if options else None,
    )
