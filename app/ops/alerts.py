"""Tells the owner by mail that something failed for good: once a day, and only when something new did."""

from datetime import timedelta

from app.core import clock, mail
from app.ops import queries

_owner = ""


def configure(owner: str) -> None:
    """Say where alerts go (ADMIN_EMAIL; empty: nowhere); called once by create_app()."""
    global _owner
    _owner = owner


async def tell_owner_of_failures() -> bool:
    """Write the day's mail when a job gave up within the last half hour, or after the mail of the day before. False when there
    was nothing to tell.
    """
    if not _owner:
        return False
    now = clock.now()
    failures = await queries.failures_since(
        now - timedelta(minutes=30), told=f"failures:{now.date() - timedelta(days=1)}"
    )
    if not failures.is_new:
        return False
    context = {"jobs": failures.jobs, "mails": failures.mails, "webhooks": failures.webhooks}
    return await mail.send(_owner, "ops/failures", context, fact=f"failures:{now.date()}")
