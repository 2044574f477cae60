"""Taking money: a payment page opened, asked about, closed, and money given back, in the words of a shop.

In production this is Stripe. On a development machine it is the same client against the local Stripe, to whose
address STRIPE_API_BASE points. Nothing here may be called inside a database transaction: it raises there.
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol

import httpx
import orjson
import stripe
import structlog

from app.config import Config
from app.core import db

log = structlog.get_logger()

# Seconds. The buyer waits meanwhile, so it is far below Stripe's own 80.
TIMEOUT = httpx.Timeout(20.0, connect=5.0)
RETRIES = 2
TOLERANCE = 300
# Of news that was not delivered, in one go.
EVENTS_A_PAGE = 100
PAGES_OF_EVENTS = 10


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


class StripePayments:
    """Stripe, through its own client (https://docs.stripe.com/api), with the API version that the client pins."""

    def __init__(self, secret: str, *, api_base: str = "", retries: int = RETRIES) -> None:
        self._client = stripe.StripeClient(
            secret,
            base_addresses={"api": api_base.rstrip("/")} if api_base else None,
            stripe_version=stripe.api_version,
            http_client=stripe.HTTPXClient(timeout=TIMEOUT),
            max_network_retries=retries,
        )

    async def open_checkout(self, request: CheckoutRequest) -> Checkout:
        """Open a payment page, or find the one that the same key opened before."""
        params: Any = {
            "mode": "payment",
            "line_items": [_line_item(line, request.currency) for line in request.lines],
            "customer_email": request.email,
            "client_reference_id": request.reference,
            "metadata": {"order": request.reference},
            "payment_intent_data": {"metadata": {"order": request.reference}},
            "success_url": request.success_url,
            "cancel_url": request.cancel_url,
            "expires_at": int(request.expires_at.timestamp()),
            "locale": request.locale,
        }
        options: Any = {"idempotency_key": request.idempotency_key}
        return as_checkout(await self._call(self._client.v1.checkout.sessions.create_async, params, options))

    async def find_checkout(self, session_id: str) -> Checkout | None:
        """The page as it stands now; None when Stripe does not know it."""
        found = await self._call_or_none(self._client.v1.checkout.sessions.retrieve_async, session_id)
        return as_checkout(found) if found is not None else None

    async def expire_checkout(self, session_id: str) -> Checkout:
        """Close an open page, so that nobody can pay there any more. Raises Refused when it is not open."""
        return as_checkout(await self._call(self._client.v1.checkout.sessions.expire_async, session_id))

    async def find_payment(self, payment_id: str) -> Payment | None:
        """How a payment was made and what was given back of it; None when Stripe does not know it."""
        params: Any = {"expand": ["latest_charge"]}
        found = await self._call_or_none(self._client.v1.payment_intents.retrieve_async, payment_id, params)
        if found is None:
            return None
        charge = found.get("latest_charge")
        given_back = isinstance(charge, dict) and charge.get("amount_refunded", 0) > 0
        refunds = await self.list_refunds(payment_id) if given_back else []
        return Payment(payment_id, _method(charge), refunds)

    async def refund(
        self, payment_id: str, amount_minor: int | None, *, reference: str, reason: str, idempotency_key: str
    ) -> Refund:
        """Give back part of a payment (None: all that is left). Raises Refused when less than that is left of it."""
        params: Any = {
            "payment_intent": payment_id,
            **({"amount": amount_minor} if amount_minor is not None else {}),
            "reason": reason,
            "metadata": {"refund": reference},
        }
        options: Any = {"idempotency_key": idempotency_key}
        return as_refund(await self._call(self._client.v1.refunds.create_async, params, options))

    async def list_refunds(self, payment_id: str) -> list[Refund]:
        """What was given back of a payment, by us or in Stripe's dashboard; the newest hundred."""
        params: Any = {"payment_intent": payment_id, "limit": 100}
        found = await self._call(self._client.v1.refunds.list_async, params)
        return [as_refund(item) for item in found["data"]]

    async def list_undelivered(self, kinds: Sequence[str], since: datetime, after: str = "") -> Undelivered:
        """The news of these kinds since then that no endpoint has taken: a thousand at most, those before `after`.

        https://docs.stripe.com/webhooks/process-undelivered-events
        """
        found: list[Event] = []
        params: Any = {
            "types": list(kinds),
            "created": {"gte": int(since.timestamp())},
            "delivery_success": False,
            "limit": EVENTS_A_PAGE,
        }
        for _page in range(PAGES_OF_EVENTS):
            if after:
                params = {**params, "starting_after": after}
            answer = await self._call(self._client.v1.events.list_async, params)
            found += [Event(item["id"], item["type"], item) for item in answer["data"]]
            after = found[-1].id if answer["has_more"] else ""
            if not after:
                break
        return Undelivered(found[::-1], after)

    async def _call(self, method: Any, *arguments: Any) -> dict[str, Any]:
        await db.release()
        try:
            answer = await method(*arguments)
        except stripe.StripeError as error:
            raise _in_our_words(error) from error
        found: dict[str, Any] = answer.to_dict()
        return found

    async def _call_or_none(self, method: Any, *arguments: Any) -> dict[str, Any] | None:
        try:
            return await self._call(method, *arguments)
        except Refused as error:
            if error.code == "resource_missing":
                return None
            raise


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


def read_event(raw: bytes, header: str | None, secrets: Sequence[str], *, tolerance: int = TOLERANCE) -> Event:
    """The event of a webhook body that one of `secrets` signed at most `tolerance` seconds ago. Raises BadSignature.

    Several secrets are for rotation. The signature is over the bytes as they came, so they must not be parsed before.
    """
    _check_signature(raw, header, secrets, tolerance)
    try:
        payload = orjson.loads(raw)
        return Event(str(payload["id"]), str(payload["type"]), payload)
    except (orjson.JSONDecodeError, KeyError, TypeError) as error:
        raise BadSignature("signed, but not an event") from error


def _check_signature(raw: bytes, header: str | None, secrets: Sequence[str], tolerance: int) -> None:
    if not secrets:
        raise BadSignature("STRIPE_WEBHOOK_SECRET is not set")
    refusal = ""
    for secret in secrets:
        try:
            stripe.WebhookSignature.verify_header(raw, header, secret, tolerance)
        except (stripe.SignatureVerificationError, UnicodeDecodeError) as error:
            refusal = str(error)
        else:
            break
    else:
        raise BadSignature(refusal)
    # The client refuses what is too old; a time to come is as wrong.
    signed_at = int(dict(part.split("=", 1) for part in (header or "").split(",") if "=" in part)["t"])
    if signed_at > time.time() + tolerance:
        raise BadSignature("signed in the future")


def _line_item(line: Line, currency: str) -> dict[str, Any]:
    price = {
        "currency": currency.lower(),
        "unit_amount": line.amount_minor,
        "product_data": {"name": line.title},
    }
    return {"price_data": price, "quantity": 1}


def as_checkout(found: dict[str, Any]) -> Checkout:
    """A checkout session of Stripe's (from an answer or an event) in our words."""
    return Checkout(
        session_id=found["id"],
        url=found.get("url") or "",
        state=found.get("status") or "open",
        payment_state=found.get("payment_status") or "unpaid",
        payment_id=id_of(found.get("payment_intent")),
        amount_minor=found.get("amount_total") or 0,
        currency=(found.get("currency") or "").upper(),
    )


def as_refund(found: dict[str, Any]) -> Refund:
    """A refund of Stripe's (from an answer or an event) in our words."""
    states = {"succeeded": "succeeded", "failed": "failed", "canceled": "failed"}
    return Refund(
        refund_id=found["id"],
        state=states.get(found.get("status") or "", "pending"),
        amount_minor=found["amount"],
        currency=found["currency"].upper(),
        reference=(found.get("metadata") or {}).get("refund", ""),
        failure=found.get("failure_reason") or "",
        payment_id=id_of(found.get("payment_intent")),
    )


def _method(charge: Any) -> str:
    """`visa 4242` of a card, else the kind of payment (`sepa_debit`); empty when it is not known."""
    details = charge.get("payment_method_details") if isinstance(charge, dict) else None
    if not details:
        return ""
    card = details.get("card") or {}
    if card.get("last4"):
        return f"{card.get('brand') or 'card'} {card['last4']}"
    return str(details.get("type") or "")


def id_of(found: Any) -> str:
    """The id of something that may be expanded or missing."""
    return str(found.get("id", "")) if isinstance(found, dict) else str(found or "")


def _in_our_words(error: stripe.StripeError) -> PaymentError:
    said = str(error.user_message or error)
    code = error.code or ""
    log.warning("stripe refused", error=type(error).__name__, code=code, status=error.http_status)
    if isinstance(error, stripe.CardError):
        return Declined(said)
    if isinstance(error, stripe.APIConnectionError | stripe.RateLimitError):
        return Unavailable(said)
    if isinstance(error, stripe.AuthenticationError | stripe.PermissionError):
        # A wrong key is the owner's to mend: the buyer's next try may succeed.
        return Unavailable(said)
    if error.http_status == 409:  # another request with this key is under way
        return Busy(said)
    if isinstance(error, stripe.APIError | stripe.IdempotencyError) or (error.http_status or 0) >= 500:
        return Unavailable(said, answered=True)
    return Refused(said, code)


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
