"""What imports do in the background: trials, runs, and forgetting what is a month old."""

from datetime import timedelta

from app.core import clock, db
from app.core.queue import every, job
from app.imports import queries
from app.imports.models import KEPT
from app.imports.work import check_import, run_import
from app.media import shelf

__all__ = ["check_import", "clear_imports", "run_import"]

_STALE = timedelta(days=1)


@every("41 3 * * *")
@job()
async def clear_imports() -> None:
    """Delete the files and the outcomes of rows after their time; counts and the audit log stay."""
    while found := await queries.to_clear(clock.now() - KEPT, clock.now() - _STALE):
        for row in found:
            await db.release()
            await shelf.storage().delete(row.storage_key)
            if row.state == "storing":
                await queries.delete(row.id)
            else:
                await queries.clear(row.id, clock.now())
