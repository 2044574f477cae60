"""People, what they may do, and what the office knows of them."""

from dataclasses import dataclass
from datetime import datetime

from app.accounts.roles import capabilities_of


@dataclass(frozen=True, slots=True)
class User:
    """A person with an account. `state` is active, suspended or merged; `is_closed`: merged or erased, for good. `granted` is
    what a custom role holds, else None.
    """

    id: int
    public_id: str
    email: str
    name: str
    role: str
    state: str
    email_verified_at: datetime | None
    created_at: datetime
    has_password: bool
    headline: str
    biography: str
    time_zone: str | None
    last_seen_at: datetime | None
    is_closed: bool
    granted: list[str] | None

    @property
    def capabilities(self) -> frozenset[str]:
        """What this person's role holds."""
        return capabilities_of(self.role, self.granted)

    def can(self, capability: str) -> bool:
        """Whether this person's role holds the capability."""
        return capability in self.capabilities


@dataclass(frozen=True, slots=True)
class Credentials:
    """What a sign-in is checked against."""

    id: int
    public_id: str
    email: str
    name: str
    role: str
    state: str
    password_hash: str | None
    granted: list[str] | None

    @property
    def office_url(self) -> str | None:
        """Where the back office begins, for those who may enter it."""
        return "/admin" if "admin.enter" in capabilities_of(self.role, self.granted) else None


@dataclass(frozen=True, slots=True)
class Role:
    """A role that the school made. `revision` rises with each change."""

    id: int
    key: str
    name: str
    description: str
    capabilities: list[str]
    revision: int
    created_at: datetime
    updated_at: datetime


@dataclass(frozen=True, slots=True)
class PersonFacts:
    """What the office sees of a person beside their account. The invitation is the last one that was mailed."""

    country: str | None
    suspension_reason: str
    password_change_required_at: datetime | None
    has_totp: bool
    passkeys: int
    invited_at: datetime | None
    invitation_ends_at: datetime | None
    invitation_used_at: datetime | None
    erasure_due_at: datetime | None

    @property
    def has_second_step(self) -> bool:
        """Whether signing in asks for more than the password."""
        return self.has_totp or self.passkeys > 0


@dataclass(frozen=True, slots=True)
class Tag:
    """A word that people are marked with."""

    id: int
    public_id: str
    name: str
    people: int


@dataclass(frozen=True, slots=True)
class Note:
    """What somebody of the team wrote about a person. `author` is None when they are gone."""

    public_id: str
    body: str
    author: str | None
    author_id: int | None
    created_at: datetime
