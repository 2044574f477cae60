"""The result of an import as a file: each row as it was brought, what came of it, and why.

The file and the outcomes are walked side by side, so its length does not matter. What a spreadsheet would run as a
formula gets an apostrophe in front, as in every file that we make.
"""

import csv
import io
from collections.abc import AsyncIterator
from zoneinfo import ZoneInfo

from app.core import db
from app.core.i18n import _
from app.imports import queries, reading
from app.imports.models import OUTCOMES, REASONS, Import
from app.imports.work import stored
from app.web.tables.export import cell

_LINES = 500
_UTC = ZoneInfo("UTC")


async def lines(found: Import) -> AsyncIterator[bytes]:
    """The file, some rows at a time."""
    buffer = io.StringIO()
    writer = csv.writer(buffer)
    buffer.write("\ufeff")
    writer.writerow([*(cell(title, _UTC) for title in found.header), _("Row"), _("Outcome"), _("Reason")])
    width = len(found.header)
    async with stored(found) as source:
        records = reading.records(source, found.encoding, found.delimiter)
        next(records, None)
        after = 0
        while outcomes := await queries.outcomes(found.id, after=after, limit=_LINES):
            await db.release()
            for said in outcomes:
                # Both come in the order of the file, and every outcome has its row.
                record = next(record for record in records if record.number == said.row_number)
                cells = [cell(text, _UTC) for text in reading.padded(record.cells, width)[:width]]
                reason = str(REASONS.get(said.reason, said.reason))
                writer.writerow([*cells, str(said.row_number), str(OUTCOMES[said.outcome]), reason])
            after = outcomes[-1].row_number
            yield _taken(buffer)
    yield _taken(buffer)


def _taken(buffer: io.StringIO) -> bytes:
    text = buffer.getvalue()
    buffer.seek(0)
    buffer.truncate()
    return text.encode("utf-8", "replace")
