"""What the ledger tells those to its right. Subscribers ask `entitlements.allows` again: another cause may hold."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class AccessGranted:
    """A person may use a product from now on (or from its start) for one more cause, or for one that was closed for a while
    (`again`). `quietly`: nobody is mailed.
    """

    entitlement_id: int
    user_id: int
    product_id: int
    course_id: int | None
    quietly: bool = False
    again: bool = False


@dataclass(frozen=True, slots=True)
class AccessClosed:
    """One cause for which a person could use a course was closed."""

    user_id: int
    course_id: int | None
