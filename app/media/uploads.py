"""Files that people upload: found, and given an address."""

from datetime import timedelta
from urllib.parse import quote

from app.core import clock, tokens
from app.media import queries
from app.media.models import Upload

# As long as somebody may leave a lesson open and still press play.
LIFETIME = timedelta(hours=12)
_PURPOSE = "media"


async def find(upload_id: int) -> Upload | None:
    """The stored file with this key, or None."""
    return await queries.upload(upload_id)


async def find_by_public_id(public_id: str) -> Upload | None:
    """The stored file with this public id, or None."""
    return await queries.upload_by_public_id(public_id)


async def find_many(upload_ids: list[int]) -> dict[int, Upload]:
    """Those of these files that are there, by their keys; one query."""
    return {found.id: found for found in await queries.uploads(upload_ids)} if upload_ids else {}


def address(upload: Upload, *, lifetime: timedelta = LIFETIME) -> str:
    """Where a browser gets the file: for good when it is public, else signed and good for `lifetime`."""
    path = f"/media/{upload.public_id}/{quote(upload.file_name, safe='')}"
    if upload.is_public:
        return path
    expires = int((clock.now() + lifetime).timestamp())
    return f"{path}?token={tokens.sign([upload.id, expires], _PURPOSE)}"


def may_open(upload: Upload, token: str) -> bool:
    """Whether this token, of an address made by `address`, still opens the file. A public file needs none."""
    if upload.is_public:
        return True
    signed = tokens.unsign(token, _PURPOSE) if token else None
    return isinstance(signed, list) and signed[0] == upload.id and signed[1] >= clock.now().timestamp()
