"""Files that people upload: kept, found, given an address, removed."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from typing import BinaryIO
from urllib.parse import quote

from app.core import audit, clock, db, queue, tokens
from app.core.ids import public_id
from app.gateways import storage
from app.media import jobs, queries, shelf
from app.media.inspection import LIMITS, inspect
from app.media.models import Upload
from app.web.request import Visitor

# As long as somebody may leave a lesson open and still press play.
LIFETIME = timedelta(hours=12)
# What a form may bring with it: the file, and some fields around it.
IMAGE_BODY = LIMITS["image"] + LIMITS["captions"]
VIDEO_BODY = LIMITS["video"] + LIMITS["image"] + 2 * LIMITS["captions"]
_PURPOSE = "media"

_admits: Callable[[int, int, int], Awaitable[bool]] | None = None
_is_free: Callable[[int], Awaitable[bool]] | None = None


@dataclass(frozen=True, slots=True)
class Pass:
    """For how many seconds a file is open (0: not any more)."""

    seconds: int


async def store(
    source: BinaryIO,
    file_name: str,
    *,
    kind: str,
    owner_id: int | None,
    is_public: bool = False,
    field: str = "file",
    then: Callable[[Upload], Awaitable[object]] | None = None,
) -> Upload:
    """Keep a file of a kind (image, video, captions) after a look at what it really is.

    The file is there whole when this returns. Raises Invalid or TooLarge, for the form's `field`. Not to be called
    inside a transaction: it writes to the storage. `then` gives the file its place, in the transaction that makes it a file:
    when it raises, or nobody lives to finish it, nothing is kept.
    """
    if db.in_transaction():
        raise RuntimeError("a file was stored inside a transaction")
    await db.release()
    found = await asyncio.to_thread(inspect, source, file_name, kind, field=field)
    new_id = public_id(20)
    name = f"{kind}/{new_id[:2]}/{public_id(26)}.{found.file_name.rpartition('.')[2]}"
    key = shelf.storage().place(name, is_public=is_public)
    async with db.transaction():
        upload_id = await queries.insert_upload(
            public_id=new_id,
            owner_id=owner_id,
            kind=kind,
            storage_key=key,
            file_name=found.file_name,
            content_type=found.content_type,
            size_bytes=found.size_bytes,
            checksum=found.checksum,
            width=found.width,
            height=found.height,
            duration_seconds=found.duration_seconds,
            is_public=is_public,
            now=clock.now(),
        )
    await db.release()
    try:
        await _put(key, source, found.content_type)
        return await _finish(upload_id, then)
    except BaseException:
        with suppress(Exception):  # the storage or the database may be away still; then what is left is swept
            await asyncio.shield(_undo(upload_id, key, has_place=then is not None))
        raise


async def _put(key: str, source: BinaryIO, content_type: str) -> None:
    """A thread cannot be stopped half-way, so whoever gives up waits for it before clearing up behind it."""
    writing = asyncio.ensure_future(shelf.storage().put(key, source, content_type=content_type))
    try:
        await asyncio.shield(writing)
    except asyncio.CancelledError:
        await asyncio.wait([writing])
        raise


async def _finish(upload_id: int, then: Callable[[Upload], Awaitable[object]] | None) -> Upload:
    async with db.transaction():
        if not await queries.mark_stored(upload_id):
            raise RuntimeError("a file took so long to store that it was swept meanwhile")
        kept = await queries.upload(upload_id)
        assert kept is not None
        after = {"kind": kept.kind, "file_name": kept.file_name, "size_bytes": kept.size_bytes}
        await audit.record("upload.create", "upload", kept.public_id, after=after, summary=kept.file_name)
        if then is not None:
            await then(kept)
    return kept


async def _undo(upload_id: int, key: str, *, has_place: bool = False) -> None:
    """The row goes last: bytes that cannot be removed now are swept by it. Nobody may see it meanwhile, although we may have
    been told that it is not `stored` when it is. One that has its place by then stays: it took that of another file.
    """
    async with db.hold():
        if has_place and await queries.is_stored(upload_id):
            return
        await queries.mark_storing(upload_id)
    await shelf.storage().delete(key)
    async with db.hold():
        await queries.delete_upload(upload_id)


async def find(upload_id: int) -> Upload | None:
    """The stored file with this key, or None."""
    return await queries.upload(upload_id)


async def find_by_public_id(public_id: str) -> Upload | None:
    """The stored file with this public id, or None."""
    return await queries.upload_by_public_id(public_id)


async def find_by_address(address: str) -> Upload | None:
    """The stored file that our own address `/media/<public id>/<name>` leads to, or None."""
    parts = address.partition("?")[0].split("/")
    return await find_by_public_id(parts[2]) if len(parts) == 4 and parts[1] == "media" else None


async def find_many(upload_ids: list[int]) -> dict[int, Upload]:
    """Those of these files that are there, by their keys; one query."""
    return {found.id: found for found in await queries.uploads(upload_ids)} if upload_ids else {}


async def read(upload: Upload) -> bytes:
    """The whole of a small file, such as captions."""
    return b"".join([piece async for piece in pieces(upload, 0, upload.size_bytes - 1)])


def pieces(upload: Upload, start: int, end: int) -> AsyncIterator[bytes]:
    """The bytes from `start` to `end`, both included, a piece at a time."""
    return shelf.storage().open(upload.storage_key, start, end)


async def begun(upload: Upload, start: int, end: int) -> AsyncIterator[bytes]:
    """The same once the first piece is there, for an answer. Raises NotFound when the storage has lost them."""
    await db.release()
    return await storage.once_begun(pieces(upload, start, end))


async def lock(upload_id: int) -> bool:
    """Let nobody begin to use a file or remove it until the current transaction ends; False when it is gone."""
    return await queries.lock_upload(upload_id)


async def remove(upload_id: int) -> None:
    """Forget a file, as part of the current transaction; its bytes go after that commits."""
    async with db.transaction():
        key = await queries.delete_upload(upload_id)
        if key is not None:
            await queue.enqueue(jobs.erase_bytes, storage_key=key)


def address(
    upload: Upload,
    *,
    lifetime: timedelta = LIFETIME,
    learner: tuple[int, int] | None = None,
    staff_id: int | None = None,
) -> str:
    """Where a browser gets the file: for good when it is public, else signed and good for `lifetime`.

    With `learner`, a person and a course, it opens for that person only, and only while the course is open to them;
    with `staff_id` for that person only, while their role lets them see courses; else for anyone, while a published
    free lesson shows it.
    """
    if upload.is_public:
        return shelf.storage().public_address(upload.storage_key) or path(upload)
    expires = int((clock.now() + lifetime).timestamp())
    whose = learner or (() if staff_id is None else (staff_id,))
    return f"{path(upload)}?token={tokens.sign([upload.id, expires, *whose], _PURPOSE)}"


def path(upload: Upload) -> str:
    """Our own address of a file, the same for good: what is written into texts and rows. Only public files open by it."""
    return f"/media/{upload.public_id}/{quote(upload.file_name, safe='')}"


def admit_by(check: Callable[[int, int, int], Awaitable[bool]]) -> None:
    """Say who knows whether a person may fetch a file of a course now (their keys); called once by create_app()."""
    global _admits
    _admits = check


def free_when(check: Callable[[int], Awaitable[bool]]) -> None:
    """Say who knows whether a published free lesson shows a file now; called once by create_app()."""
    global _is_free
    _is_free = check


async def opens(upload: Upload, token: str, person: Visitor | None) -> Pass | None:
    """How far this token, of an address made by `address`, opens the file for this person now; None if it never did."""
    signed = tokens.unsign(token, _PURPOSE) if token else None
    if not isinstance(signed, list) or signed[0] != upload.id:
        return None
    _upload_id, expires, *whose = signed
    seconds = max(0, int(expires - clock.now().timestamp()))
    return Pass(seconds if seconds and await _opens_to(upload, person, whose) else 0)


async def _opens_to(upload: Upload, person: Visitor | None, whose: list[int]) -> bool:
    if not whose:
        return _is_free is not None and await _is_free(upload.id)
    if person is None or person.id != whose[0]:
        return False
    if len(whose) == 1:
        return person.can("courses.view")
    return _admits is not None and await _admits(whose[0], whose[1], upload.id)
