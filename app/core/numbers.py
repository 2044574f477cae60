"""Numbers that browsers and other services send as text."""


def whole_number(text: str | None, digits: int = 9) -> int | None:
    """The whole number of at most so many digits that `text` is, without a sign; None for anything else.

    `int` alone also takes digits of other scripts, spaces and underscores, and fails beyond 4,300 digits; `str.isdigit` is
    true of "²", which is no number.
    """
    return int(text) if text and len(text) <= digits and text.isascii() and text.isdecimal() else None
