"""What the kinds have in common in which something with a price is chosen. A price is the shop's, when the value of an option
is the slug of a product, else the one that stands with the option, in the field's currency.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

from app.catalogue.models import Offer
from app.core.i18n import lazy
from app.formbuilder.fields.amounts import CURRENCY, shown
from app.formbuilder.fields.choosing import OneOf
from app.formbuilder.models import Answer, Field
from app.formbuilder.settings import Option, Options, Setting

Prices = Mapping[str, Offer]


@dataclass(frozen=True, slots=True)
class Item:
    """What can be bought: `minor` in minor units of `currency`; `is_sold` is false while the shop does not sell it."""

    value: str
    label: str
    minor: int
    currency: str
    is_sold: bool

    @property
    def price(self) -> str:
        """Its price as people read it."""
        return shown(self.minor, self.currency)


ITEMS = Options(
    name="options",
    label=lazy("What is offered"),
    hint=lazy(
        "A line each: address name of a product of the shop | Label; or a name of your own | Label | price in cents | stock"
    ),
    default=({"value": "first", "label": "First", "price": 1000},),
    most=100,
    extras=("price", "stock"),
)


class Priced(OneOf):
    """One option, each with a price."""

    group: ClassVar[str] = "money"
    icon: ClassVar[str] = "tag"
    is_group: ClassVar[bool] = True
    has_sheet: ClassVar[bool] = True
    settings: ClassVar[Sequence[Setting]] = (ITEMS, CURRENCY)

    def parts(self, field: Field) -> Sequence[tuple[str, str]]:
        return ()

    def items(self, field: Field, prices: Prices) -> list[Item]:
        """What is offered, at what it costs now."""
        return [self.item(field, option, prices) for option in self.options(field)]

    def item(self, field: Field, option: Option, prices: Prices) -> Item:
        """An option at what it costs now."""
        offer = prices.get(option.value)
        if offer is None:
            return Item(option.value, option.label, option.price, field["currency"], True)
        return Item(option.value, option.label, offer.amount_minor, offer.currency, offer.is_for_sale)

    def bought(self, field: Field, answer: Answer, prices: Prices) -> tuple[Item, int] | None:
        """What an answer buys, and how often."""
        option = next((each for each in self.options(field) if answer and each.value == answer.get("value")), None)
        return None if option is None else (self.item(field, option, prices), int(answer.get("quantity", 1)))
