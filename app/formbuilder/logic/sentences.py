"""Rules and calculations as sentences, for the builder."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from app.core.i18n import _
from app.formbuilder.logic import conditions
from app.formbuilder.logic.conditions import END, FIRST_STEP, Rule
from app.formbuilder.logic.trees import Tree, number_text

Labels = Mapping[str, str]
# {name: {value: label}}
Options = Mapping[str, Mapping[str, str]]

_COMPARED: dict[str, Callable[..., str]] = {
    "equals": lambda **said: _("%(field)s is %(value)s", **said),
    "not_equals": lambda **said: _("%(field)s is not %(value)s", **said),
    "contains": lambda **said: _("%(field)s contains %(value)s", **said),
    "not_contains": lambda **said: _("%(field)s does not contain %(value)s", **said),
    "starts_with": lambda **said: _("%(field)s begins with %(value)s", **said),
    "ends_with": lambda **said: _("%(field)s ends with %(value)s", **said),
    "matches": lambda **said: _("%(field)s matches the pattern %(value)s", **said),
    "greater": lambda **said: _("%(field)s is more than %(value)s", **said),
    "less": lambda **said: _("%(field)s is less than %(value)s", **said),
    "at_least": lambda **said: _("%(field)s is at least %(value)s", **said),
    "at_most": lambda **said: _("%(field)s is at most %(value)s", **said),
    "before": lambda **said: _("%(field)s is before %(value)s", **said),
    "after": lambda **said: _("%(field)s is after %(value)s", **said),
    "empty": lambda **said: _("%(field)s is empty", field=said["field"]),
    "not_empty": lambda **said: _("%(field)s is filled in", field=said["field"]),
    "length_at_least": lambda **said: _("%(field)s has a length of at least %(value)s", **said),
    "length_at_most": lambda **said: _("%(field)s has a length of at most %(value)s", **said),
    "one_of": lambda **said: _("%(field)s is one of %(value)s", **said),
    "not_one_of": lambda **said: _("%(field)s is none of %(value)s", **said),
}


def sentence(rule: Rule, labels: Labels, options: Options | None = None) -> str:
    """A rule as a sentence: Show “Your budget” when “Are you hiring?” is Yes. Plain text, to be escaped by whoever draws it."""
    when = condition(rule.get("when"), labels, options)
    about = rule.get("targets")
    named = [_page(str(each), labels) for each in about] if isinstance(about, list) else []
    said = {"what": _listed(named) or "…", "page": _page(str(rule.get("from", "")), labels)}
    action = rule.get("do")
    if action == "show":
        done = _("Show %(what)s", what=said["what"])
    elif action == "hide":
        done = _("Hide %(what)s", what=said["what"])
    elif action == "require":
        done = _("Require %(what)s", what=said["what"])
    elif action == "skip":
        done = _("Skip %(what)s", what=said["what"])
    elif action == "jump":
        done = _("After %(page)s go to %(what)s", **said)
    else:
        done = "…"
    if when == _ALWAYS:
        return _("%(done)s, always.", done=done)
    if when == _NEVER:
        return _("%(done)s, never.", done=done)
    return _("%(done)s when %(condition)s.", done=done, condition=when)


_ALWAYS, _NEVER = "\x01", "\x00"


def condition(made: Any, labels: Labels, options: Options | None = None) -> str:
    """A condition as the end of a sentence; groups in groups stand in brackets."""
    if conditions.is_too_large(made):
        return "…"
    return _condition(made, labels, options or {})


def _condition(made: Any, labels: Labels, options: Options) -> str:
    if not isinstance(made, Mapping):
        return "…"
    word, parts = conditions.joined(made)
    if not word:
        return _comparison(made, labels, options)
    if not parts:
        return _ALWAYS if word == "and" else _NEVER
    said = [_condition(each, labels, options) for each in parts]
    if len(said) == 1:
        return said[0]
    said = [{_ALWAYS: _("always"), _NEVER: _("never")}.get(each, each) for each in said]
    inner = [
        f"({each})" if isinstance(part, Mapping) and len(conditions.joined(part)[1]) > 1 else each
        for each, part in zip(said, parts, strict=True)
    ]
    between = _("and") if word == "and" else _("or")
    return f" {between} ".join(inner)


def _comparison(made: Mapping[str, Any], labels: Labels, options: Options) -> str:
    name = str(made.get("field", ""))
    known = options.get(name, {})
    operator = str(made.get("is", ""))
    given = (
        conditions.several(made.get("value"))
        if operator.endswith("one_of")
        else [conditions.text_of(made.get("value"))]
    )
    value = _listed([known.get(each, each) for each in given]) or "…"
    if operator not in _COMPARED:
        return _("%(field)s …", field=_named(name, labels))
    return _COMPARED[operator](field=_named(name, labels), value=value)


def _named(name: str, labels: Labels) -> str:
    return _("“%(label)s”", label=labels.get(name) or name or "…")


def _page(name: str, labels: Labels) -> str:
    if name == END:
        return _("the end")
    if name == FIRST_STEP and name not in labels:
        return _("the first page")
    return _named(name, labels)


def _listed(said: Sequence[str]) -> str:
    if len(said) < 2:
        return "".join(said)
    return _("%(first)s and %(last)s", first=", ".join(said[:-1]), last=said[-1])


# --- calculations -----------------------------------------------------------------------------------------------------

_SIGNS = {"*": "×", "/": "÷", "=": "=", "!=": "≠", "<": "<", "<=": "≤", ">": ">", ">=": "≥"}
# How tightly a sign binds; what binds less stands in brackets.
_BINDING = {"or": 1, "and": 2, "not": 3, "=": 4, "!=": 4, "<": 4, "<=": 4, ">": 4, ">=": 4}
_BINDING |= {"+": 5, "*": 6, "/": 6, "%": 6, "neg": 7}
_SAID: dict[str, Callable[[list[str]], str]] = {
    "sum": lambda given: _("the sum of %(what)s", what=_listed(given)),
    "min": lambda given: _("the least of %(what)s", what=_listed(given)),
    "max": lambda given: _("the most of %(what)s", what=_listed(given)),
    "floor": lambda given: _("%(what)s rounded down", what=given[0]),
    "ceil": lambda given: _("%(what)s rounded up", what=given[0]),
    "abs": lambda given: _("%(what)s without its sign", what=given[0]),
    "count": lambda given: _("how many are filled in of %(what)s", what=_listed(given)),
    "length": lambda given: _("the length of %(what)s", what=given[0]),
    "concat": lambda given: _("the text of %(what)s", what=_listed(given)),
    "days_between": lambda given: _("the days from %(first)s to %(last)s", first=given[0], last=given[1]),
    "today": lambda given: _("today"),
}


def describe(tree: Tree, labels: Labels) -> str:
    """A calculation as people say it: “Seats” × 12 + 5."""
    return _described(tree, labels, 0)


def _described(tree: Tree, labels: Labels, binding: int) -> str:
    if not isinstance(tree, list):
        return _("“%(label)s”", label=tree) if isinstance(tree, str) else number_text(tree)
    word = tree[0]
    if word == "v":
        return _named(tree[1], labels)
    if word == "points":
        return _("the points of %(field)s", field=_named(tree[1], labels))
    if word == "price":
        return _("the price of %(field)s", field=_named(tree[1], labels))
    own = _BINDING.get(word, 0)
    if not own:
        return _called(word, [_described(each, labels, 0 if word == "if" else 5) for each in tree[1:]])
    said = _joined(word, tree, labels, own)
    return f"({said})" if own < binding else said


def _joined(word: str, tree: list[Any], labels: Labels, own: int) -> str:
    if word == "neg":
        return f"−{_described(tree[1], labels, own)}"
    if word == "not":
        return _("not %(what)s", what=_described(tree[1], labels, own + 1))
    if word == "+":
        said = _described(tree[1], labels, own)
        for each in tree[2:]:
            taken = isinstance(each, list) and each[0] == "neg"
            said += f" − {_described(each[1], labels, own + 1)}" if taken else f" + {_described(each, labels, own + 1)}"
        return said
    between = {"and": _("and"), "or": _("or"), "%": _("modulo")}.get(word) or _SIGNS[word]
    # On the right, what binds alike needs brackets: a ÷ (b ÷ c). On both sides of a comparison.
    first = own + 1 if own == 4 else own
    return f" {between} ".join(
        _described(each, labels, first if at == 0 else own + 1) for at, each in enumerate(tree[1:])
    )


def _called(word: str, given: list[str]) -> str:
    if word == "if":
        return _("%(then)s if %(condition)s, else %(otherwise)s", condition=given[0], then=given[1], otherwise=given[2])
    if word == "round":
        places = given[1] if len(given) > 1 else "0"
        if places == "0":
            return _("%(what)s rounded", what=given[0])
        return _("%(what)s rounded to %(n)s digits", what=given[0], n=places)
    return _SAID[word](given)
