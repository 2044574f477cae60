"""Taking money: a payment page opened, asked about, closed, and money given back, in the words of a shop.

In production this is Stripe. On a development machine it is the same client against the local Stripe, to whose
address STRIPE_API_BASE points. Nothing here may be called inside a database transaction: it raises there.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from app.config import Config
from app.core import db
from app.gateways.payments.models import (
    BadSignature,
    Busy,
    Checkout,
    CheckoutRequest,
    Declined,
    Event,
    Line,
    Payment,
    PaymentError,
    Payments,
    Refund,
    Refused,
    Unavailable,
    Undelivered,
)
from app.gateways.payments.stripe_api import StripePayments, as_checkout, as_refund, id_of
from app.gateways.payments.webhooks import read_event

__all__ = [
    "BadSignature",
    "Busy",
    "Checkout",
    "CheckoutRequest",
    "Declined",
    "Event",
    "Line",
    "NoPayments",
    "Payment",
    "PaymentError",
    "Payments",
    "Refund",
    "Refused",
    "StripePayments",
    "Unavailable",
    "Undelivered",
    "as_checkout",
    "as_refund",
    "choose",
    "gateway",
    "id_of",
    "is_configured",
    "read_event",
    "use",
]


class NoPayments:
    """No key is set: every call says so. The rest of the school works."""

    async def _refuse(self) -> Any:
        await db.release()
        raise Unavailable("Set STRIPE_SECRET, and STRIPE_API_BASE for a local Stripe, so that the school can sell.")

    async def open_checkout(self, request: CheckoutRequest) -> Checkout:
        return await self._refuse()  # type: ignore[no-any-return]

    async def find_checkout(self, session_id: str) -> Checkout | None:
        return await self._refuse()  # type: ignore[no-any-return]

    async def expire_checkout(self, session_id: str) -> Checkout:
        return await self._refuse()  # type: ignore[no-any-return]

    async def find_payment(self, payment_id: str) -> Payment | None:
        return await self._refuse()  # type: ignore[no-any-return]

    async def refund(
        self, payment_id: str, amount_minor: int | None, *, reference: str, reason: str, idempotency_key: str
    ) -> Refund:
        return await self._refuse()  # type: ignore[no-any-return]

    async def list_refunds(self, payment_id: str) -> list[Refund]:
        return await self._refuse()  # type: ignore[no-any-return]

    async def list_undelivered(self, kinds: Sequence[str], since: datetime, after: str = "") -> Undelivered:
        return await self._refuse()  # type: ignore[no-any-return]


def choose(config: Config) -> Payments:
    """Stripe when its key is set."""
    if config.stripe_secret:
        return StripePayments(config.stripe_secret.reveal(), api_base=config.stripe_api_base)
    return NoPayments()


_payments: Payments | None = None


def use(gateway: Payments) -> None:
    """Say who takes the money from now on; called once by create_app()."""
    global _payments
    _payments = gateway


def is_configured() -> bool:
    """Whether there is somebody to ask."""
    return _payments is not None and not isinstance(_payments, NoPayments)


def gateway() -> Payments:
    """Who takes the money."""
    if _payments is None:
        raise RuntimeError("payments are not configured")
    return _payments
