"""Why somebody may use something, or may not: plain data and the rule, no database."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

SOURCES = ("order", "free", "manual", "import")
# What keeps a cause from counting, the strongest first: a closed one is closed even when it would have ended too.
CLOSED, ENDED, NOT_STARTED = "closed", "ended", "not_started"
NEVER = "never"


@dataclass(frozen=True, slots=True)
class Entitlement:
    """One row of the ledger, with the names that people read."""

    id: int
    public_id: str
    user_id: int
    product_id: int
    product_title: str
    course_id: int | None
    course_slug: str | None
    source: str
    source_ref: str
    note: str
    granted_by_name: str | None
    starts_at: datetime
    ends_at: datetime | None
    closed_at: datetime | None
    closed_reason: str | None
    created_at: datetime


@dataclass(frozen=True, slots=True)
class Cause:
    """A row of the ledger as a reason, judged at one moment. `rule` is empty when it holds, else what blocks it."""

    public_id: str
    product_title: str
    course_slug: str | None
    source: str
    note: str
    granted_by_name: str | None
    starts_at: datetime
    ends_at: datetime | None
    closed_at: datetime | None
    closed_reason: str | None
    is_open: bool
    rule: str
    order_public_id: str | None


@dataclass(frozen=True, slots=True)
class Explanation:
    """Whether a person may use a course, because of what, and if not, which rule says so."""

    allowed: bool
    causes: list[Cause]
    rule: str

    @property
    def ends_at(self) -> datetime | None:
        """When the last open cause ends; None while one has no end."""
        ends = [cause.ends_at for cause in self.causes if cause.is_open]
        return None if None in ends or not ends else max(end for end in ends if end is not None)


def rule_against(row: Entitlement, now: datetime) -> str:
    """What blocks this row at `now`: closed, ended, not_started; empty when it holds."""
    if row.closed_at is not None:
        return CLOSED
    if row.ends_at is not None and row.ends_at <= now:
        return ENDED
    if row.starts_at > now:
        return NOT_STARTED
    return ""


def as_cause(row: Entitlement, now: datetime) -> Cause:
    """The row as a reason at `now`."""
    rule = rule_against(row, now)
    return Cause(
        public_id=row.public_id,
        product_title=row.product_title,
        course_slug=row.course_slug,
        source=row.source,
        note=row.note,
        granted_by_name=row.granted_by_name,
        starts_at=row.starts_at,
        ends_at=row.ends_at,
        closed_at=row.closed_at,
        closed_reason=row.closed_reason,
        is_open=not rule,
        rule=rule,
        order_public_id=order_of(row.source_ref),
    )


def order_of(source_ref: str) -> str | None:
    """The order behind `order:<public id>:<line>`, or None for another cause."""
    kind, _colon, rest = source_ref.partition(":")
    return rest.partition(":")[0] if kind == "order" and rest else None


def explained(rows: Sequence[Entitlement], now: datetime) -> Explanation:
    """The answer at `now`: one open cause is enough. Open causes come first, then the newest."""
    causes = sorted(
        (as_cause(row, now) for row in rows), key=lambda cause: (not cause.is_open, -cause.starts_at.timestamp())
    )
    if not causes:
        return Explanation(False, [], NEVER)
    return Explanation(causes[0].is_open, causes, "" if causes[0].is_open else causes[0].rule)
