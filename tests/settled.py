"""What a run of the tests imports and collects stays until its end, and there is much of it: it is looked at once."""

from __future__ import annotations

import gc


def settle() -> None:
    """Let the garbage collector pass by everything that is there, and look less often for what comes: 3 to 7 % of a run."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(100_000, 20, 50)
