"""A workbook is read as a table: what Excel means by a cell, and what is no workbook at all."""

import io
import struct
import zipfile
from collections.abc import Callable
from datetime import date, datetime, time
from typing import Any

import openpyxl
import pytest

from app.core.errors import Invalid, TooLarge
from app.imports import reading, workbook


def book(*rows: list[Any], change: Callable[[Any], None] = lambda made: None) -> bytes:
    """A workbook with these rows in its first sheet."""
    made = openpyxl.Workbook()
    for row in rows:
        made.active.append(row)
    change(made)
    out = io.BytesIO()
    made.save(out)
    return out.getvalue()


def table(content: bytes) -> list[tuple[int, list[str]]]:
    """The rows below the header, each with its number."""
    with workbook.readable(io.BytesIO(content)) as file:
        sheet = reading.inspect(file)
        return [(each.number, each.cells) for each in reading.records(file, sheet.encoding, sheet.delimiter)][1:]


def test_cells_are_read_as_somebody_would_type_them() -> None:
    rows = [
        ["Text", 'a, b; "c"\nd', "  ", None],
        ["Number", 3, -4.5, 0.1 + 0.2],
        ["Large", 491701234567, 1e15, 12345.678],
        ["Moment", date(2026, 9, 1), datetime(2026, 9, 1, 8, 30, 5), time(7, 5)],  # noqa: DTZ001
        ["Truth", True, False, "=1+1"],
        ["Strange", "日本 🙂", "\t", "_x0041_"],
    ]
    found = {cells[0]: cells[1:] for _number, cells in table(book(["A", "B", "C", "D"], *rows))}
    assert found["Text"][0] == 'a, b; "c"\nd'
    assert found["Number"] == ["3", "-4.5", "0.3"]
    assert found["Large"] == ["491701234567", "1e+15", "12345.678"]
    assert found["Moment"] == ["2026-09-01", "2026-09-01 08:30:05", "07:05"]
    # A formula that was never worked out has no value.
    assert found["Truth"] == ["TRUE", "FALSE"]
    assert found["Strange"][0] == "日本 🙂"


def test_a_format_of_a_million_brackets_is_read_in_one_go() -> None:
    def change(made: Any) -> None:
        made.active["A2"].number_format = "[" * 1_000_000

    assert table(book(["A"], [1], change=change)) == [(2, ["1"])]


def test_rows_keep_their_numbers_and_a_single_column_is_not_cut() -> None:
    assert table(book(["Say; what"], ["a;b"], [None], [None], ["c,d"])) == [(2, ["a;b"]), (5, ["c,d"])]


def test_the_first_sheet_that_is_shown_counts() -> None:
    def change(made: Any) -> None:
        made.active.sheet_state = "hidden"
        made.create_sheet("Shown").append(["Name"])
        made["Shown"].append(["Ann"])

    assert table(book(["Secret"], ["x"], change=change)) == [(2, ["Ann"])]


def test_days_from_1904_and_formats_of_ones_own_are_days() -> None:
    def change(made: Any) -> None:
        made.epoch = openpyxl.utils.datetime.CALENDAR_MAC_1904
        made.active["B2"].number_format = '[$-407]dd". of "mmmm yyyy'
        made.active["C2"].number_format = '0.00" kg of mud"'

    rows = [["Day", "Another", "Weight"], [date(2026, 9, 1), date(2026, 9, 1), 2.5]]
    assert table(book(*rows, change=change)) == [(2, ["2026-09-01", "2026-09-01", "2.5"])]


def test_what_is_no_workbook_goes_through_as_it_is() -> None:
    assert table(b"Name,Age\nAnn,3\n") == [(2, ["Ann", "3"])]


@pytest.mark.parametrize(
    "content",
    [
        b"PK\x03\x04 and so on",
        book(["Name"], ["Ann"])[:400],
        book(["Name"], ["Ann"]).replace(b"PK\x05\x06", b"PK\x05\x00"),
    ],
)
def test_a_broken_workbook_is_refused(content: bytes) -> None:
    with pytest.raises(Invalid, match="cannot be read"):
        table(content)


def _with(name: str, content: bytes) -> bytes:
    """A good workbook in which one part is this."""
    out = io.BytesIO()
    with (
        zipfile.ZipFile(io.BytesIO(book(["Name"], ["Ann"]))) as old,
        zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as new,
    ):
        for info in old.infolist():
            new.writestr(info.filename, content if info.filename == name else old.read(info))
    return out.getvalue()


SHEET = "xl/worksheets/sheet1.xml"


def test_what_unpacks_without_end_or_declares_what_grows_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(workbook, "_LARGEST_PART", 1_000_000)
    with pytest.raises(TooLarge):
        table(_with(SHEET, b"<worksheet>" + b" " * 2_000_000 + b"</worksheet>"))
    with pytest.raises(Invalid):
        table(_with(SHEET, b'<!DOCTYPE x [<!ENTITY a "aaaa">]><worksheet>&a;</worksheet>'))
    far = b'<worksheet><sheetData><row r="999999999"><c r="A1" t="str"><v>x</v></c></row></sheetData></worksheet>'
    with pytest.raises(TooLarge):
        table(_with(SHEET, far))


def test_a_workbook_of_very_many_parts_is_refused_before_they_are_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    content = _with_parts(20_000)
    monkeypatch.setattr(zipfile, "ZipFile", None)
    with pytest.raises(Invalid, match="cannot be read"):
        table(content)


def _with_parts(count: int) -> bytes:
    out = io.BytesIO(book(["Name"], ["Ann"]))
    with zipfile.ZipFile(out, "a") as archive:
        for number in range(count):
            archive.writestr(str(number), "")
    return out.getvalue()


def test_a_workbook_with_a_second_end_for_large_archives_is_read() -> None:
    """Some programs write it whatever the size."""
    content = book(["Name"], ["Ann"])
    at = content.rfind(b"PK\x05\x06")
    _sign, _disk, _start, here, whole, length, offset, _comment = struct.unpack("<4s4H2LH", content[at:])
    end = struct.pack("<4sQ2H2L4Q", b"PK\x06\x06", 44, 45, 45, 0, 0, here, whole, length, offset)
    locator = struct.pack("<4sLQL", b"PK\x06\x07", 0, at, 1)
    assert table(content[:at] + end + locator + content[at:]) == [(2, ["Ann"])]
    with pytest.raises(Invalid, match="cannot be read"):
        table(content[:at] + end + locator.replace(struct.pack("<Q", at), bytes(8)) + content[at:])


def test_a_text_that_is_shared_by_very_many_cells_fills_no_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(workbook, "LARGEST", 1_000_000)
    content = book(["Name"], *(["x" * 30_000] for _row in range(40)))
    assert len(content) < 20_000
    with pytest.raises(TooLarge, match="workbook is too large"), workbook.readable(io.BytesIO(content)):
        pass
    with workbook.readable(io.BytesIO(book(["Name"], *(["x" * 30_000] for _row in range(30))))) as file:
        assert len(file.read()) > 900_000


def test_cells_without_names_follow_each_other_and_names_out_of_order_lose_nothing() -> None:
    sheet = b"""<x:worksheet xmlns:x="http://schemas.openxmlformats.org/spreadsheetml/2006/main"><x:sheetData>
        <x:row><x:c t="inlineStr"><x:is><x:t>One</x:t><x:rPh><x:t>said</x:t></x:rPh></x:is></x:c><x:c t="str"><x:v>Two</x:v></x:c></x:row>
        <x:row r="4"><x:c r="B4"><x:v>7</x:v></x:c><x:c r="A4"><x:v>8</x:v></x:c></x:row></x:sheetData></x:worksheet>"""
    assert table(_with(SHEET, sheet)) == [(4, ["", "7", "8"])]


def test_a_workbook_that_was_damaged_on_its_way_is_refused() -> None:
    content = bytearray(_with(SHEET, b"<worksheet>" + b"<sheetData/>" * 500 + b"</worksheet>"))
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        info = archive.getinfo(SHEET)
    start = info.header_offset + 30 + len(SHEET)
    content[start : start + info.compress_size] = b"\xff" * info.compress_size
    with pytest.raises(Invalid, match="cannot be read"):
        table(bytes(content))
    with pytest.raises(Invalid, match="cannot be read"):
        table(_with(SHEET, b'<?xml version="1.0" encoding="nobodys"?><worksheet/>'))


def test_half_a_character_in_a_cell_does_not_cost_the_others() -> None:
    sheet = b"""<worksheet><sheetData><row><c t="str"><v>Name</v></c></row>
        <row><c t="str"><v>a_xD83D_b</v></c></row></sheetData></worksheet>"""
    assert table(_with(SHEET, sheet)) == [(2, ["a?b"])]
