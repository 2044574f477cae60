"""What merging two accounts means for courses: what one taught, the other teaches."""

from app.accounts import merging
from app.core.i18n import ngettext
from app.courses.queries import courses as queries


async def _preview(gone_id: int, kept_id: int) -> list[str]:
    count = await queries.count_taught(gone_id)
    return (
        [
            ngettext(
                "%(num)s course is taught by the other one then.",
                "%(num)s courses are taught by the other one then.",
                count,
            )
        ]
        if count
        else []
    )


async def _move(gone_id: int, kept_id: int) -> dict[str, int]:
    return {"courses_taught": await queries.change_teacher(gone_id, kept_id)}


merging.register(merging.Step("courses", _preview, _move))
