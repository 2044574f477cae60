"""The files that a person brought."""

from collections.abc import AsyncIterator, Mapping
from typing import Any

from app.core import personal
from app.core.personal import File, Subject
from app.media import queries, uploads


@personal.exports("uploads")
async def uploads_of(subject: Subject) -> AsyncIterator[Mapping[str, Any]]:
    """The files that you uploaded; they lie beside this in the folder files."""
    for upload in await queries.uploads_of(subject.id):
        yield {
            "file": _name(upload.public_id, upload.file_name),
            "kind": upload.kind,
            "type": upload.content_type,
            "bytes": upload.size_bytes,
            "sha256": upload.checksum,
            "at": upload.created_at,
        }


@personal.files("files")
async def files_of(subject: Subject) -> AsyncIterator[File]:
    """Their bytes."""
    for upload in await queries.uploads_of(subject.id):
        yield File(_name(upload.public_id, upload.file_name), uploads.pieces(upload, 0, upload.size_bytes - 1))


@personal.erases("uploads")
async def let_go(subject: Subject) -> None:
    """Files belong to the courses that show them: they stay, and nobody is named as who brought them."""
    await queries.disown_uploads(subject.id)


def _name(public_id: str, file_name: str) -> str:
    return f"files/{public_id}/{file_name}"
