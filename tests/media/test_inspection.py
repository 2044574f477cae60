import hashlib
import io
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.core.errors import Invalid, TooLarge
from app.media import films, images, inspection
from app.media.inspection import clean_name, inspect
from tests.media import files


def look(content: bytes, kind: str, name: str = "name.bin") -> inspection.Inspected:
    return inspect(io.BytesIO(content), name, kind)


@pytest.mark.parametrize(
    ("form", "content_type", "options"),
    [
        ("PNG", "image/png", {}),
        ("JPEG", "image/jpeg", {}),
        ("JPEG", "image/jpeg", {"progressive": True, "comment": b"x" * 3000}),
        ("GIF", "image/gif", {}),
        ("WEBP", "image/webp", {}),
        ("WEBP", "image/webp", {"lossless": True}),
        ("WEBP", "image/webp", {"exif": b"Exif\x00\x00MM\x00*\x00\x00\x00\x08\x00\x00\x00\x00\x00\x00"}),
    ],
)
def test_pictures_are_known_by_their_content(form: str, content_type: str, options: dict[str, object]) -> None:
    found = look(files.picture(form, (321, 123), **options), "image", "lies.txt")
    assert (found.content_type, found.width, found.height) == (content_type, 321, 123)
    assert found.file_name.startswith("lies.")
    assert not found.file_name.endswith(".txt")


def test_films_say_how_long_and_large_they_are() -> None:
    found = look(files.webm(75.4), "video")
    assert (found.content_type, found.duration_seconds, found.width, found.height) == ("video/webm", 75, 1280, 720)
    found = look(files.mp4(62.0), "video")
    assert (found.content_type, found.duration_seconds, found.width, found.height) == ("video/mp4", 62, 1920, 1080)


def test_a_film_is_never_shorter_than_a_second() -> None:
    assert look(files.webm(0.2), "video").duration_seconds == 1


@pytest.mark.parametrize(
    ("content", "kind"),
    [(files.picture("JPEG"), "image"), (files.webm(), "video"), (files.CAPTIONS.encode(), "captions")],
)
def test_the_checksum_is_of_the_whole_file_wherever_its_reader_stopped(content: bytes, kind: str) -> None:
    assert look(content, kind).checksum == hashlib.sha256(content).hexdigest()


def test_an_empty_file_is_called_so() -> None:
    for kind in inspection.LIMITS:
        with pytest.raises(Invalid, match="is empty"):
            look(b"", kind)


def test_a_recording_without_a_length_is_kept_without_one() -> None:
    assert look(files.webm(None), "video").duration_seconds is None


def test_a_film_that_says_what_cannot_be_is_kept_without_it() -> None:
    """The database holds whole numbers of four bytes, and a file says what it likes in eight."""
    ages = files.box(b"mvhd", struct.pack(">IIIII", 0, 0, 0, 1, 0xFFFFFFFE) + bytes(80))
    found = look(files.box(b"ftyp", b"isom" + bytes(4)) + files.box(b"moov", ages), "video")
    assert found.duration_seconds is None
    wide = files.element(0xB0, b"\x7f" + bytes(7)) + files.element(0xBA, b"\x02\xd0")
    tracks = files.element(0x1654AE6B, files.element(0xAE, files.element(0xE0, wide)))
    head = files.element(0x1A45DFA3, files.element(0x4282, b"webm"))
    found = look(head + files.element(0x18538067, files.element(0x1549A966, b"") + tracks), "video")
    assert (found.width, found.height) == (None, 720)


SVG = b'<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>'


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        (SVG, "image"),
        (b"<html><script>alert(1)</script>", "image"),
        (b"\x89PNG\r\n\x1a\n" + b"<script>alert(1)</script>", "image"),
        (b"\xff\xd8\xff" + b"<script>alert(1)</script>", "image"),
        (b"GIF89a", "image"),
        (files.picture("BMP"), "image"),
        (files.webm(), "image"),
        (files.picture("PNG"), "video"),
        (files.webm(doctype=b"matroska"), "video"),
        (b"RIFF\x0c\x00\x00\x00WEBPVP8L", "image"),  # its head ends before its first byte
        (files.webm()[:60], "video"),
        (files.mp4(brand=b"qt  "), "video"),
        (files.mp4(brand=b"avif"), "video"),
        (files.mp4()[:-40], "video"),
        (b"\x1a\x45\xdf\xa3" + b"\xff" * 50, "video"),
        (files.webm(doctype=b"webm" + bytes(40)), "video"),  # it could be the whole file, and is held in memory
        (files.picture("PNG")[:16] + bytes(4) + files.picture("PNG")[20:], "image"),  # no pixel wide
        (b"\xff\xd8\xff\xda\x00\x02\xff\xc0\x00\x0b\x08\x00\x10\x00\x10\x01", "image"),  # after its pixels have begun
        (files.CAPTIONS.encode(), "image"),
        (b"1\n00:00:01,000 --> 00:00:02,000\nSubRip\n", "captions"),
        (b"WEBVTT\n\n\xff\xfe", "captions"),
        (b"WEBVTT\n", "captions"),
        (b"", "image"),
    ],
)
def test_what_is_not_what_it_should_be_is_refused(content: bytes, kind: str) -> None:
    with pytest.raises(Invalid) as refusal:
        look(content, kind, "cover.png")
    assert refusal.value.field == "file"
    assert refusal.value.message


def test_a_file_that_is_two_things_at_once_is_only_ever_the_one_we_checked() -> None:
    """A picture with a page in its tail, named as a page: it keeps the ending and the type of the picture."""
    found = look(files.picture("GIF") + b"<script>alert(1)</script>", "image", "page.html")
    assert (found.file_name, found.content_type) == ("page.gif", "image/gif")


def test_a_picture_of_too_many_pixels_is_refused_however_small_its_file() -> None:
    head = files.picture("PNG")
    bomb = head[:16] + (60_000).to_bytes(4, "big") * 2 + head[24:]
    with pytest.raises(Invalid, match="pixels"):
        look(bomb, "image")


class Counting(io.BytesIO):
    """Counts how often it is read."""

    reads = 0

    def read(self, size: int | None = -1) -> bytes:
        self.reads += 1
        return super().read(size)


def _of_empty_tracks() -> bytes:
    entry = files.element(0xAE, b"\xec\x80" * 90_000)
    head = files.element(0x1A45DFA3, files.element(0x4282, b"webm"))
    return head + files.element(0x18538067, files.element(0x1549A966, b"") + files.element(0x1654AE6B, entry * 20))


def _of_empty_boxes() -> bytes:
    track = files.box(b"trak", files.box(b"free", b"") * 90_000)
    return files.box(b"ftyp", b"isom" + bytes(4)) + files.box(b"moov", track * 20)


@pytest.mark.parametrize("content", [_of_empty_tracks(), _of_empty_boxes(), b"\xff\xd8" + b"\xff" * 1_000_000])
def test_a_file_of_millions_of_parts_is_not_looked_through(content: bytes) -> None:
    source = Counting(content)
    assert images.read(source) is None
    assert films.read(source) is None
    assert source.reads < 500_000


def test_what_stands_before_the_frame_is_not_taken_for_it() -> None:
    content = files.picture("JPEG", (321, 123))
    found = look(content[:2] + b"\xff\xc4\x00\x07\x08\x75\x30\x75\x30" + content[2:], "image")
    assert (found.width, found.height) == (321, 123)


def test_a_film_whose_length_is_told_in_too_many_bytes_is_kept_without_it() -> None:
    head = files.element(0x1A45DFA3, files.element(0x4282, b"webm"))
    for info in (
        files.element(0x4489, b"\x00\x00\x01"),
        files.element(0x2AD7B1, b"\x01" + bytes(200)) + files.element(0x4489, bytes(8)),
    ):
        found = look(head + files.element(0x18538067, files.element(0x1549A966, info)), "video")
        assert found.duration_seconds is None


HEAD = files.element(0x1A45DFA3, files.element(0x4282, b"webm"))
INFO = files.element(0x1549A966, b"")
TYPE = files.box(b"ftyp", b"isom" + bytes(4))


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        (TYPE + files.box(b"moov", b"") + files.box(b"mdat", bytes(100))[:-40], "video"),  # cut off among its frames
        (TYPE + files.box(b"mdat", bytes(100)), "video"),  # nothing says what its frames are
        (HEAD + files.element(0x18538067, b""), "video"),
        (HEAD + files.element(0x18538067, INFO + b"\xec\x40\xff"), "video"),
        (files.picture("PNG").replace(b"IHDR", b"CgBI"), "image"),
        (files.picture("WEBP").replace(b"WEBP", b"WEBM"), "image"),
        (files.picture("WEBP").replace(b"\x9d\x01\x2a", b"\x9d\x01\x2b"), "image"),
    ],
)
def test_what_browsers_would_not_show_is_refused(content: bytes, kind: str) -> None:
    with pytest.raises(Invalid):
        look(content, kind)


def test_a_recording_is_kept_as_far_as_it_came() -> None:
    """A browser that records knows no length, and may be closed."""
    cluster = files.element(0x1F43B675, b"frame" * 20)
    live = HEAD + b"\x18\x53\x80\x67\x01" + b"\xff" * 7 + INFO + cluster + b"\x00" * 9
    assert look(live, "video").content_type == "video/webm"


def test_a_length_that_nobody_knows_is_none() -> None:
    ages = files.box(b"mvhd", struct.pack(">IIIII", 0, 0, 0, 1_000_000, 0xFFFFFFFF) + bytes(80))
    assert look(TYPE + files.box(b"moov", ages), "video").duration_seconds is None


def test_a_width_in_too_many_bytes_is_none() -> None:
    size = files.element(0xB0, bytes(7) + b"\x05\x00") + files.element(0xBA, b"\x02\xd0")
    tracks = files.element(0x1654AE6B, files.element(0xAE, files.element(0xE0, size)))
    found = look(HEAD + files.element(0x18538067, INFO + tracks), "video")
    assert (found.width, found.height) == (None, 720)


def test_a_marker_without_a_segment_is_passed_over() -> None:
    content = files.picture("JPEG", (321, 123))
    assert look(content[:2] + b"\xff\x01" + content[2:], "image").width == 321


def test_fill_bytes_stand_before_any_segment() -> None:
    content = files.picture("JPEG", (321, 123))
    found = look(content[:2] + b"\xff" * 100 + content[2:], "image")
    assert (found.width, found.height) == (321, 123)


def test_size_limits_are_by_kind(monkeypatch: pytest.MonkeyPatch) -> None:
    content = files.picture("PNG")
    monkeypatch.setitem(inspection.LIMITS, "image", len(content))
    assert look(content, "image").size_bytes == len(content)
    monkeypatch.setitem(inspection.LIMITS, "image", len(content) - 1)
    with pytest.raises(TooLarge):
        look(content, "image")


@pytest.mark.parametrize(
    ("given_name", "kept"),
    [
        ("../../etc/passwd", "passwd.png"),
        ("..\\..\\x.exe", "x.png"),
        ("über mich (1).PNG", "über-mich-1.png"),
        ("a\x00b\r\nX: y.png", "a-b-X-y.png"),
        ("u\u0308ber.png", "\u00fcber.png"),
        ("a\udc80b.png", "ab.png"),
        ("", "file.png"),
        ("...", "file.png"),
        ("x" * 300, "x" * 80 + ".png"),
        ("shell.php.png", "shell.php.png"),
    ],
)
def test_names_lose_what_could_do_harm(given_name: str, kept: str) -> None:
    assert clean_name(given_name, "png") == kept


@given(st.text(), st.sampled_from(["png", "webm"]))
def test_any_name_becomes_one_safe_part_of_a_path(name: str, extension: str) -> None:
    kept = clean_name(name, extension)
    assert kept.endswith(f".{extension}")
    assert not set(kept) & set('/\\"\x00\r\n?#%<> ')
    assert not kept.startswith(".")
    assert len(kept) <= 90


@given(st.binary(max_size=200), st.sampled_from(["PNG", "JPEG", "GIF", "WEBP"]), st.integers(0, 60))
def test_no_garbage_breaks_the_readers(garbage: bytes, form: str, kept: int) -> None:
    for head in (files.picture(form), files.webm(), files.mp4()):
        source = io.BytesIO(head[:kept] + garbage)
        images.read(source)
        films.read(source)
