"""Something to buy, and how often."""

from collections.abc import Mapping, Sequence

from app.core.i18n import _, lazy
from app.core.numbers import whole_number
from app.formbuilder.fields.amounts import CURRENCY
from app.formbuilder.fields.kinds import Wrong
from app.formbuilder.fields.pricing import ITEMS, Priced
from app.formbuilder.models import Answer, Field, Posted
from app.formbuilder.settings import Number


class Product(Priced):
    """An answer is {"value", "quantity"}."""

    name = "product"
    label = lazy("Product")
    icon = "shopping-bag"
    settings = (
        ITEMS,
        CURRENCY,
        Number(
            name="most", label=lazy("Of each at most"), hint=lazy("1 asks for no number"), default=1, low=1, high=999
        ),
    )

    def parts(self, field: Field) -> Sequence[tuple[str, str]]:
        return (("quantity", "number"),) if field["most"] > 1 else ()

    def meant(self, field: Field, texts: Mapping[str, Sequence[str]]) -> Mapping[str, list[str]]:
        name = f"{field.id}.quantity"
        posted = Posted({each: texts.get(each, ()) for each in (field.id, name)})
        return {name: ["1"]} if field["most"] > 1 and posted.one(field.id) and not posted.one(name) else {}

    def read(self, field: Field, posted: Posted) -> Answer:
        chosen = super().read(field, posted)
        if chosen is None:
            return None
        text = posted.one(f"{field.id}.quantity") if field["most"] > 1 else ""
        quantity = whole_number(text or "1", 6)
        if quantity is None or not 1 <= quantity <= field["most"]:
            raise Wrong(_("From %(low)s to %(high)s.", low=1, high=field["most"]), "quantity")
        return {"value": chosen["value"], "quantity": quantity}

    def text(self, field: Field, answer: Answer) -> str:
        said = super().text(field, answer)
        return f"{answer['quantity']} × {said}" if answer and answer["quantity"] > 1 else said

    def columns(self, field: Field) -> Sequence[str]:
        name = field.label or field.id
        return [name, _("%(name)s: how many", name=name)]

    def cells(self, field: Field, answer: Answer) -> Sequence[str | int | float | None]:
        return [super().text(field, answer), answer["quantity"] if answer else None]

    def posted(self, field: Field, answer: Answer) -> dict[str, list[str]]:
        return {field.id: [answer["value"]], f"{field.id}.quantity": [str(answer["quantity"])]} if answer else {}


KIND = Product()
