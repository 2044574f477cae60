"""What is said about money: a payment page, a payment, a refund, news of them, and what can go wrong; and who must say it."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol


class PaymentError(Exception):
    """The parent of what can go wrong. The message is for the log and the back office, not for buyers."""


class Declined(PaymentError):
    """The card's bank said no."""


class Unavailable(PaymentError):
    """No usable answer came; the same call may be tried again.

    `answered` tells that an answer came which said so (a 500). Stripe repeats such an answer for as long as it keeps
    the idempotency key, so another try then needs another key.
    """

    def __init__(self, message: str, *, answered: bool = False) -> None:
        super().__init__(message)
        self.answered = answered


class Busy(Unavailable):
    """The same call, under the same key, is under way in another request; its result will be the result."""


class Refused(PaymentError):
    """The request was understood and refused; trying again the same way is pointless. `code` is Stripe's word."""

    def __init__(self, message: str, code: str = "") -> None:
        super().__init__(message)
        self.code = code


class BadSignature(PaymentError):
    """A webhook delivery that nobody with the secret signed, or too long ago."""


@dataclass(frozen=True, slots=True)
class Line:
    """A thing on the payment page. `amount_minor` is gross."""

    title: str
    amount_minor: int


@dataclass(frozen=True, slots=True)
class CheckoutRequest:
    """What a payment page is opened for. The same request with the same key opens the same page."""

    reference: str
    idempotency_key: str
    lines: tuple[Line, ...]
    currency: str
    email: str
    success_url: str
    cancel_url: str
    expires_at: datetime
    locale: str = "auto"


@dataclass(frozen=True, slots=True)
class Checkout:
    """A payment page as it stands. `state` is open, complete or expired; the amounts are minor units."""

    session_id: str
    url: str
    state: str
    payment_state: str  # paid | unpaid | no_payment_required
    payment_id: str
    amount_minor: int
    currency: str

    @property
    def is_paid(self) -> bool:
        return self.state == "complete" and self.payment_state != "unpaid"


@dataclass(frozen=True, slots=True)
class Refund:
    """Money on its way back. `state` is pending, succeeded or failed; `reference` is ours, if we asked for it."""

    refund_id: str
    state: str
    amount_minor: int
    currency: str
    reference: str = ""
    failure: str = ""
    payment_id: str = ""


@dataclass(frozen=True, slots=True)
class Payment:
    """A payment with how it was made ("visa 4242") and what was given back of it."""

    payment_id: str
    method: str
    refunds: list[Refund] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Event:
    """A webhook delivery whose signature was checked; `payload` is the whole body."""

    id: str
    kind: str
    payload: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Undelivered:
    """News that no endpoint has taken, oldest first. `before` names the event before which there is more; Stripe
    gives the newest first.
    """

    events: list[Event]
    before: str


class Payments(Protocol):
    """Whoever takes the money."""

    async def open_checkout(self, request: CheckoutRequest) -> Checkout: ...

    async def find_checkout(self, session_id: str) -> Checkout | None: ...

    async def expire_checkout(self, session_id: str) -> Checkout: ...

    async def find_payment(self, payment_id: str) -> Payment | None: ...

    async def refund(
        self, payment_id: str, amount_minor: int | None, *, reference: str, reason: str, idempotency_key: str
    ) -> Refund: ...

    async def list_refunds(self, payment_id: str) -> list[Refund]: ...

    async def list_undelivered(self, kinds: Sequence[str], since: datetime, after: str = "") -> Undelivered: ...
