"""What an uploaded file really is: judged by its content, never by its name or by what the browser says of it."""

import hashlib
import re
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import BinaryIO

from app.core.errors import Invalid, TooLarge
from app.core.i18n import _
from app.media import captions, films, images

MEGABYTE = 1024 * 1024
LIMITS = {"image": 10 * MEGABYTE, "video": 2048 * MEGABYTE, "captions": MEGABYTE}
# A picture of more than this would cost its viewers hundreds of megabytes, however small the file.
MOST_PIXELS = 50_000_000


@dataclass(frozen=True, slots=True)
class Inspected:
    """What was found out about a file. Sizes in bytes and pixels, duration in whole seconds."""

    content_type: str
    file_name: str
    size_bytes: int
    checksum: str
    width: int | None = None
    height: int | None = None
    duration_seconds: int | None = None


def inspect(source: BinaryIO, file_name: str, kind: str, *, field: str = "file") -> Inspected:
    """Read a file through (call it in a thread). Raises Invalid for `field` when it is not of this kind, or TooLarge."""
    size = source.seek(0, 2)
    if size == 0:
        raise Invalid(_("The file is empty."), field=field)
    if size > LIMITS[kind]:
        raise TooLarge(_("The file has more than %(limit)s MB.", limit=LIMITS[kind] // MEGABYTE), field=field)
    try:
        content_type, extension, width, height, seconds = _READERS[kind](source)
    except Invalid as error:
        raise Invalid(error.message, field=field) from None
    return Inspected(
        content_type=content_type,
        file_name=clean_name(file_name, extension),
        size_bytes=size,
        checksum=_checksum(source),
        width=width,
        height=height,
        duration_seconds=max(1, round(seconds)) if seconds else None,
    )


_Found = tuple[str, str, int | None, int | None, float | None]


def _image(source: BinaryIO) -> _Found:
    image = images.read(source)
    if image is None:
        raise Invalid(_("This is not a picture that every browser shows. Choose a PNG, JPEG, WebP or GIF file."))
    if image.width * image.height > MOST_PIXELS:
        raise Invalid(_("The picture has more than 50 million pixels. Make it smaller first."))
    return image.content_type, image.extension, image.width, image.height, None


def _video(source: BinaryIO) -> _Found:
    film = films.read(source)
    if film is None:
        raise Invalid(_("This is not a film that every browser plays. Choose an MP4 or WebM file."))
    return film.content_type, film.extension, film.width, film.height, film.seconds


def _captions(source: BinaryIO) -> _Found:
    source.seek(0)
    try:
        captions.read(source.read().decode("utf-8"))
    except UnicodeDecodeError:
        raise Invalid(_("Captions must be a WebVTT file in UTF-8.")) from None
    except captions.BrokenCaptions as broken:
        raise Invalid(_("This is not a WebVTT file: %(why)s", why=str(broken))) from None
    return "text/vtt; charset=utf-8", "vtt", None, None, None


_READERS: dict[str, Callable[[BinaryIO], _Found]] = {"image": _image, "video": _video, "captions": _captions}


def _checksum(source: BinaryIO) -> str:
    source.seek(0)
    digest = hashlib.sha256()
    while piece := source.read(MEGABYTE):
        digest.update(piece)
    return digest.hexdigest()


_ODD = re.compile(r"[^\w.-]+")


def clean_name(file_name: str, extension: str) -> str:
    """A name fit for an address and a disk: its last part, without odd characters, with the ending of what it is."""
    last = file_name.replace("\\", "/").rsplit("/", 1)[-1]
    stem = PurePosixPath(unicodedata.normalize("NFC", last)).stem
    stem = _ODD.sub("-", stem.encode("utf-8", "ignore").decode()).strip("-._")[:80].rstrip("-._")
    return f"{stem or 'file'}.{extension}"
