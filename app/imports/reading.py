"""Reading what spreadsheets write: whose characters, which delimiter, which columns, one row after the other.

Nothing here holds a whole file in memory. All of it blocks, so it runs beside the event loop but for short pieces.
"""

import codecs
import csv
import io
import unicodedata
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import islice
from typing import BinaryIO

from app.core.errors import Invalid, TooLarge
from app.core.i18n import _
from app.imports.models import LARGEST, MOST_COLUMNS, MOST_ROWS, Column, Record, Sheet

_HEAD = 64 * 1024
_DELIMITERS = (",", ";", "\t")
# What Python cannot read becomes this.
UNREADABLE = "\ufffd"


def inspect(source: BinaryIO) -> Sheet:
    """What the file is. Raises Invalid or TooLarge, for the field `file`, when it is nothing that can be imported."""
    source.seek(0, io.SEEK_END)
    if source.tell() > LARGEST:
        raise TooLarge(_("The file has more than %(limit)s MB.", limit=LARGEST // 1024 // 1024), field="file")
    encoding = encoding_of(source)
    with _text(source, encoding) as text:
        delimiter = _delimiter_of(text.read(_HEAD))
    found = records(source, encoding, delimiter)
    try:
        header = next(found, None)
        if header is None:
            raise Invalid(_("The file is empty."), field="file")
        titles = _titles(header.cells)
        first = list(islice(found, 3))
        count = len(first)
        for _record in found:
            count += 1
            if count > MOST_ROWS:
                raise Invalid(_("The file has more than 100,000 rows. Split it into several."), field="file")
    except csv.Error as error:
        raise Invalid(
            _("A quotation mark in the file is never closed, so its rows cannot be told apart."), field="file"
        ) from error
    if not count:
        raise Invalid(_("There is no row below the names of the columns."), field="file")
    width = len(titles)
    samples = [[cell[:200] for cell in padded(record.cells, width)[:width]] for record in first]
    return Sheet(encoding, delimiter, titles, samples, count)


def _titles(cells: Sequence[str]) -> list[str]:
    """The names of the columns, each once. Raises Invalid for what cannot be a header."""
    titles = [cell.strip()[:100] for cell in cells]
    while titles and not titles[-1]:
        titles.pop()
    if any("@" in title for title in titles):
        raise Invalid(_("The first row has to name the columns, and it holds an address."), field="file")
    if len(titles) > MOST_COLUMNS:
        raise Invalid(_("The file has more than 100 columns."), field="file")
    found: list[str] = []
    for number, title in enumerate(titles, 1):
        name = title or _("Column %(number)s", number=number)
        again = 1
        while name in found:
            again += 1
            name = f"{title} ({again})"
        found.append(name)
    return found


def encoding_of(source: BinaryIO) -> str:
    """Python's name of the encoding. Raises Invalid for what is no text."""
    source.seek(0)
    head = source.read(_HEAD)
    if head.startswith((b"PK\x03\x04", b"\xd0\xcf\x11\xe0")):
        raise Invalid(
            _(
                "This is a workbook of an older kind. In your spreadsheet, save it as .xlsx or CSV (UTF-8) and bring that."
            ),
            field="file",
        )
    if head.startswith(codecs.BOM_UTF8):
        return "utf-8-sig"
    if head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return "utf-16"
    half = len(head) // 2
    if half and head[1::2].count(0) > half * 0.4:
        return "utf-16-le"
    if half and head[0::2].count(0) > half * 0.4:
        return "utf-16-be"
    if head.count(0) > len(head) // 20:
        raise Invalid(_("This is not a text file. Save your list as CSV (UTF-8)."), field="file")
    return "utf-8" if _is_utf8(source) else "windows-1252"


def _is_utf8(source: BinaryIO) -> bool:
    """Whether it is UTF-8, be it with a broken character here and there."""
    source.seek(0)
    decoder = codecs.getincrementaldecoder("utf-8")("replace")
    good = broken = 0
    while True:
        piece = source.read(_HEAD)
        text = decoder.decode(piece, final=not piece)
        if not text.isascii():
            bad = text.count(UNREADABLE)
            broken += bad
            good += len(text) - len(text.encode("ascii", "ignore")) - bad
        if not piece:
            return good > broken or not broken


def _delimiter_of(head: str) -> str:
    """What stands between the cells: what cuts the first rows into the most columns, each row into as many."""
    if head[:4].lower() == "sep=" and head[4:5]:
        return head[4]

    def fitness(delimiter: str) -> tuple[int, int]:
        try:
            rows = [row for row in islice(csv.reader(io.StringIO(head, newline=""), delimiter=delimiter), 20) if row]
        except csv.Error:
            return (0, 0)
        width = len(rows[0]) if rows else 0
        return (sum(len(row) == width for row in rows) if width > 1 else 0, width)

    return max(_DELIMITERS, key=fitness)


@contextmanager
def _text(source: BinaryIO, encoding: str) -> Iterator[io.TextIOWrapper]:
    """The file as text from its beginning; closing it stays the caller's."""
    source.seek(0)
    wrapper = io.TextIOWrapper(source, encoding=encoding, errors="replace", newline="")
    try:
        yield wrapper
    finally:
        if not source.closed:  # whoever stopped half-way may have closed the file before this ends
            wrapper.detach()


def records(source: BinaryIO, encoding: str, delimiter: str) -> Iterator[Record]:
    """The rows that hold something, the header first; NUL, which nothing here can store, counts as unreadable.

    Raises csv.Error when a cell has no end.
    """
    with _text(source, encoding) as text:
        number = 0
        for cells in csv.reader(text, delimiter=delimiter):
            if not number and len(cells) <= 2 and cells and cells[0].lower().startswith("sep="):
                continue  # Excel's note about the delimiter
            number += 1
            if any(cell.strip() for cell in cells):
                yield Record(number, [cell.replace("\x00", UNREADABLE) for cell in cells])


def padded(cells: list[str], width: int) -> list[str]:
    """The cells of a row with empty ones where the row was short."""
    return cells + [""] * (width - len(cells))


def plain(title: str) -> str:
    """A header as it is compared: `E-Mail-Adresse` is `emailadresse`, `Prénom` is `prenom`."""
    decomposed = unicodedata.normalize("NFKD", title.casefold())
    return "".join(character for character in decomposed if character.isalnum())


def guessed(sheet: Sheet, columns: Sequence[Column], required: str) -> list[str]:
    """Which column is what, by its header; the one that is required also by what stands in it."""
    found = [""] * len(sheet.header)
    meanings = {word: column.key for column in columns for word in column.words}
    for place, title in enumerate(sheet.header):
        meaning = meanings.get(plain(title), "")
        if meaning not in found:
            found[place] = meaning
    if required not in found:
        for place in range(len(sheet.header)):
            values = [row[place] for row in sheet.samples if place < len(row)]
            if not found[place] and values and all("@" in value for value in values):
                found[place] = required
                break
    return found
