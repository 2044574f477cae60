"""Random identifiers in the shapes that Stripe gives them."""

from __future__ import annotations

import secrets
import string

ALPHABET = string.ascii_letters + string.digits

# How many random characters follow the prefix, where it is not the usual 24.
LENGTHS = {
    "cs_test": 58,
    "prod": 14,
    "cus": 14,
    "evt": 24,
    "req": 14,
    "whsec": 32,
    "pi": 24,
    "in": 24,
    "li": 24,
}


def letters(count: int) -> str:
    """`count` random letters and digits."""
    return "".join(secrets.choice(ALPHABET) for _ in range(count))


def new(prefix: str) -> str:
    """A new identifier, for example `new("ch")` gives `ch_3Q…`."""
    return f"{prefix}_{letters(LENGTHS.get(prefix, 24))}"


def secret_of(object_id: str) -> str:
    """A new client secret for a payment or setup intent."""
    return f"{object_id}_secret_{letters(25)}"
