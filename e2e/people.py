"""People of the journeys, made through the form that everyone uses, and their mail."""

from __future__ import annotations

import re
import time
from dataclasses import dataclass
from itertools import count
from typing import Any
from urllib.parse import urlsplit

import httpx

PASSWORD = "four slow herons over the weir"


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody who can sign in."""

    name: str
    email: str
    password: str = PASSWORD


class Addresses:
    """Gives every browser an address of its own (RFC 1918), and every person a fresh one for mail."""

    def __init__(self) -> None:
        self._numbers = count(1)

    def network(self) -> str:
        number = next(self._numbers)
        return f"10.0.{number // 250}.{number % 250 + 1}"

    def mail(self, name: str) -> str:
        return f"{name.lower().replace(' ', '.')}.{next(self._numbers)}@example.org"


class People:
    """Makes accounts. The form must have been open for a second, so one that was opened early serves everybody."""

    def __init__(self, url: str, addresses: Addresses) -> None:
        self._client = httpx.Client(base_url=url, trust_env=False, timeout=30)
        self._addresses = addresses
        page = self._client.get("/register").text
        (self._stamp,) = re.findall(r'name="opened"[^>]*value="([^"]+)"', page)
        self._opened = time.monotonic()

    def member(self, name: str = "Ann Archer") -> Person:
        """A fresh account, not signed in anywhere; its address is not confirmed yet."""
        person = Person(name, self._addresses.mail(name))
        time.sleep(max(0.0, self._opened + 1.2 - time.monotonic()))
        answer = self._client.post(
            "/register",
            data={"name": name, "email": person.email, "password": PASSWORD, "website": "", "opened": self._stamp},
            headers={"X-Forwarded-For": self._addresses.network(), "Sec-Fetch-Site": "same-origin"},
        )
        assert answer.status_code == 303, answer.text[:2000]
        return person

    def confirmed(self, mailbox: Mailbox, name: str = "Ann Archer") -> Person:
        """A fresh account whose address is confirmed, as the link in its mail does."""
        person = self.member(name)
        answer = self._client.post(
            urlsplit(mailbox.link(person.email, "confirm", "/verify/")).path,
            headers={"X-Forwarded-For": self._addresses.network(), "Sec-Fetch-Site": "same-origin"},
        )
        assert answer.status_code == 303, answer.text[:2000]
        return person

    def close(self) -> None:
        self._client.close()


class Mailbox:
    """What the school sent, as the local mailbox shows it."""

    def __init__(self, url: str) -> None:
        self._client = httpx.Client(base_url=url, trust_env=False, timeout=30)

    def messages(self, to: str) -> list[dict[str, Any]]:
        """All messages to an address, newest first."""
        return list(self._client.get("/mailbox/messages.json", params={"to": to}).json())

    def message(self, to: str, subject: str, *, seconds: float = 60) -> dict[str, Any]:
        """Wait for the newest message whose subject matches the pattern."""
        until = time.monotonic() + seconds
        while True:
            sent = self.messages(to)
            for message in sent:
                if re.search(subject, message["subject"], re.IGNORECASE):
                    return message
            if time.monotonic() > until:
                raise AssertionError(f"no mail to {to} about {subject!r}; there is {[one['subject'] for one in sent]}")
            time.sleep(0.1)

    def link(self, to: str, subject: str, path: str) -> str:
        """Wait for a message and return its link to an address that contains `path`."""
        message = self.message(to, subject)
        (link, *_more) = [link for link in message["links"] if path in link] or [""]
        assert link, f"no link to {path} in {message['text']}"
        return str(link)

    def close(self) -> None:
        self._client.close()
