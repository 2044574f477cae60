"""Whether a password would be guessed early: too short, a common word dressed up, a pattern, or the person's own name.

No composition rules (NIST SP 800-63B, 5.1.1.2): length and being unlike what guessers try first are what helps.
"""

import re
import unicodedata
from collections.abc import Iterable
from functools import cache, lru_cache
from itertools import pairwise
from pathlib import Path

from app.accounts.breached import is_breached
from app.accounts.hashing import LONGEST
from app.core.errors import Invalid
from app.core.i18n import _
from app.core.settings import school

SHORTEST = 8
# A common word is still common with a few digits or signs around it.
_DRESS = 4
_ROWS = ("qwertyuiop", "asdfghjkl", "zxcvbnm", "qwertzuiop", "yxcvbnm", "azertyuiop", "qsdfghjklm", "wxcvbn")
_LEET = str.maketrans("013457@$!|", "oieastasii")


async def check(password: str, *, email: str, name: str, field: str = "password") -> None:
    """Raises Invalid, with what is wrong and what to do, for a password that would be guessed."""
    why = weakness(password, known=[email, *email.split("@"), name, (await school()).name])
    if why is not None:
        raise Invalid(why, field=field)


def weakness(password: str, known: Iterable[str] = ()) -> str | None:
    """Why this password would be guessed, as a sentence, or None. `known`: the person's names, the school's."""
    text = unicodedata.normalize("NFKC", password)
    if len(text) < SHORTEST:
        return _("Use at least %(n)s characters. A few words in a row are easy to remember.", n=SHORTEST)
    if len(text) > LONGEST:
        return _("Use at most %(n)s characters.", n=LONGEST)
    plain = text.casefold()
    if _is_pattern(plain):
        return _("This is a pattern that is guessed early. A few words that do not belong together are better.")
    if _is_about(plain, known):
        return _("This is your name, your address or ours with a little added. Choose something unrelated.")
    if _is_common(plain) or is_breached(plain) or is_breached(_undressed(plain)):
        return _(
            "This is among the passwords that are tried first. A few words that do not belong together are better."
        )
    return None


def _is_pattern(plain: str) -> bool:
    if len(set(plain)) < 4 or (plain.isdigit() and len(plain) < 12):
        return True
    for length in range(1, len(plain) // 2 + 1):
        unit = plain[:length]
        if length <= 6 and (unit * (len(plain) // length + 1)).startswith(plain):
            return True
    # Runs such as abcdefgh, 87654321 or qwertzui: nearly every step leads to a neighbour.
    steps = [are_neighbours(a, b) for a, b in pairwise(plain)]
    return sum(steps) >= 0.8 * len(steps)


@lru_cache(maxsize=4096)
def are_neighbours(a: str, b: str) -> bool:
    """Whether two characters are alike, next to each other in the alphabet, or on a keyboard."""
    if a == b or abs(ord(a) - ord(b)) == 1:
        return True
    return any(a + b in row or b + a in row for row in _ROWS)


def _is_about(plain: str, known: Iterable[str]) -> bool:
    squeezed = _letters_and_digits(plain)
    for words in known:
        whole = _letters_and_digits(words.casefold())
        parts = [_letters_and_digits(part) for part in re.split(r"[\W_]+", words.casefold())]
        for word in {whole, *parts}:
            if len(word) >= 4 and word in squeezed and len(squeezed) - len(word) <= _DRESS:
                return True
    return False


def _is_common(plain: str) -> bool:
    words = common_words()
    # Look-alike letters are read as letters with the digits around the word still on it, and without: p4ssw0rd2024.
    undressed = _undressed(plain)
    for candidate in {plain, plain.translate(_LEET), undressed.translate(_LEET)}:
        squeezed = _letters_and_digits(candidate)
        core = squeezed.strip("0123456789")
        half = len(core) // 2
        if squeezed in words and len(plain) - len(squeezed) <= _DRESS:
            return True
        if core in words and len(plain) - len(core) <= _DRESS:
            return True
        if half >= 3 and core[:half] == core[half:] and core[:half] in words:  # lovelove12
            return True
    return False


def _undressed(plain: str) -> str:
    return plain.strip("0123456789!?.,-_*#+ ")


def _letters_and_digits(text: str) -> str:
    return "".join(character for character in text if character.isalnum())


@cache
def common_words() -> frozenset[str]:
    """The words that people take for passwords first, and pairs of the shortest of them."""
    lines = (Path(__file__).parent / "common_passwords.txt").read_text("utf-8").splitlines()
    single = {word for line in lines if not line.startswith("#") for word in line.split()}
    pairs = {
        first + second
        for first in ("i", "my", "the", "ilove", "new", "your", "our", "super", "big", "hello")
        for second in single
        if len(second) >= 3
    }
    return frozenset(single | pairs)
