"""Parts of a file that a client asks for (RFC 9110, section 14)."""

import re

_SPEC = re.compile(r"bytes=([0-9]{0,18})-([0-9]{0,18})")


class Unsatisfiable(Exception):
    """Nothing of the file lies in the range."""


def wanted(header: str | None, size: int) -> tuple[int, int] | None:
    """First and last byte of the one range asked for, or None when the whole file is the answer.

    A header that is not understood, or asks for several ranges, may be ignored. Raises Unsatisfiable.
    """
    spec = _SPEC.fullmatch((header or "").replace(" ", ""))
    if spec is None or (not spec[1] and not spec[2]):
        return None
    if not spec[1]:  # the last n bytes
        length = int(spec[2])
        if length == 0 or size == 0:
            raise Unsatisfiable
        return max(0, size - length), size - 1
    start, end = int(spec[1]), int(spec[2]) if spec[2] else size - 1
    if spec[2] and end < start:
        return None
    if start >= size:
        raise Unsatisfiable
    return start, min(end, size - 1)
