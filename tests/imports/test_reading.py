import io

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from app.core.errors import Invalid, TooLarge
from app.imports import reading
from app.imports.models import LARGEST, MOST_ROWS
from app.imports.people import COLUMNS

TEXT = "Name,Email\nRené Müller,rené@example.org\nZoë,zoe@example.org\n"


def sheet(content: bytes) -> tuple[str, str, list[str], list[list[str]], int]:
    found = reading.inspect(io.BytesIO(content))
    return found.encoding, found.delimiter, found.header, found.samples, found.row_count


def rows(content: bytes) -> list[list[str]]:
    source = io.BytesIO(content)
    found = reading.inspect(source)
    return [record.cells for record in reading.records(source, found.encoding, found.delimiter)][1:]


def guess(header: str, *samples: str) -> list[str]:
    found = reading.inspect(io.BytesIO("\n".join([header, *samples]).encode()))
    return reading.guessed(found, COLUMNS, "email")


@pytest.mark.parametrize(
    ("encoding", "named"),
    [
        ("utf-8", "utf-8"),
        ("utf-8-sig", "utf-8-sig"),
        ("utf-16", "utf-16"),
        ("utf-16-le", "utf-16-le"),
        ("utf-16-be", "utf-16-be"),
        ("windows-1252", "windows-1252"),
    ],
)
def test_each_encoding_that_spreadsheets_write_is_recognised(encoding: str, named: str) -> None:
    found = sheet(TEXT.encode(encoding))
    assert found == (
        named,
        ",",
        ["Name", "Email"],
        [["René Müller", "rené@example.org"], ["Zoë", "zoe@example.org"]],
        2,
    )


def test_utf_8_with_one_broken_character_stays_utf_8() -> None:
    content = "Email,Name\nann@example.org,Zoë Müller\nbob@example.org,B".encode() + b"\xe9b\n"
    assert sheet(content)[0] == "utf-8"
    assert rows(content)[1] == ["bob@example.org", "B\ufffdb"]


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_the_delimiter_is_what_cuts_the_rows_alike(delimiter: str) -> None:
    text = f'Name{delimiter}Email\n"Archer, Ann; of\tYork"{delimiter}ann@example.org\nBob{delimiter}bob@example.org\n'
    assert sheet(text.encode())[1] == delimiter
    assert rows(text.encode())[0] == ["Archer, Ann; of\tYork", "ann@example.org"]


def test_a_single_column_needs_no_delimiter() -> None:
    assert sheet(b"Email\nann@example.org\n")[2:] == (["Email"], [["ann@example.org"]], 1)


def test_excels_note_about_the_delimiter_is_no_row() -> None:
    assert sheet(b"sep=;\r\nEmail;Name\r\nann@example.org;Ann\r\n")[1:] == (
        ";",
        ["Email", "Name"],
        [["ann@example.org", "Ann"]],
        1,
    )


def test_a_quoted_line_break_belongs_to_its_cell_and_rows_count_as_a_spreadsheet_counts() -> None:
    content = b'Email,Name\r\nann@example.org,"Ann\r\nArcher"\r\n,\r\n\r\nbob@example.org,Bob\r\n'
    source = io.BytesIO(content)
    found = list(reading.records(source, "utf-8", ","))
    assert [(record.number, record.cells) for record in found] == [
        (1, ["Email", "Name"]),
        (2, ["ann@example.org", "Ann\r\nArcher"]),
        (5, ["bob@example.org", "Bob"]),
    ]


def test_titles_are_told_apart_and_empty_ones_named() -> None:
    assert sheet(b"Email,,Email,Name,,\na@example.org,x,y,z\n")[2] == ["Email", "Column 2", "Email (2)", "Name"]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "empty"),
        (b"\xef\xbb\xbf", "empty"),
        (b"Email,Name\n", "no row"),
        (b"ann@example.org,Ann\nbob@example.org,Bob\n", "holds an address"),
        (b"PK\x03\x04 and so on", "workbook"),
        (b"\x89PNG\r\n\x1a\n" + b"\0\1\2\3\0\0\1" * 40, "not a text file|no row|workbook"),
        (b"Email\n" + b"a@example.org\n" * (MOST_ROWS + 1), "100,000"),
        (b'Email,Name\na@example.org,"Ann\n' + b"b@example.org,Bob\n" * 9000, "never closed"),
        (",".join(f"c{n}" for n in range(101)).encode() + b"\nx\n", "100 columns"),
    ],
)
def test_what_cannot_be_imported_is_refused_in_words(content: bytes, said: str) -> None:
    with pytest.raises(Invalid, match=said) as refusal:
        reading.inspect(io.BytesIO(content))
    assert refusal.value.field == "file"


def test_a_file_that_is_too_large_is_refused_before_it_is_read() -> None:
    with pytest.raises(TooLarge):
        reading.inspect(io.BytesIO(b"x" * (LARGEST + 1)))


def test_a_hundred_thousand_rows_are_taken() -> None:
    assert sheet(b"Email\n" + b"a@example.org\n" * MOST_ROWS)[4] == MOST_ROWS


@pytest.mark.parametrize(
    ("header", "meanings"),
    [
        ("Name,E-Mail", ["name", "email"]),
        ("Vorname;Nachname;E-Mail-Adresse", ["first_name", "last_name", "email"]),
        ("Prénom,Nom,Courriel", ["first_name", "last_name", "email"]),
        ("Nombre;Apellidos;Correo electrónico", ["first_name", "last_name", "email"]),
        ("NOME,COGNOME,INDIRIZZO_EMAIL", ["first_name", "last_name", "email"]),
        ("Voornaam,Achternaam,E-mailadres", ["first_name", "last_name", "email"]),
        ("Imię,Nazwisko,Adres e-mail", ["first_name", "last_name", "email"]),
        ("氏名,メールアドレス", ["name", "email"]),
        ("First;Last;Mail;City", ["first_name", "last_name", "email", ""]),
        ("Email,Email,Plan", ["email", "", ""]),
    ],
)
def test_columns_are_guessed_by_their_titles_in_several_languages(header: str, meanings: list[str]) -> None:
    assert guess(header, ",".join("x" for _ in meanings)) == meanings


def test_a_column_of_addresses_is_the_addresses_whatever_its_title() -> None:
    assert guess("Who,Contact", "Ann,ann@example.org", "Bob,bob@example.org") == ["", "email"]


@settings(suppress_health_check=[HealthCheck.too_slow])
@given(
    st.lists(
        st.lists(
            st.text(st.characters(codec="utf-8", exclude_characters="\x00\ufffd"), max_size=30), min_size=2, max_size=4
        ),
        min_size=1,
        max_size=5,
    ),
    st.sampled_from(["utf-8-sig", "utf-16"]),
)
def test_what_python_writes_is_read_back(table: list[list[str]], encoding: str) -> None:
    import csv

    table = [["Email" if not n else f"c{n}" for n in range(4)], *[["x", *row][:4] for row in table]]
    text = io.StringIO(newline="")
    csv.writer(text).writerows(table)
    source = io.BytesIO(text.getvalue().encode(encoding))
    found = [record.cells for record in reading.records(source, encoding, ",")]
    assert found == table
