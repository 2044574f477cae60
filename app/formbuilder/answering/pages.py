"""What the templates of a form draw: each field with what was typed, what is wrong and what is tied to it."""

import dataclasses
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

import orjson
from markupsafe import Markup

from app.core.i18n import _
from app.courses import prose
from app.formbuilder.answering import screens
from app.formbuilder.answering.screens import Screen
from app.formbuilder.answering.submissions import Mistake
from app.formbuilder.fields.amounts import shown
from app.formbuilder.fields.kinds import Kind, Wrong, kind_of
from app.formbuilder.fields.pricing import Item, Prices
from app.formbuilder.logic.evaluation import Outcome
from app.formbuilder.logic.plans import GROUPS
from app.formbuilder.models import Definition, Field, Posted
from app.formbuilder.payment import bills
from app.formbuilder.payment.bills import Line, SoFar
from app.formbuilder.settings import Option


@dataclass(frozen=True, slots=True)
class Question:
    """A field as it is drawn."""

    field: Field
    kind: Kind
    posted: Posted
    error: str = ""
    is_required: bool = False
    # Not seen with what is typed so far; scripts show it when it comes to be.
    is_unseen: bool = False
    # Filled in for good, by a link of the office.
    is_fixed: bool = False
    # Of a calculation.
    result: str = ""
    # Which of its controls is wrong, when it has several.
    wrong_part: str = ""
    # The shop's offers that the form speaks of, by slug.
    prices: Prices = dataclasses.field(default_factory=dict)
    # Values of options of which nothing is left.
    gone: Collection[str] = ()
    # Where questions are numbered; 0 for one that is not seen so far.
    number: int | None = None
    # What was chosen so far on all screens, for a field that adds it up.
    so_far: SoFar | None = None
    # Whether the browser can add up what is chosen while it is chosen.
    adds_up: bool = True
    # The fields that are folded behind it.
    inside: tuple["Question", ...] = ()

    @property
    def value(self) -> str:
        """What stands in its one control."""
        return self.posted.one(self.field.id)

    def part(self, name: str) -> str:
        """What stands in one of its controls."""
        return self.posted.one(f"{self.field.id}.{name}")

    def has(self, value: str) -> bool:
        """Whether this option is chosen."""
        return value in self.posted.all(self.field.id)

    @property
    def options(self) -> Sequence[Option]:
        return self.kind.options(self.field)

    def label_of(self, option: Option | Item) -> str:
        """The words of an option, and that it is sold out."""
        return _("%(option)s – sold out", option=option.label) if option.value in self.gone else option.label

    def is_shut(self, option: Option | Item) -> bool:
        """Whether it cannot be chosen any more. What is chosen already stays, and sending tells what to do about it."""
        return option.value in self.gone and not self.has(option.value)

    @property
    def is_optional(self) -> bool:
        return self.kind.can_be_required and not self.is_required

    @property
    def may_be_optional(self) -> bool:
        """Whether a rule may take its need away, or give it."""
        return self.kind.can_be_required and not self.field.required

    @property
    def fixed(self) -> list[tuple[str, str]]:
        """What it was filled in with: controls that nobody sees."""
        own = [name for name in self.posted.texts if name.partition(".")[0] == self.field.id]
        return [(name, value) for name in own for value in self.posted.all(name)]

    @property
    def fixed_words(self) -> str:
        try:
            return self.kind.text(self.field, self.kind.read(self.field, self.posted))
        except Wrong:
            return ", ".join(value for _name, value in self.fixed)

    @property
    def described(self) -> str:
        """The ids of its hint and its error."""
        ids = [f"{self.field.id}-hint"] if self.field.help else []
        return " ".join([*ids, f"{self.field.id}-error"] if self.error else ids)

    @property
    def tied(self) -> dict[str, str | bool]:
        """Attributes of its control that tell readers of hint, error and need."""
        found: dict[str, str | bool] = {"aria-describedby": self.described} if self.described else {}
        if self.error:
            found["aria-invalid"] = "true"
        if self.is_required:
            found["aria-required"] = "true"
        return found

    def tie(self, part: str, *, required: bool = False) -> dict[str, str]:
        """Attributes of one of its several controls that tell readers of its error and its need."""
        found = {}
        if self.error and self.wrong_part == part:
            found = {"aria-invalid": "true", "aria-describedby": f"{self.field.id}-error"}
        return found | ({"aria-required": "true"} if required else {})

    def any(self, part: str) -> list[str]:
        """Everything that was chosen under the name of one of its controls."""
        return self.posted.all(f"{self.field.id}.{part}")

    @property
    def lines(self) -> Sequence[Line]:
        """What is paid for, so far."""
        return self.so_far.bill.lines if self.so_far is not None else ()

    @property
    def told(self) -> str:
        """What the browser goes on adding from; empty where it begins with nothing."""
        found = self.so_far.told if self.so_far is not None else {}
        return orjson.dumps(found).decode() if any(found.values()) else ""

    @property
    def sum(self) -> str:
        """What it comes to, as people read it; empty when nothing is chosen, or when it cannot be added."""
        bill = self.so_far.bill if self.so_far is not None else None
        if bill is None or not bill.lines or bill.is_mixed:
            return ""
        return shown(bill.minor, bill.currency)

    @property
    def is_open(self) -> bool:
        """Whether an accordion is open: as its owner likes it, but what must be answered or is wrong is never folded."""
        return bool(self.field["open"]) or any(each.error or each.is_required for each in self.inside)

    def prose(self, name: str) -> Markup:
        """A setting of it, from Markdown."""
        return markdown(self.field[name])


@dataclass(frozen=True, slots=True)
class StepView:
    """A page of the form as it is drawn."""

    id: str
    title: str
    questions: tuple[Question, ...]


def steps_of(
    definition: Definition,
    posted: Posted,
    mistakes: Mapping[str, Mistake] | None = None,
    prices: Prices | None = None,
) -> tuple[StepView, ...]:
    """Every page of the form. What is folded behind an accordion stands inside of it."""
    wrong = mistakes or {}

    def drawn(each: Field) -> Question:
        mistake = wrong.get(each.id, Mistake(""))
        return Question(
            each, kind_of(each), posted, mistake.sentence, each.required, wrong_part=mistake.part, prices=prices or {}
        )

    return tuple(
        StepView(step.id, step.title, _folded([drawn(each) for each in step.fields])) for step in definition.steps
    )


def questions_of(
    definition: Definition, screen: Screen, posted: Posted, outcome: Outcome, mistakes: Mapping[str, Mistake],
    fixed: Collection[str] = (), prices: Prices | None = None, so_far: SoFar | None = None,
    gone: Collection[tuple[str, str]] = (),
) -> tuple[Question, ...]:  # fmt: skip
    """What one screen shows. What only answers of other screens hide is left out; the rest may come to be seen.

    `so_far` is what was chosen, for a field that adds it up; `gone` are the fields and options that are sold out.
    """
    may_change = screens.may_change(definition, screen)
    numbers = screens.numbers_of(definition, outcome) if definition.settings["numbers"] else {}
    adds_up = bills.adds_up_in_browser(definition)

    def drawn(each: Field) -> Question:
        kind, mistake = kind_of(each), mistakes.get(each.id, Mistake(""))
        has_number = bool(numbers) and screens.is_asked(each)
        return Question(
            each,
            kind,
            posted,
            mistake.sentence,
            each.required or each.id in outcome.required,
            each.id not in outcome.visible,
            each.id in fixed,
            kind.text(each, outcome.values.get(each.id)) if kind.value_class == "calculation" else "",
            mistake.part,
            prices or {},
            {value for field_id, value in gone if field_id == each.id},
            numbers.get(each.id, 0) if has_number else None,
            so_far if kind.name == "total" else None,
            adds_up,
        )

    return _folded([drawn(each) for each in screen.fields if each.id in outcome.visible or each.id in may_change])


def _folded(questions: Sequence[Question]) -> tuple[Question, ...]:
    """With the fields that follow an accordion, up to the next heading, inside of it."""
    found: list[Question] = []
    is_folding = False
    for each in questions:
        if each.field.kind in GROUPS:
            is_folding = each.field.kind == "accordion"
        elif is_folding:
            found[-1] = replace(found[-1], inside=(*found[-1].inside, each))
            continue
        found.append(each)
    return tuple(found)


def scripts_of(definition: Definition) -> list[str]:
    """The modules of static/js that its fields use, each once."""
    return list(dict.fromkeys(script for each in definition.fields for script in kind_of(each).scripts))


def needs_sheet(definition: Definition) -> bool:
    """Whether a field of it is drawn with css/form-fields.css."""
    return any(kind_of(each).has_sheet for each in definition.fields)


def captcha_at(definition: Definition, screen: Screen, questions: Sequence[Question]) -> str:
    """The field in whose place visitors prove that they are people; empty when that is the end of the screen."""
    may_change = screens.may_change(definition, screen)
    every = [inner for each in questions for inner in (each, *each.inside)]
    found = (each.field.id for each in every if each.kind.name == "captcha" and not each.is_unseen)
    return next((name for name in found if name not in may_change), "")


def thanks_of(definition: Definition) -> Field | None:
    """The screen after sending, when one was made among the fields."""
    return next((each for each in reversed(definition.fields) if each.kind == "thank_you"), None)


@lru_cache(maxsize=512)
def markdown(text: str) -> Markup:
    """Markdown of the owner as clean HTML."""
    return Markup(prose.render(text))  # noqa: S704 (nh3 cleaned it)
