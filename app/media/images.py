"""What a picture is and how large, read from its own first bytes. Formats: PNG, JPEG, GIF, WebP."""

import struct
from dataclasses import dataclass
from typing import BinaryIO


@dataclass(frozen=True, slots=True)
class Image:
    """A recognised picture; width and height in pixels."""

    content_type: str
    extension: str
    width: int
    height: int


def read(source: BinaryIO) -> Image | None:
    """The picture that `source` holds, or None when it is none of ours or broken in its head."""
    source.seek(0)
    head = source.read(32)
    try:
        found = _png(head) or _gif(head) or _webp(head) or _jpeg(source, head)
    except (struct.error, IndexError):
        return None
    return found if found is not None and found.width > 0 and found.height > 0 else None


def _png(head: bytes) -> Image | None:
    """https://www.w3.org/TR/png-3/#11IHDR: the header chunk comes first and holds the size."""
    if not head.startswith(b"\x89PNG\r\n\x1a\n") or head[12:16] != b"IHDR":
        return None
    width, height = struct.unpack(">II", head[16:24])
    return Image("image/png", "png", width, height)


def _gif(head: bytes) -> Image | None:
    if head[:6] not in (b"GIF87a", b"GIF89a"):
        return None
    width, height = struct.unpack("<HH", head[6:10])
    return Image("image/gif", "gif", width, height)


def _webp(head: bytes) -> Image | None:
    """https://developers.google.com/speed/webp/docs/riff_container: three kinds of first chunk, three places."""
    if head[:4] != b"RIFF" or head[8:12] != b"WEBP":
        return None
    kind = head[12:16]
    if kind == b"VP8X":
        width = int.from_bytes(head[24:27], "little") + 1
        height = int.from_bytes(head[27:30], "little") + 1
    elif kind == b"VP8L" and head[20] == 0x2F:
        bits = int.from_bytes(head[21:25], "little")
        width, height = (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
    elif kind == b"VP8 " and head[23:26] == b"\x9d\x01\x2a":
        width, height = (side & 0x3FFF for side in struct.unpack("<HH", head[26:30]))
    else:
        return None
    return Image("image/webp", "webp", width, height)


# Start-of-frame markers; C4, C8 and CC in their midst mean something else (ITU T.81, table B.1).
_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_ALONE = frozenset({0x01, *range(0xD0, 0xD9)})
# Segments and fill bytes before the frame: a file can be made of millions.
_MOST_STEPS = 5000


def _jpeg(source: BinaryIO, head: bytes) -> Image | None:
    if head[:3] != b"\xff\xd8\xff":
        return None
    source.seek(2)
    for _step in range(_MOST_STEPS):
        marker = source.read(2)
        if len(marker) < 2 or marker[0] != 0xFF:
            return None
        if marker[1] == 0xFF:  # the first was a fill byte
            source.seek(-1, 1)
            continue
        if marker[1] in _ALONE:
            continue
        (length,) = struct.unpack(">H", source.read(2))
        if marker[1] in _FRAMES:
            _precision, height, width = struct.unpack(">BHH", source.read(5))
            return Image("image/jpeg", "jpg", width, height)
        if length < 2 or marker[1] == 0xDA:
            return None
        source.seek(length - 2, 1)
    return None
