"""Who is signed in at the local Google: a few people to choose from, or anybody whose address is typed."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Person:
    """An account there. `subject` stays when the address changes."""

    subject: str
    email: str
    is_verified: bool
    name: str


def _person(name: str, email: str, *, is_verified: bool, subject: str = "") -> Person:
    digits = int.from_bytes(hashlib.sha256(email.lower().encode("utf-8", "replace")).digest()[:8], "big")
    return Person(subject or str(digits).zfill(21), email, is_verified, name)


PEOPLE = [
    _person("Greta Google", "greta.google@example.org", is_verified=True),
    _person("Milo Marsh", "milo.marsh@example.org", is_verified=True),
    _person("Una Unproved", "una.unproved@example.org", is_verified=False),
]


def chosen(form: Mapping[str, str]) -> Person | None:
    """The person of a button, or the one that was typed; None when neither."""
    for person in PEOPLE:
        if form.get("person") == person.subject:
            return person
    email = form.get("email", "").strip()
    if "@" not in email:
        return None
    name = form.get("name", "").strip() or email.partition("@")[0]
    return _person(name, email, is_verified="verified" in form, subject=form.get("subject", "").strip())
