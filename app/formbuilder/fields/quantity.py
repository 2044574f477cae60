"""How many of a product that another field offers."""

from app.core.i18n import _, lazy
from app.core.numbers import whole_number
from app.formbuilder.fields.kinds import Kind, Wrong
from app.formbuilder.models import Answer, Field, Posted
from app.formbuilder.settings import Number, OneField


class Quantity(Kind):
    name = "quantity"
    label = lazy("How many")
    group = "money"
    icon = "hash"
    value_class = "number"
    settings = (
        OneField(name="of", label=lazy("Of which field"), having="price"),
        Number(name="low", label=lazy("From"), default=1, low=0, high=9999),
        Number(name="high", label=lazy("To"), default=99, low=1, high=9999),
    )

    def read(self, field: Field, posted: Posted) -> Answer:
        text = posted.one(field.id)
        if not text:
            return None
        number = whole_number(text, 6)
        if number is None:
            raise Wrong(_("Please write a whole number."))
        return number

    def check(self, field: Field, answer: Answer) -> None:
        if not field["low"] <= answer <= field["high"]:
            raise Wrong(_("From %(low)s to %(high)s.", low=field["low"], high=field["high"]))

    def cells(self, field: Field, answer: Answer) -> list[str | int | float | None]:
        return [answer]


KIND = Quantity()
