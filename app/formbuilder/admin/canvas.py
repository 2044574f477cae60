"""The page of the builder: what the canvas draws, and what the properties panel shows of the chosen field."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from types import SimpleNamespace
from typing import Any

from quart import Response, request

from app.core.i18n import _
from app.core.money import plain_amount
from app.core.numbers import whole_number
from app.core.settings import school
from app.formbuilder.admin import together
from app.formbuilder.admin.frame import framed, labels_of
from app.formbuilder.answering import pages
from app.formbuilder.answering.limits import Moment
from app.formbuilder.definition import field_checks
from app.formbuilder.definition.definitions import Problem
from app.formbuilder.definition.editing import fingerprint
from app.formbuilder.fields.kinds import GROUPS, all_kinds, kind_of
from app.formbuilder.logic import conditions, expressions, plans, sentences, trials
from app.formbuilder.logic.days import today
from app.formbuilder.logic.expressions import ExpressionError
from app.formbuilder.models import Definition, Field, Form, Posted
from app.formbuilder.settings import Lines, OneField, Option, Options, Setting, SomeFields
from app.web.render import page
from app.web.request import fragment, signed_in_user

HEAD = "head"
# What an open page already shows: `q1:mark q2:mark …` (static/js/form-builder.js). Such blocks are not drawn again.
SHOWN_HEADER = "Builder-Blocks"


@dataclass(frozen=True, slots=True)
class Block:
    """A field on the canvas, with what is said below it. `page` is the number of the page that it stands on."""

    question: pages.Question
    rules: Sequence[str]
    problems: Sequence[Problem]
    page: int
    is_unseen: bool
    # Differs when anything of it is drawn otherwise.
    mark: str
    # The page that asks has it already.
    is_shown: bool = False


@dataclass(frozen=True, slots=True)
class Clash:
    """Somebody else changed the field since it was shown: who, and both texts of everything that differs."""

    by: str
    changes: Sequence[Any]


@dataclass(frozen=True, slots=True)
class Meaning:
    """What a calculation says, or where it is wrong, and what can be put into it."""

    fields: Sequence[tuple[str, str]]
    functions: Sequence[tuple[str, str]]
    sentence: str = ""
    error: str = ""
    # The text up to the mistake, and the rest.
    read: str = ""
    rest: str | None = None
    trial: trials.Trial | None = None


async def show(
    form: Form, picked: str = "", *, refused: Mapping[str, str] | None = None, sent: Mapping[str, Any] | None = None,
    clash: Clash | None = None, status: int = 200,
) -> Response:  # fmt: skip
    """The builder with this field chosen (`head`: the form's name and introduction). `sent` is what was typed but refused."""
    frame = await framed(form, "build")
    definition: Definition = frame["definition"]
    chosen = definition.find(picked)
    currency = _currency(chosen, (await school()).currency)
    typed: dict[str, Any] = {"label": "", "help": "", "required": False, "width": 6}
    if chosen is not None:
        typed = {name: (sent or {}).get(name, getattr(chosen, name)) for name in typed}
        typed["width"] = whole_number(str(typed["width"])) or chosen.width
    is_open = fragment() is not None and SHOWN_HEADER in request.headers
    return await page(
        "formbuilder/admin/builder.html",
        status=status,
        **frame,
        picked=picked if chosen is not None or picked == HEAD else "",
        intro=pages.markdown(definition.intro) if definition.intro else "",
        blocks=_blocks(definition, frame["problems"], picked, _shown() if is_open else {}),
        # A page that is open keeps its palette.
        palette=[] if is_open else _palette(),
        chosen=chosen,
        chosen_kind=kind_of(chosen) if chosen is not None else None,
        typed=typed,
        head={"title": definition.title, "intro": definition.intro, "button": definition.button} | dict(sent or {}),
        shown=fingerprint(chosen) if chosen is not None else together.mark(head_of(definition)),
        controls=_controls(chosen, sent or {}) if chosen is not None else [],
        meaning=await _meaning(definition, chosen) if chosen is not None and "expression" in chosen.settings else None,
        offered=lambda setting: _offered(definition, setting, chosen),
        refused=refused or {},
        clash=clash,
        as_text=as_text,
        extras=[(each.name, _extra(each.name)) for each in fields(Option) if each.name not in ("value", "label")],
        plain_number=_plain,
        plain_price=lambda price: price if isinstance(price, str) else plain_amount(price, currency),
    )


def head_of(definition: Definition) -> list[str]:
    """What stands at the top of a form and below it."""
    return [definition.title, definition.intro, definition.button]


# What most forms need stands first in its group; the others follow by name.
_FIRST = (
    "short_text", "long_text", "email", "number", "phone", "radio", "checkbox", "dropdown", "yes_no", "stars", "nps", "date",
    "name", "address", "file", "consent", "product", "quantity", "page_break", "section", "statement", "calculation",
)  # fmt: skip


def _palette() -> list[tuple[str, list[Any]]]:
    """The kinds of field, group by group."""
    rank = {name: place for place, name in enumerate(_FIRST)}
    kinds = sorted(all_kinds().values(), key=lambda kind: (rank.get(kind.name, len(rank)), str(kind.label)))
    return [(str(label), [kind for kind in kinds if kind.group == group]) for group, label in GROUPS]


def _currency(field: Field | None, default: str) -> str:
    """The currency of the prices of a field's options."""
    return str(field.settings.get("currency") or default) if field is not None else default


def _shown() -> dict[str, str]:
    told = (each.partition(":") for each in request.headers.get(SHOWN_HEADER, "").split())
    return {name: mark for name, _colon, mark in told}


def _blocks(definition: Definition, problems: Sequence[Problem], picked: str, shown: Mapping[str, str]) -> list[Block]:
    labels, options = labels_of(definition), options_of(definition)
    said: dict[str, list[str]] = {}
    for rule in definition.rules:
        targets = rule.get("targets")
        for target in targets if isinstance(targets, list) else ():
            said.setdefault(str(target), []).append(sentences.sentence(rule, labels, options))
    wrong: dict[str, list[Problem]] = {}
    for problem in problems:
        wrong.setdefault(problem.field, []).append(problem)
    may, last = signed_in_user().can("forms.edit"), len(definition.fields)
    number, blocks = 1, []
    for place, field in enumerate(definition.fields, start=1):
        kind = kind_of(field)
        number += field.kind == "page_break"
        unseen = field.kind == "hidden" or bool(field.settings.get("hidden"))
        question = pages.Question(field, kind, Posted({}), is_required=field.required)
        rules, mistakes = said.get(field.id, ()), wrong.get(field.id, ())
        told = [fingerprint(field), rules, [(each.level, each.sentence) for each in mistakes], number]
        mark = together.mark([*told, field.id == picked, place == 1, place == last, may])[:8]
        blocks.append(Block(question, rules, mistakes, number, unseen, mark, shown.get(field.id) == mark))
    return blocks


def options_of(definition: Definition) -> dict[str, dict[str, str]]:
    """{field: {value: label}} of everything that has options."""
    found = {field.id: kind_of(field).options(field) for field in definition.fields}
    return {name: {option.value: option.label for option in options} for name, options in found.items() if options}


def _controls(field: Field, sent: Mapping[str, Any]) -> list[tuple[Setting, Any]]:
    """Each setting of a field with its value, as its control shows it; what was typed and refused wins."""
    return [
        (setting, shown(setting, sent.get(setting.name, field.settings[setting.name])))
        for setting in kind_of(field).settings
    ]


def shown(setting: Setting, value: Any) -> Any:
    """A value of a setting as its control shows it."""
    if isinstance(setting, Options):
        return [each if isinstance(each, Option) else _typed_option(each) for each in value or ()]
    if isinstance(setting, Moment):
        return setting.as_typed(value or "")
    if isinstance(value, str) or value is None:
        return value or ""
    return "\n".join(value) if isinstance(setting, Lines) else value


def _extra(name: str) -> str:
    """How people call what an option can have besides its label."""
    said = {
        "points": _("Points"), "price": _("Price"), "stock": _("Stock"), "picture": _("Picture"),
        "outcome": _("Outcome"), "under": _("Below"),
    }  # fmt: skip
    return said.get(name, name)


def _typed_option(row: Mapping[str, Any]) -> Any:
    """An option as it was typed, sound or not."""
    return SimpleNamespace(**{each.name: row.get(each.name) or _NO_EXTRA.get(each.name, "") for each in fields(Option)})


_NO_EXTRA = {"stock": None}


def as_text(setting: Options, options: Sequence[Option]) -> str:
    """Options as they can be written: a line each."""
    return "\n".join(
        " | ".join(
            each.replace("|", "\\|")
            for each in (option.value, option.label, *(_plain(getattr(option, name)) for name in setting.extras))
        )
        for option in options
    )


def _plain(value: Any) -> str:
    """A number as it is typed; an empty text for none."""
    if isinstance(value, float):
        return str(int(value)) if value.is_integer() else repr(value)
    return "" if value is None else str(value)


def _offered(definition: Definition, setting: Setting, chosen: Field | None) -> list[tuple[str, str]]:
    """The fields that a setting can name, with those that it names and that are gone."""
    if chosen is None or not isinstance(setting, OneField | SomeFields):
        return []
    found = field_checks.offered(definition, setting, chosen.id)
    named = chosen.settings[setting.name]
    known = {name for name, _words in found}
    gone = [name for name in ([named] if isinstance(named, str) else named) if name and name not in known]
    return [*found, *((name, _("%(id)s (not there)", id=name)) for name in gone)]


async def _meaning(definition: Definition, field: Field) -> Meaning:
    """The same, with a result for samples; `t.q1` in the address is what somebody wrote as the sample of q1."""
    found = meaning(definition, field)
    if not found.sentence:
        return found
    given = {name[2:]: text[:200] for name, text in request.args.items() if name.startswith("t.")}
    return replace(found, trial=trials.tried(definition, field, given, await today()))


def meaning(definition: Definition, field: Field) -> Meaning:
    """What the calculation of this field says."""
    labels = labels_of(definition)
    nodes = [node for node in plans.nodes_of(definition) if node.id != field.id]
    offered = [
        (name, labels.get(name.partition(".")[0], name) + (f" ({name.partition('.')[2]})" if "." in name else ""))
        for name in conditions.classes(nodes)
    ]
    text = str(field["expression"])
    words = _functions()
    if not text.strip():
        return Meaning(offered, words)
    try:
        return Meaning(offered, words, sentence=sentences.describe(expressions.parse(text), labels))
    except ExpressionError as error:
        return Meaning(offered, words, error=str(error), read=text[: error.position], rest=text[error.position :])


def _functions() -> list[tuple[str, str]]:
    said = {
        "if": _("one of two, by a condition"), "sum": _("everything together"), "min": _("the least"),
        "max": _("the most"), "round": _("to whole numbers, or so many digits"), "floor": _("rounded down"),
        "ceil": _("rounded up"), "abs": _("without its sign"), "count": _("how many are filled in"),
        "length": _("how long a text is"), "concat": _("texts one after the other"),
        "days_between": _("days from one date to another"), "points": _("points of what was chosen"),
        "price": _("price of what was chosen"), "today": _("the day it is"),
    }  # fmt: skip
    return [(name, said.get(name, name)) for name in expressions.FUNCTIONS]
