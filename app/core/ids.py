"""Public identifiers: short, random, unambiguous when read aloud."""

import secrets

# Crockford's base 32: no i, l, o, u.
_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"


def public_id(length: int = 12) -> str:
    """A random id for addresses; 12 characters hold 60 bits."""
    return "".join(secrets.choice(_ALPHABET) for _ in range(length))
