"""Links in mails, and what they are about."""

from dataclasses import dataclass
from datetime import datetime


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
class SignInLink:
    """A link that signs in, with the account and with the browser that asked for it."""

    id: int
    user_id: int
    public_id: str
    email: str
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
