"""What the catalogue tells those to its right."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class PriceChanged:
    """A product got a new price, or its first."""

    product_id: int
