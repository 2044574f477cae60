"""Rules and calculations of a form: compiled to a plan, and the plan evaluated over what was posted.

A plan is JSON that the browser gets too; static/js/form-logic.js walks it the same way. Pure: nothing here reads a database,
a clock or a request. What is hidden by a plan is dropped before anything is validated or kept.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from app.core.money import plain_digits
from app.formbuilder.logic import conditions, expressions
from app.formbuilder.logic.conditions import ACTIONS, CLASSES, END, FIRST_STEP, OPERATORS, Node, Rule, fitting, trimmed
from app.formbuilder.logic.trees import Tree, Value, Worth, day, holds, names, neat, number, rounded, walk
from app.formbuilder.logic.trees import evaluate as value_of

__all__ = [
    "ACTIONS",
    "CLASSES",
    "END",
    "FIRST_STEP",
    "OPERATORS",
    "Node",
    "Outcome",
    "Plan",
    "compile",
    "evaluate",
    "fitting",
    "trimmed",
]

# JSON: {"steps": [{"id", "if"?, "jumps"?, "nodes": [{"id", "g"?, "if"?, "r"?, "x"?, "d"?, "names"?}]}], "worth": …}
Plan: TypeAlias = dict[str, Any]
# The conditions of the rules that do something to a target: {(action, target): […]}
_Trees: TypeAlias = dict[tuple[str, str], list[Tree]]

MAX_TEXT = 10_000
MAX_CHOSEN = 500


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a plan made of what was posted. `values` has only what is there: a hidden or empty field has no entry."""

    visible: frozenset[str]
    required: frozenset[str]
    values: Mapping[str, Value]
    # The ids of the steps that are walked, in order.
    steps: tuple[str, ...]


def compile(fields: Sequence[Node], rules: Sequence[Rule]) -> Plan:
    """The plan of these fields and rules. Never fails: what cannot be read is left out (conflicts.py tells about it)."""
    known = conditions.classes(fields)
    trees: _Trees = {}
    jumps: list[tuple[Rule, Tree]] = []
    for rule in rules:
        made_of = conditions.tree(rule.get("when"), known)
        if rule.get("do") == "jump":
            jumps.append((rule, made_of))
        for target in dict.fromkeys(targets(rule)):
            trees.setdefault((str(rule.get("do")), target), []).append(made_of)
    ids = conditions.steps(fields)
    plan: Plan = {"steps": [], "worth": _worth(fields)}
    for at, step in enumerate(ids):
        own = [node for node in fields if node.step == step]
        made: dict[str, Any] = {"id": step}
        seen = _seen(step, trees) if at else 1
        if seen != 1:
            made["if"] = seen
        if leaving := _jumps(step, ids[at + 1 :], jumps):
            made["jumps"] = leaving
        own_ids = {node.id for node in own}
        made["nodes"] = [_node(node, own_ids, trees) for node in in_order(own, rules)]
        plan["steps"].append(made)
    return plan


def _worth(fields: Sequence[Node]) -> dict[str, dict[str, dict[str, float]]]:
    """Of what calculations ask for only: a page need not tell the points of a quiz."""
    found: dict[str, dict[str, dict[str, float]]] = {"points": {}, "price": {}}
    parts = [part for node in fields for part in walk(calculation(node)) if isinstance(part, list)]
    for node in fields:
        for what, worth in found.items():
            if [what, node.id] in parts:
                options = node.worth.get(what, {})
                worth[node.id] = {option: neat(float(each)) for option, each in options.items() if each}
    return found


def calculation(node: Node) -> Tree:
    """The tree of a field's calculation; empty when it has none, or one that cannot be read."""
    try:
        return expressions.parse(node.expression) if node.expression.strip() else ""
    except expressions.ExpressionError:
        return ""


def _node(node: Node, ids: set[str], trees: _Trees) -> dict[str, Any]:
    made: dict[str, Any] = {"id": node.id}
    if node.group in ids:
        made["g"] = node.group
    seen = 1 if node.id == node.step else _seen(node.id, trees)
    if seen != 1:
        made["if"] = seen
    required = 1 if node.required else conditions.joining("or", trees.get(("require", node.id), ()))
    if required != 0:
        made["r"] = required
    if node.expression.strip():
        made["x"] = calculation(node)
        if node.decimals is not None:
            made["d"] = node.decimals
    elif node.names:
        made["names"] = node.names
    return made


def targets(rule: Rule) -> list[str]:
    """What a rule is about."""
    found = rule.get("targets")
    return [each for each in found if isinstance(each, str)] if isinstance(found, list) else []


def _seen(target: str, trees: _Trees) -> Tree:
    """When a field or a step is seen: one of its show rules holds, if it has any, and none that hides or skips it."""
    shows = trees.get(("show", target), [])
    hides = trees.get(("hide", target), []) + trees.get(("skip", target), [])
    shown = conditions.joining("or", shows) if shows else 1
    return conditions.joining("and", [shown, *map(conditions.denying, hides)])


def _jumps(step: str, later: Sequence[str], trees: Sequence[tuple[Rule, Tree]]) -> list[list[Tree]]:
    found: list[list[Tree]] = []
    for rule, made in trees:
        to = targets(rule)
        if rule.get("do") == "jump" and rule.get("from") == step and to and to[0] in (END, *later) and made != 0:
            found.append([made, to[0]])
    return found


def dependencies(nodes: Sequence[Node], rules: Sequence[Rule]) -> dict[str, set[str]]:
    """Which of these nodes each needs to know before it is known whether it is seen, and what its value is."""
    owner = {name: node.id for node in nodes for name in node.names}
    needs: dict[str, set[str]] = {node.id: set() for node in nodes}
    for node in nodes:
        needs[node.id] |= {owner[name] for name in names(calculation(node)) if name in owner}
        if node.group in needs:
            needs[node.id].add(node.group)
    for rule in rules:
        if rule.get("do") in ("show", "hide"):
            looked = {owner[name] for name in conditions.looks_at(rule.get("when")) if name in owner}
            for target in targets(rule):
                if target in needs:
                    needs[target] |= looked
    return needs


def in_order(nodes: Sequence[Node], rules: Sequence[Rule]) -> list[Node]:
    """The nodes of a step so that each comes after what it depends on, else in order of reading; loops come last."""
    needs = dependencies(nodes, rules)
    waiting, taken, ordered = list(nodes), set[str](), list[Node]()
    while waiting:
        ready = next((node for node in waiting if needs[node.id] <= taken), waiting[0])
        waiting.remove(ready)
        taken.add(ready.id)
        ordered.append(ready)
    return ordered


def evaluate(plan: Plan, posted: Mapping[str, Sequence[str]], today: str) -> Outcome:
    """Walk the plan over what was posted (name: texts). `today` is the school's day, `YYYY-MM-DD`."""
    worth: Worth = plan["worth"]
    values: dict[str, Value] = {}
    visible: set[str] = set()
    required: set[str] = set()
    path: list[str] = []
    wanted = ""

    def true(made: Tree) -> bool:
        return holds(made, values, today, worth)

    for step in plan["steps"]:
        if wanted and step["id"] != wanted:
            continue
        wanted = ""
        if not true(step.get("if", 1)):
            continue
        path.append(step["id"])
        for node in step["nodes"]:
            if ("g" in node and node["g"] not in visible) or not true(node.get("if", 1)):
                continue
            visible.add(node["id"])
            values |= _values(node, posted, values, today, worth)
        required |= {node["id"] for node in step["nodes"] if node["id"] in visible and true(node.get("r", 0))}
        wanted = next((to for made, to in step.get("jumps", ()) if true(made)), "")
    return Outcome(frozenset(visible), frozenset(required), values, tuple(path))


def _values(
    node: Mapping[str, Any], posted: Mapping[str, Sequence[str]], values: Mapping[str, Value], today: str, worth: Worth
) -> dict[str, Value]:
    if "x" in node:
        found: Value = value_of(node["x"], values, today, worth)
        if "d" in node and isinstance(found, (int, float)):
            found = rounded(found, node["d"])
        return {} if found is None else {node["id"]: found}
    read = {name: value(kind, posted.get(name, ())) for name, kind in node.get("names", {}).items()}
    return {name: found for name, found in read.items() if found is not None}


def value(kind_class: str, sent: Sequence[str]) -> Value:
    """What these texts are as a value of this class; None is empty. Counts the first MAX_TEXT characters, and what is chosen
    once, as an answer does: nothing that is worth less than nothing can be chosen again and again.
    """
    if kind_class == "choices":
        chosen = dict.fromkeys(trimmed(text)[:MAX_TEXT] for text in sent)
        return [text for text in chosen if text][:MAX_CHOSEN] or None
    text = trimmed(sent[0])[:MAX_TEXT] if sent else ""
    if kind_class == "number":
        found = number(plain_digits(text))
        return None if found is None else neat(found)
    if kind_class == "date" and day(text) is None:
        return None
    return text or None
