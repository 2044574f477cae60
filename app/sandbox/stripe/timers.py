"""What happens by itself after a while: sessions expire, bank debits settle, refunds reach the card."""

from __future__ import annotations

import logging
from collections.abc import Callable

from app.sandbox.stripe.store import Store
from app.sandbox.stripe.work import Account, Work

log = logging.getLogger(__name__)

RINGERS: dict[str, Callable[[Work, str], None]] = {}


def rings(kind: str) -> Callable[[Callable[[Work, str], None]], Callable[[Work, str], None]]:
    """Register what a kind of timer does to its subject (an object's id)."""

    def register(ringer: Callable[[Work, str], None]) -> Callable[[Work, str], None]:
        RINGERS[kind] = ringer
        return ringer

    return register


def start(work: Work, kind: str, subject: str, *, due: float) -> None:
    """Set a timer for the time `due` in seconds."""
    work.store.set_timer(due, kind, subject)
    work.account.wake()


def ring(account: Account) -> None:
    """Do everything whose time has come, each in its own transaction together with its timer's removal."""
    rows = account.store.db.execute(
        "SELECT id, kind, subject FROM timers WHERE due <= ? ORDER BY due, id", (account.clock.precise(),)
    ).fetchall()
    for row in rows:
        try:
            with account.store.transaction():
                account.store.db.execute("DELETE FROM timers WHERE id = ?", (row["id"],))
                RINGERS[row["kind"]](account.work(), row["subject"])
        except Exception:
            # It would fail again and hold up all others.
            log.exception("The local Stripe could not do %s to %s; it is given up.", row["kind"], row["subject"])
            account.store.db.execute("DELETE FROM timers WHERE id = ?", (row["id"],))


def next_due(store: Store) -> float | None:
    """When the next timer rings."""
    row = store.db.execute("SELECT min(due) AS due FROM timers").fetchone()
    return None if row["due"] is None else float(row["due"])
