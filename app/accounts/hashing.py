"""Passwords as argon2id hashes, computed beside the event loop, one at a time."""

import asyncio
import os
import sys
import threading
import unicodedata
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError
from argon2.low_level import Type, hash_secret_raw

from app.core import db
from app.core.errors import Unavailable
from app.core.i18n import _

T = TypeVar("T")

LONGEST = 128
# OWASP's first recommendation (46 MiB, one lane) with a second pass: about 80 ms on one core.
_hasher = PasswordHasher(time_cost=2, memory_cost=46 * 1024, parallelism=1)
# What an unknown address is checked against, so that it takes as long as a known one. A test compares its parameters.
NOBODY = "$argon2id$v=19$m=47104,t=2,p=1$C1zv2Wn0Bw6O2ikdrQesDQ$V2jKtbCyCCMHQL7veAmr6rANuPelyRt/+TXuJZ6M9kc"

# Each holds 46 MiB and a core: more at once in a process only make everybody wait longer. Forty take about four seconds.
_LONGEST_QUEUE = 40
_waiting = 0


def _step_back() -> None:
    """Let pages go first when there are not cores enough: on Linux a thread has a niceness of its own."""
    if sys.platform == "linux":
        thread = threading.get_native_id()
        os.setpriority(os.PRIO_PROCESS, thread, os.getpriority(os.PRIO_PROCESS, thread) + 10)


_threads = ThreadPoolExecutor(max_workers=1, thread_name_prefix="argon2", initializer=_step_back)


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


async def derived(codes: Sequence[str], salt: bytes) -> list[bytes]:
    """The hashes of short secrets under one salt of 16 bytes, as costly as a password's each."""

    def derive() -> list[bytes]:
        return [
            hash_secret_raw(
                code.encode(),
                salt,
                time_cost=_hasher.time_cost,
                memory_cost=_hasher.memory_cost,
                parallelism=_hasher.parallelism,
                hash_len=32,
                type=Type.ID,
            )
            for code in codes
        ]

    return await _beside(derive)


def is_outdated(stored: str) -> bool:
    """Whether a hash was made with other parameters than today's, so that it should be made again."""
    return _hasher.check_needs_rehash(stored)


def _normal(password: str) -> bytes:
    # The same letters typed on another keyboard must give the same bytes (NIST SP 800-63B, 5.1.1.2).
    return unicodedata.normalize("NFKC", password).encode("utf-8", "surrogatepass")


async def _beside(work: Callable[[], T]) -> T:
    """Run a hash in the thread for them, one after the other. Raises Unavailable rather than letting a queue grow without end."""
    global _waiting
    if _waiting >= _LONGEST_QUEUE:
        raise Unavailable(_("Very many people sign in just now. Please try again in a moment."), retry_after=2)
    await db.release()
    _waiting += 1
    try:
        return await asyncio.get_running_loop().run_in_executor(_threads, work)
    finally:
        _waiting -= 1
