"""Stamps: when a page was first touched, and its own number. Fetched then, so that the page itself may be kept by caches."""

from app.core import clock, tokens

# A page is good for a day after it was first touched; nobody fills in a form in less than a second.
STAMP_SECONDS = 24 * 3600
TOO_FAST_SECONDS = 1.0


def stamp_of(moment: float) -> str:
    """A stamp for a page that was first touched at this moment (seconds since 1970)."""
    return tokens.sign([moment, tokens.random_token()[:22]], "form-stamp")


def new_stamp() -> str:
    """A stamp of now."""
    return stamp_of(clock.now().timestamp())


def read_stamp(stamp: str) -> float | None:
    """When the page was first touched; None for a stamp that is not ours, too old, or of a second ago."""
    told = tokens.unsign(stamp, "form-stamp", STAMP_SECONDS)
    if not isinstance(told, list) or clock.now().timestamp() - told[0] < TOO_FAST_SECONDS:
        return None
    return float(told[0])
