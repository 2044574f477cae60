"""How much a ZIP archive says of itself, before anything reads it."""

import struct
from typing import BinaryIO

# How an archive ends: 22 bytes, with a comment of up to 64 KB behind them (APPNOTE.TXT, 4.3.16).
_END, _END_BYTES, _COMMENT_BYTES = b"PK\x05\x06", 22, 65_535
# Before them may stand a second end for more than 4 GB, and where that is (4.3.14, 4.3.15). Some write it always.
_END64, _END64_BYTES = b"PK\x06\x06", 56
_LOCATOR, _LOCATOR_BYTES = b"PK\x06\x07", 20
# Bytes of the list of files that is read: some ten thousand files. Each becomes an object of half a kilobyte.
_LIST_BYTES = 1_000_000


def has_short_list(source: BinaryIO) -> bool:
    """Whether the list of an archive's files can be read at all: each of them costs memory, and it says itself how many."""
    size = source.seek(0, 2)
    begin = max(0, size - _END64_BYTES - _LOCATOR_BYTES - _END_BYTES - _COMMENT_BYTES)
    source.seek(begin)
    tail = source.read()
    at = tail.rfind(_END)
    if at < 0 or len(tail) < at + _END_BYTES:
        return False
    (length,) = struct.unpack_from("<I", tail, at + 12)
    if at >= _LOCATOR_BYTES and tail[at - _LOCATOR_BYTES : at].startswith(_LOCATOR):
        return _has_short_list64(tail, at - _LOCATOR_BYTES, begin)
    return bool(length <= _LIST_BYTES)


def _has_short_list64(tail: bytes, locator: int, begin: int) -> bool:
    """The same by the second end. It has to stand right before its locator: readers differ in where else they look."""
    at = locator - _END64_BYTES
    (told,) = struct.unpack_from("<Q", tail, locator + 8)
    if at < 0 or begin + at != told or not tail[at:].startswith(_END64):
        return False
    (length,) = struct.unpack_from("<Q", tail, at + 40)
    return bool(length <= _LIST_BYTES)
