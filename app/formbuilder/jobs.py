"""What forms do later: hand entries on."""

from app.core.events import on
from app.core.queue import every, job
from app.formbuilder import deliveries, files
from app.formbuilder.deliveries import deliver
from app.formbuilder.events import EntryReceived

__all__ = ["deliver", "plan_deliveries", "seek_forgotten_deliveries", "sweep_files"]


@on(EntryReceived)
async def plan_deliveries(event: EntryReceived) -> None:
    """Plan what leaves of an entry: this job was enqueued with the entry's own transaction."""
    await deliveries.plan(event.entry_id)


@every("*/10 * * * *")
@job()
async def seek_forgotten_deliveries() -> None:
    """Look for deliveries whose job was lost."""
    await deliveries.look_for_forgotten()


@every("41 * * * *")
@job()
async def sweep_files() -> None:
    """Remove files that nobody sent after all, and those whose entry is gone."""
    await files.sweep()
