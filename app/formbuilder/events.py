"""What happened to forms, for those to the right and for what leaves the house."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class EntryReceived:
    """An entry counts: it came in, or was confirmed, approved or paid."""

    entry_id: int


@dataclass(frozen=True, slots=True)
class EntryReturned:
    """An entry that counted before counts again: it was in the bin, or called spam by mistake."""

    entry_id: int
