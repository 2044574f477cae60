"""An amount that the visitor chooses to pay: a donation, pay what you can."""

from collections.abc import Sequence

from app.core.i18n import lazy
from app.core.money import plain_amount
from app.formbuilder.fields.amounts import CURRENCY, HIGH, LOW, Amount, read_amount, shown
from app.formbuilder.fields.kinds import Wrong
from app.formbuilder.models import Field
from app.formbuilder.settings import Lines


class CustomAmount(Amount):
    name = "custom_amount"
    label = lazy("Amount of one's choice")
    group = "money"
    icon = "receipt"
    settings = (
        CURRENCY,
        LOW,
        HIGH,
        Lines(name="suggested", label=lazy("Suggested amounts"), hint=lazy("A line each: 25"), most=10),
    )

    def suggested(self, field: Field) -> Sequence[tuple[str, str]]:
        """The amounts that are suggested: as they are typed, and as people read them."""
        found = []
        for line in field["suggested"]:
            try:
                amount = read_amount(line, field["currency"])
            except Wrong:
                continue
            if amount:
                found.append(
                    (plain_amount(amount["minor"], amount["currency"]), shown(amount["minor"], amount["currency"]))
                )
        return found


KIND = CustomAmount()
