"""Options put into an order, the dearest first."""

from collections.abc import Sequence

from app.core.i18n import _, lazy
from app.core.numbers import whole_number
from app.formbuilder.fields.grids import keys
from app.formbuilder.fields.kinds import Kind, Wrong
from app.formbuilder.models import Answer, Field, Posted
from app.formbuilder.settings import Number, Option, Options


class Ranking(Kind):
    name = "ranking"
    label = lazy("Ranking")
    group = "choice"
    icon = "list"
    value_class = "none"
    is_group = True
    scripts = ("js/field-ranking.js",)
    has_sheet = True
    settings = (
        Options(
            name="options", label=lazy("Options"), hint=lazy("A line each"), extras=(), most=30,
            default=({"value": "first", "label": "First"}, {"value": "second", "label": "Second"}),
        ),
        Number(name="places", label=lazy("Only so many places"), default=None, low=1, high=30),
    )  # fmt: skip

    def options(self, field: Field) -> Sequence[Option]:
        found: Sequence[Option] = field["options"]
        return found

    def rows(self, field: Field) -> list[tuple[str, Option]]:
        """Each option with the name of its control."""
        return list(zip(keys(field["options"]), field["options"], strict=True))

    def count(self, field: Field) -> int:
        """How many places there are to give."""
        return min(len(field["options"]), field["places"] or len(field["options"]))

    def parts(self, field: Field) -> Sequence[tuple[str, str]]:
        return [(key, "number") for key, _option in self.rows(field)]

    def read(self, field: Field, posted: Posted) -> Answer:
        places: dict[int, str] = {}
        for key, option in self.rows(field):
            text = posted.one(f"{field.id}.{key}")
            if not text:
                continue
            place = whole_number(text, 6)
            if place is None or not 1 <= place <= self.count(field):
                raise Wrong(_("Places go from 1 to %(n)s.", n=self.count(field)), key)
            if place in places:
                raise Wrong(_("Place %(n)s is given twice.", n=place), key)
            places[place] = option.value
        return [places[place] for place in sorted(places)] or None

    def check(self, field: Field, answer: Answer) -> None:
        if len(answer) < self.count(field):
            raise Wrong(_("Please give every place from 1 to %(n)s.", n=self.count(field)))

    def text(self, field: Field, answer: Answer) -> str:
        labels = {option.value: option.label for option in field["options"]}
        return ", ".join(f"{place}. {labels.get(value, value)}" for place, value in enumerate(answer or (), start=1))

    def columns(self, field: Field) -> Sequence[str]:
        return [f"{field.label or field.id}: {option.label}" for option in field["options"]] or super().columns(field)

    def cells(self, field: Field, answer: Answer) -> Sequence[str | int | float | None]:
        order = list(answer or ())
        found = [order.index(option.value) + 1 if option.value in order else None for option in field["options"]]
        return found or [None]

    def posted(self, field: Field, answer: Answer) -> dict[str, list[str]]:
        order = list(answer or ())
        return {
            f"{field.id}.{key}": [str(order.index(option.value) + 1)]
            for key, option in self.rows(field)
            if option.value in order
        }


KIND = Ranking()
