"""Work on files that nobody waits for."""

from datetime import timedelta

import structlog

from app.core import clock, db
from app.core.queue import every, job
from app.media import queries, shelf

log = structlog.get_logger()
_STALE = timedelta(days=1)


@job()
async def erase_bytes(storage_key: str) -> None:
    """Forget the bytes of a file whose row is gone."""
    if await queries.is_kept(storage_key):
        return
    await db.release()
    await shelf.storage().delete(storage_key)


@every("17 3 * * *")
@job()
async def sweep_uploads() -> None:
    """Remove what uploads left behind that were cut off by a killed process."""
    stale = await queries.stale_uploads(clock.now() - _STALE)
    for upload_id, storage_key in stale:
        await db.release()
        await shelf.storage().delete(storage_key)
        await queries.delete_upload(upload_id)
    await db.release()
    halves = await shelf.storage().tidy(_STALE)
    if stale or halves:
        log.info("swept uploads", uploads=len(stale), halves=halves)
