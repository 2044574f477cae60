"""How well a password stands up to guessing: the reading beside the field, while it is typed.

The count of guesses is that of somebody who knows the common words, runs on the keyboard and repetitions, and tries them
before single characters; the cheapest way to put the password together counts (the idea of zxcvbn, Wheeler 2016).
"""

import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import pairwise
from math import log10

from app.accounts.breached import is_breached
from app.accounts.strength import SHORTEST, are_neighbours, common_words, weakness
from app.core.i18n import _

FULL = 4
# Powers of ten of guesses: below the first it is fair, below the second good. A thief of hashes tries 10^8 in months.
_FAIR, _GOOD = 8.5, 11.0
# People's letters are not dice: about a twelfth of the characters is worth trying next.
_CHARACTER = 1.1
_LONGEST_WORD = 24
# Longer ones are strong by then, and the work grows with each character.
_READ = 64


@dataclass(frozen=True, slots=True)
class Reading:
    """What the meter shows: 1 (refused) to 4, one word for it, and what to do when it is refused."""

    level: int
    word: str
    advice: str


def read(password: str, known: Iterable[str] = ()) -> Reading:
    """The reading for a password; `known`: the person's names and the school's."""
    advice = weakness(password, known)
    if advice is not None:
        short = len(unicodedata.normalize("NFKC", password)) < SHORTEST
        return Reading(1, _("Too short") if short else _("Weak"), advice)
    guesses = guesses_for(password)
    if guesses < _FAIR:
        return Reading(2, _("Fair"), _("It will do. One more word makes it much better."))
    return Reading(3, _("Good"), "") if guesses < _GOOD else Reading(4, _("Strong"), "")


def guesses_for(password: str) -> float:
    """The power of ten of how many guesses it takes, put together in the cheapest way."""
    plain = unicodedata.normalize("NFKC", password).casefold()[:_READ]
    cheapest = [0.0]
    for end in range(1, len(plain) + 1):
        found = cheapest[end - 1] + _CHARACTER
        for start in range(max(0, end - _LONGEST_WORD), end - 2):
            part = _cost(plain[start:end])
            if part is not None:
                found = min(found, cheapest[start] + part)
        cheapest.append(found)
    return cheapest[-1]


def _cost(part: str) -> float | None:
    """What three or more characters cost when they are a word, a run or a repetition; None when they are neither."""
    if part in common_words():
        return 3.5
    if all(are_neighbours(a, b) for a, b in pairwise(part)):
        return 1.5 + log10(len(part))
    half = len(part) // 2
    if part[:half] * 2 == part:
        return _CHARACTER * half + 0.5
    return 5.7 if len(part) >= SHORTEST and is_breached(part) else None
