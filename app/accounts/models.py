"""People and sessions as plain data."""

from dataclasses import dataclass
from datetime import datetime

from app.accounts.roles import ROLES


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
    session_id: int
    session_public_id: str
    fresh_at: datetime
    last_seen_at: datetime
    expires_at: datetime

    def can(self, capability: str) -> bool:
        """Whether this person's role holds the capability."""
        return capability in ROLES[self.role]

    @property
    def office_url(self) -> str | None:
        """Where the back office begins, for those who may enter it."""
        return "/admin" if self.can("admin.enter") else None
