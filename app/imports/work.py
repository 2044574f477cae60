"""What the worker does with an import: read the file row by row, judge or carry out a batch at a time.

A batch, what came of its rows and the place up to which the file is done are written in one transaction. A worker that
is killed leaves a whole number of batches; the next one reads on from there, so nothing happens twice and nothing is
left out.
"""

import asyncio
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from itertools import islice
from typing import BinaryIO, cast

from app.accounts import users
from app.accounts.models import User
from app.core import audit, clock, db
from app.core.queue import job
from app.gateways.storage import Missing
from app.imports import queries, reading
from app.imports.kinds import KINDS
from app.imports.models import BATCH, Import, Kind, Row, Tally
from app.media import shelf


@job()
async def check_import(import_id: int, attempt: int) -> None:
    """Say what would come of each row, without any effect; begun anew when its worker was killed."""
    found = await queries.by_id(import_id)
    actor = await _actor_of(found)
    if found is None or found.state != "checking" or found.attempt != attempt:
        return
    if actor is None:
        await queries.end(found.id, ["checking"], "failed", error="rights", now=clock.now())
        return
    kind, tally = KINDS[found.kind], Tally()
    try:
        async with stored(found) as source:
            for batch in batches(source, found):
                verdicts = await kind.judge(batch, found.options, actor)
                tally.add(verdicts, {row.number: row for row in batch})
                if not await _note_check(found, attempt, "checking", batch[-1].number, tally):
                    return
                await db.release()
            await _note_check(found, attempt, "checked", found.row_count + 1, tally)
    except Missing:
        await queries.end(found.id, ["checking"], "failed", error="file", now=clock.now())


async def _note_check(found: Import, attempt: int, state: str, last_row: int, tally: Tally) -> bool:
    return await queries.note_check(
        found.id,
        attempt,
        state=state,
        last_row=last_row,
        counts=tally.counts,
        refusals=tally.refusals,
        now=clock.now(),
    )


@job()
async def run_import(import_id: int) -> None:
    """Carry the import out from where it stands."""
    found = await queries.by_id(import_id)
    if found is None or found.state != "running":
        return
    with audit.acting(audit.Actor(found.created_by)):
        try:
            async with stored(found) as source:
                for batch in batches(source, found):
                    if not await carry_out(found.id, batch):
                        return
                    await db.release()
        except Missing:
            await _conclude(found.id, "failed", "file")
            return
        await _conclude(found.id, "done")


async def carry_out(import_id: int, batch: list[Row]) -> bool:
    """Do what is not done yet of a batch, in one transaction with where the import stands; False when it is stopped."""
    async with db.transaction():
        found = await queries.by_id(import_id, lock=True)
        if found is None or found.state != "running":
            return False
        rows = [row for row in batch if row.number > found.last_row]
        if not rows:
            return True
        actor = await _actor_of(found)
        if actor is None:
            await _conclude(import_id, "failed", "rights")
            return False
        kind = KINDS[found.kind]
        verdicts = await kind.carry_out(rows, found.options, actor, import_id=found.public_id)
        tally = Tally(found.counts, found.refusals)
        tally.add(verdicts, {row.number: row for row in rows})
        await queries.insert_outcomes(import_id, verdicts)
        await queries.advance(
            import_id, last_row=rows[-1].number, counts=tally.counts, refusals=tally.refusals, now=clock.now()
        )
    return True


async def _conclude(import_id: int, state: str, error: str = "") -> None:
    async with db.transaction():
        if await queries.end(import_id, ["running"], state, error=error, now=clock.now()):
            ended = await queries.by_id(import_id)
            assert ended is not None
            after = {**ended.counts, **({"error": error} if error else {})}
            await audit.record("import.end", "import", ended.public_id, after=after, summary=ended.file_name)


async def _actor_of(found: Import | None) -> User | None:
    """Who stands behind the import, as they are now; None when they may not import (any more)."""
    person = await users.find(found.created_by) if found is not None and found.created_by is not None else None
    if found is None or person is None or person.state != "active":
        return None
    needed = KINDS[found.kind].needs(found.mapping, found.options)
    return person if all(person.can(capability) for capability in needed) else None


@asynccontextmanager
async def stored(found: Import) -> AsyncIterator[BinaryIO]:
    """The file on this machine's disk. Raises Missing."""
    await db.release()
    with tempfile.TemporaryFile() as copy:
        async for piece in shelf.storage().open(found.storage_key, 0, found.size_bytes - 1):
            await asyncio.to_thread(copy.write, piece)
        copy.seek(0)
        yield cast(BinaryIO, copy)


def batches(source: BinaryIO, found: Import) -> Iterator[list[Row]]:
    """The rows below the header as their kind understands them; one whose key stood further up is refused."""
    kind = KINDS[found.kind]
    rows = _understood(source, found, kind)
    while batch := list(islice(rows, BATCH)):
        yield batch


def _understood(source: BinaryIO, found: Import, kind: Kind) -> Iterator[Row]:
    records = reading.records(source, found.encoding, found.delimiter)
    next(records, None)
    width = len(found.header)
    seen: set[str] = set()
    for record in records:
        cells = reading.padded(record.cells, width)
        values = {key: cells[place] for place, key in enumerate(found.mapping) if key}
        key, cleaned, reason = kind.understand(values)
        if any(cell.strip() for cell in cells[width:]):
            reason = "too_many_cells"
        if not reason and key in seen:
            reason = "twice"
        if not reason:
            seen.add(key)
        yield Row(record.number, key, cleaned, reason)
