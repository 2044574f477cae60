"""What everything comes to. The server adds it up when the form is sent (app/formbuilder/payment/bills.py); nobody posts it."""

from app.core.i18n import lazy
from app.core.money import plain_amount
from app.formbuilder.fields.amounts import shown
from app.formbuilder.fields.kinds import Kind
from app.formbuilder.models import Answer, Field, Posted
from app.formbuilder.settings import Switch


class Total(Kind):
    """An answer is {"minor", "currency"}; {} until it is added up."""

    name = "total"
    label = lazy("Total")
    group = "money"
    icon = "receipt"
    value_class = "none"
    can_be_required = False
    scripts = ("js/field-total.js",)
    has_sheet = True
    settings = (Switch(name="lines", label=lazy("Show each line")),)

    def read(self, field: Field, posted: Posted) -> Answer:
        return {}

    def text(self, field: Field, answer: Answer) -> str:
        return shown(answer["minor"], answer["currency"]) if answer else ""

    def cells(self, field: Field, answer: Answer) -> list[str | int | float | None]:
        return [float(plain_amount(answer["minor"], answer["currency"])) if answer else None]

    def posted(self, field: Field, answer: Answer) -> dict[str, list[str]]:
        return {}


KIND = Total()
