"""Members of the demo school: names as they occur in life, on addresses that can never receive mail.

Pure: everything follows from the random generator that the caller brings.
"""

import tomllib
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from itertools import accumulate
from random import Random
from typing import NamedTuple

from app.demo.school import CONTENT

# RFC 2606 reserves these; no letter to a member can leave the house by mistake.
DOMAINS = ("example.org", "example.com", "example.net")

# Letters that Unicode does not decompose.
_PLAIN = str.maketrans(
    {"ł": "l", "Ł": "L", "ø": "o", "Ø": "O", "đ": "d", "Đ": "D", "ß": "ss", "æ": "ae", "Æ": "Ae", "ı": "i"}
)


class Person(NamedTuple):
    """A name and where it lives."""

    name: str
    country: str


@dataclass(frozen=True, slots=True)
class Region:
    """Names that occur together: `weight` is the region's share, `countries` are ISO 3166 codes."""

    weight: int
    countries: tuple[str, ...]
    given: tuple[str, ...]
    family: tuple[str, ...]


@cache
def names() -> tuple[tuple[Person, ...], tuple[Region, ...], tuple[int, ...]]:
    """The cast, the regions, and the regions' weights added up; read once."""
    facts = tomllib.loads((CONTENT / "names.toml").read_text("utf-8"))
    regions = tuple(
        Region(
            weight=region["weight"],
            countries=tuple(region["countries"]),
            given=tuple(region["given"].split()),
            family=tuple(region["family"].split()),
        )
        for region in facts["regions"]
    )
    weights = tuple(accumulate(region.weight for region in regions))
    return tuple(Person(*person) for person in facts["cast"]), regions, weights


def plain(name: str) -> str:
    """The name in lower-case ASCII with dots between its words, as the left part of an address."""
    folded = name.translate(_PLAIN).replace("Þ", "Th").replace("þ", "th").replace("’", "")
    letters = unicodedata.normalize("NFKD", folded).encode("ascii", "ignore").decode()
    words = "".join(letter if letter.isalnum() or letter == "-" else " " for letter in letters.lower()).split()
    return ".".join(words)[:48].rstrip(".-")


class Addresses:
    """Gives each name an address that nobody else in this run has; memory grows with names, not members."""

    __slots__ = ("_plain", "_taken")

    def __init__(self) -> None:
        self._plain: dict[str, str] = {}
        self._taken: dict[str, int] = {}

    def give(self, name: str, draw: float) -> str:
        """A fresh address; `draw` in [0, 1) chooses the domain. The left part alone is already unique."""
        local = self._plain.get(name)
        if local is None:
            local = self._plain[name] = plain(name)
        count = self._taken[local] = self._taken.get(local, 0) + 1
        suffix = "" if count == 1 else str(count)
        return f"{local}{suffix}@{DOMAINS[int(draw * len(DOMAINS))]}"


def people(rng: Random, count: int) -> Iterator[Person]:
    """`count` people in order of joining; the cast is spread over them, all of it if there is room."""
    cast, regions, weights = names()
    known = iter(cast)
    step = max(1, min(count // len(cast), 6))
    for index in range(count):
        person = next(known, None) if index % step == step // 2 else None
        yield person or _draw(rng, rng.choices(regions, cum_weights=weights)[0])


def _draw(rng: Random, region: Region) -> Person:
    draw = rng.random
    given = region.given[int(draw() * len(region.given))]
    family = region.family[int(draw() * len(region.family))]
    if draw() < 0.02:  # double names
        family = f"{family}-{region.family[int(draw() * len(region.family))]}"
    return Person(f"{given} {family}", region.countries[int(draw() * len(region.countries))])
