"""People and sessions as plain data."""

from dataclasses import dataclass
from datetime import datetime

from app.accounts.roles import capabilities_of


@dataclass(frozen=True, slots=True)
class User:
    """A person with an account. `state` is active or suspended; `granted` is what a custom role holds, else None."""

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
class Session:
    """A place where a person is signed in. `fresh_at`: when the password was last shown there."""

    id: int
    public_id: str
    created_at: datetime
    fresh_at: datetime
    last_seen_at: datetime
    expires_at: datetime
    address: str | None
    user_agent: str
    method: str
    second_factor_at: datetime | None
    country: str
    is_staff: bool


@dataclass(frozen=True, slots=True)
class Begun:
    """What is known of the person whose session was just made. `is_first`: they were never signed in before."""

    email: str
    is_first: bool


@dataclass(frozen=True, slots=True)
class Factors:
    """What a person can show beside the first proof; `recovery_codes`: how many are left."""

    has_totp: bool
    passkeys: int
    recovery_codes: int

    @property
    def is_on(self) -> bool:
        """Whether a sign-in asks for a second step."""
        return self.has_totp or self.passkeys > 0


@dataclass(frozen=True, slots=True)
class PendingSignIn:
    """A sign-in that waits for its second step. `keep` None: the session goes on as long as the one before."""

    id: int
    user_id: int
    email: str
    name: str
    method: str
    keep: bool | None
    onward: str


@dataclass(frozen=True, slots=True)
class Link:
    """A one-time link that was found by its token. `state` is open, used or expired."""

    id: int
    purpose: str
    user_id: int
    email: str
    expires_at: datetime
    used_at: datetime | None

    def state(self, now: datetime) -> str:
        """Whether it still works."""
        if self.used_at is not None:
            return "used"
        return "open" if now < self.expires_at else "expired"


@dataclass(frozen=True, slots=True)
class EmailChange:
    """A wish for another address. `state` is open, done, cancelled or taken."""

    id: int
    user_id: int
    old_email: str
    new_email: str
    state: str
    expires_at: datetime
    old_confirmed_at: datetime | None
    new_confirmed_at: datetime | None


@dataclass(frozen=True, slots=True)
class SignedIn:
    """The person of this request, with the session that vouches for them."""

    id: int
    public_id: str
    email: str
    name: str
    role: str
    state: str
    email_verified_at: datetime | None
    time_zone: str | None
    session_id: int
    session_public_id: str
    fresh_at: datetime
    last_seen_at: datetime
    expires_at: datetime
    granted: list[str] | None
    method: str
    second_factor_at: datetime | None
    # The password that was shown has to be changed before anything else.
    must_choose_password: bool = False
    # The school asks this role for a second factor, and none was shown in this session: its rights sleep.
    is_held_back: bool = False

    @property
    def capabilities(self) -> frozenset[str]:
        """What this person's role holds, as it stood when this request began."""
        return capabilities_of(self.role, self.granted)

    def can(self, capability: str) -> bool:
        """Whether this person's role holds the capability."""
        return not self.is_held_back and not self.must_choose_password and capability in self.capabilities

    @property
    def office_url(self) -> str | None:
        """Where the back office begins, for those who may enter it."""
        return "/admin" if self.can("admin.enter") else None


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
class AccessToken:
    """A key of somebody's programs, as lists show it. `ending`: its last letters."""

    public_id: str
    name: str
    ending: str
    scopes: list[str]
    created_at: datetime
    expires_at: datetime
    last_used_at: datetime | None
    last_address: str | None

    def is_over(self, now: datetime) -> bool:
        """Whether it opens nothing any more."""
        return now >= self.expires_at


@dataclass(frozen=True, slots=True)
class TokenBearer:
    """The person behind a request to /api, with the token that vouches for them."""

    id: int
    public_id: str
    email: str
    name: str
    role: str
    state: str
    email_verified_at: datetime | None
    time_zone: str | None
    created_at: datetime
    granted: list[str] | None
    token_id: int
    token_public_id: str
    scopes: list[str]
    second_factor: bool
    expires_at: datetime
    last_used_at: datetime | None
    # The school asks this role for a second factor, and the token was made without one: its rights sleep.
    is_held_back: bool = False
    # A token ends when its person has to choose another password.
    must_choose_password: bool = False

    @property
    def capabilities(self) -> frozenset[str]:
        """What the token was made for, as far as the person may still do it."""
        return capabilities_of(self.role, self.granted) & frozenset(self.scopes)

    def can(self, capability: str) -> bool:
        """Whether the token was made for this, and the person may do it now."""
        return not self.is_held_back and capability in self.capabilities
