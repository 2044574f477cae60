"""Entries as files: nothing is left out, nothing runs, and it costs the same memory however many there are."""

import csv
import io
import json
import os
from pathlib import Path
from typing import Any

import openpyxl
import pytest

from app import Lectern
from app.core import db
from app.core.errors import Unavailable
from app.formbuilder import entries
from app.formbuilder.definition import definitions, editing, versions
from app.formbuilder.inbox import exports, table
from app.formbuilder.models import Form
from tests.cast import Cast, Person
from tests.formbuilder.entering import a_form, sent
from tests.formbuilder.test_inbox import many

pytestmark = pytest.mark.usefixtures("app")


async def file_of(person: Person, form: Form, kind: str) -> bytes:
    answer = await person.browser.get(f"/admin/forms/{form.public_id}/entries/file?format={kind}")
    assert answer.status_code == 200
    content: bytes = await answer.get_data()
    return content


def lines_of(content: bytes, kind: str) -> list[list[Any]]:
    """The cells of a file as text."""
    if kind == "csv":
        return list(csv.reader(io.StringIO(content.decode("utf-8-sig"))))
    sheet = openpyxl.load_workbook(io.BytesIO(content)).active
    assert sheet is not None
    assert all(cell.data_type != "f" for row in sheet.iter_rows() for cell in row)
    return [["" if cell is None else str(cell) for cell in row] for row in sheet.iter_rows(values_only=True)]


@pytest.mark.parametrize("kind", ["csv", "xlsx"])
async def test_a_file_has_the_questions_of_every_version_and_what_was_written_beside(cast: Cast, kind: str) -> None:
    olga = await cast.olga()
    form, definition = await a_form()
    await sent(form, definition, q1="Ann", q3="__other__", q3_other="A poster on the wall", q4="41")
    removed = editing.added(editing.removed(definition, "q4"), "short_text")
    await versions.edit(form.id, lambda _now: removed, words="Changed", by=olga)
    form = await versions.publish(form.id)
    fields = definitions.read(form.definition).fields
    await sent(form, definitions.read(form.definition), q1="Ben", **{fields[-1].id: "New"})
    await entries.move(await sent(form, removed, q1="Spam"), "spam", removed)
    head, first, second = lines_of(await file_of(olga, form, kind), kind)
    assert head[:6] == ["Came", "Your name", "Email", "How did you find us?", "Short text", "Age"]
    assert first[1:6] == ["Ann", "ann@example.org", "A poster on the wall", "", "41"]
    assert second[1:6] == ["Ben", "ann@example.org", "A friend", "New", ""]
    assert await db.value("SELECT after ->> 'format' FROM audit_log WHERE action = 'form_entries.export'") == kind


async def test_json_keeps_each_answer_as_it_is(cast: Cast) -> None:
    olga = await cast.olga()
    form, definition = await a_form()
    entry = await sent(form, definition, q3="__other__", q3_other="A poster", q4="4.5")
    found = json.loads(await file_of(olga, form, "json"))
    assert found["questions"]["q3"]["question"] == "How did you find us?"
    [only] = found["entries"]
    assert only["answers"] == {"q1": "Ann Hart", "q2": "ann@example.org", "q3": {"other": "A poster"}, "q4": 4.5}
    assert only["entry"] == entry.public_id


@pytest.mark.parametrize(
    "evil", ["=1+1", "+1", "-1", "@SUM(1)", "\t=1", '=HYPERLINK("http://x")', "http://example.org"]
)
async def test_no_answer_runs_in_a_spreadsheet(cast: Cast, evil: str) -> None:
    olga = await cast.olga()
    form, definition = await a_form([{"id": "q1", "kind": "long_text", "label": "=cmd"}])
    await sent(form, definition, q1=evil)
    await db.run("UPDATE form_entries SET answers = jsonb_build_object('q1', CAST(:evil AS text))", evil=evil)
    in_csv = lines_of(await file_of(olga, form, "csv"), "csv")
    assert in_csv[0][1] == "'=cmd"
    assert in_csv[1][1] == (evil if evil.startswith("http") else f"'{evil}")
    assert lines_of(await file_of(olga, form, "xlsx"), "xlsx")[1][1] == evil


async def test_an_answer_that_does_not_fit_what_is_asked_now_is_still_in_the_file(cast: Cast) -> None:
    olga = await cast.olga()
    form, definition = await a_form()
    await sent(form, definition)
    await db.run('UPDATE form_entries SET answers = \'{"q3": ["a list"]}\'')
    assert "a list" in lines_of(await file_of(olga, form, "csv"), "csv")[1][3]


async def test_only_who_may_export_gets_a_file(cast: Cast) -> None:
    await cast.olga()
    sam = await cast.person("Sam Sorg", "sam@example.org", role="support")
    form, definition = await a_form()
    await sent(form, definition)
    for path in ("entries/file?format=csv", "entries?format=csv"):
        assert (await sam.browser.get(f"/admin/forms/{form.public_id}/{path}")).status_code == 403


async def test_files_of_an_unknown_kind_are_not_found(cast: Cast) -> None:
    olga = await cast.olga()
    form, _definition = await a_form()
    answer = await olga.browser.get(f"/admin/forms/{form.public_id}/entries/file?format=exe")
    assert answer.status_code == 404


@pytest.mark.parametrize("kind", ["csv", "json", "xlsx"])
async def test_thirty_thousand_entries_take_no_more_memory_than_a_few(app: Lectern, kind: str) -> None:
    form, _definition = await a_form()
    await many(form)
    found = await table.asked(form.public_id)

    async def size() -> int:
        async with app.app_context():
            _name, parts = await exports.begin(found, kind)
            return sum([len(part) async for part in parts])

    await size()  # what is loaded once
    before = _resident()
    total = await size()
    assert total > 500_000
    assert _resident() - before < 24 << 20


def _resident() -> int:
    pages = int(Path(f"/proc/{os.getpid()}/statm").read_text(encoding="utf-8").split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


async def test_files_that_are_asked_for_at_the_same_moment_are_counted_before_they_begin() -> None:
    form, _definition = await a_form()
    found = await table.asked(form.public_id)
    under_way = [await exports.begin(found, kind) for kind in ("csv", "json")]
    with pytest.raises(Unavailable):
        await exports.begin(found, "csv")
    assert b"".join([part async for part in under_way.pop()[1]]).startswith(b"{")
    under_way = [*under_way, await exports.begin(found, "xlsx")]
    with pytest.raises(Unavailable):
        await exports.begin(found, "csv")
    del under_way  # thrown away before they began
    await exports.begin(found, "csv")
