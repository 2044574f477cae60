"""The `Stripe-Signature` header: `t=<seconds>,v1=<hex>`, an HMAC-SHA256 over `<seconds>.<raw body>`.

Scheme: https://docs.stripe.com/webhooks#verify-manually
"""

from __future__ import annotations

import hashlib
import hmac


def header(secret: str, body: bytes, at: int) -> str:
    """The header for a body sent at the time `at` (seconds)."""
    digest = hmac.new(secret.encode(), f"{at}.".encode() + body, hashlib.sha256).hexdigest()
    return f"t={at},v1={digest}"
