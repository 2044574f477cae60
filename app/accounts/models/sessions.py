"""Who is signed in, and where; sign-ins that wait for their second step."""

from dataclasses import dataclass
from datetime import datetime

from app.accounts.roles import capabilities_of


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
    """What is known of the person whose session was just made. `is_first`: they were never signed in before;
    `strangers_since`: when they last said "it was not me".
    """

    email: str
    is_first: bool
    strangers_since: datetime | None


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
