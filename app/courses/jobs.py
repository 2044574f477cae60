"""Work on courses that nobody waits for."""

from datetime import timedelta

from app.core import db
from app.core.queue import job
from app.courses.queries import courses, lessons
from app.media import uploads

# How long a file that was replaced can be put back.
KEPT = timedelta(days=1)


@job()
async def drop_unused_upload(upload_id: int) -> None:
    """Forget a file that a lesson had, unless a lesson has it (again)."""
    async with db.transaction():
        # Who gives it to a lesson at this moment waits, or is waited for: a lesson that has it would lose it without a word.
        await uploads.lock(upload_id)
        if not await lessons.is_upload_used(upload_id):
            await uploads.remove(upload_id)


@job()
async def drop_unused_picture(address: str) -> None:
    """Forget a picture that a course had, unless a course has it (again)."""
    async with db.transaction():
        upload = await uploads.find_by_address(address)
        # As above: who puts it back at this moment waits, or is waited for.
        if upload is not None and await uploads.lock(upload.id) and not await courses.is_plate_used(address):
            await uploads.remove(upload.id)
