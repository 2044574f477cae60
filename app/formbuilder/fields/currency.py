"""An amount of money; nothing is charged for it."""

from app.core.i18n import lazy
from app.formbuilder.fields.amounts import CURRENCY, HIGH, LOW, Amount


class Currency(Amount):
    name = "currency"
    label = lazy("Amount of money")
    group = "input"
    icon = "receipt"
    settings = (CURRENCY, LOW, HIGH)


KIND = Currency()
