"""What a file that came with a form really is, by its content; never by its name or by what the browser says."""

import struct
import zipfile
from dataclasses import dataclass
from typing import BinaryIO

from app.media import archives, films, images


@dataclass(frozen=True, slots=True)
class FileType:
    """`group` is one of fields/attached.py's types."""

    group: str
    content_type: str
    extension: str


_OFFICE = "application/vnd.openxmlformats-officedocument"
_OASIS = "application/vnd.oasis.opendocument"
# A folder that the archive has: what the whole is (ECMA-376, part 1).
_FOLDERS = {
    "word/": FileType("document", f"{_OFFICE}.wordprocessingml.document", "docx"),
    "ppt/": FileType("document", f"{_OFFICE}.presentationml.presentation", "pptx"),
    "xl/": FileType("sheet", f"{_OFFICE}.spreadsheetml.sheet", "xlsx"),
}
# What the first file of an OpenDocument archive says (OpenDocument 1.3, part 2, 3.3).
_NAMED = {
    f"{_OASIS}.text": FileType("document", f"{_OASIS}.text", "odt"),
    f"{_OASIS}.presentation": FileType("document", f"{_OASIS}.presentation", "odp"),
    f"{_OASIS}.spreadsheet": FileType("sheet", f"{_OASIS}.spreadsheet", "ods"),
}
_PLAIN = {"csv": "sheet", "tsv": "sheet", "md": "document", "txt": "document"}
_SNIFFED = 65_536


def recognise(source: BinaryIO, file_name: str) -> FileType | None:
    """What a file is; None for what nobody should be sent. Call it in a thread: it reads."""
    picture = images.read(source)
    if picture is not None:
        return FileType("image", picture.content_type, picture.extension)
    film = films.read(source)
    if film is not None:
        return FileType("video", film.content_type, film.extension)
    source.seek(0)
    head = source.read(_SNIFFED)
    if head.startswith(b"%PDF-"):
        return FileType("pdf", "application/pdf", "pdf")
    if head.startswith(b"{\\rtf"):
        return FileType("document", "application/rtf", "rtf")
    if head.startswith(b"PK\x03\x04"):
        return _archive(source)
    return _sound(head) or _text(head, file_name)


def _archive(source: BinaryIO) -> FileType | None:
    """Told by the list of its files; nothing is unpacked but the few bytes that name an OpenDocument."""
    if not archives.has_short_list(source):
        return None
    source.seek(0)
    try:
        with zipfile.ZipFile(source) as archive:
            infos = archive.infolist()
            # It is never packed (OpenDocument 1.3, part 2, 3.3): a packed one could unfold to gigabytes, whatever it says.
            if infos and infos[0].filename == "mimetype" and infos[0].compress_type == zipfile.ZIP_STORED:
                with archive.open(infos[0]) as first:
                    named = first.read(100).decode("ascii", "ignore").strip()
                return _NAMED.get(named) or FileType("archive", "application/zip", "zip")
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError, OSError, ValueError, EOFError, struct.error):
        return None
    names = [info.filename for info in infos]
    # Macros run where they are opened.
    if any(name.endswith("vbaProject.bin") for name in names):
        return None
    for folder, found in _FOLDERS.items():
        if "[Content_Types].xml" in names and any(name.startswith(folder) for name in names):
            return found
    return FileType("archive", "application/zip", "zip")


def _sound(head: bytes) -> FileType | None:
    if head.startswith(b"ID3") or (len(head) > 2 and head[0] == 0xFF and head[1] & 0xE6 == 0xE2):
        return FileType("audio", "audio/mpeg", "mp3")
    if head[:4] == b"RIFF" and head[8:12] == b"WAVE":
        return FileType("audio", "audio/wav", "wav")
    if head.startswith(b"OggS"):
        return FileType("audio", "audio/ogg", "ogg")
    if head.startswith(b"fLaC"):
        return FileType("audio", "audio/flac", "flac")
    if head[4:12] in (b"ftypM4A ", b"ftypM4B "):
        return FileType("audio", "audio/mp4", "m4a")
    return None


def _text(head: bytes, file_name: str) -> FileType | None:
    """Text is what reads as UTF-8 without control characters; which one only its name can tell."""
    try:
        text = head.decode("utf-8")
    except UnicodeDecodeError as error:
        # The last character may be cut in two.
        if error.start < len(head) - 4 or len(head) < _SNIFFED:
            return None
        text = head[: error.start].decode("utf-8")
    if any(character < " " and character not in "\t\n\r\f" for character in text):
        return None
    extension = file_name.rpartition(".")[2].lower()
    extension = extension if extension in _PLAIN else "txt"
    return FileType(_PLAIN[extension], "text/plain; charset=utf-8", extension)
