"""The rules of a form as they are edited: what a page posted becomes a rule, and a rule becomes what its page draws. Pure.

A group of conditions is posted under a path: `c.join` is `all` or `any`, `c.0.field`, `c.0.is` and `c.0.value` are its first
condition, `c.1.join` makes its second part a group of its own.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from app.core.errors import Conflict, Invalid
from app.core.i18n import _, lazy
from app.formbuilder.definition import definitions
from app.formbuilder.logic import conditions, plans
from app.formbuilder.logic.conditions import END, FIRST_STEP, MAX_DEPTH, Node
from app.formbuilder.models import Definition, Posted

ROOT = "c"
ACTIONS = {
    "show": lazy("Show"),
    "hide": lazy("Hide"),
    "require": lazy("Require"),
    "skip": lazy("Skip the page"),
    "jump": lazy("Go to"),
}
OPERATORS = {
    "equals": lazy("is"),
    "not_equals": lazy("is not"),
    "contains": lazy("contains"),
    "not_contains": lazy("does not contain"),
    "starts_with": lazy("begins with"),
    "ends_with": lazy("ends with"),
    "matches": lazy("matches the pattern"),
    "greater": lazy("is more than"),
    "less": lazy("is less than"),
    "at_least": lazy("is at least"),
    "at_most": lazy("is at most"),
    "before": lazy("is before"),
    "after": lazy("is after"),
    "empty": lazy("is empty"),
    "not_empty": lazy("is filled in"),
    "length_at_least": lazy("has a length of at least"),
    "length_at_most": lazy("has a length of at most"),
    "one_of": lazy("is one of"),
    "not_one_of": lazy("is none of"),
}
assert OPERATORS.keys() == conditions.OPERATORS.keys()


@dataclass(frozen=True, slots=True)
class Row:
    """One condition as it is drawn. `control` is options, several, number, date, lines, text or nothing."""

    path: str
    field: str
    operator: str
    values: Sequence[str]
    operators: Sequence[tuple[str, Any]]
    control: str
    options: Sequence[tuple[str, str]] = ()


@dataclass(frozen=True, slots=True)
class Group:
    """Conditions that are joined by all or any."""

    path: str
    join: str
    parts: "Sequence[Row | Group]"
    depth: int


# --- edits ------------------------------------------------------------------------------------------------------------


def added(definition: Definition, about: str = "", *, gone: Collection[str] = ()) -> Definition:
    """With one more rule, which shows the field `about` (or nothing yet) when its first condition holds. It is called like none
    that is `gone`: somebody may have its page open."""
    if len(definition.rules) >= definitions.MOST_RULES:
        raise Invalid(_("A form has at most %(n)s rules.", n=definitions.MOST_RULES))
    targets = [about] if definition.find(about) is not None else []
    before = [name for name in conditions.classes(plans.nodes_of(definition)) if name != about]
    first = _fitted({"field": before[0] if before else "", "is": "equals", "value": ""}, definition)
    rule = {"id": next_id(definition, gone), "when": {"all": [first]}, "do": "show", "targets": targets}
    return replace(definition, rules=(*definition.rules, rule))


def next_id(definition: Definition, gone: Collection[str] = ()) -> str:
    """An id that no rule has, nor had one that is `gone`."""
    taken = {str(rule.get("id", "")) for rule in definition.rules} | set(gone)
    number = len(definition.rules) + 1
    while f"r{number}" in taken:
        number += 1
    return f"r{number}"


def changed(definition: Definition, rule_id: str, posted: Posted) -> Definition:
    """With what was posted for this rule, and what its buttons asked for."""
    rule = found(definition, rule_id)
    made = read(definition, posted)
    act, _colon, path = posted.one("act").partition(":")
    if act:
        made["when"] = acted(made["when"], act, path)
    return _with(definition, rule_id, {**rule, **made})


def removed(definition: Definition, rule_id: str) -> Definition:
    """Without the rule."""
    found(definition, rule_id)
    return replace(definition, rules=tuple(rule for rule in definition.rules if rule.get("id") != rule_id))


def moved(definition: Definition, rule_id: str, by: int) -> Definition:
    """With the rule `by` places further down: of several jumps the first that holds counts."""
    rules = list(definition.rules)
    place = rules.index(found(definition, rule_id))
    rules.insert(max(0, min(len(rules) - 1, place + by)), rules.pop(place))
    return replace(definition, rules=tuple(rules))


def found(definition: Definition, rule_id: str) -> Mapping[str, Any]:
    """The rule of this id. Raises Conflict when it is gone."""
    rule = next((rule for rule in definition.rules if rule.get("id") == rule_id), None)
    if rule is None:
        raise Conflict(_("This rule is gone: somebody removed it. Look at the form again."))
    return rule


def _with(definition: Definition, rule_id: str, made: Mapping[str, Any]) -> Definition:
    return replace(definition, rules=tuple(made if rule.get("id") == rule_id else rule for rule in definition.rules))


# --- from what was posted ---------------------------------------------------------------------------------------------


def read(definition: Definition, posted: Posted) -> dict[str, Any]:
    """What a rule's page posted, without its id; targets that do not fit the action are left out."""
    action = posted.one("do") if posted.one("do") in ACTIONS else "show"
    known = [name for name, _label in targets(definition, action)]
    chosen = [name for name in posted.all("targets") if name in known]
    made: dict[str, Any] = {"do": action, "targets": chosen[:1] if action == "jump" else chosen}
    if action == "jump":
        steps = [name for name, _label in pages_of(definition)]
        made["from"] = posted.one("from") if posted.one("from") in steps else FIRST_STEP
    made["when"] = _read_group(definition, posted, ROOT, 0)
    return made


def read_condition(definition: Definition, posted: Posted) -> dict[str, Any]:
    """The group of conditions that was posted, and what a button of it asked for."""
    made = _read_group(definition, posted, ROOT, 0)
    act, _colon, path = posted.one("act").partition(":")
    return acted(made, act, path) if act in ("add", "group", "remove") else made


def _read_group(definition: Definition, posted: Posted, path: str, depth: int) -> dict[str, Any]:
    join = "any" if posted.one(f"{path}.join") == "any" else "all"
    numbers = sorted({int(part) for name in posted.texts if _is_place(part := _next(name, path))})
    parts: list[dict[str, Any]] = []
    for number in numbers[: conditions.MAX_PARTS]:
        inner = f"{path}.{number}"
        if f"{inner}.join" in posted.texts:
            if depth < MAX_DEPTH - 1:
                parts.append(_read_group(definition, posted, inner, depth + 1))
            continue
        operator = posted.one(f"{inner}.is")
        several = operator.endswith("one_of")
        value: Any = posted.one(f"{inner}.value")
        if several:
            value = conditions.several("\n".join(posted.all(f"{inner}.value")))
        parts.append(_fitted({"field": posted.one(f"{inner}.field"), "is": operator, "value": value}, definition))
    return {join: parts}


def _is_place(part: str) -> bool:
    return part.isdecimal() and len(part) < 6


def _next(name: str, path: str) -> str:
    """The part of a name that comes after this path: `0` of `c.0.field` after `c`."""
    return name[len(path) + 1 :].split(".")[0] if name.startswith(f"{path}.") else ""


def _fitted(made: dict[str, Any], definition: Definition) -> dict[str, Any]:
    """A condition whose operator fits the class of its field: the first that does, where the posted one does not."""
    kind = conditions.classes(plans.nodes_of(definition)).get(str(made["field"]))
    fits = conditions.fitting(kind) if kind is not None else list(OPERATORS)
    operator = made["is"] if made["is"] in fits else (fits[0] if fits else "equals")
    if operator != made["is"] and isinstance(made["value"], list) != operator.endswith("one_of"):
        made = {**made, "value": [] if operator.endswith("one_of") else ""}
    return {**made, "is": operator}


def acted(condition: Mapping[str, Any], act: str, path: str) -> dict[str, Any]:
    """The condition after a button: `add` or `group` into the group at `path`, `remove` what is there."""
    places = [int(each) for each in path.split(".")[1:] if _is_place(each)]
    return _acted(condition, act, places)


def _acted(condition: Mapping[str, Any], act: str, places: Sequence[int]) -> dict[str, Any]:
    key = "any" if "any" in condition else "all"
    parts = list(condition.get(key) or ())
    empty = {"field": "", "is": "equals", "value": ""}
    if not places:
        if act == "add":
            parts.append(empty)
        elif act == "group":
            parts.append({"any" if key == "all" else "all": [dict(empty), dict(empty)]})
    elif places[0] < len(parts):
        if len(places) == 1 and act == "remove":
            parts.pop(places[0])
        elif conditions.joined(parts[places[0]])[0]:
            parts[places[0]] = _acted(parts[places[0]], act, places[1:])
    return {key: parts}


# --- to what is drawn -------------------------------------------------------------------------------------------------


def drawn(definition: Definition, condition: Any) -> Group:
    """A condition as its page draws it; what cannot be read is an empty group."""
    nodes = plans.nodes_of(definition)
    if not isinstance(condition, Mapping) or conditions.is_too_large(condition):
        condition = {"all": []}
    if not conditions.joined(condition)[0]:
        condition = {"all": [condition]}
    return _group(condition, ROOT, 0, conditions.classes(nodes), {node.id: node for node in nodes})


def _group(
    condition: Mapping[str, Any], path: str, depth: int, classes: Mapping[str, str], nodes: Mapping[str, Node]
) -> Group:
    word, parts = conditions.joined(condition)
    made: list[Row | Group] = []
    for number, part in enumerate(each for each in parts if isinstance(each, Mapping)):
        inner = f"{path}.{number}"
        if conditions.joined(part)[0]:
            made.append(_group(part, inner, depth + 1, classes, nodes))
        else:
            made.append(_row(part, inner, classes, nodes))
    return Group(path, "any" if word == "or" else "all", made, depth)


def _row(part: Mapping[str, Any], path: str, classes: Mapping[str, str], nodes: Mapping[str, Node]) -> Row:
    name, operator, value = str(part.get("field", "")), str(part.get("is", "")), part.get("value")
    kind = classes.get(name)
    fits = conditions.fitting(kind) if kind is not None else list(OPERATORS)
    options = list((nodes[name].options or {}).items()) if name in nodes else []
    values = conditions.several(value) if operator.endswith("one_of") else [conditions.text_of(value)]
    return Row(
        path, name, operator, values, [(each, OPERATORS[each]) for each in fits],
        _control(kind or "text", operator, bool(options)), options,
    )  # fmt: skip


def _control(kind: str, operator: str, has_options: bool) -> str:
    if operator in conditions.WITHOUT_VALUE:
        return ""
    if operator.startswith("length_"):
        return "number"
    several = operator.endswith("one_of")
    plain = operator.removeprefix("not_")
    if has_options and (plain in ("equals", "one_of") or (kind == "choices" and plain == "contains")):
        return "several" if several else "options"
    if several:
        return "lines"
    if kind == "number" or operator in ("greater", "less") or (operator in ("at_least", "at_most") and kind != "date"):
        return "number"
    return "date" if kind == "date" else "text"


def names_of(definition: Definition) -> list[tuple[str, str]]:
    """What a condition can look at: (name, words)."""
    nodes = plans.nodes_of(definition)
    said = {node.id: node.label or node.id for node in nodes}
    return [
        (name, said[name.partition(".")[0]] + (f" ({name.partition('.')[2]})" if "." in name else ""))
        for name in conditions.classes(nodes)
    ]


def pages_of(definition: Definition) -> list[tuple[str, str]]:
    """The pages: (id, words)."""
    return [
        (step.id, _("Page %(n)s", n=number) + (f": {step.title}" if step.title else ""))
        for number, step in enumerate(definition.steps, start=1)
    ]


def targets(definition: Definition, action: str) -> list[tuple[str, str]]:
    """What a rule with this action can be about: (id, words)."""
    if action in ("skip", "jump"):
        steps = pages_of(definition)[1:]
        return [*steps, (END, _("The end"))] if action == "jump" else steps
    return [(field.id, field.label or field.id) for field in definition.fields if field.kind != "page_break"]
