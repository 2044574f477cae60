"""Looking at the school as another person."""

from dataclasses import dataclass
from datetime import datetime


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
