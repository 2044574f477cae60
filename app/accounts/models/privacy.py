"""What people may ask about themselves."""

from dataclasses import dataclass
from datetime import datetime


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
