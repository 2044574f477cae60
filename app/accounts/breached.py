"""Passwords that stand on lists of breached accounts, looked up without asking anybody.

`breached_passwords.bloom` holds those of eight characters or more of the million that were found most often, as a Bloom
filter: 8,000,000 bits, twelve of them for each password. Nothing of a password can be read out of it, none of the list
is missed, and one in about 3,000 other passwords is taken for one of them. `breached_passwords.md` says where the list is
from; `bin/breached_passwords.py` makes the filter.
"""

import hashlib
from collections.abc import Iterable
from functools import cache
from pathlib import Path

FILE = Path(__file__).parent / "breached_passwords.bloom"
BITS = 8_000_000
_MARKS = 12


def is_breached(plain: str) -> bool:
    """Whether a password, in small letters, is on the list (or, seldom, only looks so)."""
    bits = _bits()
    return all(bits[place >> 3] & (1 << (place & 7)) for place in _places(plain))


def filter_of(passwords: Iterable[str]) -> bytes:
    """The filter of these passwords, in small letters."""
    bits = bytearray(BITS // 8)
    for plain in passwords:
        for place in _places(plain):
            bits[place >> 3] |= 1 << (place & 7)
    return bytes(bits)


def _places(plain: str) -> list[int]:
    # Two hashes make twelve (Kirsch and Mitzenmacher, 2006).
    digest = hashlib.sha256(plain.encode("utf-8", "surrogatepass")).digest()
    first, step = int.from_bytes(digest[:8], "big"), int.from_bytes(digest[8:16], "big") | 1
    return [(first + mark * step) % BITS for mark in range(_MARKS)]


@cache
def _bits() -> bytes:
    return FILE.read_bytes()
