"""What happened to forms, for those to the right and for what leaves the house."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class EntryReceived:
    """An entry counts: it came in, or was confirmed, approved or paid."""

    entry_id: int
