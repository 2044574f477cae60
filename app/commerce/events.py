"""What commerce tells those to its right."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class OrderPaid:
    """An order was paid (or was free), and what it opens is open."""

    order_id: int


@dataclass(frozen=True, slots=True)
class OrderRefunded:
    """Money of an order went back, all or part of it; the order says how much in all."""

    order_id: int
    refund_id: int


@dataclass(frozen=True, slots=True)
class OrderRegained:
    """Of an order that was given back whole, money did not arrive after all: it is paid, and what it opens is open again."""

    order_id: int


@dataclass(frozen=True, slots=True)
class OrderFailed:
    """An order ended without a payment: refused by the bank, or given up."""

    order_id: int


@dataclass(frozen=True, slots=True)
class OrderFlagged:
    """A payment does not fit its order; nothing was opened, and a person must look."""

    order_id: int
