"""A number or a text that follows from other answers."""

from collections.abc import Sequence

from app.core.i18n import lazy
from app.formbuilder.fields.kinds import Kind
from app.formbuilder.models import Answer, Field, Posted
from app.formbuilder.settings import Number, Switch, Text


class Calculation(Kind):
    name = "calculation"
    label = lazy("Calculation")
    group = "layout"
    icon = "chart-line"
    # What it has is computed by the logic, never taken from a browser.
    value_class = "calculation"
    can_be_required = False
    settings = (
        Text(name="expression", label=lazy("Expression"), longest=1000, rows=3, is_code=True),
        Number(name="decimals", label=lazy("Decimals"), default=2, high=6),
        Text(name="unit", label=lazy("Unit"), longest=20),
        Switch(name="hidden", label=lazy("Not shown to visitors")),
    )

    def draws_itself(self, field: Field) -> bool:
        return bool(field["hidden"])

    def expression(self, field: Field, fields: Sequence[Field]) -> str:
        return str(field["expression"])

    def read(self, field: Field, posted: Posted) -> Answer:
        return None

    def text(self, field: Field, answer: Answer) -> str:
        return "" if answer is None else f"{answer} {field['unit']}".strip()

    def cells(self, field: Field, answer: Answer) -> list[str | int | float | None]:
        return [answer]


KIND = Calculation()
