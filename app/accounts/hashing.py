"""Passwords as argon2id hashes, computed beside the event loop, a few at a time."""

import asyncio
import unicodedata
from collections.abc import Callable
from typing import TypeVar

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from app.core import db
from app.core.errors import Unavailable
from app.core.i18n import _

T = TypeVar("T")

LONGEST = 128
# OWASP's first recommendation (46 MiB, one lane) with a second pass: about 80 ms on one core.
_hasher = PasswordHasher(time_cost=2, memory_cost=46 * 1024, parallelism=1)
# What an unknown address is checked against, so that it takes as long as a known one. A test compares its parameters.
NOBODY = "$argon2id$v=19$m=47104,t=2,p=1$C1zv2Wn0Bw6O2ikdrQesDQ$V2jKtbCyCCMHQL7veAmr6rANuPelyRt/+TXuJZ6M9kc"

# Each hash holds 46 MiB and one core: more at once only make everybody wait longer.
_AT_ONCE = 2
_LONGEST_QUEUE = 60
_places = asyncio.Semaphore(_AT_ONCE)
_waiting = 0


async def hashed(password: str) -> str:
    """The hash of a password, to be stored."""
    return await _beside(lambda: _hasher.hash(_normal(password)))


async def matches(stored: str | None, password: str) -> bool:
    """Whether the password is the stored one. Takes as long when there is none."""
    if not 0 < len(password) <= LONGEST:
        return False

    def check() -> bool:
        try:
            return _hasher.verify(stored or NOBODY, _normal(password)) and stored is not None
        except (VerificationError, InvalidHashError):
            return False

    return await _beside(check)


def is_outdated(stored: str) -> bool:
    """Whether a hash was made with other parameters than today's, so that it should be made again."""
    return _hasher.check_needs_rehash(stored)


def _normal(password: str) -> bytes:
    # The same letters typed on another keyboard must give the same bytes (NIST SP 800-63B, 5.1.1.2).
    return unicodedata.normalize("NFKC", password).encode("utf-8", "surrogatepass")


async def _beside(work: Callable[[], T]) -> T:
    """Run a hash in a thread, few at once. Raises Unavailable rather than letting a queue grow without end."""
    global _waiting
    if _waiting >= _LONGEST_QUEUE:
        raise Unavailable(_("Very many people sign in just now. Please try again in a moment."), retry_after=2)
    await db.release()
    _waiting += 1
    try:
        async with _places:
            return await asyncio.to_thread(work)
    finally:
        _waiting -= 1
