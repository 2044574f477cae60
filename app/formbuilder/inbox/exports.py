"""All entries of a form as a file: CSV, Excel or JSON, written while they are read, however many there are.

Columns are those of every version that was ever answered. A spreadsheet is built on disk by xlsxwriter in its mode of constant memory,
beside the event loop; the other two go out as they are read. What a spreadsheet would run as a formula is text in all of them.
"""

import asyncio
import csv
import io
import tempfile
from collections.abc import AsyncIterator, Sequence
from contextlib import aclosing
from datetime import datetime
from pathlib import Path
from typing import Any
from weakref import WeakSet
from zoneinfo import ZoneInfo

import orjson
import xlsxwriter

from app.core import audit, clock, db
from app.core.errors import Unavailable
from app.core.i18n import _
from app.core.settings import school
from app.formbuilder.fields.kinds import kind_of
from app.formbuilder.inbox.listing import ENTRY_STATES
from app.formbuilder.inbox.table import Asked
from app.formbuilder.models import Answer, Field
from app.formbuilder.queries import inbox as queries
from app.web.tables.export import cell

FORMATS = {
    "csv": "text/csv; charset=utf-8",
    "json": "application/json",
    "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
}
STATES = ("received", "unconfirmed", "waiting", "unpaid", "refused")
_BATCH = 200
_LONGEST_CELL = 32_000  # Excel has room for 32,767
# Each holds a connection for as long as its reader takes; the pages need the others.
_AT_ONCE = 2


class _Place:
    """One file's place among those at once: taken when it is asked for, free when it is through, or was thrown away before."""


_taken_places: WeakSet[_Place] = WeakSet()


async def begin(
    found: Asked, kind: str, rows: AsyncIterator[Any] | None = None, *, what: str = "entries"
) -> tuple[str, AsyncIterator[bytes]]:
    """The name of the file and its bytes; noted in the audit log. `rows` in place of the entries, `what` says of what.

    Raises Unavailable while others are being written.
    """
    if len(_taken_places) >= _AT_ONCE:
        raise Unavailable(_("Several lists are being exported just now. Please try again in a minute."), retry_after=60)
    place = _Place()
    _taken_places.add(place)
    zone = (await school()).zone
    async with db.transaction():
        await audit.record(
            "form_entries.export",
            "form",
            found.form.public_id,
            after={"format": kind, "what": what},
            summary=found.form.title,
        )
    await db.release()
    rows = rows or queries.for_file(found.form.id, STATES)
    writers = {"csv": _csv, "json": _json, "xlsx": _xlsx}
    day = clock.now().astimezone(zone).date().isoformat()
    return f"{found.form.slug}-{what}-{day}.{kind}", writers[kind](found, rows, zone, place)


def heads(questions: Sequence[Field]) -> list[str]:
    """The first line of the file."""
    answers = [head for field in questions for head in kind_of(field).columns(field)]
    about = [_("Status"), _("State"), _("Email"), _("Member"), _("Address"), _("Browser"), _("Version"), _("Entry")]
    return [_("Came"), *answers, *about]


def line(questions: Sequence[Field], row: Any) -> list[Any]:
    """An entry as the cells of a line."""
    found: list[Any] = [row.created_at]
    for field in questions:
        found += _cells(field, row.answers.get(field.id))
    state = str(ENTRY_STATES.get(row.state, row.state))
    return [*found, row.status, state, row.email, row.member, row.address, row.user_agent, row.version, row.public_id]


def _cells(field: Field, answer: Answer) -> list[Any]:
    """As many cells as the field has columns now; an answer that does not fit what is asked now is written as it is kept."""
    kind = kind_of(field)
    width = len(kind.columns(field))
    if answer is None:
        return [None] * width
    try:
        cells = list(kind.cells(field, answer))
    except (KeyError, TypeError, ValueError, AttributeError, IndexError):
        cells = [orjson.dumps(answer).decode()]
    return (cells + [None] * width)[:width]


async def _csv(found: Asked, rows: AsyncIterator[Any], zone: ZoneInfo, _place: _Place) -> AsyncIterator[bytes]:
    questions = found.questions
    buffer = io.StringIO()
    writer = csv.writer(buffer)
    buffer.write("\ufeff")
    writer.writerow([cell(head, zone) for head in heads(questions)])
    async with aclosing(rows) as open_rows:  # type: ignore[type-var]  # a generator, typed as an iterator
        number = 0
        async for row in open_rows:
            writer.writerow([cell(value, zone) for value in line(questions, row)])
            number += 1
            if number % _BATCH == 0:
                yield _taken(buffer)
    yield _taken(buffer)


async def _json(found: Asked, rows: AsyncIterator[Any], zone: ZoneInfo, _place: _Place) -> AsyncIterator[bytes]:
    """Answers as they are kept, by the id of their field, and what was asked under these ids."""
    asked = {field.id: {"question": field.label, "kind": field.kind} for field in found.questions}
    yield b'{"form":' + orjson.dumps(found.form.title) + b',"questions":' + orjson.dumps(asked) + b',"entries":['
    async with aclosing(rows) as open_rows:  # type: ignore[type-var]  # a generator, typed as an iterator
        lines: list[bytes] = []
        is_first = True
        async for row in open_rows:
            lines.append((b"\n" if is_first else b",\n") + orjson.dumps(_object(row, zone)))
            is_first = False
            if len(lines) == _BATCH:
                yield b"".join(lines)
                lines.clear()
    yield b"".join(lines) + b"\n]}\n"


def _object(row: Any, zone: ZoneInfo) -> dict[str, Any]:
    return {
        "entry": row.public_id,
        "came": row.created_at.astimezone(zone).isoformat(),
        "began": row.began_at.astimezone(zone).isoformat() if row.began_at else None,
        "state": row.state,
        "status": row.status,
        "is_starred": row.is_starred,
        "email": row.email,
        "member": row.member,
        "address": row.address,
        "browser": row.user_agent,
        "version": row.version,
        "answers": row.answers,
    }


async def _xlsx(found: Asked, rows: AsyncIterator[Any], zone: ZoneInfo, _place: _Place) -> AsyncIterator[bytes]:
    questions = found.questions
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "entries.xlsx"
        book = xlsxwriter.Workbook(
            path, {"constant_memory": True, "strings_to_formulas": False, "strings_to_urls": False, "tmpdir": folder}
        )
        sheet = book.add_worksheet()
        moment = book.add_format({"num_format": "yyyy-mm-dd hh:mm:ss"})
        _write(sheet, 0, [heads(questions)], moment, zone)
        number, lines = 1, []
        async with aclosing(rows) as open_rows:  # type: ignore[type-var]  # a generator, typed as an iterator
            async for row in open_rows:
                lines.append(line(questions, row))
                if len(lines) == _BATCH:
                    await asyncio.to_thread(_write, sheet, number, lines, moment, zone)
                    number, lines = number + len(lines), []
        await asyncio.to_thread(_write, sheet, number, lines, moment, zone)
        await asyncio.to_thread(book.close)
        with path.open("rb") as file:
            while part := await asyncio.to_thread(file.read, 1 << 16):
                yield part


def _write(sheet: Any, first: int, lines: Sequence[Sequence[Any]], moment: Any, zone: ZoneInfo) -> None:
    for number, values in enumerate(lines, start=first):
        for column, value in enumerate(values):
            if value is None or value == "":
                continue
            if isinstance(value, datetime):
                sheet.write_datetime(number, column, value.astimezone(zone).replace(tzinfo=None), moment)
            elif isinstance(value, int | float) and not isinstance(value, bool):
                sheet.write_number(number, column, value)
            else:
                # A text, whatever it begins with: never a formula or a link.
                sheet.write_string(number, column, str(value)[:_LONGEST_CELL])


def _taken(buffer: io.StringIO) -> bytes:
    text = buffer.getvalue()
    buffer.seek(0)
    buffer.truncate()
    return text.encode()
