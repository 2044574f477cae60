"""What forms do later: hand entries on."""

from app.commerce.events import OrderFailed, OrderPaid, OrderRefunded, OrderRegained
from app.core.events import on
from app.core.queue import every, job
from app.formbuilder import entries
from app.formbuilder.after_sending import notifications
from app.formbuilder.answering import drafts, files, spam
from app.formbuilder.definition import versions
from app.formbuilder.delivery import deliveries
from app.formbuilder.delivery.deliveries import deliver
from app.formbuilder.events import EntryReceived, EntryReturned
from app.formbuilder.inbox import privacy
from app.formbuilder.payment import payments
from app.formbuilder.payment.payments import close_replaced

__all__ = [
    "clear_entries",
    "close_replaced",
    "count_paid_entry",
    "deliver",
    "empty_sent_entries",
    "forget_old_exchanges",
    "free_refunded_stock",
    "free_stock",
    "plan_deliveries",
    "seek_forgotten_deliveries",
    "seek_forgotten_payments",
    "send_held_notifications",
    "send_notifications",
    "sweep_files",
    "sweep_forms",
    "sweep_versions",
    "take_regained_stock",
    "wake_deliveries",
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


@on(OrderRefunded)
async def free_refunded_stock(event: OrderRefunded) -> None:
    """What an entry held whose money went back, all of it, is free again."""
    await payments.paid_back(event.order_id)


@on(OrderRegained)
async def take_regained_stock(event: OrderRegained) -> None:
    """What an entry held whose money did not go back after all is its own again."""
    await payments.regained(event.order_id)


@every("*/10 * * * *")
@job()
async def seek_forgotten_payments() -> None:
    """Look for unpaid entries whose news was lost."""
    await payments.look_for_forgotten()


@on(EntryReturned)
async def wake_deliveries(event: EntryReturned) -> None:
    """Go on with what waited while an entry did not count."""
    await deliveries.wake(event.entry_id)


@on(EntryReturned)
async def send_held_notifications(event: EntryReturned) -> None:
    """Queue the mails that were not decided while an entry did not count."""
    await notifications.send_late(event.entry_id)


@every("*/10 * * * *")
@job()
async def seek_forgotten_deliveries() -> None:
    """Look for deliveries whose job was lost."""
    await deliveries.look_for_forgotten()


@every("53 3 * * *")
@job()
async def forget_old_exchanges() -> None:
    """Forget what was said on deliveries that were done long ago."""
    await deliveries.forget_old_exchanges()


@every("23 3 * * *")
@job(attempts=2)
async def sweep_forms() -> None:
    """Forget what was begun a month ago, and what lay in quarantine for so long."""
    await drafts.sweep()
    await spam.sweep()


@every("*/10 * * * *")
@job()
async def empty_sent_entries() -> None:
    """Take the answers out of entries whose form keeps none."""
    await privacy.empty_sent()


@every("23 2 * * *")
@job()
async def clear_entries() -> None:
    """Sweep what was never confirmed or thrown away, what never counted of forms that keep nothing, and what is older than its
    form wants it."""
    await entries.sweep()
    await privacy.let_go()
    await privacy.delete_by_age()


@every("31 3 * * *")
@job()
async def sweep_versions() -> None:
    """Forget old versions that were never published or answered."""
    await versions.sweep()


@every("41 * * * *")
@job()
async def sweep_files() -> None:
    """Remove files that nobody sent after all, and those whose entry is gone."""
    await files.sweep()
