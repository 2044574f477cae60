"""Deliveries of Stripe: signed, not too old, and then an event."""

import time
from collections.abc import Sequence

import orjson
import stripe

from app.gateways.payments.models import BadSignature, Event

# Seconds.
TOLERANCE = 300


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
