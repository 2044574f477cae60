"""The verbs of an import: bring a file, say what its columns are, try it without effect, run it, stop it."""

import asyncio
import hashlib
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from datetime import timedelta
from typing import Any, BinaryIO

from app.access import entitlements
from app.accounts import tags
from app.accounts.models import SignedIn
from app.core import audit, clock, db, queue
from app.core.errors import Conflict, Forbidden, Invalid, NotFound
from app.core.i18n import _
from app.core.ids import public_id
from app.imports import queries, reading, work, workbook
from app.imports.kinds import KINDS
from app.imports.models import Column, Import, Sheet
from app.media import shelf

# A job that has written nothing for so long has died for good; somebody may send another after it.
STUCK = timedelta(minutes=2)


async def find(kind: str, import_id: str) -> Import:
    """The import with this public id. Raises NotFound."""
    found = await queries.by_public_id(kind, import_id)
    if found is None:
        raise NotFound(_("There is no such import."))
    return found


async def bring(source: BinaryIO, file_name: str, *, kind: str, by: SignedIn) -> Import:
    """Keep a file, after a look at what it is, with a guess at its columns; a workbook as the table of its first sheet.
    Raises Invalid or TooLarge, for `file`.
    """
    await db.release()
    with ExitStack() as stack:
        table = await asyncio.to_thread(stack.enter_context, workbook.readable(source))
        return await _bring(table, file_name, kind=kind, by=by)


async def _bring(source: BinaryIO, file_name: str, *, kind: str, by: SignedIn) -> Import:
    sheet = await asyncio.to_thread(reading.inspect, source)
    new_id = public_id()
    key = f"import/{new_id[:2]}/{public_id(26)}.csv"
    columns = KINDS[kind].columns
    remembered = await queries.mapping_for(kind, _columns_key(sheet.header))
    mapping = _applied(remembered, sheet, columns) or reading.guessed(sheet, columns, KINDS[kind].required)
    source.seek(0, 2)
    made = await queries.insert(
        public_id=new_id,
        kind=kind,
        file_name=_short_name(file_name),
        storage_key=key,
        size_bytes=source.tell(),
        sheet=sheet,
        mapping=mapping,
        created_by=by.id,
        now=clock.now(),
    )
    await db.release()
    # A process that is killed here leaves the key in a row that nobody sees, and both are swept.
    await shelf.storage().put(key, source, content_type="text/csv")
    async with db.transaction():
        await queries.mark_stored(made)
        after = {"file": _short_name(file_name), "rows": sheet.row_count}
        await audit.record("import.bring", "import", new_id, after=after, summary=_short_name(file_name))
    return await find(kind, new_id)


def _short_name(file_name: str) -> str:
    """The last part of the name that the browser sent, on one line."""
    name = " ".join(file_name.replace("\\", "/").rpartition("/")[2].split())
    return "".join(c for c in name if c.isprintable() and not "\ud800" <= c <= "\udfff")[-120:] or "list.csv"


def _columns_key(header: Sequence[str]) -> bytes:
    """The same for files with the same columns, in whatever order."""
    return hashlib.sha256("\x1f".join(sorted(title.casefold() for title in header)).encode()).digest()


def _applied(remembered: Mapping[str, str] | None, sheet: Sheet, columns: Sequence[Column]) -> list[str]:
    known = {column.key for column in columns} | {""}
    found = [(remembered or {}).get(title, "") for title in sheet.header]
    return found if any(found) and set(found) <= known else []


async def check(
    import_id: str, *, kind: str, mapping: Sequence[str], options: Mapping[str, Any], by: SignedIn
) -> Import:
    """Try the import without effect, in a job; what is what in these columns is remembered for the next such file.

    `options["product"]` is a public id or "". Raises Invalid for columns that make no sense and Conflict when the
    import has begun.
    """
    found = await find(kind, import_id)
    _check_columns(mapping, kind)
    wanted = await _checked_options(options, found)
    _check_rights(mapping, wanted, kind, by)
    async with db.transaction():
        attempt = await queries.begin_check(
            found.id, found.attempt, mapping=list(mapping), options=wanted, now=clock.now()
        )
        if attempt is None:
            raise Conflict(_("This import has moved on. Look at it again."))
        await queries.set_runner(found.id, by.id)
        named = dict(zip(found.header, mapping, strict=True))
        await queries.keep_mapping(kind, _columns_key(found.header), named, clock.now())
        await queue.enqueue(work.check_import, import_id=found.id, attempt=attempt)
    return await find(kind, import_id)


def _check_columns(mapping: Sequence[str], kind: str) -> None:
    columns = {column.key: column for column in KINDS[kind].columns}
    used = [key for key in mapping if key]
    for key in used:
        if key not in columns:
            raise Invalid(_("Choose one of the list."))
        if used.count(key) > 1:
            raise Invalid(_("Two columns cannot both be “%(what)s”.", what=columns[key].label))
    required = KINDS[kind].required
    if required not in used:
        raise Invalid(_("Say which column is “%(what)s”.", what=columns[required].label))


def _check_rights(mapping: Sequence[str], options: Mapping[str, Any], kind: str, by: SignedIn) -> None:
    if not all(by.can(capability) for capability in KINDS[kind].needs(mapping, options)):
        raise Forbidden(_("Your role does not allow this."))


async def _checked_options(options: Mapping[str, Any], found: Import) -> dict[str, Any]:
    wanted = {"existing": options["existing"], "invite": bool(options["invite"]), "note": found.file_name}
    if options["product"]:
        product = {row.public_id: row for row in await entitlements.grantable()}.get(str(options["product"]))
        if product is None:
            raise Invalid(_("There is no such product."), field="product")
        wanted |= {"product_id": product.id, "product": product.public_id, "title": product.title}
    if options["tag"]:
        wanted["tag"] = tags.checked(str(options["tag"]))
    return wanted


async def start(import_id: str, *, kind: str, attempt: int, by: SignedIn) -> Import:
    """Carry out what was tried as number `attempt`, in a job. Starting twice starts once. Raises Conflict."""
    found = await find(kind, import_id)
    _check_rights(found.mapping, found.options, kind, by)
    async with db.transaction():
        if await queries.begin_run(found.id, attempt, clock.now()):
            await queue.enqueue(work.run_import, import_id=found.id)
            after = {"file": found.file_name, "rows": found.row_count, **_told(found.options)}
            await audit.record("import.start", "import", found.public_id, after=after, summary=found.file_name)
            # The job acts for whoever pressed the button.
            await queries.set_runner(found.id, by.id)
            return await find(kind, import_id)
    now_found = await find(kind, import_id)
    if now_found.attempt == attempt and now_found.state in ("running", "done"):
        return now_found
    raise Conflict(_("This is not what was tried. Look at the import again."))


def _told(options: Mapping[str, Any]) -> dict[str, Any]:
    return {key: options[key] for key in ("existing", "invite", "title", "tag") if key in options}


async def cancel(import_id: str, *, kind: str) -> bool:
    """Stop an import; what it did so far stays. False when it is over already."""
    found = await find(kind, import_id)
    async with db.transaction():
        stopped = await queries.end(found.id, ["ready", "checking", "checked", "running"], "cancelled", now=clock.now())
        if stopped:
            await audit.record("import.cancel", "import", found.public_id, summary=found.file_name)
    return stopped


def is_stuck(found: Import) -> bool:
    """Whether nothing has come of its job for so long that it cannot be at work."""
    return found.is_under_way and clock.now() - found.moved_at > STUCK


async def go_on(import_id: str, *, kind: str) -> bool:
    """Send another job after an import whose own has died for good. False when it moves."""
    found = await find(kind, import_id)
    if not is_stuck(found):
        return False
    once = f"again:{found.id}:{found.moved_at.timestamp()}"
    if found.state == "running":
        await queue.enqueue(work.run_import, import_id=found.id, once=once)
    else:
        await queue.enqueue(work.check_import, import_id=found.id, attempt=found.attempt, once=once)
    return True
