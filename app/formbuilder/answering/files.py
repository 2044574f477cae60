"""Files that come with answers: kept before their form is read, bound to the entry in its transaction, handed out to those
who may see entries, and swept when nobody sent them after all.
"""

import asyncio
import base64
import binascii
import hashlib
import io
from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import timedelta
from typing import Any, BinaryIO, cast

from app.core import clock, db, limits, tokens
from app.core.errors import Invalid, TooMany
from app.core.i18n import _
from app.core.ids import public_id
from app.core.limits import Limit
from app.formbuilder.answering.file_types import FileType, recognise
from app.formbuilder.definition import readings
from app.formbuilder.fields.attached import MEGABYTE, Attached, Rejected, token_of
from app.formbuilder.fields.kinds import kind_of
from app.formbuilder.models import Answer, Definition, EntryFile, Field, Form, Posted
from app.formbuilder.queries import files as queries
from app.formbuilder.queries import forms as form_queries
from app.gateways import storage
from app.media import shelf
from app.media.inspection import clean_name

# A form without files brings texts only.
MOST_TEXT, MOST_BODY = MEGABYTE, 64 * MEGABYTE
_DRAWN = "data:image/png;base64,"
_LINK, LINK_SECONDS = "form-file-link", 3600
_LOOSE = timedelta(days=2)
# Removed at once, and how often in an hour: more than one network may send meanwhile.
_AT_ONCE, _ROUNDS = 1000, 20
# Megabytes that one network may send in an hour, each file counted as one at least: anybody may send files, and they are kept
# before it is known whether the rest of the form is sound.
UPLOADS = Limit(2048, 3600)


def most_bytes(definition: Definition) -> int:
    """How much a form may be sent at once: what its fields take, 64 MB at most."""
    taking = _taking(definition)
    return min(MOST_BODY, MOST_TEXT + sum(kind.most_bytes(field) * kind.most(field) for field, kind in taking))


async def most_bytes_at(slug: str) -> int:
    """The same of a form's address, before it is known which version is sent: a page may be older than the form."""
    stored = await form_queries.newest_definitions(slug)
    sound = [each for each in map(readings.soundly, stored) if each is not None]
    return max(map(most_bytes, sound), default=MOST_TEXT)


async def keep(form: Form, definition: Definition, posted: Posted, *, network: str) -> Posted:
    """The same with its files kept: each is a token among the texts now, and one that was not taken a reason. `network` is
    where they come from: it may send UPLOADS.

    Not to be called inside a transaction: it writes to the storage.
    """
    texts, found = dict(posted.texts), {}
    for field, kind in _taking(definition):
        came = [file for file in posted.files.get(field.id, ()) if getattr(file, "filename", "")]
        sources: list[tuple[str, BinaryIO]] = [(str(file.filename), file.stream) for file in came]
        if drawn := _drawn(posted.one(f"{field.id}.drawn")):
            sources.append(("signature.png", drawn))
        texts.pop(f"{field.id}.drawn", None)
        kept = [] if kind.most(field) == 1 and sources else posted.all(f"{field.id}.kept")
        if len(kept) + len(sources) > kind.most(field):
            found[field.id] = [Rejected(_("At most %(n)s files.", n=kind.most(field)))]
            continue
        for name, source in sources:
            try:
                kept.append(token_of(field.id, await _keep(form.id, field, kind, name, source, network)))
            except Invalid as error:
                found.setdefault(field.id, []).append(Rejected(error.message))
            except TooMany:
                sentence = _("Very much was sent from your network. Please attach this again in an hour.")
                found.setdefault(field.id, []).append(Rejected(sentence))
        texts[f"{field.id}.kept"] = kept
    return Posted(texts, found)


async def bind(form_id: int, entry_id: int, definition: Definition, answers: Mapping[str, Answer]) -> list[str]:
    """Let the files of these answers belong to the entry, as part of the current transaction.

    Returns the fields with a file that is not there any more; then the entry must not be kept.
    """
    gone = []
    for field, kind in _taking(definition):
        ids = [file["id"] for file in kind.files(answers.get(field.id))]
        if ids and await queries.bind(form_id, field.id, entry_id, ids) != len(ids):
            gone.append(field.id)
    return gone


def links(
    form_public_id: str, definition: Definition, answers: Mapping[str, Answer], viewer_id: int
) -> Mapping[str, Any]:
    """By field id, each file with an address that opens it: for this person only, and for an hour."""
    expires = int(clock.now().timestamp()) + LINK_SECONDS
    found: dict[str, list[dict[str, Any]]] = {}
    for field, kind in _taking(definition):
        for file in kind.files(answers.get(field.id)):
            token = tokens.sign([file["id"], viewer_id, expires], _LINK)
            url = f"/admin/forms/{form_public_id}/files/{file['id']}?token={token}"
            found.setdefault(field.id, []).append({**file, "url": url})
    return found


def opens(file_id: str, token: str, viewer_id: int) -> bool:
    """Whether this token, of a link made for this person, still opens the file."""
    told = tokens.unsign(token, _LINK)
    return isinstance(told, list) and told[:2] == [file_id, viewer_id] and told[2] >= clock.now().timestamp()


async def find(form_id: int, file_id: str) -> EntryFile | None:
    """A file that belongs to an entry of the form."""
    return await queries.file_of_form(form_id, file_id)


async def begun(file: EntryFile) -> AsyncIterator[bytes]:
    """Its bytes, a piece at a time, once the first is there. Raises NotFound when the storage has lost them."""
    await db.release()
    return await storage.once_begun(shelf.storage().open(file.storage_key, 0, file.size_bytes - 1))


async def sweep() -> int:
    """Remove the files that belong to no entry and to no draft; how many. Bytes first: a row finds them again. Before that the
    row is claimed: a page may send its file along until the last moment, and then it stays.
    """
    gone = 0
    for _round in range(_ROUNDS):
        loose = await queries.loose(clock.now() - _LOOSE, _AT_ONCE)
        for file in loose:
            gone += await _swept(file)
        if len(loose) < _AT_ONCE:
            break
    return gone


async def _swept(file: EntryFile) -> bool:
    if not await queries.claim(file.id):
        return False
    await db.release()
    await shelf.storage().delete(file.storage_key)
    await queries.delete(file.id)
    return True


def _taking(definition: Definition) -> list[tuple[Field, Attached]]:
    pairs = ((field, kind_of(field)) for field in definition.fields)
    return [(field, kind) for field, kind in pairs if isinstance(kind, Attached)]


async def _keep(
    form_id: int, field: Field, kind: Attached, name: str, source: BinaryIO, network: str
) -> dict[str, Any]:  # fmt: skip
    found, size, checksum = await asyncio.to_thread(_inspected, source, name, kind.types(field), kind.most_bytes(field))
    await limits.spend("form-upload", network, -(-size // MEGABYTE), UPLOADS)
    file_id = public_id(26)
    key = f"form/{file_id[:2]}/{public_id(26)}.{found.extension}"
    clean = clean_name(name, found.extension)
    async with db.transaction():
        await queries.insert(
            {
                "public_id": file_id, "form_id": form_id, "field_id": field.id, "storage_key": key, "file_name": clean,
                "content_type": found.content_type, "size_bytes": size, "checksum": checksum, "created_at": clock.now(),
            }
        )  # fmt: skip
    await db.release()
    await shelf.storage().put(key, source, content_type=found.content_type)
    return {"id": file_id, "name": clean, "size": size, "type": found.content_type}


def _inspected(source: BinaryIO, name: str, types: Sequence[str], most: int) -> tuple[FileType, int, str]:
    shown = clean_name(name, name.rpartition(".")[2][:10] or "bin")
    size = source.seek(0, 2)
    if size == 0:
        raise Invalid(_("“%(name)s” is empty.", name=shown))
    if size > most:
        raise Invalid(_("“%(name)s” has more than %(limit)s MB.", name=shown, limit=f"{most / MEGABYTE:g}"))
    found = recognise(source, name)
    if found is None or found.group not in types:
        raise Invalid(_("“%(name)s” is not of a type that can be sent here.", name=shown))
    source.seek(0)
    return found, size, hashlib.file_digest(cast(io.BytesIO, source), "sha256").hexdigest()


def _drawn(text: str) -> BinaryIO | None:
    """The picture of a signature that a canvas made; None for anything else."""
    if not text.startswith(_DRAWN):
        return None
    try:
        return io.BytesIO(base64.b64decode(text.removeprefix(_DRAWN), validate=True))
    except (binascii.Error, ValueError):
        return None
