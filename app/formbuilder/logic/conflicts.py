"""What is wrong with the rules and calculations of a form: loops, looking ahead, steps nobody reaches, what does not fit."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from app.core.i18n import _
from app.formbuilder.logic import conditions, evaluation, expressions
from app.formbuilder.logic.conditions import ACTIONS, END, FIRST_STEP, OPERATORS, WITHOUT_VALUE, Node, Rule
from app.formbuilder.logic.evaluation import targets
from app.formbuilder.logic.patterns import PatternError, rewrite
from app.formbuilder.logic.trees import NUMBER, Tree, fold, names


@dataclass(frozen=True, slots=True)
class Problem:
    """Something that the owner should know. An `error` keeps the form from being published, a `warning` does not."""

    level: str
    sentence: str
    field: str = ""
    rule: str = ""


def problems(fields: Sequence[Node], rules: Sequence[Rule]) -> list[Problem]:
    """Everything that is wrong, the calculations first, then rule by rule, then the form as a whole."""
    form = _Form(fields)
    found = [problem for node in fields for problem in form.calculation(node)]
    for rule in rules:
        found.extend(form.rule(rule))
    found.extend(form.loops(rules))
    found.extend(form.unreachable(rules))
    return list(dict.fromkeys(found))


class _Form:
    def __init__(self, fields: Sequence[Node]) -> None:
        self.fields = fields
        self.steps = conditions.steps(fields)
        self.by_id = {node.id: node for node in fields}
        self.classes = conditions.classes(fields)
        self.owner = {name: node for node in fields for name in node.names}

    def said(self, name: str) -> str:
        """How people know a field or step."""
        if name == FIRST_STEP and name not in self.by_id:
            return _("the first page")
        node = self.by_id.get(name) or self.owner.get(name)
        return _("“%(label)s”", label=node.label if node and node.label else name)

    def at(self, step: str) -> int:
        return self.steps.index(step)

    # --- calculations ---

    def calculation(self, node: Node) -> Iterator[Problem]:
        if not node.expression.strip():
            return
        try:
            tree = expressions.parse(node.expression)
        except expressions.ExpressionError as error:
            said = _("%(what)s, at character %(n)s", what=str(error).rstrip("."), n=error.position + 1)
            yield Problem("error", said, node.id)
            return
        for name in names(tree):
            if name not in self.classes:
                yield Problem("error", _("The calculation uses “%(name)s”, which is not there.", name=name), node.id)
            elif self.at(self.owner[name].step) > self.at(node.step):
                said = _("The calculation looks ahead at %(field)s, on a later page.", field=self.said(name))
                yield Problem("error", said, node.id)

    # --- rules ---

    def rule(self, rule: Rule) -> Iterator[Problem]:
        name = str(rule.get("id", ""))
        for level, sentence in (*self.action(rule), *self.condition(rule), *self.ahead(rule)):
            yield Problem(level, sentence, "", name)

    def action(self, rule: Rule) -> Iterator[tuple[str, str]]:
        action, about = rule.get("do"), targets(rule)
        if action not in ACTIONS:
            yield "error", _("This rule does nothing: choose what it does.")
            return
        if not about:
            yield "error", _("This rule is about nothing: choose a field or a page.")
        for target in about:
            yield from self.target(action, target)
        if action == "jump":
            yield from self.jump(rule, about)

    def target(self, action: str, target: str) -> Iterator[tuple[str, str]]:
        if action in ("skip", "jump"):
            if target not in self.steps and not (action == "jump" and target == END):
                yield "error", _("There is no page “%(id)s”.", id=target)
            elif action == "skip" and target == FIRST_STEP:
                yield "error", _("The first page cannot be skipped.")
        elif target not in self.by_id:
            yield "error", _("There is no field “%(id)s”.", id=target)
        elif action == "require" and (self.by_id[target].expression or not self.by_id[target].names):
            yield "error", _("%(field)s has nothing to answer, so it cannot be required.", field=self.said(target))

    def jump(self, rule: Rule, about: list[str]) -> Iterator[tuple[str, str]]:
        leaving = rule.get("from")
        if leaving not in self.steps:
            yield "error", _("This rule leaves a page that is not there.")
            return
        if len(about) > 1:
            yield "error", _("A rule goes to one page only.")
        for target in about:
            if target in self.steps and self.at(target) <= self.at(str(leaving)):
                yield "error", _("A rule cannot go back to %(page)s: only onwards.", page=self.said(target))

    def condition(self, rule: Rule) -> Iterator[tuple[str, str]]:
        condition = rule.get("when")
        if conditions.is_too_large(condition):
            yield "error", _("These conditions are too many or nested too deep: make two rules of them.")
            return
        if not conditions.is_sound(condition):
            yield "error", _("A condition cannot be read.")
        for each in conditions.single(condition):
            yield from self.comparison(each)

    def comparison(self, each: Mapping[str, object]) -> Iterator[tuple[str, str]]:
        name, operator, value = str(each.get("field", "")), str(each.get("is", "")), each.get("value")
        if name not in self.classes:
            yield "error", _("A condition looks at “%(id)s”, which is not there.", id=name)
            return
        kind = self.classes[name]
        if kind not in OPERATORS.get(operator, ()):
            yield "error", _("%(field)s cannot be compared in this way.", field=self.said(name))
            return
        if operator in WITHOUT_VALUE:
            return
        if not conditions.several(value):
            yield "error", _("What %(field)s is compared with is missing.", field=self.said(name))
            return
        yield from self.compared(name, kind, operator, value)

    def compared(self, name: str, kind: str, operator: str, value: object) -> Iterator[tuple[str, str]]:
        given = conditions.several(value) if operator.endswith("one_of") else [conditions.text_of(value)]
        if operator == "matches":
            try:
                rewrite(given[0])
            except PatternError as error:
                yield "error", _("The pattern for %(field)s: %(error)s", field=self.said(name), error=str(error))
        elif operator.startswith("length_"):
            if not given[0].isdecimal() or conditions.count_of(given[0]) is None:
                yield "error", _("The length of %(field)s is compared with a whole number.", field=self.said(name))
        elif kind == "date":
            if not conditions.is_day(given[0]):
                said = _("%(field)s is compared with a day such as 2027-01-31, or with “today”.", field=self.said(name))
                yield "error", said
        elif kind == "number" or operator in ("greater", "less", "at_least", "at_most"):
            if not all(NUMBER.fullmatch(each) for each in given):
                yield "error", _("%(field)s is compared with a number such as 12.5.", field=self.said(name))
        elif operator.removeprefix("not_") in ("equals", "one_of") or (kind == "choices" and operator != "matches"):
            yield from self.unknown_options(name, given)

    def unknown_options(self, name: str, given: Sequence[str]) -> Iterator[tuple[str, str]]:
        options = self.owner[name].options if name in self.by_id else None
        if options is None:
            return
        known = {fold(value) for value in options}
        for each in given:
            if fold(each) not in known:
                yield "warning", _("%(field)s has no option “%(value)s”.", field=self.said(name), value=each)

    def ahead(self, rule: Rule) -> Iterator[tuple[str, str]]:
        """A rule looks at steps that are known when it is used: of its own step or earlier, for a step earlier only."""
        action = rule.get("do")
        if action == "jump":
            leaving = rule.get("from")
            latest = [self.at(str(leaving))] if leaving in self.steps else []
        else:
            latest = [
                self.at(target) - 1 if target in self.steps else self.at(self.by_id[target].step)
                for target in targets(rule)
                if target in self.by_id and target != FIRST_STEP
            ]
        for name in conditions.looks_at(rule.get("when")):
            if name in self.owner and latest and self.at(self.owner[name].step) > min(latest):
                yield "error", _("This rule looks ahead at %(field)s, which is answered later.", field=self.said(name))

    # --- the whole ---

    def loops(self, rules: Sequence[Rule]) -> Iterator[Problem]:
        """A problem for each loop: fields that wait for each other."""
        for step in self.steps:
            needs = evaluation.dependencies([node for node in self.fields if node.step == step], rules)
            # What waits for nothing is taken out, then what waited for that only; loops are left.
            while free := [name for name, needed in needs.items() if not needed & needs.keys()]:
                for name in free:
                    del needs[name]
            while needs:
                loop = _loop(needs)
                said = " → ".join(self.said(name) for name in [*loop, loop[0]])
                yield Problem("error", _("These wait for each other: %(loop)s.", loop=said), loop[0])
                for name in loop:
                    needs.pop(name)
                while free := [name for name, needed in needs.items() if not needed & needs.keys()]:
                    for name in free:
                        del needs[name]

    def unreachable(self, rules: Sequence[Rule]) -> Iterator[Problem]:
        """Steps that nobody comes to, and fields that nobody sees, whatever is answered."""
        plan = evaluation.compile(self.fields, rules)
        reached = _reached(plan["steps"])
        for step in plan["steps"]:
            if step["id"] not in reached:
                said = _("Nobody comes to %(page)s, whatever they answer.", page=self.said(step["id"]))
                yield Problem("error", said, step["id"] if step["id"] in self.by_id else "")
                continue
            for node in step["nodes"]:
                if node.get("if") == 0:
                    yield Problem("warning", _("%(field)s is never shown.", field=self.said(node["id"])), node["id"])


def _loop(needs: Mapping[str, set[str]]) -> list[str]:
    """A way round among nodes that all wait for one of the others."""
    walked = [next(iter(needs))]
    while True:
        following = min(needs[walked[-1]] & needs.keys())
        if following in walked:
            return walked[walked.index(following) :]
        walked.append(following)


def _reached(steps: Sequence[Mapping[str, Any]]) -> set[str]:
    """The steps that some answers may lead to, as far as constant conditions tell."""
    at = {str(step["id"]): number for number, step in enumerate(steps)}
    reached: set[str] = set()
    waiting = [0]
    seen: set[int] = set()
    while waiting:
        number = waiting.pop()
        if number in seen or number >= len(steps):
            continue
        seen.add(number)
        step = steps[number]
        seen_if: Tree = step.get("if", 1)
        if seen_if != 1:
            waiting.append(number + 1)
        if seen_if == 0:
            continue
        reached.add(str(step["id"]))
        for made, to in step.get("jumps", ()):
            waiting.append(at.get(to, len(steps)))
            if made == 1:
                break
        else:
            waiting.append(number + 1)
    return reached
