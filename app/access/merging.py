"""What merging two accounts means for the ledger: every cause goes along, open or closed."""

from app.access import queries
from app.access.events import AccessGranted
from app.accounts import merging
from app.core import clock, events
from app.core.i18n import ngettext


async def _preview(gone_id: int, kept_id: int) -> list[str]:
    count = len(await queries.of_person(gone_id))
    return [ngettext("%(num)s line of access moves.", "%(num)s lines of access move.", count)] if count else []


async def _move(gone_id: int, kept_id: int) -> dict[str, int]:
    moved = await queries.move(gone_id, kept_id, clock.now())
    for row in moved:
        if row.is_open:  # whoever has to do with access hears of it; nobody is mailed
            await events.publish(AccessGranted(row.id, kept_id, row.product_id, row.course_id, quietly=True))
    return {"entitlements": len(moved)}


merging.register(merging.Step("access", _preview, _move))
