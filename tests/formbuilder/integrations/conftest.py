"""The stand-ins of all services in one process, and providers that speak to them."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import httpx
import pytest

from app.formbuilder import integrations
from app.formbuilder.integrations import Contact, client
from app.gateways.outgoing import Outgoing
from app.sandbox.providers import Outside
from app.sandbox.providers.core import Stand


@dataclass
class Town:
    """Every service, and how to reach it."""

    outside: Outside = field(default_factory=Outside)

    @property
    def http(self) -> Outgoing:
        return Outgoing(base="http://outside", transport=httpx.ASGITransport(self.outside))

    def stand(self, name: str) -> Stand:
        return self.outside.stands[name]

    def provider(self, name: str, place: str | None = None, **given: str) -> Any:
        stand = self.stand(name)
        return integrations.make(name, {**stand.given, **given}, self.http, stand.place if place is None else place)


@pytest.fixture
def town() -> Town:
    client._tokens.clear()
    return Town()


Maker = Callable[..., Contact]


@pytest.fixture
def contact(town: Town) -> Maker:
    """Ann's entry, with a field that this service knows."""

    def make(name: str, email: str = "ann@learner.example", **changes: Any) -> Contact:
        custom = town.stand(name).custom
        about: dict[str, Any] = {
            "email": email,
            "first_name": "Ann",
            "last_name": "Larsen",
            "phone": "+4512345678",
            "fields": {custom: "Aarhus"} if custom else {},
            "consent": True,
            "title": "Course feedback",
            "answers": (("E-mail", email), ("City", "Aarhus <b>&")),
        }
        return Contact(**{**about, **changes})

    return make
