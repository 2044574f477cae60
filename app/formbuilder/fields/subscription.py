"""Something that is paid again and again, in one of several plans."""

from app.core.i18n import _, lazy
from app.formbuilder.fields.amounts import CURRENCY
from app.formbuilder.fields.pricing import ITEMS, Item, Priced
from app.formbuilder.models import Field
from app.formbuilder.settings import Choice


class Subscription(Priced):
    name = "subscription"
    label = lazy("Subscription")
    icon = "repeat"
    settings = (
        ITEMS,
        CURRENCY,
        Choice(
            name="every", label=lazy("Paid every"), default="month",
            choices=(("week", lazy("Week")), ("month", lazy("Month")), ("quarter", lazy("Quarter")), ("year", lazy("Year"))),
        ),
    )  # fmt: skip

    def price(self, field: Field, item: Item) -> str:
        """What it costs, and how often."""
        said = {"week": _("a week"), "month": _("a month"), "quarter": _("a quarter"), "year": _("a year")}
        return f"{item.price} {said[field['every']]}"


KIND = Subscription()
