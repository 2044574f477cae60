"""Conditions of rules: what owners pick, the operators there are, and the trees (trees.py) they become."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from app.formbuilder.logic.patterns import PatternError, rewrite
from app.formbuilder.logic.trees import NUMBER, Tree, day, neat

# JSON as it stands in a definition. Nobody has looked at it yet: any of it may have any shape.
Condition: TypeAlias = Any
Rule: TypeAlias = Mapping[str, Any]

FIRST_STEP = "start"
END = "end"
TODAY = "today"
CLASSES = ("text", "number", "choice", "choices", "date", "none")
ACTIONS = ("show", "hide", "require", "skip", "jump")
MAX_DEPTH = 10
MAX_PARTS = 200
MAX_SEVERAL = 500

_CHOSEN = ("choice", "choices")
# Operator: the classes it fits.
OPERATORS: dict[str, tuple[str, ...]] = {
    "equals": ("text", "number", "choice", "choices", "date"),
    "not_equals": ("text", "number", "choice", "choices", "date"),
    "contains": ("text", "choice", "choices"),
    "not_contains": ("text", "choice", "choices"),
    "starts_with": ("text", "choice"),
    "ends_with": ("text", "choice"),
    "matches": ("text", "choice"),
    "greater": ("number", "choice"),
    "less": ("number", "choice"),
    "at_least": ("number", "choice", "date"),
    "at_most": ("number", "choice", "date"),
    "before": ("date",),
    "after": ("date",),
    "empty": ("text", "number", "choice", "choices", "date"),
    "not_empty": ("text", "number", "choice", "choices", "date"),
    "length_at_least": ("text", "choices"),
    "length_at_most": ("text", "choices"),
    "one_of": ("text", "number", "choice", "choices"),
    "not_one_of": ("text", "number", "choice", "choices"),
}
WITHOUT_VALUE = frozenset({"empty", "not_empty"})
_ORDERS = {"greater": ">", "after": ">", "less": "<", "before": "<", "at_least": ">=", "at_most": "<="}
_FALSE, _TRUE = 0, 1


@dataclass(frozen=True, slots=True)
class Node:
    """What rules and calculations need to know of one field, page breaks and sections included."""

    id: str
    # The class of its value: text, number, choice, choices, date or none.
    kind_class: str = "text"
    # The id of its page break, or `start`. A page break belongs to the step it begins.
    step: str = FIRST_STEP
    # The id of the section or accordion it stands in.
    group: str = ""
    required: bool = False
    # Of a calculation.
    expression: str = ""
    # What its options are worth: {"points": {option: number}, "price": {option: number}}, prices in whole units of money.
    worth: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    # Digits after the point of a calculation; None leaves it as it is.
    decimals: int | None = None
    # (name after the point, class): `q1.first` is ("first", "text").
    parts: Sequence[tuple[str, str]] = ()
    label: str = ""
    # {value: label} of what can be chosen; None when anything can be.
    options: Mapping[str, str] | None = None

    @property
    def names(self) -> dict[str, str]:
        """The names that a condition or calculation can use for it, with their classes."""
        named = {} if self.kind_class == "none" else {self.id: self.kind_class}
        return named | {f"{self.id}.{part}": kind for part, kind in self.parts if kind != "none"}


def classes(nodes: Sequence[Node]) -> dict[str, str]:
    """Every name there is, with its class."""
    return {name: kind for node in nodes for name, kind in node.names.items()}


def steps(nodes: Sequence[Node]) -> list[str]:
    """The ids of the steps, in order; `start` is always the first."""
    return list(dict.fromkeys([FIRST_STEP, *(node.step for node in nodes)]))


def fitting(kind_class: str) -> list[str]:
    """The operators that fit a class, in the order in which they are offered."""
    return [name for name, fits in OPERATORS.items() if kind_class in fits]


def single(condition: Condition) -> Iterator[Mapping[str, Any]]:
    """The conditions in a group, however nested, without the groups."""
    waiting = [condition]
    while waiting:
        part = waiting.pop()
        if not isinstance(part, Mapping):
            continue
        word, parts = joined(part)
        if word:
            waiting.extend(reversed(parts))
        else:
            yield part


def looks_at(condition: Condition) -> list[str]:
    """The names that a condition looks at."""
    return list(dict.fromkeys(str(part.get("field", "")) for part in single(condition)))


def is_sound(condition: Condition) -> bool:
    """Whether every part has the shape of a condition; call it for what is not too large."""
    if not isinstance(condition, Mapping):
        return False
    word, parts = joined(condition)
    return all(map(is_sound, parts)) if word else isinstance(condition.get("field"), str)


def tree(condition: Condition, known: Mapping[str, str]) -> Tree:
    """The tree of a condition; what cannot be read is false. `known` is every name with its class."""
    return _FALSE if is_too_large(condition) else _tree(condition, known)


def is_too_large(condition: Condition) -> bool:
    """Whether it is nested deeper, or has more parts, than is evaluated."""
    count, waiting = 0, [(condition, 0)]
    while waiting:
        part, depth = waiting.pop()
        count += 1
        if count > MAX_PARTS or depth > MAX_DEPTH:
            return True
        if isinstance(part, Mapping):
            waiting.extend((each, depth + 1) for each in joined(part)[1])
    return False


def joined(condition: Mapping[str, Any]) -> tuple[str, list[Any]]:
    """How a group joins what: `and` or `or`, and its parts. Of a single condition, nothing."""
    for key, word in (("all", "and"), ("any", "or")):
        if isinstance(condition.get(key), list):
            return word, condition[key]
    return "", []


def _tree(condition: Condition, known: Mapping[str, str]) -> Tree:
    if not isinstance(condition, Mapping):
        return _FALSE
    word, parts = joined(condition)
    if word:
        return joining(word, [_tree(each, known) for each in parts])
    name, operator = condition.get("field"), condition.get("is")
    if not isinstance(name, str) or not isinstance(operator, str) or name not in known:
        return _FALSE
    return _compared(["v", name], operator, condition.get("value"), known[name])


def joining(word: str, parts: Sequence[Tree]) -> Tree:
    """All (`and`) or any (`or`) of these, with what is always true or false worked out."""
    decided, neutral = (_FALSE, _TRUE) if word == "and" else (_TRUE, _FALSE)
    left = [part for part in parts if part != neutral]
    if decided in left:
        return decided
    return neutral if not left else left[0] if len(left) == 1 else [word, *left]


def denying(part: Tree) -> Tree:
    """The opposite."""
    return int(not part) if isinstance(part, int) else ["not", part]


def _compared(looked: Tree, operator: str, value: Any, kind: str) -> Tree:
    plain, denied = operator.removeprefix("not_"), operator.startswith("not_")
    if plain == "empty":
        made: Tree = ["=", looked, ""]
    elif plain == "equals":
        made = ["=", looked, literal(value, kind)]
    elif plain == "contains":
        made = ["in", looked, text_of(value)]
    elif plain == "one_of":
        made = joining("or", [["in" if kind == "choices" else "=", looked, each] for each in several(value)])
    elif operator in ("starts_with", "ends_with"):
        made = [operator.removesuffix("_with"), looked, text_of(value)]
    elif operator in _ORDERS:
        made = [_ORDERS[operator], looked, literal(value, kind)]
    elif operator in ("length_at_least", "length_at_most"):
        counted = count_of(value)
        sign = ">=" if operator == "length_at_least" else "<="
        made = _FALSE if counted is None else [sign, ["length", looked], counted]
    elif operator == "matches":
        try:
            made = ["re", looked, *rewrite(text_of(value))]
        except PatternError:
            made = _FALSE
    else:
        return _FALSE
    return denying(made) if denied else made


def literal(value: Any, kind: str) -> Tree:
    """What is compared with: a text, or the day of today."""
    text = text_of(value)
    return ["today"] if kind == "date" and text.lower() == TODAY else text


def text_of(value: Any) -> str:
    """The value of a condition as text, as answers are read."""
    return trimmed(value if isinstance(value, str) else "" if value is None else str(value))


def several(value: Any) -> list[str]:
    """The values of `one_of`: a list, or a line each."""
    lines = value if isinstance(value, list) else re.split(r"\r\n?|\n", str("" if value is None else value))
    return [text for line in lines[:MAX_SEVERAL] if (text := text_of(line))]


def count_of(value: Any) -> float | None:
    """The number that a length is compared with."""
    text = text_of(value)
    return neat(float(text)) if NUMBER.fullmatch(text) else None


def is_day(value: Any) -> bool:
    """Whether dates can be compared with this."""
    text = text_of(value)
    return text.lower() == TODAY or day(text) is not None


# What String.prototype.trim takes away, so that both sides see the same text.
SPACE = "\t\n\v\f\r \xa0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a\u2028\u2029\u202f\u205f\u3000\ufeff"


def trimmed(text: str) -> str:
    """Text without space around it, with `\\n` for every line end."""
    return text.replace("\r\n", "\n").replace("\r", "\n").strip(SPACE)
