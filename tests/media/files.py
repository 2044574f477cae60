"""Small true files of every kind, made on the spot."""

import io
import struct

from PIL import Image


def picture(form: str = "PNG", size: tuple[int, int] = (40, 30), **options: object) -> bytes:
    """A picture in one of Pillow's formats."""
    target = io.BytesIO()
    Image.new("RGB", size, (20, 90, 60)).save(target, form, **options)
    return target.getvalue()


def element(kind: int, body: bytes) -> bytes:
    """An EBML element with an eight-byte size."""
    name = kind.to_bytes((kind.bit_length() + 7) // 8, "big")
    return name + (len(body) | 1 << 56).to_bytes(8, "big") + body


def webm(seconds: float | None = 75.4, size: tuple[int, int] = (1280, 720), *, doctype: bytes = b"webm") -> bytes:
    """A WebM file with a head, a track and one cluster of nothing. Without seconds it is like a live recording."""
    head = element(0x1A45DFA3, element(0x4282, doctype))
    info = element(0x2AD7B1, (1_000_000).to_bytes(3, "big"))
    if seconds is not None:
        info += element(0x4489, struct.pack(">d", seconds * 1000))
    video = element(0xB0, size[0].to_bytes(2, "big")) + element(0xBA, size[1].to_bytes(2, "big"))
    tracks = element(0xAE, element(0x83, b"\x02")) + element(0xAE, element(0x83, b"\x01") + element(0xE0, video))
    cluster = element(0x1F43B675, element(0xE7, b"\x00") + element(0xA3, b"\x81\x00\x00\x80" + b"frame" * 200))
    return head + element(0x18538067, element(0x1549A966, info) + element(0x1654AE6B, tracks) + cluster)


def box(kind: bytes, body: bytes) -> bytes:
    """An MP4 box."""
    return struct.pack(">I4s", len(body) + 8, kind) + body


def mp4(seconds: float = 62.0, size: tuple[int, int] = (1920, 1080), *, brand: bytes = b"isom") -> bytes:
    """An MP4 file whose description stands at its end."""
    mvhd = box(b"mvhd", struct.pack(">IIIII", 0, 0, 0, 1000, int(seconds * 1000)) + bytes(80))
    tkhd = box(b"tkhd", bytes(76) + struct.pack(">II", size[0] << 16, size[1] << 16))
    sound = box(b"trak", box(b"tkhd", bytes(84)))
    moov = box(b"moov", mvhd + sound + box(b"trak", tkhd))
    return box(b"ftyp", brand + bytes(4) + b"isomiso2") + box(b"mdat", b"frames" * 100) + moov


CAPTIONS = """WEBVTT - Where stops gather

NOTE spoken by Marta

STYLE
::cue { color: lime }

intro
00:01.000 --> 00:04.200 align:start
<v Marta>Everybody puts the stop
where everybody puts it.

00:00:04.500 --> 00:00:09.000
Below the low &amp; above the <b>high</b>.

00:20.000 --> 00:24.000
After a pause.
"""
