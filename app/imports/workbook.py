"""A workbook (.xlsx) as the CSV that `reading` reads: the cells of its first sheet that is not hidden, as they are meant.

Read are the parts of ECMA-376 that hold values: texts, numbers, days and times, true and false, and what formulas came to when the
workbook was saved. Formats, pictures and macros are not looked at. All of it blocks, so it runs beside the event loop.
"""

import csv
import io
import posixpath
import re
import tempfile
import zipfile
import zlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import IO, BinaryIO, cast
from xml.parsers import expat

from app.core.errors import Invalid, TooLarge
from app.core.i18n import _
from app.core.numbers import whole_number
from app.imports.models import LARGEST, MOST_COLUMNS, MOST_ROWS
from app.media import archives

_START = b"PK\x03\x04"
# A part may unpack to so much: an archive of a few kilobytes can hold terabytes of nothing.
_LARGEST_PART = 200 * 1024 * 1024
_CHUNK = 1 << 16
# Formats of days and times that are known by their number (ECMA-376 part 1, 18.8.30), those of East Asia among them.
_MOMENTS = {*range(14, 23), *range(27, 37), *range(45, 48), *range(50, 59)}
# What in a format is no letter of a day or a time: quoted and escaped characters, colours, conditions.
_NO_LETTERS = re.compile(r'"[^"]*"|\\.|_.|\*.|\[(?![hms]+\])[^\]]*\]', re.IGNORECASE)
# Excel's own limit. Of a megabyte of open brackets each would look through all the rest for its end.
_LONGEST_FORMAT = 255
_ESCAPED = re.compile(r"_x([0-9A-Fa-f]{4})_")
_CELL = re.compile(r"([A-Z]{1,3})[0-9]{1,7}")

_Attributes = Mapping[str, str]


@contextmanager
def readable(source: BinaryIO) -> Iterator[BinaryIO]:
    """The file itself, or the CSV of a workbook. Raises Invalid or TooLarge, for `file`, for a workbook that is not one."""
    source.seek(0)
    is_workbook = source.read(len(_START)) == _START
    source.seek(0)
    if not is_workbook:
        yield source
        return
    with tempfile.SpooledTemporaryFile(max_size=4 * 1024 * 1024) as file:
        try:
            if not archives.has_short_list(source):
                raise zipfile.BadZipFile("it lists more files than any workbook has")
            with zipfile.ZipFile(source) as archive:
                _write(archive, cast(IO[bytes], file))
        except (
            zipfile.BadZipFile, zlib.error, expat.ExpatError, LookupError, ValueError, NotImplementedError, RuntimeError,
            OSError, EOFError,
        ) as error:  # fmt: skip
            raise Invalid(_("This workbook cannot be read. Save it again as .xlsx or CSV."), field="file") from error
        file.seek(0)
        yield cast(BinaryIO, file)


def _write(archive: zipfile.ZipFile, file: IO[bytes]) -> None:
    texts = _texts(archive) if "xl/sharedStrings.xml" in archive.namelist() else []
    name, is_from_1904 = _first_sheet(archive)
    day = datetime(1904, 1, 1) if is_from_1904 else datetime(1899, 12, 30)  # noqa: DTZ001  # a cell has no zone
    reader = _Sheet(texts, _moments(archive), day)
    # Half a character, which a cell may hold escaped, becomes a question mark.
    text = io.TextIOWrapper(file, encoding="utf-8-sig", errors="replace", newline="", write_through=True)
    # Excel's own note about the delimiter, which `reading` knows.
    text.write("sep=,\n")
    writer = csv.writer(text)
    written = length = 0

    def row(number: int, cells: list[str]) -> None:
        nonlocal written, length
        if number > MOST_ROWS + 1:
            raise TooLarge(_("The file has more than 100,000 rows. Split it into several."), field="file")
        # Cells share texts: a thousand times a long one is written once in the workbook.
        length += sum(map(len, cells))
        if length > LARGEST:
            raise TooLarge(_("The workbook is too large. Save its sheet as CSV (UTF-8)."), field="file")
        # Empty rows stand too, so that a refusal names the row that a spreadsheet shows.
        writer.writerows([] for _number in range(written + 1, number))
        writer.writerow(cells)
        written = max(written + 1, number)

    reader.row = row
    _parse(archive, name, reader.begin, reader.end, reader.characters)
    text.flush()
    text.detach()


# --- the parts -------------------------------------------------------------------------------------------------------


def _parse(
    archive: zipfile.ZipFile,
    name: str,
    begin: Callable[[str, _Attributes], None],
    end: Callable[[str], None] | None = None,
    characters: Callable[[str], None] | None = None,
) -> None:
    """Walk through a part. Names are told without their namespace, which has several spellings."""
    parser = expat.ParserCreate()
    parser.buffer_text = True
    parser.StartElementHandler = lambda tag, given: begin(tag.rpartition(":")[2], given)
    if end is not None:
        parser.EndElementHandler = lambda tag: end(tag.rpartition(":")[2])
    if characters is not None:
        parser.CharacterDataHandler = characters
    parser.StartDoctypeDeclHandler = _refuse
    size = 0
    with archive.open(name) as part:
        while piece := part.read(_CHUNK):
            size += len(piece)
            if size > _LARGEST_PART:
                raise TooLarge(_("The workbook is too large. Save its sheet as CSV (UTF-8)."), field="file")
            parser.Parse(piece, False)
    parser.Parse(b"", True)


def _refuse(*_told: object) -> None:
    """No workbook declares a document type: what can be declared in one can grow without end."""
    raise Invalid(_("This workbook cannot be read. Save it again as .xlsx or CSV."), field="file")


def _first_sheet(archive: zipfile.ZipFile) -> tuple[str, bool]:
    """The part of the first sheet that is not hidden, and whether days are counted from 1904."""
    sheets: list[str] = []
    is_from_1904 = False

    def book(tag: str, given: _Attributes) -> None:
        nonlocal is_from_1904
        if tag == "workbookPr":
            is_from_1904 = given.get("date1904") in ("1", "true")
        elif tag == "sheet" and given.get("state", "visible") == "visible":
            sheets.extend(value for key, value in given.items() if key.rpartition(":")[2] == "id" and ":" in key)

    _parse(archive, "xl/workbook.xml", book)
    targets: dict[str, str] = {}

    def relation(tag: str, given: _Attributes) -> None:
        if tag == "Relationship":
            targets[given.get("Id", "")] = given.get("Target", "")

    _parse(archive, "xl/_rels/workbook.xml.rels", relation)
    target = targets[sheets[0]] if sheets else "worksheets/sheet1.xml"
    return posixpath.normpath(posixpath.join("/xl", target)).lstrip("/"), is_from_1904


def _texts(archive: zipfile.ZipFile) -> list[str]:
    """The texts that cells share; how they are to be spoken (`rPh`) is left out."""
    found: list[str] = []
    parts: list[str] = []
    inside: list[str] = []

    def begin(tag: str, _given: _Attributes) -> None:
        inside.append(tag)
        if tag == "si":
            parts.clear()

    def end(tag: str) -> None:
        inside.pop()
        if tag == "si":
            found.append(_unescaped("".join(parts)))

    def characters(text: str) -> None:
        if inside[-1] == "t" and "rPh" not in inside:
            parts.append(text)

    _parse(archive, "xl/sharedStrings.xml", begin, end, characters)
    return found


def _moments(archive: zipfile.ZipFile) -> set[int]:
    """The styles of cells that hold a day or a time."""
    if "xl/styles.xml" not in archive.namelist():
        return set()
    formats: dict[int, bool] = {}
    found: set[int] = set()
    inside: list[str] = []
    count = 0

    def begin(tag: str, given: _Attributes) -> None:
        nonlocal count
        if tag == "numFmt":
            letters = _NO_LETTERS.sub("", given.get("formatCode", "")[:_LONGEST_FORMAT]).lower()
            formats[_number(given.get("numFmtId", ""))] = "general" not in letters and bool(set(letters) & set("dmyhs"))
        elif tag == "xf" and inside[-1:] == ["cellXfs"]:
            wanted = _number(given.get("numFmtId", ""))
            if formats.get(wanted, wanted in _MOMENTS):
                found.add(count)
            count += 1
        inside.append(tag)

    def end(_tag: str) -> None:
        inside.pop()

    _parse(archive, "xl/styles.xml", begin, end)
    return found


class _Sheet:
    """Hears a sheet and tells its rows."""

    row: Callable[[int, list[str]], None]

    def __init__(self, texts: list[str], moments: set[int], day: datetime) -> None:
        self._texts, self._moments, self._day = texts, moments, day
        self._number = 0
        self._cells: list[str] = []
        self._place = 0
        self._kind = ""
        self._is_moment = False
        self._words: list[str] = []
        self._is_said = False
        self._is_spoken = False

    def begin(self, tag: str, given: _Attributes) -> None:
        if tag == "row":
            told = _number(given.get("r", ""))
            self._number = told if told > self._number else self._number + 1
            self._cells, self._place = [], -1
        elif tag == "c":
            self._place = _column(given.get("r", ""), self._place + 1)
            self._kind = given.get("t", "n")
            self._is_moment = _number(given.get("s", "")) in self._moments if "s" in given else False
            self._words.clear()
        elif tag in ("v", "t"):
            self._is_said = not self._is_spoken
        elif tag == "rPh":
            self._is_spoken = True

    def characters(self, text: str) -> None:
        if self._is_said:
            self._words.append(text)

    def end(self, tag: str) -> None:
        if tag in ("v", "t"):
            self._is_said = False
        elif tag == "rPh":
            self._is_spoken = False
        elif tag == "c" and self._words and self._place < MOST_COLUMNS * 2:
            self._cells += [""] * (self._place - len(self._cells))
            self._cells.append(self._meant("".join(self._words)))
        elif tag == "row" and any(self._cells):
            self.row(self._number, self._cells)

    def _meant(self, said: str) -> str:
        """A cell as somebody would type it."""
        if self._kind == "s":
            place = _number(said)
            return self._texts[place] if 0 <= place < len(self._texts) else ""
        if self._kind in ("str", "inlineStr"):
            return _unescaped(said)
        if self._kind == "b":
            return "TRUE" if said.strip() == "1" else "FALSE"
        if self._kind == "d":
            return said.strip()
        if self._kind == "e":
            return ""
        return _moment(said, self._day) if self._is_moment else _figure(said)


def _number(text: str) -> int:
    number = whole_number(text)
    return -1 if number is None else number


def _column(reference: str, following: int) -> int:
    """The place of a cell from its name: `AB7` is 27. Cells may go without one: then they follow each other."""
    found = _CELL.fullmatch(reference)
    if found is None:
        return following
    place = 0
    for letter in found[1]:
        place = place * 26 + ord(letter) - 64
    return max(place - 1, following)


def _unescaped(text: str) -> str:
    """Characters that XML does not know are written as `_x0007_`."""
    return _ESCAPED.sub(lambda found: chr(int(found[1], 16)), text)


def _figure(said: str) -> str:
    """A number with the 15 digits that a spreadsheet knows, a whole one without a point."""
    try:
        value = float(said)
    except ValueError:
        return said.strip()
    return str(int(value)) if value.is_integer() and abs(value) < 1e15 else f"{value:.15g}"


def _moment(said: str, day: datetime) -> str:
    """A day, a time or both, from days and their fraction since `day`."""
    try:
        seconds = round(float(said) * 86_400_000) // 1000
        moment = day + timedelta(seconds=seconds)
    except (ValueError, OverflowError):
        return said.strip()
    if 0 <= seconds < 86_400:
        return moment.strftime("%H:%M:%S").removesuffix(":00")
    return moment.strftime("%Y-%m-%d" if not seconds % 86_400 else "%Y-%m-%d %H:%M:%S")
