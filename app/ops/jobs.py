"""What operations do by the clock."""

from app.core import queue, webhooks
from app.ops import alerts


@queue.every("17 3 * * *")
@queue.job(attempts=2)
async def prune_queue() -> None:
    """Forget old jobs."""
    await queue.prune()


@queue.every("47 3 * * *")
@queue.job(attempts=2)
async def prune_webhooks() -> None:
    """Forget old deliveries that were dealt with."""
    await webhooks.prune()


@queue.every("*/15 * * * *")
@queue.job(attempts=1)
async def alert_owner() -> None:
    """Tell the owner what failed for good."""
    await alerts.tell_owner_of_failures()
