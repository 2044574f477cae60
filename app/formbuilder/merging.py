"""What merging two accounts means for forms: answers and drafts go along, and so does who built what."""

from app.accounts import merging
from app.core.i18n import ngettext
from app.formbuilder.queries import personal as queries


async def _preview(gone_id: int, _kept_id: int) -> list[str]:
    count = await queries.count_entries(gone_id)
    return [ngettext("%(num)s answer to a form.", "%(num)s answers to forms.", count)] if count else []


async def _move(gone_id: int, kept_id: int) -> dict[str, int]:
    return {"entries": await queries.move(gone_id, kept_id)}


merging.register(merging.Step("forms", _preview, _move))
