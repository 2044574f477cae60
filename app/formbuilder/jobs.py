"""What forms do later: hand entries on."""

from app.commerce.events import OrderFailed, OrderPaid
from app.core.events import on
from app.core.queue import every, job
from app.formbuilder import deliveries, notifications, payments
from app.formbuilder.deliveries import deliver
from app.formbuilder.events import EntryReceived
from app.formbuilder.payments import close_replaced

__all__ = [
    "close_replaced",
    "count_paid_entry",
    "deliver",
    "free_stock",
    "plan_deliveries",
    "seek_forgotten_deliveries",
    "seek_forgotten_payments",
    "send_notifications",
]


@on(EntryReceived)
async def plan_deliveries(event: EntryReceived) -> None:
    """Plan what leaves of an entry: this job was enqueued with the entry's own transaction."""
    await deliveries.plan(event.entry_id)


@on(EntryReceived)
async def send_notifications(event: EntryReceived) -> None:
    """Queue the mails that follow from an entry, each once."""
    await notifications.send_for(event.entry_id)


@on(OrderPaid)
async def count_paid_entry(event: OrderPaid) -> None:
    """The entry that an order pays counts from now."""
    await payments.received(event.order_id)


@on(OrderFailed)
async def free_stock(event: OrderFailed) -> None:
    """What an entry held that nobody paid is free again."""
    await payments.given_up(event.order_id)


@every("*/10 * * * *")
@job()
async def seek_forgotten_payments() -> None:
    """Look for unpaid entries whose news was lost."""
    await payments.look_for_forgotten()


@every("*/10 * * * *")
@job()
async def seek_forgotten_deliveries() -> None:
    """Look for deliveries whose job was lost."""
    await deliveries.look_for_forgotten()
