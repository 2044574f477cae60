"""The page of the builder: what the canvas draws, and what the properties panel shows of the chosen field."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

from quart import Response

from app.core.i18n import _
from app.core.money import plain_amount
from app.core.settings import school
from app.formbuilder import conditions, expressions, pages, plans, sentences
from app.formbuilder.admin.frame import framed, labels_of
from app.formbuilder.editing import fingerprint
from app.formbuilder.expressions import ExpressionError
from app.formbuilder.fields.kinds import GROUPS, all_kinds, kind_of
from app.formbuilder.models import Definition, Field, Form, Posted
from app.formbuilder.settings import Lines, Option, Options, Setting
from app.web.render import page

HEAD = "head"


@dataclass(frozen=True, slots=True)
class Block:
    """A field on the canvas, with what is said below it. `page` is the number of the page that it stands on."""

    question: pages.Question
    rules: Sequence[str]
    page: int
    is_unseen: bool


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


async def show(
    form: Form, picked: str = "", *, refused: Mapping[str, str] | None = None, sent: Mapping[str, Any] | None = None,
    clash: Clash | None = None, status: int = 200,
) -> Response:  # fmt: skip
    """The builder with this field chosen (`head`: the form's name and introduction). `sent` is what was typed but refused."""
    frame = await framed(form, "build")
    definition: Definition = frame["definition"]
    chosen = definition.find(picked)
    currency = (await school()).currency
    typed: dict[str, Any] = {"label": "", "help": "", "required": False, "width": 6}
    if chosen is not None:
        typed = {name: (sent or {}).get(name, getattr(chosen, name)) for name in typed}
        typed["width"] = int(typed["width"]) if str(typed["width"]).isdecimal() else chosen.width
    kinds = all_kinds().values()
    return await page(
        "formbuilder/admin/builder.html",
        status=status,
        **frame,
        picked=picked if chosen is not None or picked == HEAD else "",
        intro=pages.markdown(definition.intro) if definition.intro else "",
        blocks=_blocks(definition),
        palette=[(str(label), [kind for kind in kinds if kind.group == group]) for group, label in GROUPS],
        chosen=chosen,
        chosen_kind=kind_of(chosen) if chosen is not None else None,
        typed=typed,
        shown=fingerprint(chosen) if chosen is not None else "",
        controls=_controls(chosen, sent or {}) if chosen is not None else [],
        meaning=meaning(definition, chosen) if chosen is not None and "expression" in chosen.settings else None,
        refused=refused or {},
        clash=clash,
        as_text=as_text,
        plain_price=lambda price: price if isinstance(price, str) else plain_amount(price, currency),
    )


def _blocks(definition: Definition) -> list[Block]:
    labels, options = labels_of(definition), options_of(definition)
    said: dict[str, list[str]] = {}
    for rule in definition.rules:
        targets = rule.get("targets")
        for target in targets if isinstance(targets, list) else ():
            said.setdefault(str(target), []).append(sentences.sentence(rule, labels, options))
    number, blocks = 1, []
    for field in definition.fields:
        kind = kind_of(field)
        number += field.kind == "page_break"
        unseen = field.kind == "hidden" or bool(field.settings.get("hidden"))
        question = pages.Question(field, kind, Posted({}), is_required=field.required)
        blocks.append(Block(question, said.get(field.id, ()), number, unseen))
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
    if isinstance(value, str) or value is None:
        return value or ""
    return "\n".join(value) if isinstance(setting, Lines) else value


def _typed_option(row: Mapping[str, Any]) -> Any:
    """An option as it was typed, sound or not."""
    given = {name: row.get(name) or "" for name in ("value", "label", "points", "price", "picture", "under")}
    return SimpleNamespace(**given, stock=row.get("stock") or None)


def as_text(setting: Options, options: Sequence[Option]) -> str:
    """Options as they can be written: a line each."""
    return "\n".join(
        " | ".join([option.value, option.label, *[_plain(getattr(option, name)) for name in setting.extras]])
        for option in options
    )


def _plain(value: Any) -> str:
    return "" if value in (None, "") else f"{value:g}" if isinstance(value, float) else str(value)


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
