"""What of an entry can be sent out once more, by hand. Whoever sends something of entries registers it here:

resending.register("notifications", lazy("The notifications"), send_again)     # async (entry_id) -> None
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from app.core import clock, db
from app.core.errors import Conflict, Invalid
from app.core.i18n import _, lazy
from app.formbuilder.delivery import deliveries
from app.formbuilder.models import Entry
from app.formbuilder.queries import inbox as queries
from app.formbuilder.settings import Words


@dataclass(frozen=True, slots=True)
class Way:
    """Something that can be sent again; `send` runs in the transaction that notes it, so it enqueues and calls nobody."""

    key: str
    label: Words
    send: Callable[[int], Awaitable[None]]


WAYS: dict[str, Way] = {}


def register(key: str, label: Words, send: Callable[[int], Awaitable[None]]) -> None:
    """Offer this on the page of an entry."""
    WAYS[key] = Way(key, label, send)


async def send(entry: Entry, keys: list[str], *, by: int) -> None:
    """Send these again. Raises Invalid for none, Conflict for an entry that does not count, or whose answers are gone."""
    chosen = [WAYS[key] for key in keys if key in WAYS]
    if not chosen:
        raise Invalid(_("Choose what to send again."))
    async with db.transaction():
        now = await queries.lock_state(entry.id)
        if now is None or now.emptied_at is not None:
            raise Conflict(_("The answers of this entry are gone."))
        if now.state != "received":
            raise Conflict(_("Nothing leaves of an entry that does not count yet."))
        for way in chosen:
            await way.send(entry.id)
        await queries.insert_act(entry.id, "resend", by, ", ".join(way.key for way in chosen), None, None, clock.now())


async def _to_services(entry_id: int) -> None:
    """What is held goes out again; what was never planned is."""
    await deliveries.plan(entry_id)
    for delivery in await deliveries.of_entry(entry_id):
        if delivery.state in ("held", "sent"):
            await deliveries.replay(delivery.id)


register("services", lazy("To the connected services"), _to_services)
