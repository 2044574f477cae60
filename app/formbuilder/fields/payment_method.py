"""How somebody wants to pay."""

from collections.abc import Sequence

from app.core.i18n import lazy
from app.formbuilder.fields.choosing import OneOf
from app.formbuilder.models import Field
from app.formbuilder.settings import Option, Several

METHODS = (
    ("card", lazy("By card, now")),
    ("transfer", lazy("By bank transfer")),
    ("invoice", lazy("On invoice")),
    ("cash", lazy("In cash, on the spot")),
)


class PaymentMethod(OneOf):
    name = "payment_method"
    label = lazy("Way of paying")
    group = "money"
    icon = "credit-card"
    is_group = True
    settings = (Several(name="methods", label=lazy("Ways that are offered"), default=("card",), choices=METHODS),)

    def parts(self, field: Field) -> Sequence[tuple[str, str]]:
        return ()

    def options(self, field: Field) -> Sequence[Option]:
        offered = field["methods"] or ["card"]
        return [Option(name, str(label)) for name, label in METHODS if name in offered]


KIND = PaymentMethod()
