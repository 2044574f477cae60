"""Quotes: what a cart costs, signed, so that what was shown is what is charged."""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from app.catalogue.models import Offer
from app.commerce.models import Quote, QuoteLine
from app.core import tokens
from app.core.money import included_tax

PURPOSE = "quote"
# Seconds that a shown price is held.
LIFETIME = 30 * 60


@dataclass(frozen=True, slots=True)
class Shown:
    """What a signed quote says: the price of each product, as the buyer saw it."""

    cart_id: int
    prices: dict[int, int]
    currency: str


def make(offers: Sequence[Offer], tax_percent: Decimal, tax_label: str) -> Quote:
    """Price these offers. Tax is inside each price, rounded line by line; every sum is exact.

    Raises ValueError for several currencies.
    """
    currencies = {offer.currency for offer in offers}
    if len(currencies) > 1:
        raise ValueError(f"one quote in several currencies: {sorted(currencies)}")
    lines = tuple(
        QuoteLine(offer.product_id, offer.title, offer.amount_minor, included_tax(offer.amount_minor, tax_percent))
        for offer in offers
    )
    total = sum(line.amount_minor for line in lines)
    tax = sum(line.tax_minor for line in lines)
    return Quote(lines, currencies.pop() if currencies else "", tax_percent, tax_label, total - tax, tax, total)


def sign(quote: Quote, cart_id: int) -> str:
    """What the checkout form carries: the shown prices of this cart."""
    prices = {str(line.product_id): line.amount_minor for line in quote.lines}
    return tokens.sign({"cart": cart_id, "prices": prices, "currency": quote.currency}, PURPOSE)


def read(signed: str) -> Shown | None:
    """What was shown; None when it was changed on the way or is older than half an hour."""
    value = tokens.unsign(signed, PURPOSE, LIFETIME)
    if not isinstance(value, dict):
        return None
    return Shown(value["cart"], {int(key): amount for key, amount in value["prices"].items()}, value["currency"])


def still_good(shown: Shown, now: Quote) -> bool:
    """Whether the buyer's yes to what was shown covers this: the same things, none dearer, in the same currency."""
    return (
        shown.currency == now.currency
        and shown.prices.keys() == {line.product_id for line in now.lines}
        and all(
            line.product_id in shown.prices and line.amount_minor <= shown.prices[line.product_id] for line in now.lines
        )
    )


def same_things(shown: Shown, now: Quote) -> bool:
    """Whether the cart still holds what was shown, at whatever price."""
    return shown.prices.keys() == {line.product_id for line in now.lines}
