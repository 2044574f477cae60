"""What may be a person's name: one line, and no address of a page, since a name stands in mails to whoever's address
was typed.
"""

import re

LONGEST = 100
_ADDRESS = re.compile(r"//|www\.|\w\.[a-z]{2,}/|https?:", re.IGNORECASE)


def is_name(text: str) -> bool:
    """Whether this can be a name (or nothing)."""
    return not any(0 < ord(character) < 32 for character in text) and not _ADDRESS.search(text)
