"""What can be set, of a kind of field and of a form: each setting knows its label, its default, how it is drawn in the
builder and what it accepts. A stored definition is read through these, so that what is not there has its default and
what nobody knows is dropped.
"""

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from babel.support import LazyProxy

from app.core.i18n import _
from app.web.forms import is_email, unreadable

Words = LazyProxy | str


class Unfit(ValueError):
    """A value that a setting does not accept; its text is shown beside the setting."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """One thing that can be set. `read` makes a stored or a posted value sound; it raises Unfit."""

    name: str
    label: Words
    hint: Words = ""
    default: Any = None
    # Another setting of the same field that must be on for this one to mean something.
    with_: str = ""

    @property
    def control(self) -> str:
        """The macro of templates/formbuilder/admin/settings.html that draws it."""
        return type(self).__name__.lower()

    # The type of an <input> that draws it.
    input_type: ClassVar[str] = "text"

    @property
    def is_long(self) -> bool:
        """Whether it is written on several lines."""
        return False

    def read(self, value: Any) -> Any:
        raise NotImplementedError


@dataclass(frozen=True, slots=True, kw_only=True)
class Text(Setting):
    """A text on one line, or on more when `rows` is above 1."""

    default: Any = ""
    longest: int = 500
    rows: int = 1
    is_code: bool = False

    @property
    def is_long(self) -> bool:
        return self.rows > 1

    def read(self, value: Any) -> str:
        text = str(value or "").replace("\r\n", "\n").strip()
        if unreadable(text):
            raise Unfit(_("This contains characters that cannot be stored."))
        if len(text) > self.longest:
            raise Unfit(_("At most %(n)s characters.", n=self.longest))
        return text if self.rows > 1 else " ".join(text.splitlines())


@dataclass(frozen=True, slots=True, kw_only=True)
class Email(Text):
    """An address, or none."""

    def read(self, value: Any) -> str:
        text = Text.read(self, value)
        if text and not is_email(text):
            raise Unfit(_("This does not look like an email address."))
        return text


@dataclass(frozen=True, slots=True, kw_only=True)
class OneField(Text):
    """The id of another field of the form, one whose options have the extra `having` (points, price); or none."""

    longest: int = 40
    having: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Number(Setting):
    """A number between two bounds, or none when it may be left empty (its default is None)."""

    low: float = 0
    high: float = 1_000_000
    is_whole: bool = True

    def read(self, value: Any) -> int | float | None:
        if value is None or (isinstance(value, str) and not value.strip()):
            return self.default  # type: ignore[no-any-return]  # of the setting's own type
        try:
            number = float(value)
        except (TypeError, ValueError, OverflowError):
            raise Unfit(_("Write a number.")) from None
        if not self.low <= number <= self.high or (self.is_whole and number != int(number)):
            raise Unfit(_("From %(low)s to %(high)s.", low=_plain(self.low), high=_plain(self.high)))
        return int(number) if number == int(number) else number


@dataclass(frozen=True, slots=True, kw_only=True)
class Switch(Setting):
    """On or off."""

    default: Any = False

    def read(self, value: Any) -> bool:
        return value is True or value in ("on", "yes", "true", "1")


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice(Setting):
    """One of several words."""

    choices: tuple[tuple[str, Words], ...] = ()

    def read(self, value: Any) -> str:
        text = self.default if value in (None, "") else str(value)
        if text not in [key for key, _label in self.choices]:
            raise Unfit(_("Choose one of the list."))
        return str(text)


@dataclass(frozen=True, slots=True, kw_only=True)
class Several(Setting):
    """Any of several words."""

    default: Any = ()
    choices: tuple[tuple[str, Words], ...] = ()

    def read(self, value: Any) -> list[str]:
        known = [key for key, _label in self.choices]
        sent = [value] if isinstance(value, str) else _listed(value)
        if any(each not in known for each in sent if each):
            raise Unfit(_("Choose of the list."))
        return [key for key in known if key in sent]


@dataclass(frozen=True, slots=True)
class Option:
    """What can be chosen: its value is kept, its label is shown. `price` in minor units; `stock` None is without end."""

    value: str
    label: str
    points: float = 0
    price: int = 0
    stock: int | None = None
    picture: str = ""
    # The value of the option of the list before, for chained selects.
    under: str = ""
    # Which outcome of a quiz it speaks for.
    outcome: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Options(Setting):
    """A list of options. Written by a person it is a line each: `Label`, or `value | Label | points | outcome`."""

    default: Any = ()
    most: int = 500
    extras: tuple[str, ...] = ("points", "outcome")

    def read(self, value: Any) -> tuple[Option, ...]:
        rows = _option_lines(value, self.extras) if isinstance(value, str) else _listed(value)
        if len(rows) > self.most:
            raise Unfit(_("At most %(n)s options.", n=self.most))
        options: list[Option] = []
        for row in rows:
            option = _option(row)
            if option.label:
                options.append(option)
        for value, count in Counter(option.value for option in options).items():
            if count > 1:
                raise Unfit(_("“%(value)s” is there twice.", value=value))
        return tuple(options)


def _option_lines(text: str, extras: Sequence[str]) -> list[dict[str, Any]]:
    rows = []
    for line in text.splitlines():
        # A bar with a backslash before it belongs to the words.
        cells = [cell.replace("\\|", "|").strip() for cell in re.split(r"(?<!\\)\|", line)]
        if not any(cells):
            continue
        if len(cells) == 1:
            rows.append({"label": cells[0]})
        else:
            rows.append({"value": cells[0], "label": cells[1], **dict(zip(extras, cells[2:], strict=False))})
    return rows


def _option(row: Any) -> Option:
    if isinstance(row, Option):
        return row
    if isinstance(row, str):
        row = {"label": row}
    if not isinstance(row, Mapping):
        raise Unfit(_("An option has a label."))
    label = Text(name="label", label="", longest=300).read(row.get("label"))
    value = Text(name="value", label="", longest=100).read(row.get("value")) or named_after(label)
    stock = Number(name="stock", label="", high=10_000_000).read(row.get("stock"))
    return Option(
        value=value,
        label=label or value,
        points=Number(name="points", label="", low=-100_000, high=100_000, is_whole=False, default=0).read(
            row.get("points")
        )
        or 0,
        price=int(Number(name="price", label="", high=100_000_000, default=0).read(row.get("price")) or 0),
        stock=int(stock) if stock is not None else None,
        picture=Text(name="picture", label="", longest=200).read(row.get("picture")),
        under=Text(name="under", label="", longest=100).read(row.get("under")),
        outcome=Text(name="outcome", label="", longest=60).read(row.get("outcome")),
    )


def named_after(label: str) -> str:
    """A value for an option that was given only a label: its words in small letters."""
    return re.sub(r"[^\w]+", "-", label.lower()).strip("-_")[:60] or label[:60]


@dataclass(frozen=True, slots=True, kw_only=True)
class Lines(Setting):
    """A list of short texts, a line each: rows of a grid, columns of a table."""

    default: Any = ()
    most: int = 100

    @property
    def is_long(self) -> bool:
        return True

    def read(self, value: Any) -> tuple[str, ...]:
        lines = value.splitlines() if isinstance(value, str) else [str(line) for line in _listed(value)]
        kept = [Text(name="", label="", longest=200).read(line) for line in lines]
        kept = list(dict.fromkeys(line for line in kept if line))
        if len(kept) > self.most:
            raise Unfit(_("At most %(n)s lines.", n=self.most))
        return tuple(kept)


@dataclass(frozen=True, slots=True, kw_only=True)
class SomeFields(Lines):
    """The ids of other fields of the form, those whose options have the extra `having`."""

    having: str = ""


def _listed(value: Any) -> list[Any]:
    """A list as it is stored. Raises Unfit for anything else."""
    if value is None or isinstance(value, Sequence):
        return list(value or ())
    raise Unfit(_("This is not a list."))


def read_all(settings: Sequence[Setting], stored: Any) -> dict[str, Any]:
    """The value of every setting; what does not fit, or is not there, has its default."""
    known = stored if isinstance(stored, Mapping) else {}
    values: dict[str, Any] = {}
    for setting in settings:
        try:
            values[setting.name] = setting.read(known.get(setting.name, setting.default))
        except Unfit:
            values[setting.name] = setting.read(setting.default)
    return values


def write(value: Any) -> Any:
    """A value of a setting as JSON."""
    if isinstance(value, Option):
        row = {"value": value.value, "label": value.label}
        extras = {name: getattr(value, name) for name in ("points", "price", "stock", "picture", "under", "outcome")}
        return row | {name: extra for name, extra in extras.items() if extra not in (0, None, "")}
    if isinstance(value, tuple | list):
        return [write(each) for each in value]
    return value


def _plain(number: float) -> str:
    return str(int(number)) if number == int(number) else str(number)
