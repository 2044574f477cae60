"""Where forms hand their entries on to: one file a provider, each a class that keeps the contract `Provider`.

A provider is made for one delivery or one page of the office, with what the owner typed as its settings and the place
(a list, an audience, a sheet …) that an integration names. It speaks through `client.Caller`, which keeps every exchange
with its secrets masked and turns answers into the errors below.

Nobody who left is brought back: a provider looks first, or uses the call that leaves the state alone. `Sent.outcome` says so.
"""

import importlib
import pkgutil
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any, Literal, Protocol

from babel.support import LazyProxy

from app.gateways.outgoing import Outgoing

Outcome = Literal["created", "updated", "posted", "left", "no_consent"]
# Written once, shown in the reader's language.
Words = str | LazyProxy
Keep = Callable[[], Awaitable[None]]
Value = str | int | float | bool | list[str] | None


@dataclass(frozen=True, slots=True)
class Setting:
    """Something that the owner types to connect an account. A secret one is never shown again."""

    name: str
    label: Words
    is_secret: bool = False
    is_required: bool = True
    default: str = ""
    choices: tuple[str, ...] = ()
    help: Words = ""


@dataclass(frozen=True, slots=True)
class Choice:
    """A list to send to, or a field to fill."""

    id: str
    label: str


@dataclass(frozen=True, slots=True)
class Contact:
    """What an entry has to say. `fields` are by the provider's own ids; `answers` are label and text, for people.

    `consent`: whether she agreed to get mail. Without, nobody is put on a mailing list.
    """

    email: str = ""
    first_name: str = ""
    last_name: str = ""
    phone: str = ""
    fields: Mapping[str, Value] = field(default_factory=dict)
    tags: tuple[str, ...] = ()
    consent: bool = False
    title: str = ""
    answers: tuple[tuple[str, str], ...] = ()

    @property
    def name(self) -> str:
        return f"{self.first_name} {self.last_name}".strip()


@dataclass(frozen=True, slots=True)
class Sent:
    """What the provider made of it. `left`: she had left, and stays so; `no_consent`: nothing was sent."""

    id: str
    outcome: Outcome


@dataclass(frozen=True, slots=True)
class Exchange:
    """One request and its answer, secrets masked, shortened. Status 0: there was no answer."""

    method: str
    url: str
    request: str
    status: int
    answer: str


class IntegrationError(Exception):
    """The parent of what can go wrong. `reason` is a sentence for the owner, without secrets."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class Permanent(IntegrationError):
    """The same request will be refused again."""


class RefusedCredentials(Permanent):
    """The account's credentials are wrong, or may not do this."""


class Passing(IntegrationError):
    """Later it may go. `retry_after` is in seconds, 0 when the provider did not say."""

    def __init__(self, reason: str, retry_after: int = 0) -> None:
        super().__init__(reason)
        self.retry_after = retry_after


class Unsure(IntegrationError):
    """The request may have been acted on, and this provider would do it twice: a person has to look."""


class Provider(Protocol):
    """What a file of this folder gives."""

    name: str
    label: str
    settings: tuple[Setting, ...]
    # What a place is called here ("Audience"); empty when there is none to choose.
    place_label: Words
    exchanges: list[Exchange]
    # Settings that the provider itself replaced (a rotated refresh token), to be kept; and what keeps them, called at once.
    renewed: dict[str, str]
    keep: Keep | None

    def __init__(self, given: Mapping[str, str], http: Outgoing, place: str = "") -> None: ...

    async def verify(self) -> str:
        """The name of the account that these settings open. Raises RefusedCredentials."""
        ...

    async def lists(self) -> list[Choice]:
        """The places that can be sent to."""
        ...

    async def fields(self) -> list[Choice]:
        """The fields besides e-mail, names and telephone that can be filled."""
        ...

    async def upsert(self, contact: Contact, idempotency_key: str) -> Sent:
        """Add the contact, or bring it up to date. The same key twice has the effect of once."""
        ...


@cache
def providers() -> dict[str, type[Any]]:
    """Every provider by its name."""
    found = {}
    for each in pkgutil.iter_modules(__path__):
        module = importlib.import_module(f"{__name__}.{each.name}")
        kind = getattr(module, "PROVIDER", None)
        if kind is not None:
            found[each.name] = kind
    return dict(sorted(found.items(), key=lambda item: item[1].label.lower()))


def make(name: str, given: Mapping[str, str], http: Outgoing, place: str = "") -> Provider:
    """A provider with its settings. Raises KeyError for a name that is none, RefusedCredentials when one is missing."""
    provider: Provider = providers()[name](given, http, place)
    return provider
