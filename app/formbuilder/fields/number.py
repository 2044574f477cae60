"""A number."""

import re
from decimal import Decimal

from app.core.i18n import _, lazy
from app.formbuilder.fields.kinds import Kind, Wrong
from app.formbuilder.models import Answer, Field, Posted
from app.formbuilder.settings import Number, Switch, Text

# As the logic reads numbers, in the browser too.
PLAIN = re.compile(r"-?[0-9]{1,15}(\.[0-9]{1,15})?")


class NumberField(Kind):
    name = "number"
    label = lazy("Number")
    group = "input"
    icon = "hash"
    value_class = "number"
    settings = (
        Number(name="low", label=lazy("From"), default=None, low=-1e12, high=1e12, is_whole=False),
        Number(name="high", label=lazy("To"), default=None, low=-1e12, high=1e12, is_whole=False),
        Switch(name="whole", label=lazy("Whole numbers only")),
        Text(name="unit", label=lazy("Unit"), longest=20),
    )

    def read(self, field: Field, posted: Posted) -> Answer:
        text = posted.one(field.id)
        if not text:
            return None
        if not PLAIN.fullmatch(text, 0):
            raise Wrong(_("Please write a number, such as 12 or 12.5."))
        return int(text) if "." not in text else float(text)

    def check(self, field: Field, answer: Answer) -> None:
        if abs(answer) >= 1e15:
            raise Wrong(_("This number is too large."))
        low, high = field["low"], field["high"]
        if low is not None and answer < low:
            raise Wrong(_("Please write %(n)s or more.", n=low))
        if high is not None and answer > high:
            raise Wrong(_("Please write %(n)s or less.", n=high))
        if field["whole"] and answer != int(answer):
            raise Wrong(_("Please write a whole number."))

    def text(self, field: Field, answer: Answer) -> str:
        return "" if answer is None else f"{plain(answer)} {field['unit']}".strip()

    def posted(self, field: Field, answer: Answer) -> dict[str, list[str]]:
        return {} if answer is None else {field.id: [plain(answer)]}

    def cells(self, field: Field, answer: Answer) -> list[str | int | float | None]:
        return [answer]


def plain(number: float) -> str:
    """A number in digits, as people type it and `read` reads it: never with an exponent."""
    return f"{Decimal(repr(number)):f}"


KIND = NumberField()
