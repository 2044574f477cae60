"""What the writers of the demo school share: the database's keys, and the tax in every price."""

from array import array
from dataclasses import dataclass, field
from decimal import Decimal

TAX_PERCENT = Decimal(24)  # Estonia's rate since July 2025


@dataclass(slots=True)
class Keys:
    """The database's keys of what the history refers to by name or number, kept over all parts of it.

    `members` has the key of member n at place n - 1: eight bytes a member, however many there are.
    """

    members: "array[int]" = field(default_factory=lambda: array("q"))
    courses: dict[str, int] = field(default_factory=dict)
    products: dict[str, int] = field(default_factory=dict)
    lessons: dict[tuple[str, str], int] = field(default_factory=dict)

    def member(self, number: int) -> int:
        """The key of the member who joined as number `number`."""
        return self.members[number - 1]


@dataclass(slots=True)
class Sold:
    """The keys of one part's orders and lines; no later part refers to them."""

    orders: dict[int, tuple[int, str, int]] = field(default_factory=dict)
    items: dict[tuple[int, str], int] = field(default_factory=dict)
