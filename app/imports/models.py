"""Imports as plain data: what a kind of import is, the rows of a file, what comes of them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Protocol

from babel.support import LazyProxy

from app.accounts.models import User
from app.core.i18n import lazy

LARGEST = 20 * 1024 * 1024
MOST_ROWS = 100_000
MOST_COLUMNS = 100
# The file and what came of each row are kept so long.
KEPT = timedelta(days=30)
# Rows that are written in one transaction.
BATCH = 200
# Refusals that stand on the page; the result file has all.
SHOWN_REFUSALS = 20

NEW, CHANGED, UNCHANGED, REFUSED = "new", "changed", "unchanged", "refused"
OUTCOMES = {
    NEW: lazy("new"),
    CHANGED: lazy("changed"),
    UNCHANGED: lazy("unchanged"),
    REFUSED: lazy("refused"),
}

# Why a row is refused, by the code that is kept.
REASONS = {
    "no_email": lazy("There is no address."),
    "bad_email": lazy("This is not an email address."),
    "bad_name": lazy("A name is one line of words, without the address of a page."),
    "long_name": lazy("The name has more than 100 characters."),
    "bad_tag": lazy("A tag has at most 40 characters."),
    "unreadable": lazy("Some characters could not be read. Save the file as UTF-8."),
    "too_many_cells": lazy("The row has more cells than there are columns."),
    "twice": lazy("The address stood further up in this file."),
    "above": lazy("This person may do more than whoever imports."),
    "merged": lazy("This account was merged into another one."),
}


@dataclass(frozen=True, slots=True)
class Column:
    """Something that a column can be. `words` are headers that mean it, in whatever language, as `reading.plain` writes them."""

    key: str
    label: LazyProxy
    words: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Record:
    """A row of the file that holds something. `number` counts as a spreadsheet does: the header is row 1."""

    number: int
    cells: list[str]


@dataclass(frozen=True, slots=True)
class Sheet:
    """What a file turned out to be. `samples` are its first rows."""

    encoding: str
    delimiter: str
    header: list[str]
    samples: list[list[str]]
    row_count: int


@dataclass(frozen=True, slots=True)
class Row:
    """A row as its kind understands it: `values`, or why it is refused. `key` is what may stand in a file only once."""

    number: int
    key: str
    values: Mapping[str, str]
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What came, or would come, of a row."""

    number: int
    outcome: str
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Import:
    """A file that was brought, what is to be done with it, and how far that is."""

    id: int
    public_id: str
    kind: str
    state: str
    file_name: str
    storage_key: str
    size_bytes: int
    encoding: str
    delimiter: str
    header: list[str]
    samples: list[list[str]]
    row_count: int
    mapping: list[str]
    options: dict[str, Any]
    attempt: int
    last_row: int
    counts: dict[str, int]
    refusals: list[dict[str, Any]]
    error: str
    created_by: int | None
    created_by_name: str | None
    created_at: datetime
    moved_at: datetime
    finished_at: datetime | None
    cleared_at: datetime | None

    @property
    def is_under_way(self) -> bool:
        """Whether a job is at it."""
        return self.state in ("checking", "running")

    @property
    def done(self) -> int:
        """How many rows are dealt with."""
        return sum(self.counts.values())

    @property
    def has_result(self) -> bool:
        """Whether there is a file that says what came of each row."""
        return self.cleared_at is None and self.state in ("done", "cancelled", "failed") and bool(self.counts)


@dataclass(slots=True)
class Tally:
    """Verdicts added up, with the first refusals."""

    counts: dict[str, int] = field(default_factory=dict)
    refusals: list[dict[str, Any]] = field(default_factory=list)

    def add(self, verdicts: Sequence[Verdict], rows: Mapping[int, Row]) -> None:
        """Count these too."""
        for verdict in verdicts:
            self.counts[verdict.outcome] = self.counts.get(verdict.outcome, 0) + 1
            if verdict.outcome == REFUSED and len(self.refusals) < SHOWN_REFUSALS:
                said = rows[verdict.number].key[:100]
                self.refusals.append({"row": verdict.number, "key": said, "reason": verdict.reason})


class Kind(Protocol):
    """What an import of one sort of thing has to know."""

    key: str
    capability: str
    columns: Sequence[Column]
    required: str

    def needs(self, mapping: Sequence[str], options: Mapping[str, Any]) -> set[str]:
        """The capabilities that such an import asks for."""

    def understand(self, values: Mapping[str, str]) -> tuple[str, Mapping[str, str], str]:
        """The key, the cleaned values and why they cannot be taken ("" when they can). No database."""

    async def judge(self, rows: Sequence[Row], options: Mapping[str, Any], actor: User) -> list[Verdict]:
        """What would come of these rows now. Writes nothing."""

    async def carry_out(
        self, rows: Sequence[Row], options: Mapping[str, Any], actor: User, *, import_id: str
    ) -> list[Verdict]:
        """Do it, in the current transaction, and say what came of each."""
