"""Regular expressions that owners write: a subset that every engine reads alike, written out so that it stays fast.

`rewrite` reads a pattern with a reader of its own and writes it again: `\\d`, `\\w`, `\\s` and `.` as sets of characters, letters
in both cases, `$` as the very end. What is left out (looking around, references, flags, lazy quantifiers) is what engines
differ in. Backtracking is bounded by counting the ways a text of n characters can be tried.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from app.core.i18n import _

MAX_LENGTH = 200
# A pattern may be tried in so many ways (milliseconds); from that follows how long a text may be.
_WAYS = 10_000_000
_LONGEST, _SHORTEST = 10_000, 200
_MOST = 500

_SPACE = r"\u0009-\u000d\u0020\u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000\ufeff"
_CLASSES = {
    "d": "[0-9]",
    "D": "[^0-9]",
    "w": "[A-Za-z0-9_]",
    "W": "[^A-Za-z0-9_]",
    "s": f"[{_SPACE}]",
    "S": f"[^{_SPACE}]",
}
_ESCAPES = {"n": "\n", "r": "\r", "t": "\t"}
_QUANTIFIER = re.compile(r"[*+?]|\{([0-9]{1,3})(,?)([0-9]{0,3})\}")


class PatternError(ValueError):
    """A pattern that is not taken; the text is for the person who wrote it."""


class Pattern(NamedTuple):
    """`source` is read alike by Python and, with the flag u, by browsers; texts longer than `longest` do not match."""

    source: str
    longest: int


class _Part(NamedTuple):
    source: str
    ways: int = 1  # of trying it at one place
    endless: int = 0  # quantifiers without an end in it
    varied: bool = False  # holds a quantifier or alternatives


def rewrite(pattern: str) -> Pattern:
    """The pattern as it is matched. Raises PatternError."""
    if len(pattern) > MAX_LENGTH:
        raise PatternError(_("A pattern has at most %(n)s characters.", n=MAX_LENGTH))
    if any("\ud800" <= char <= "\udfff" for char in pattern):
        raise PatternError(_("This pattern holds a broken character."))
    reader = _Reader(pattern)
    whole = reader.alternatives(0)
    if reader.at < len(pattern):
        raise PatternError(_("A “)” has no “(”."))
    return Pattern(whole.source, _longest(whole, anchored=pattern.startswith("^") and "|" not in pattern))


def _longest(whole: _Part, anchored: bool) -> int:
    tries = whole.endless + (0 if anchored else 1)
    if tries == 0:
        longest = _LONGEST if whole.ways <= _WAYS else 0
    else:
        longest = min(_LONGEST, int((_WAYS / whole.ways) ** (1 / tries)))
    if longest < _SHORTEST:
        raise PatternError(_("This pattern can be tried in too many ways: use fewer *, + and {}, and begin with ^."))
    return longest


class _Reader:
    def __init__(self, pattern: str) -> None:
        self.pattern = pattern
        self.at = 0

    @property
    def here(self) -> str:
        return self.pattern[self.at : self.at + 1]

    def take(self) -> str:
        if not self.here:
            raise PatternError(_("This pattern ends too early."))
        self.at += 1
        return self.pattern[self.at - 1]

    def alternatives(self, depth: int) -> _Part:
        if depth > 10:
            raise PatternError(_("This pattern is nested too deep."))
        parts = [self.sequence(depth)]
        while self.here == "|":
            self.take()
            parts.append(self.sequence(depth))
        if len(parts) == 1:
            return parts[0]
        # Each alternative is tried after the other: the ways add up, and the worst counts for what has no end.
        ways, endless = sum(part.ways for part in parts), max(part.endless for part in parts)
        return _Part("|".join(part.source for part in parts), ways, endless, True)

    def sequence(self, depth: int) -> _Part:
        source, ways, endless, varied = "", 1, 0, False
        while self.here and self.here not in "|)":
            part = self.quantified(depth)
            source += part.source
            ways *= part.ways
            endless += part.endless
            varied = varied or part.varied
        return _Part(source, ways, endless, varied)

    def quantified(self, depth: int) -> _Part:
        begins = self.at
        part = self.atom(depth)
        found = _QUANTIFIER.match(self.pattern, self.at)
        if not found:
            if self.here == "{":
                raise PatternError(_("Write \\{ for a brace."))
            return part
        if self.pattern[begins] in "^$":
            raise PatternError(_("^ and $ cannot be repeated."))
        if part.varied and found[0] != "?":
            raise PatternError(_("What is repeated as a group cannot hold *, +, ? or | itself."))
        self.at = found.end()
        if self.here and self.here in "*+?{":
            raise PatternError(_("Two of *, +, ? and {} in a row are not taken."))
        return _repeat(part, found)

    def atom(self, depth: int) -> _Part:
        char = self.take()
        if char == "(":
            return self.group(depth)
        if char == "[":
            return _Part(self.set())
        if char == ".":
            return _Part(r"[^\u000a]")
        if char == "^":
            return _Part("^")
        if char == "$":
            return _Part(r"(?![\s\S])")
        if char in "*+?{":
            raise PatternError(_("Nothing stands before “%(char)s”.", char=char))
        if char in "]}":
            raise PatternError(_("Write \\%(char)s for this bracket.", char=char))
        if char == "\\":
            return _Part(self.escape())
        return _Part(_letter(char))

    def group(self, depth: int) -> _Part:
        if self.here == "?":
            if self.pattern[self.at : self.at + 2] != "?:":
                raise PatternError(_("Looking ahead or behind, names and flags of groups are not taken."))
            self.at += 2
        inner = self.alternatives(depth + 1)
        if self.here != ")":
            raise PatternError(_("A “(” has no “)”."))
        self.take()
        return inner._replace(source=f"(?:{inner.source})")

    def escape(self) -> str:
        char = self.take()
        return _CLASSES[char] if char in _CLASSES else _letter(_escaped(char))

    def set(self) -> str:
        negated = self.here == "^"
        if negated:
            self.take()
        said = ""
        while (char := self.take()) != "]":
            said += self.range(char)
        if not said:
            raise PatternError(_("[] holds nothing."))
        return f"[{'^' if negated else ''}{said}]"

    def range(self, char: str) -> str:
        if char == "\\":
            char = self.take()
            if char in "dws":
                return _CLASSES[char][1:-1]
            if char in "DWS":
                raise PatternError(_("\\D, \\W and \\S do not stand in []."))
            char = _escaped(char)
        elif char == "[":
            raise PatternError(_("Write \\%(char)s for this bracket.", char="["))
        following = self.pattern[self.at : self.at + 2]
        if not (len(following) == 2 and following[0] == "-" and following[1] != "]"):
            return _both(char)
        self.take()
        last = self.take()
        if last == "\\":
            last = _escaped(self.take())
        if last < char:
            raise PatternError(_("A range in [] runs upwards, as in a-z."))
        return _range(char, last)


def _escaped(char: str) -> str:
    if char in _ESCAPES:
        return _ESCAPES[char]
    if char.isascii() and char.isalnum():
        raise PatternError(_("\\%(char)s is not taken.", char=char))
    return char


def _repeat(part: _Part, found: re.Match[str]) -> _Part:
    sign = found[0]
    if sign in ("*", "+"):
        return _Part(part.source + sign, part.ways, 1, True)
    if sign == "?":
        return _Part(part.source + "?", part.ways + 1, part.endless, True)
    least = int(found[1])
    if not found[2]:
        most = least
    elif not found[3]:
        if least > _MOST:
            raise PatternError(_("A count in {} is at most %(n)s.", n=_MOST))
        return _Part(f"{part.source}{{{least},}}", part.ways, 1, True)
    else:
        most = int(found[3])
    if not least <= most <= _MOST:
        raise PatternError(_("A count in {} is at most %(n)s.", n=_MOST))
    return _Part(f"{part.source}{{{least},{most}}}", most - least + 1, 0, most > least)


def _is_letter(char: str) -> bool:
    return char.isascii() and char.isalpha()


def _literal(char: str) -> str:
    """One character, in a set or out of it."""
    if char.isascii() and char.isalnum():
        return char
    return char if ord(char) > 0xFFFF else f"\\u{ord(char):04x}"


def _letter(char: str) -> str:
    return f"[{_both(char)}]" if _is_letter(char) else _literal(char)


def _both(char: str) -> str:
    return char.lower() + char.upper() if _is_letter(char) else _literal(char)


def _range(first: str, last: str) -> str:
    said = f"{_literal(first)}-{_literal(last)}"
    for low, high, turn in (("a", "z", str.upper), ("A", "Z", str.lower)):
        begin, end = max(first, low), min(last, high)
        if begin <= end:
            said += f"{turn(begin)}-{turn(end)}"
    return said
