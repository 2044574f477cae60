"""What a film is, how long and how large, read from its container: WebM and MP4. Nothing is decoded."""

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO, TypeVar

Number = TypeVar("Number", int, float)


# What says more is no film, and its numbers have no room in the database.
_LONGEST_SECONDS, _WIDEST = 1e6, 65_535
# All parts that are looked at, within each other too: a file can be made of millions of empty ones.
_MOST_PARTS = 100_000


@dataclass(frozen=True, slots=True)
class Film:
    """A recognised film. Seconds and pixels are None where the file does not say (a recording cut off, say)."""

    content_type: str
    extension: str
    seconds: float | None
    width: int | None
    height: int | None


def read(source: BinaryIO) -> Film | None:
    """The film that `source` holds, or None when browsers would not play it or its structure is broken."""
    source.seek(0)
    head = source.read(12)
    left = iter(range(_MOST_PARTS))
    try:
        if head[:4] == b"\x1a\x45\xdf\xa3":
            return _webm(source, left)
        if head[4:8] == b"ftyp":
            return _mp4(source, left)
    except (struct.error, IndexError, ValueError, OverflowError):
        return None
    return None


# --- MP4: boxes (ISO/IEC 14496-12) ---

# Major brands of files that browsers play; QuickTime (qt) and still pictures (heic, avif) are not among them.
_BRANDS = frozenset({b"isom", b"iso2", b"iso4", b"iso5", b"iso6", b"mp41", b"mp42", b"avc1", b"M4V ", b"M4VP", b"MSNV",
                     b"dash", b"f4v ", b"mmp4"})  # fmt: skip


def _mp4(source: BinaryIO, left: Iterator[int]) -> Film | None:
    end = source.seek(0, 2)
    seconds = width = height = None
    found = False
    for kind, start, stop in _boxes(source, 0, end, left):
        if kind == b"ftyp":
            source.seek(start)
            if source.read(4) not in _BRANDS:
                return None
        elif kind == b"moov":
            found = True
            for inner, inner_start, inner_stop in _boxes(source, start, stop, left):
                if inner == b"mvhd":
                    seconds = _mvhd_seconds(source, inner_start)
                elif inner == b"trak" and not width:
                    width, height = _track_size(source, inner_start, inner_stop, left)
    return Film("video/mp4", "mp4", seconds, width, height) if found else None


def _boxes(source: BinaryIO, start: int, stop: int, left: Iterator[int]) -> Iterator[tuple[bytes, int, int]]:
    """Name, start and end of what is in each box of a stretch. Raises ValueError for a box that does not fit, or when none is
    `left` to be looked at."""
    while start + 8 <= stop:
        source.seek(start)
        size, kind = struct.unpack(">I4s", source.read(8))
        head = 8
        if size == 1:
            (size,) = struct.unpack(">Q", source.read(8))
            head = 16
        elif size == 0:
            size = stop - start
        if size < head or start + size > stop or next(left, None) is None:
            raise ValueError("a box ends elsewhere than it says")
        yield kind, start + head, start + size
        start += size


def _mvhd_seconds(source: BinaryIO, start: int) -> float | None:
    source.seek(start)
    version = source.read(4)[0]
    if version == 1:
        _created, _modified, scale, length = struct.unpack(">QQIQ", source.read(28))
        unknown = 0xFFFFFFFFFFFFFFFF
    else:
        _created, _modified, scale, length = struct.unpack(">IIII", source.read(16))
        unknown = 0xFFFFFFFF
    return _believed(length / scale, _LONGEST_SECONDS) if scale and length != unknown else None


def _track_size(source: BinaryIO, start: int, stop: int, left: Iterator[int]) -> tuple[int | None, int | None]:
    for kind, _inner, inner_stop in _boxes(source, start, stop, left):
        if kind == b"tkhd":
            source.seek(inner_stop - 8)  # 16.16 fixed point, the last two fields
            width, height = struct.unpack(">II", source.read(8))
            return (width >> 16 or None), (height >> 16 or None)
    return None, None


# --- WebM: elements (RFC 8794, RFC 9559) ---

_EBML, _DOCTYPE, _SEGMENT = 0x1A45DFA3, 0x4282, 0x18538067
_INFO, _SCALE, _DURATION, _CLUSTER = 0x1549A966, 0x2AD7B1, 0x4489, 0x1F43B675
_TRACKS, _ENTRY, _VIDEO, _WIDTH, _HEIGHT = 0x1654AE6B, 0xAE, 0xE0, 0xB0, 0xBA
_SMALL = 8


def _webm(source: BinaryIO, left: Iterator[int]) -> Film | None:
    end = source.seek(0, 2)
    seconds = width = height = None
    is_webm = found = False
    for kind, start, stop in _elements(source, 0, end, left):
        if kind == _EBML:
            for inner, at, to in _elements(source, start, stop, left):
                if inner == _DOCTYPE and to - at < 32:
                    is_webm = _bytes(source, at, to).rstrip(b"\x00") == b"webm"
        elif kind == _SEGMENT:
            for inner, at, to in _elements(source, start, stop, left):
                if inner == _INFO:
                    found = True
                    seconds = _webm_seconds(source, at, to, left)
                elif inner == _TRACKS:
                    width, height = _webm_size(source, at, to, left)
                elif inner == _CLUSTER:  # the film itself; what describes it stands before
                    break
            break
    return Film("video/webm", "webm", seconds, width, height) if is_webm and found else None


def _elements(source: BinaryIO, start: int, stop: int, left: Iterator[int]) -> Iterator[tuple[int, int, int]]:
    """Id, start and end of what is in each element of a stretch. Raises ValueError for one that does not fit, or when none is
    `left` to be looked at."""
    while start < stop:
        source.seek(start)
        kind, id_length = _number(source, keep_marker=True)
        size, size_length = _number(source, keep_marker=False)
        body = start + id_length + size_length
        unknown = size == (1 << 7 * size_length) - 1  # a live recording does not know its length
        to = stop if unknown else body + size
        if next(left, None) is None or (to > stop and kind not in (_SEGMENT, _CLUSTER)):
            raise ValueError("an element ends elsewhere than it says")
        yield kind, body, min(to, stop)
        start = to


def _number(source: BinaryIO, *, keep_marker: bool) -> tuple[int, int]:
    """A number whose first byte says how long it is: value and length in bytes."""
    first = source.read(1)[0]
    length = 9 - first.bit_length()
    if length > _SMALL:
        raise ValueError("not a number")
    rest = source.read(length - 1)
    if len(rest) < length - 1:
        raise ValueError("the file ends inside a number")
    value = first if keep_marker else first & (1 << 8 - length) - 1
    return int.from_bytes(bytes([value]) + rest, "big"), length


def _bytes(source: BinaryIO, start: int, stop: int) -> bytes:
    source.seek(start)
    return source.read(stop - start)


def _webm_seconds(source: BinaryIO, start: int, stop: int, left: Iterator[int]) -> float | None:
    scale, ticks = 1_000_000, 0.0
    for kind, at, to in _elements(source, start, stop, left):
        if kind == _SCALE and to - at <= _SMALL:
            scale = int.from_bytes(_bytes(source, at, to), "big")
        elif kind == _DURATION and to - at in (4, 8):
            (ticks,) = struct.unpack(">f" if to - at == 4 else ">d", _bytes(source, at, to))
    return _believed(ticks * scale / 1e9, _LONGEST_SECONDS)


def _webm_size(source: BinaryIO, start: int, stop: int, left: Iterator[int]) -> tuple[int | None, int | None]:
    for kind, at, to in _elements(source, start, stop, left):
        if kind != _ENTRY:
            continue
        for inner, inner_at, inner_to in _elements(source, at, to, left):
            if inner == _VIDEO:
                sizes = {
                    name: int.from_bytes(_bytes(source, a, b), "big")
                    for name, a, b in _elements(source, inner_at, inner_to, left)
                    if name in (_WIDTH, _HEIGHT) and b - a <= _SMALL
                }
                return _believed(sizes.get(_WIDTH, 0), _WIDEST), _believed(sizes.get(_HEIGHT, 0), _WIDEST)
    return None, None


def _believed(number: Number, most: float) -> Number | None:
    return number if 0 < number <= most else None
