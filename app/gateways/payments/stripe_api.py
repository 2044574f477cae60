"""Stripe, asked through its own client, and its answers in our words."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import httpx
import stripe
import structlog

from app.core import db
from app.gateways.payments.models import (
    Busy,
    Checkout,
    CheckoutRequest,
    Declined,
    Event,
    Line,
    Payment,
    PaymentError,
    Refund,
    Refused,
    Unavailable,
    Undelivered,
)

log = structlog.get_logger()

# Else the client keeps a number of this machine in the home folder, and tells Stripe what runs here and how fast it answers.
stripe.enable_telemetry = False

# Seconds. The buyer waits meanwhile, so it is far below Stripe's own 80.
TIMEOUT = httpx.Timeout(20.0, connect=5.0)
RETRIES = 2
# Of news that was not delivered, in one go.
EVENTS_A_PAGE = 100
PAGES_OF_EVENTS = 10


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
            come = [Event(item["id"], item["type"], item) for item in answer["data"]]
            found += come
            # A page with nothing on it says nowhere to go on from: asked again it would be the same one, for ever.
            after = come[-1].id if come and answer["has_more"] else ""
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
