"""People and sessions as plain data."""

from dataclasses import dataclass
from datetime import datetime

from app.accounts.roles import capabilities_of


@dataclass(frozen=True, slots=True)
class User:
    """A person with an account. `state` is active, suspended or merged; `granted` is what a custom role holds, else None."""

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
class SignInLink:
    """A link that signs in, with the account and with the browser that asked for it."""

    id: int
    user_id: int
    public_id: str
    email: str
    user_state: str
    email_verified_at: datetime | None
    browser_hash: bytes
    user_agent: str
    address: str
    onward: str
    created_at: datetime
    expires_at: datetime
    used_at: datetime | None

    def state(self, now: datetime) -> str:
        """Whether it still works: open, used or expired."""
        if self.used_at is not None:
            return "used"
        return "open" if now < self.expires_at else "expired"


@dataclass(frozen=True, slots=True)
class ConnectedIdentity:
    """An account elsewhere that somebody signs in with. `email` is its address there, `user_email` the one here."""

    user_id: int
    public_id: str
    user_email: str
    name: str
    state: str
    provider: str
    subject: str
    email: str
    created_at: datetime
    last_used_at: datetime | None


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
    # The impersonation that this session is in, also one that is over and not yet left.
    impersonation_id: int | None = None
    # When the account will be erased, as was asked for.
    erasure_due_at: datetime | None = None
    # Somebody who acts as this person: never more than they may do themselves.
    at_most: frozenset[str] | None = None

    @property
    def capabilities(self) -> frozenset[str]:
        """What this person's role holds, as it stood when this request began; nothing while its rights sleep."""
        if self.is_held_back or self.must_choose_password:
            return frozenset()
        held = capabilities_of(self.role, self.granted)
        return held if self.at_most is None else held & self.at_most

    def can(self, capability: str) -> bool:
        """Whether this person's role holds the capability."""
        return capability in self.capabilities

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


@dataclass(frozen=True, slots=True)
class Impersonation:
    """As whom somebody acts: the person as they stand now. `subject_id` None: they are gone."""

    public_id: str
    ends_at: datetime
    ended_at: datetime | None
    subject_id: int | None
    subject_public_id: str | None
    email: str | None
    name: str | None
    role: str | None
    state: str | None
    email_verified_at: datetime | None
    time_zone: str | None
    granted: list[str] | None


@dataclass(frozen=True, slots=True)
class Look:
    """One time that somebody of the school looked as another person. A name is None when that person is gone."""

    id: int
    public_id: str
    actor: str | None
    actor_public_id: str | None
    subject: str | None
    subject_public_id: str | None
    reason: str
    started_at: datetime
    ends_at: datetime
    ended_at: datetime | None
    visits: int

    def over_at(self, now: datetime) -> datetime | None:
        """When it ended; None while it goes on."""
        return self.ended_at or (self.ends_at if self.ends_at <= now else None)


@dataclass(frozen=True, slots=True)
class Visit:
    """An address that was asked for meanwhile."""

    id: int
    method: str
    path: str
    query: str
    created_at: datetime


@dataclass(frozen=True, slots=True)
class PersonalExport:
    """Everything about a person in one file. `state` is asked or ready."""

    id: int
    public_id: str
    user_id: int
    state: str
    storage_key: str | None
    size_bytes: int | None
    created_at: datetime
    ready_at: datetime | None
    expires_at: datetime | None


@dataclass(frozen=True, slots=True)
class Erasure:
    """A wish to be forgotten. `state` is waiting, begun, done or cancelled."""

    id: int
    public_id: str
    user_id: int
    asked_by: int | None
    state: str
    asked_at: datetime
    due_at: datetime
    cancelled_at: datetime | None
    done_at: datetime | None
    words: list[str]
    steps: list[str]
    hindrance: str


@dataclass(frozen=True, slots=True)
class Consent:
    """What somebody agreed to (or took back), in which words and where."""

    kind: str
    wording: int
    is_given: bool
    origin: str
    address: str | None
    created_at: datetime


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
