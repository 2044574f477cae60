"""Everything about a person in one ZIP: JSON by domain and their files, written row by row into a file, then stored.

Each domain registers its part in app.core.personal. Memory does not grow with what there is.
"""

import asyncio
import re
import tempfile
import zipfile
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import IO, Any

import orjson
import structlog

from app.accounts import queries, sessions, users
from app.accounts.models import PersonalExport, SignedIn, User
from app.accounts.queries import exports as rows
from app.core import audit, clock, db, mail, personal, queue
from app.core.errors import Conflict, NotFound
from app.core.i18n import _
from app.core.ids import public_id
from app.core.personal import File, Subject
from app.core.settings import school
from app.gateways.storage import Storage, once_begun

log = structlog.get_logger()

KEPT = timedelta(days=7)
EVERY = timedelta(days=1)
_CHUNK = 256 * 1024
_UNSAFE = re.compile(r"[^\w.\-() ]")

_storage: Storage | None = None


def configure(storage: Storage) -> None:
    """Say where the files lie meanwhile; called once by create_app()."""
    global _storage
    _storage = storage


async def ask(person: SignedIn) -> None:
    """Have everything gathered; a mail tells when it is there. Raises Conflict when that was asked for today, and while
    the address is not confirmed: what others sent and got under it would be in the file.
    """
    from app.accounts.jobs import build_export

    async with db.transaction():
        here = await sessions.hold(person)
        if here.email_verified_at is None:
            raise Conflict(_("Confirm your email address first: the file holds what was sent and answered under it."))
        now = clock.now()
        made = await rows.insert_export(person.id, public_id(20), now, but_since=now - EVERY)
        if made is None:
            raise Conflict(_("You asked for your data less than a day ago. It can be asked for once a day."))
        await audit.record("privacy.export", "person", person.public_id)
        await queue.enqueue(build_export, export_id=made)


async def last_of(user_id: int) -> PersonalExport | None:
    """What was asked for last; None when nothing is kept."""
    return await rows.last_export(user_id)


async def find(user_id: int, export_id: str) -> PersonalExport:
    """The person's own file, while it is there. Raises NotFound."""
    found = await rows.export_of(user_id, export_id, clock.now())
    if found is None:
        raise NotFound(_("This file is not there any more. Ask for a new one."))
    return found


async def begun(export: PersonalExport) -> AsyncIterator[bytes]:
    """Its bytes, a piece at a time, once the first is there. Raises NotFound when the storage has lost them."""
    await db.release()
    return await once_begun(_shelf().open(export.storage_key or "", 0, (export.size_bytes or 1) - 1))


async def build(export_id: int) -> None:
    """Gather, pack, store, tell. May run twice: what is ready is left alone."""
    export = await rows.export_by_id(export_id)
    person = await users.find(export.user_id) if export is not None else None
    if export is None or person is None or export.state != "asked" or not _may_have(person):
        return
    subject = Subject(person.id, person.public_id, person.email, person.name)
    key = f"exports/{export.public_id[:2]}/{public_id(26)}.zip"
    with tempfile.TemporaryFile() as packed:
        await _pack(packed, subject)
        size = packed.tell()
        if not await _reserve(export_id, key):
            return
        await _shelf().put(key, packed, content_type="application/zip")
    now = clock.now()
    async with db.transaction():
        # As they stand now: it may have taken long.
        (here,) = await queries.lock_users([person.id])
        if _may_have(here) and await rows.mark_ready(export_id, key=key, size=size, now=now, expires_at=now + KEPT):
            context = {"name": here.name, "until": (now + KEPT).isoformat()}
            await mail.send(here.email, "accounts/export_ready", context, fact=f"export:{export_id}")
            return
    await db.release()
    await _shelf().delete(key)  # another run took its place, or the person is being erased


def _may_have(person: User) -> bool:
    """Nobody enters a closed or suspended account; and an unproved address is one that the office has given it since."""
    return person.state == "active" and person.email_verified_at is not None


async def _reserve(export_id: int, key: str) -> bool:
    """Say where the file will lie before it does, so that a worker which dies then leaves nothing that nobody knows of; what
    an earlier run left goes. False when there is nothing to make any more.
    """
    async with db.transaction():
        left = await rows.reserve_key(export_id, key)
    await db.release()
    if left:
        await _shelf().delete(left)
    return left is not None


async def _pack(target: IO[bytes], subject: Subject) -> None:
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        packed = clock.now().timetuple()[:6]
        archive.writestr("README.txt", await _readme(subject))
        for name, part in personal.EXPORTS.items():
            rows_of = zipfile.ZipInfo(f"{name}.json", date_time=packed)  # by its name alone it would be of 1980
            rows_of.compress_type = zipfile.ZIP_DEFLATED
            with archive.open(rows_of, "w", force_zip64=True) as file:
                await _write_rows(file, part(subject))
        for files in personal.FILES.values():
            async for each in files(subject):
                await _pack_file(archive, each, packed)
    target.seek(0, 2)


async def _pack_file(archive: zipfile.ZipFile, each: File, packed: Any) -> None:
    """A file that the storage has lost is told of in its place: the rest is the person's all the same."""
    try:
        pieces = await once_begun(each.pieces)
    except NotFound:
        lost = zipfile.ZipInfo(f"{safe_name(each.name)}.txt", date_time=packed)
        archive.writestr(lost, _("We have lost this file."))
        return
    kind = zipfile.ZipInfo(safe_name(each.name), date_time=packed)
    kind.compress_type = zipfile.ZIP_STORED  # films and pictures are packed already
    with archive.open(kind, "w", force_zip64=True) as file:
        async for piece in pieces:
            await asyncio.to_thread(file.write, piece)


async def _write_rows(file: Any, rows: AsyncIterator[Any]) -> None:
    file.write(b"[")
    between, waiting = b"\n", bytearray()
    async for row in rows:
        waiting += between + orjson.dumps(row, default=str)
        between = b",\n"
        if len(waiting) > _CHUNK:
            await asyncio.to_thread(file.write, bytes(waiting))
            waiting.clear()
    file.write(bytes(waiting) + b"\n]\n")


async def _readme(subject: Subject) -> str:
    settings = await school()
    parts = [
        _(
            "Everything that %(school)s holds about %(email)s, on %(day)s.",
            school=settings.name,
            email=subject.email,
            day=clock.now().date().isoformat(),
        ),
        _("Times are UTC (ISO 8601). Amounts are in the smallest unit of their currency: cents."),
        "",
        *(f"{name}.json: {(part.__doc__ or '').strip()}" for name, part in personal.EXPORTS.items()),
        *(f"{name}/: {(files.__doc__ or '').strip()}" for name, files in personal.FILES.items()),
        "",
        _("Card numbers are not here: only Stripe, which takes the payments, holds them."),
    ]
    return "\n".join(parts) + "\n"


def safe_name(name: str) -> str:
    """A path inside the ZIP that leads nowhere else, whatever a file was called."""
    parts = [_UNSAFE.sub("_", part).strip(". ") for part in name.replace("\\", "/").split("/")]
    return "/".join(part for part in parts if part) or "file"


async def forget_old() -> int:
    """Remove what is too old, bytes first; how many."""
    now = clock.now()
    old = await rows.old_exports(now, now - KEPT)
    for export in old:
        await db.release()
        if export.storage_key:
            await _shelf().delete(export.storage_key)
        await rows.delete_export(export.id)
    return len(old)


async def forget_bytes(storage_key: str) -> None:
    """Remove the bytes of a file whose row is gone."""
    if await rows.is_kept(storage_key):
        return
    await db.release()
    await _shelf().delete(storage_key)


def _shelf() -> Storage:
    if _storage is None:
        raise RuntimeError("the storage of exports is not configured")
    return _storage
