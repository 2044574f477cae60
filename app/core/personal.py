"""What the school holds about a person, domain by domain: each says what it hands out, what it forgets, what stands
in the way of forgetting, by which texts it knows the person, and what else may be called so.

    # app/learning/personal.py
    @personal.exports("learning")
    async def learning(subject: Subject) -> AsyncIterator[Mapping[str, Any]]: ...       # rows, each becomes JSON

    @personal.erases("learning")
    async def forget(subject: Subject) -> None: ...                     # in a transaction; may be done twice

`app.accounts` runs them: exports into a ZIP, erasures one step after the other, its own, which takes the name from the
account, last.
"""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, quote_plus


@dataclass(frozen=True, slots=True)
class Subject:
    """Whom it is about. `words` are texts that name the person: addresses, full names."""

    id: int
    public_id: str
    email: str
    name: str
    words: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class File:
    """A file of the person for the ZIP: its name there, and its bytes a piece at a time."""

    name: str
    pieces: AsyncIterator[bytes]


Rows = Callable[[Subject], AsyncIterator[Mapping[str, Any]]]
Files = Callable[[Subject], AsyncIterator[File]]
Step = Callable[[Subject], Awaitable[None]]
Hindrance = Callable[[Subject], Awaitable[str]]
Words = Callable[[Subject], Awaitable[list[str]]]
Namesakes = Callable[[Subject, Sequence[str]], Awaitable[list[str]]]

EXPORTS: dict[str, Rows] = {}
FILES: dict[str, Files] = {}
ERASURES: dict[str, Step] = {}
HINDRANCES: dict[str, Hindrance] = {}
WORDS: dict[str, Words] = {}
NAMESAKES: dict[str, Namesakes] = {}


def exports(name: str) -> Callable[[Rows], Rows]:
    """Register the rows of `<name>.json`; the function's docstring says in the README what they are."""
    return _into(EXPORTS, name)


def files(name: str) -> Callable[[Files], Files]:
    """Register files that go into the folder `<name>`."""
    return _into(FILES, name)


def erases(name: str) -> Callable[[Step], Step]:
    """Register a step of the erasure. It runs in a transaction of its own and may run again."""
    return _into(ERASURES, name)


def hinders(name: str) -> Callable[[Hindrance], Hindrance]:
    """Register a reason against the erasure: a sentence for the person, or nothing."""
    return _into(HINDRANCES, name)


def knows(name: str) -> Callable[[Words], Words]:
    """Register texts that name the person elsewhere than in the account: an address typed at a purchase."""
    return _into(WORDS, name)


def shares(name: str) -> Callable[[Namesakes], Namesakes]:
    """Register where a name may stand for something else: which of these names do."""
    return _into(NAMESAKES, name)


def _into(registry: dict[str, Any], name: str) -> Callable[[Any], Any]:
    def register(function: Any) -> Any:
        if registry.get(name, function).__module__ != function.__module__:
            raise RuntimeError(f"two steps are called {name}")
        registry[name] = function
        return function

    return register


async def hindrance(subject: Subject) -> str:
    """Why this person cannot be erased now; empty when they can."""
    for find in HINDRANCES.values():
        if why := await find(subject):
            return why
    return ""


def in_addresses(words: Sequence[str]) -> list[str]:
    """These texts as the query of an address spells them too: `ann%40example.org`, `Ann+Archer`."""
    return sorted({*words, *(quote(word, safe="") for word in words), *(quote_plus(word) for word in words)})


async def words_of(subject: Subject) -> tuple[str, ...]:
    """Every text that names the person, each once. A single word is no name: it would be found in other people's texts.

    People call themselves as they like. So a name that somebody else has too, or that stands in the title of a course, say,
    is not looked for: whoever takes it as theirs and asks to be forgotten would take the texts about the other one away.
    """
    found = [subject.email, subject.name]
    for find in WORDS.values():
        found += await find(subject)
    kept = {word.strip().lower(): word.strip() for word in found if "@" in word or len(word.split()) > 1}
    for shared in NAMESAKES.values():
        names = [word for word in kept.values() if "@" not in word]
        for name in await shared(subject, names) if names else []:
            kept.pop(name.lower(), None)
    return tuple(kept.values())
