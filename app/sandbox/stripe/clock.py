"""The one source of time in the local Stripe, so that tests and the test page can move it."""

from __future__ import annotations

import time


class Clock:
    """Seconds since 1970, plus an offset that a test may add to."""

    def __init__(self, offset: float = 0.0) -> None:
        self.offset = offset

    def precise(self) -> float:
        """Now in seconds, with fractions."""
        return time.time() + self.offset

    def now(self) -> int:
        """Now in whole seconds, as Stripe writes its times."""
        return int(self.precise())

    def advance(self, seconds: float) -> None:
        """Move the clock forward (or back, when negative)."""
        self.offset += seconds
