"""Public identifiers: short, random, unambiguous when read aloud."""

import secrets

# Crockford's base 32: no i, l, o, u.
_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"
# What each byte becomes; 256 is a multiple of 32, so that no letter is likelier than another.
_LETTERS = bytes(ord(_ALPHABET[byte % 32]) for byte in range(256))


def public_id(length: int = 12) -> str:
    """A random id for addresses; 12 characters hold 60 bits."""
    return secrets.token_bytes(length).translate(_LETTERS).decode()
