"""What somebody proves with who they are, or which program acts for them."""

from dataclasses import dataclass
from datetime import datetime

from app.accounts.roles import capabilities_of


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
class Passkey:
    """A key on a device of somebody's. `is_backed_up`: the device keeps a copy elsewhere, so losing it loses nothing."""

    id: int
    public_id: str
    name: str
    credential_id: bytes
    transports: list[str]
    is_backed_up: bool
    created_at: datetime
    last_used_at: datetime | None


@dataclass(frozen=True, slots=True)
class KnownPasskey:
    """What a signature is checked against, and whose it is."""

    id: int
    name: str
    user_id: int
    credential_id: bytes
    public_key: bytes
    user_handle: bytes
    is_backup_eligible: bool
    owner_public_id: str
    owner_email: str
    owner_name: str
    owner_state: str


@dataclass(frozen=True, slots=True)
class ConnectedIdentity:
    """An account elsewhere that somebody signs in with. `email` is its address there."""

    user_id: int
    public_id: str
    name: str
    state: str
    provider: str
    subject: str
    email: str
    created_at: datetime
    last_used_at: datetime | None


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
        """What the token was made for, as far as the person may still do it; nothing while their rights sleep."""
        if self.is_held_back:
            return frozenset()
        return capabilities_of(self.role, self.granted) & frozenset(self.scopes)

    def can(self, capability: str) -> bool:
        """Whether the token was made for this, and the person may do it now."""
        return capability in self.capabilities
