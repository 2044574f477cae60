"""Refusals in Stripe's shape: `{"error": {"type", "code", "message", "param", …}}` with its HTTP status.

Types and codes are those of https://docs.stripe.com/error-codes; the sentences are ours.
"""

from __future__ import annotations

from typing import Any

Doc = dict[str, Any]


class StripeRefusal(Exception):
    """An answer other than 200. `kept` says whether an idempotency key replays it later."""

    status = 400
    type = "invalid_request_error"
    kept = False

    def __init__(self, message: str, *, code: str | None = None, param: str | None = None, **more: Any) -> None:
        super().__init__(message)
        self.message = message
        self.code = code
        self.param = param
        self.more = more

    def body(self) -> Doc:
        """The JSON answer. Fields without a value are left out, as Stripe leaves them out."""
        error: Doc = {"message": self.message, "type": self.type}
        if self.code is not None:
            error["code"] = self.code
            error["doc_url"] = f"https://stripe.com/docs/error-codes/{self.code.replace('_', '-')}"
        if self.param is not None:
            error["param"] = self.param
        error.update({name: value for name, value in self.more.items() if value is not None})
        return {"error": error}


class InvalidRequest(StripeRefusal):
    """400: the parameters are wrong, so nothing was begun and nothing is kept."""


class WrongState(StripeRefusal):
    """400: the parameters are well formed, but the object is not in a state for this."""

    kept = True


class Unauthorized(StripeRefusal):
    """401: no key, or not the key of this account."""

    status = 401


class NotFound(StripeRefusal):
    """404: the object in the path, or the path itself, does not exist."""

    status = 404


class CardRefused(StripeRefusal):
    """402: the card was declined."""

    status = 402
    type = "card_error"
    kept = True


class Conflict(StripeRefusal):
    """409: another request with the same key is still running."""

    status = 409
    type = "idempotency_error"


class KeyReused(StripeRefusal):
    """400: the idempotency key belongs to a request with other parameters."""

    type = "idempotency_error"


class TooManyRequests(StripeRefusal):
    """429: asked for by the test switches."""

    status = 429


class Broken(StripeRefusal):
    """500: asked for by the test switches, or a fault of the local Stripe itself."""

    status = 500
    type = "api_error"


NAMES = {
    "product": "product",
    "price": "price",
    "customer": "customer",
    "checkout.session": "checkout.session",
    "payment_intent": "payment_intent",
    "payment_method": "PaymentMethod",
    "charge": "charge",
    "refund": "refund",
    "event": "notification",
    "webhook_endpoint": "webhook endpoint",
    "coupon": "coupon",
    "promotion_code": "promotion code",
    "tax_rate": "tax rate",
    "balance_transaction": "balance transaction",
}


def missing_resource(kind: str, object_id: str, param: str | None, *, in_path: bool) -> StripeRefusal:
    """No such object: 404 when it is named by the path, 400 when by a parameter."""
    refusal = NotFound if in_path else InvalidRequest
    name = NAMES.get(kind, kind)
    return refusal(f"No such {name}: '{object_id}'", code="resource_missing", param=param)


def exclusive(first: str, second: str) -> InvalidRequest:
    """Two parameters that cannot be sent together."""
    return InvalidRequest(
        f"You may only specify one of these parameters: {first}, {second}.",
        code="parameters_exclusive",
        param=first,
    )


def missing(param: str) -> InvalidRequest:
    """A required parameter that was not sent."""
    return InvalidRequest(f"Missing required param: {param}.", code="parameter_missing", param=param)
