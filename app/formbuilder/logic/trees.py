"""Trees and their values: what calculations and conditions have become, evaluated. docs/forms.md tells every rule.

A tree is JSON: a number, a text, or a list of an operator and what it works on. static/js/form-logic.js evaluates the same
trees in the browser and must find the same: whatever changes here changes there.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import date
from decimal import Decimal
from typing import Any, TypeAlias

from app.core.i18n import _

Tree: TypeAlias = "float | str | list[Any]"
# What a name stands for: a number, a text, the chosen of several; None is empty.
Value: TypeAlias = "float | str | list[str] | None"
# {"points" or "price": {name: {option: number}}}
Worth: TypeAlias = Mapping[str, Mapping[str, Mapping[str, float]]]

MAX_DEPTH = 60
# Parts of a calculation, and thereby steps of its evaluation.
MAX_SIZE = 1_000
# Of a condition: its size is bounded where it is compiled.
_MAX_STEPS = 1_000_000
# Characters that a joined text keeps.
MAX_TEXT = 5_000

NUMBER = re.compile(r"-?[0-9]{1,15}(?:\.[0-9]{1,15})?")
_DAY = re.compile(r"[1-9][0-9]{3}-[0-9]{2}-[0-9]{2}")
_FOLDING = str.maketrans("ABCDEFGHIJKLMNOPQRSTUVWXYZ", "abcdefghijklmnopqrstuvwxyz")


class ExpressionError(ValueError):
    """An expression that cannot be read. `position` counts characters from 0; the text is for the person who wrote it."""

    def __init__(self, text: str, position: int = 0) -> None:
        super().__init__(text)
        self.position = position


def height(tree: Tree) -> int:
    """How deep a tree is nested; a number or text alone is 0."""
    highest, waiting = 0, [(tree, 0)]
    while waiting:
        part, depth = waiting.pop()
        highest = max(highest, depth)
        if isinstance(part, list):
            waiting.extend((each, depth + 1) for each in part[1:])
    return highest


def walk(tree: Tree) -> Iterator[Tree]:
    """The tree and every part of it."""
    waiting: list[Tree] = [tree]
    while waiting:
        part = waiting.pop()
        yield part
        if isinstance(part, list):
            waiting.extend(part[1:])


def names(tree: Tree) -> list[str]:
    """The names that a tree looks at, each once, in order of reading."""
    found: dict[str, None] = {}
    waiting: list[Tree] = [tree]
    while waiting:
        part = waiting.pop()
        if isinstance(part, list):
            if part[0] in ("v", "points", "price"):
                found[part[1]] = None
            else:
                waiting.extend(reversed(part[1:]))
    return list(found)


def evaluate(tree: Tree, values: Mapping[str, Value], today: str, worth: Worth) -> float | str | None:
    """The value of a tree: a number, a text or None (empty). `today` is `YYYY-MM-DD`. Takes at most MAX_SIZE steps.

    Raises ExpressionError for what is not a tree of ours: too large, or with operators that are not known.
    """
    found = _Evaluator(values, today, worth, MAX_SIZE).value(tree, 0)
    return _concat([found]) if isinstance(found, list) else found


def holds(tree: Tree, values: Mapping[str, Value], today: str, worth: Worth) -> bool:
    """Whether a tree is true: neither empty nor 0."""
    return truth(_Evaluator(values, today, worth, _MAX_STEPS).value(tree, 0))


class _Evaluator:
    def __init__(self, values: Mapping[str, Value], today: str, worth: Worth, steps: int) -> None:
        self.values, self.today, self.worth = values, today, worth
        self.left = steps

    def value(self, tree: Tree, depth: int) -> Value:
        self.left -= 1
        if self.left < 0 or depth > MAX_DEPTH:
            raise ExpressionError(_("This calculation is too long: split it in two."))
        if not isinstance(tree, list):
            return None if tree == "" else tree
        match tree:
            case ["v", str(name)]:
                return self.values.get(name)
            case ["if", condition, then, otherwise]:
                return self.value(then if truth(self.value(condition, depth + 1)) else otherwise, depth + 1)
            case ["today"]:
                return self.today or None
            case ["points" | "price" as what, str(name)]:
                return self.total(what, name)
            case ["re", looked, str(pattern), int(longest)]:
                return _matches(self.value(looked, depth + 1), pattern, longest)
            case [str(operator), *given] if operator in _OPERATORS:
                return _OPERATORS[operator]([self.value(each, depth + 1) for each in given])
        raise ExpressionError(_("This calculation cannot be read."))

    def total(self, what: str, name: str) -> Value:
        chosen, each = self.values.get(name), self.worth.get(what, {}).get(name, {})
        options = chosen if isinstance(chosen, list) else [] if chosen is None else [plain(chosen)]
        total = 0.0
        for option in options:  # sum() of Python 3.12 adds more exactly than a browser does
            total += float(each.get(option, 0))
        return _finite(total)


def neat(number: float) -> float:
    """A whole number as int where that loses nothing; never -0."""
    return int(number) if abs(number) < 2**53 and number == int(number) else number


def _finite(number: float) -> float | None:
    return neat(number) if math.isfinite(number) else None


def truth(value: Value) -> bool:
    """Whether a value counts as true."""
    return value is not None and value != 0


def plain(value: Value) -> str:
    """A value as text, to be compared: numbers as a browser writes them, the chosen with line ends between."""
    if value is None:
        return ""
    if isinstance(value, list):
        return "\n".join(value)
    return value if isinstance(value, str) else number_text(value)


def number_text(number: float) -> str:
    """A number as ECMAScript writes it (Number::toString): shortest digits, an exponent from 1e21 and below 1e-6."""
    sign, digits, exponent = Decimal(repr(float(number))).normalize().as_tuple()
    said, point = "".join(map(str, digits)), len(digits) + int(exponent)
    if said == "0":
        return "0"
    if -6 < point <= 21:
        if point <= 0:
            said = "0." + "0" * -point + said
        else:
            said = said.ljust(point, "0") if len(said) <= point else f"{said[:point]}.{said[point:]}"
    else:
        said = f"{said[0]}{'.' if said[1:] else ''}{said[1:]}e{point - 1:+d}"
    return f"-{said}" if sign else said


def number(value: Value) -> float | None:
    """The number that a value is, or that its text tells."""
    if value is None:
        return None
    if isinstance(value, (int, float)):
        return float(value)
    text = plain(value)
    return float(text) + 0.0 if NUMBER.fullmatch(text) else None


def day(value: Value) -> int | None:
    """The day that a text tells, as a count of days; None for what is no day from the year 1000 on."""
    text = plain(value)
    if not _DAY.fullmatch(text):
        return None
    try:
        return date.fromisoformat(text).toordinal()
    except ValueError:
        return None


def fold(text: str) -> str:
    """The text with A-Z as a-z, and nothing else changed."""
    return text.translate(_FOLDING)


def _equal(left: Value, right: Value) -> bool:
    if left is None or right is None:
        return left is right
    if not (isinstance(left, str | list) and isinstance(right, str | list)):
        first, second = number(left), number(right)
        if first is not None and second is not None:
            return first == second
    return fold(plain(left)) == fold(plain(right))


def _order(left: Value, right: Value) -> float:
    """Below 0, 0 or above 0; not a number when the two have no order."""
    for reading in (number, day):
        first, second = reading(left), reading(right)
        if first is not None and second is not None:
            return first - second
    return math.nan


def _holds_part(given: Sequence[Value]) -> bool:
    whole, part = given
    if isinstance(whole, list):
        return any(_equal(each, part) for each in whole)
    return fold(plain(part)) in fold(plain(whole))


def _matches(value: Value, pattern: str, longest: int) -> float:
    text = plain(value)
    return int(len(text) <= longest and re.search(pattern, text) is not None)


def _flat(given: Sequence[Value]) -> Iterator[Value]:
    for value in given:
        if isinstance(value, list):
            yield from value
        else:
            yield value


def _numbers(given: Sequence[Value]) -> list[float]:
    return [found for value in _flat(given) if (found := number(value)) is not None]


def _or_0(value: Value) -> float:
    return number(value) or 0.0


def _add(given: Sequence[Value]) -> float | None:
    total = 0.0
    for value in given:
        total += _or_0(value)
    return _finite(total)


def _multiply(given: Sequence[Value]) -> float | None:
    total = 1.0
    for value in given:
        total *= _or_0(value)
    return _finite(total)


def _divide(given: Sequence[Value]) -> float | None:
    above, below = map(_or_0, given)
    return _finite(above / below) if below else None


def _remainder(given: Sequence[Value]) -> float | None:
    above, below = map(_or_0, given)
    return _finite(math.fmod(above, below)) if below else None


def rounded(value: Value, places: Value = None) -> float | None:
    """floor(x·10ⁿ + 0.5) / 10ⁿ, n from 0 to 15; empty stays empty."""
    given = number(value)
    if given is None:
        return None
    power = float(f"1e{min(15, max(0, int(_or_0(places))))}")
    raised = given * power + 0.5
    return _finite(math.floor(raised) / power) if math.isfinite(raised) else None


def _with_number(work: Callable[[float], float], given: Sequence[Value]) -> float | None:
    found = number(given[0])
    return None if found is None else _finite(float(work(found)))


def _length(given: Sequence[Value]) -> float:
    return len(given[0]) if isinstance(given[0], list) else len(plain(given[0]))


def _concat(given: Sequence[Value]) -> str | None:
    said = ""
    for value in given:
        said += ", ".join(value) if isinstance(value, list) else plain(value)
        if len(said) > MAX_TEXT:
            break
    return said[:MAX_TEXT] or None


def _days_between(given: Sequence[Value]) -> float | None:
    first, last = map(day, given)
    return None if first is None or last is None else last - first


_OPERATORS: dict[str, Callable[[Sequence[Value]], Value]] = {
    "and": lambda given: int(all(map(truth, given))),
    "or": lambda given: int(any(map(truth, given))),
    "not": lambda given: int(not truth(given[0])),
    "=": lambda given: int(_equal(*given)),
    "!=": lambda given: int(not _equal(*given)),
    "<": lambda given: int(_order(*given) < 0),
    "<=": lambda given: int(_order(*given) <= 0),
    ">": lambda given: int(_order(*given) > 0),
    ">=": lambda given: int(_order(*given) >= 0),
    "in": lambda given: int(_holds_part(given)),
    "starts": lambda given: int(fold(plain(given[0])).startswith(fold(plain(given[1])))),
    "ends": lambda given: int(fold(plain(given[0])).endswith(fold(plain(given[1])))),
    "+": _add,
    "neg": lambda given: neat(-_or_0(given[0])),
    "*": _multiply,
    "/": _divide,
    "%": _remainder,
    "sum": lambda given: _add(list(_flat(given))),
    "min": lambda given: neat(min(_numbers(given))) if _numbers(given) else None,
    "max": lambda given: neat(max(_numbers(given))) if _numbers(given) else None,
    "round": lambda given: rounded(*given),
    "floor": lambda given: _with_number(math.floor, given),
    "ceil": lambda given: _with_number(math.ceil, given),
    "abs": lambda given: _with_number(abs, given),
    "count": lambda given: sum(value is not None for value in _flat(given)),
    "length": _length,
    "concat": _concat,
    "days_between": _days_between,
}
