"""What the writers of the demo school share: the database's keys, and the tax in every price."""

from dataclasses import dataclass
from decimal import Decimal

TAX_PERCENT = Decimal(24)  # Estonia's rate since July 2025


@dataclass(slots=True)
class Keys:
    """The database's keys of what the history refers to by name."""

    members: dict[int, int]
    orders: dict[int, tuple[int, str, int]]
    items: dict[tuple[int, str], int]
    courses: dict[str, int]
    products: dict[str, int]
    lessons: dict[tuple[str, str], int]
