"""What of a form is seen at once: a page of it, or a single question. The same definition gives both."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from app.formbuilder.fields.kinds import kind_of
from app.formbuilder.logic import conditions, plans
from app.formbuilder.logic.evaluation import Outcome, targets
from app.formbuilder.models import Definition, Field

# With these alone there would be nothing on a screen.
_NOTHING_TO_SEE = ("hidden", "captcha", "thank_you")


@dataclass(frozen=True, slots=True)
class Screen:
    """Fields that are seen together. Its id is that of its step, or of its question."""

    id: str
    title: str
    step: str
    fields: tuple[Field, ...]

    @property
    def ids(self) -> frozenset[str]:
        return frozenset(field.id for field in self.fields)


def screens_of(definition: Definition) -> tuple[Screen, ...]:
    """Every screen, whether it comes to be seen or not."""
    if definition.settings.get("presentation") != "one":
        return tuple(Screen(step.id, step.title, step.id, step.fields) for step in definition.steps)
    found: list[Screen] = []
    for step in definition.steps:
        waiting: list[Field] = []
        title = step.title
        for field in step.fields:
            waiting.append(field)
            if is_asked(field):
                found.append(Screen(field.id, title, step.id, tuple(waiting)))
                waiting, title = [], ""
        if waiting and found and found[-1].step == step.id:
            # Words behind the last question stand below it.
            last = found.pop()
            found.append(Screen(last.id, last.title, last.step, (*last.fields, *waiting)))
        elif waiting:
            found.append(Screen(step.id, title, step.id, tuple(waiting)))
    return tuple(found) or (Screen("start", "", "start", ()),)


def walked(definition: Definition, outcome: Outcome) -> list[Screen]:
    """The screens that these answers lead over, in order; never none."""
    every = screens_of(definition)
    found = [each for each in every if each.step in outcome.steps and _is_seen(each, outcome)]
    return found or [every[0]]


def after(definition: Definition, outcome: Outcome, screen_id: str) -> Screen | None:
    """The screen behind this one; None when this is the last."""
    places = _places(definition)
    here = places.get(screen_id, 0)
    return next((each for each in walked(definition, outcome) if places[each.id] > here), None)


def before(definition: Definition, outcome: Outcome, screen_id: str) -> Screen | None:
    """The screen before this one; None when this is the first."""
    places = _places(definition)
    here = places.get(screen_id, 0)
    return next((each for each in reversed(walked(definition, outcome)) if places[each.id] < here), None)


def at(definition: Definition, outcome: Outcome, screen_id: str) -> Screen:
    """The screen of this id, or what comes to be seen in its place."""
    seen = walked(definition, outcome)
    return next((each for each in seen if each.id == screen_id), None) or (
        after(definition, outcome, screen_id) if screen_id in _places(definition) else None
    ) or seen[0]  # fmt: skip


def of_field(definition: Definition, field_ids: Iterable[str]) -> Screen | None:
    """The first screen that shows one of these fields."""
    wanted = set(field_ids)
    return next((each for each in screens_of(definition) if each.ids & wanted), None)


def merged(
    kept: Mapping[str, Sequence[str]], sent: Mapping[str, Sequence[str]], screen: Screen
) -> dict[str, list[str]]:
    """What was typed so far with what this screen sent: what it left out (a box that is not ticked) is empty now."""
    texts = {name: list(values) for name, values in kept.items() if _owner(name) not in screen.ids}
    return texts | {name: list(values) for name, values in sent.items() if _owner(name) in screen.ids}


def of_others(texts: Mapping[str, Sequence[str]], screen: Screen) -> dict[str, list[str]]:
    """What was typed on other screens, that rules of this one may look at."""
    return {name: list(values) for name, values in texts.items() if _owner(name) not in screen.ids and any(values)}


def has_logic(definition: Definition) -> bool:
    """Whether anything of it changes while it is filled in."""
    return any(
        rule.get("do") in ("show", "hide", "require", "skip", "jump") for rule in definition.rules
    ) or any(kind_of(field).value_class == "calculation" for field in definition.fields)  # fmt: skip


def may_change(definition: Definition, screen: Screen) -> frozenset[str]:
    """Fields of this screen that can appear or go while it is filled in: a rule looks at something that stands on it."""
    nodes = plans.nodes_of(definition)
    owner = {name: node.id for node in nodes for name in node.names}
    calculated = {node.id for node in nodes if node.expression}
    found = set()
    for rule in definition.rules:
        looked = {owner.get(name, name) for name in conditions.looks_at(rule.get("when"))}
        if rule.get("do") in ("show", "hide") and (looked & screen.ids or looked & calculated):
            found |= set(targets(rule))
    # A section that may change takes what stands below it along.
    found |= {node.id for node in nodes if node.group in found}
    return frozenset(found & screen.ids)


def page_logic(
    definition: Definition, texts: Mapping[str, Sequence[str]], screen: Screen, today: str
) -> dict[str, Any]:
    """What the browser evaluates while a screen is filled in; what was typed on others goes along."""
    known = of_others(texts, screen)
    return {"plan": plans.plan_of(definition), "known": known, "today": today, "step": screen.step}


def _owner(name: str) -> str:
    return name.partition(".")[0]


def _places(definition: Definition) -> dict[str, int]:
    return {each.id: place for place, each in enumerate(screens_of(definition))}


def is_asked(field: Field) -> bool:
    """Whether somebody answers it: not what only stands there, is computed, or is not seen at all."""
    kind = kind_of(field)
    return kind.has_answer and kind.name not in ("hidden", "total") and kind.value_class != "calculation"


def numbers_of(definition: Definition, outcome: Outcome) -> dict[str, int]:
    """The number of each question that is seen, over all screens; of a screen, that of its first question."""
    found, number = {}, 1
    for screen in walked(definition, outcome):
        found[f".{screen.id}"] = number
        for field in screen.fields:
            if is_asked(field) and field.id in outcome.visible:
                found[field.id] = number
                number += 1
    return found


def _is_seen(screen: Screen, outcome: Outcome) -> bool:
    asked = [field.id for field in screen.fields if is_asked(field)]
    shown = asked or [field.id for field in screen.fields if field.kind not in _NOTHING_TO_SEE]
    return any(each in outcome.visible for each in shown)
