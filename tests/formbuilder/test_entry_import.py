"""Entries that are brought as a file: what was exported comes back, and what cannot be is told line by line."""

import asyncio
import io
import json
from collections.abc import Sequence
from contextvars import Context
from typing import Any

import pytest

from app.core import db
from app.core.errors import Invalid, TooLarge
from app.formbuilder.definition import definitions, versions
from app.formbuilder.fields.kinds import all_kinds
from app.formbuilder.inbox import entry_import, exports, table
from app.formbuilder.inbox.table import Asked
from app.formbuilder.models import Definition
from app.formbuilder.queries import entry_import as queries
from tests.cast import Cast
from tests.formbuilder.entering import a_form, sent

OPTIONS = [{"value": "a", "label": "Ham, eggs"}, {"value": "b", "label": "Ham"}, {"value": "c", "label": "Tea"}]
EVERY = [
    {"id": "q1", "kind": "short_text", "label": "Your name"},
    {"id": "q2", "kind": "email", "label": "Email address"},
    {"id": "q3", "kind": "radio", "label": "One", "settings": {"options": OPTIONS, "other": True}},
    {"id": "q4", "kind": "checkbox", "label": "Many", "settings": {"options": OPTIONS, "other": True}},
    {"id": "q5", "kind": "number", "label": "Age"},
    {"id": "q6", "kind": "date", "label": "Day"},
    {"id": "q7", "kind": "name", "label": "Whole name"},
    {"id": "q8", "kind": "long_text", "label": "Words"},
    {"id": "q9", "kind": "yes_no", "label": "Sure"},
]  # fmt: skip
GIVEN: dict[str, Any] = {
    "q1": "=cmd()", "q2": "ann@example.org", "q3": "a", "q4": ["a", "c", "__other__"], "q4_other": "Toast, jam",
    "q5": "-4.5", "q6": "2026-09-01", "q7.first": "Ann", "q7.last": "Hart", "q8": "Zwei\nZeilen, \"so\" 日本", "q9": "yes",
}  # fmt: skip


async def _asked(form_id: str) -> Asked:
    return await table.asked(form_id)


async def _file(found: Asked, kind: str) -> bytes:
    _name, content = await exports.begin(found, kind)
    return b"".join([part async for part in content])


async def _rows(form_id: int) -> list[Any]:
    return await db.many(
        db.Row,
        """SELECT answers, email, said, state, counted_at IS NOT NULL AS counts, created_at, status FROM form_entries
           WHERE form_id = :id ORDER BY created_at, id""",
        id=form_id,
    )


async def _bring(form_id: str, content: bytes, **how: bool) -> entry_import.Result:
    return await entry_import.bring(await _asked(form_id), io.BytesIO(content), **{"is_trial": False, **how})


@pytest.mark.usefixtures("app")
@pytest.mark.parametrize("kind", ["csv", "json", "xlsx"])
async def test_what_was_exported_comes_back_as_it_was(cast: Cast, kind: str) -> None:
    form, definition = await a_form(EVERY)
    await sent(form, definition, **GIVEN)
    await sent(form, definition, q2="", q3="__other__", q3_other="Coffee")
    before = await _rows(form.id)
    content = await _file(await _asked(form.public_id), kind)
    assert (await _bring(form.public_id, content)).known == 2, "they are there already"
    other, _definition = await a_form(EVERY)
    result = await _bring(other.public_id, content)
    assert (result.new, result.refused, result.is_done) == (2, 0, True), result
    after = await _rows(other.id)
    assert [row.answers for row in after] == [row.answers for row in before]
    assert [(row.email, row.said, row.state, row.counts) for row in after] == [
        (row.email, row.said, "received", True) for row in before
    ]
    assert [int(row.created_at.timestamp()) for row in after] == [int(row.created_at.timestamp()) for row in before]
    jobs = await db.value("SELECT count(*) FROM pgqueuer WHERE entrypoint = 'formbuilder.plan_deliveries'")
    assert jobs == 2, "nothing leaves of what was brought"


@pytest.mark.usefixtures("app")
async def test_the_same_file_twice_is_the_same_entries_even_without_ids() -> None:
    form, _definition = await a_form(EVERY)
    content = b"Your name,Age\nAnn,1\nAnn,1\nBob,2\n"
    assert (await _bring(form.public_id, content)).new == 3
    again = await _bring(form.public_id, content)
    assert (again.new, again.known) == (0, 3)
    assert await db.value("SELECT count(*) FROM form_entries") == 3


@pytest.mark.usefixtures("app")
async def test_nothing_is_kept_while_a_line_is_refused_unless_it_is_said_so() -> None:
    form, _definition = await a_form(EVERY)
    content = b"Your name;Age;One;Shoe\nAnn;1;Tea;9\nBob;old;Tea;9\nCay;3;Cocoa;\n;;;\n"
    trial = await _bring(form.public_id, content, is_trial=True)
    assert (trial.new, trial.refused, trial.left_out) == (2, 1, ["Shoe"])
    assert [(each.number, each.sentence.partition(":")[0]) for each in trial.refusals] == [(3, "Age")]
    assert not (await _bring(form.public_id, content)).is_done
    assert await db.value("SELECT count(*) FROM form_entries") == 0
    assert (await _bring(form.public_id, content, skips_refused=True)).new == 2
    assert [row.answers["q3"] for row in await _rows(form.id)] == [{"value": "c"}, {"other": "Cocoa"}]


@pytest.mark.usefixtures("app")
@pytest.mark.parametrize(
    "content",
    [b"", b"Shoe\n9\n", b"{", b'{"entries": 4}', b"[]", b'[{"answers": {}}', b"\x00\x01\x02", b"PK\x03\x04", b"Your name\n",
     b'"Your name\nAnn', b'[{"answers": [1]}, 3]'],
)  # fmt: skip
async def test_what_is_no_such_file_is_refused(content: bytes) -> None:
    form, _definition = await a_form(EVERY)
    with pytest.raises(Invalid):
        await _bring(form.public_id, content)
    assert await db.value("SELECT count(*) FROM form_entries") == 0


@pytest.mark.usefixtures("app")
async def test_no_json_makes_an_entry_that_could_not_have_been_sent() -> None:
    """Every kind is given answers of every shape: each is refused, or kept as the kind itself would have read it."""
    kinds = [name for name, kind in all_kinds().items() if kind.has_answer]
    fields = [{"id": f"k{n}", "kind": name, "label": name} for n, name in enumerate(kinds)]
    form, _made = await a_form_unchecked(fields)
    shapes: list[Any] = [1, -1.5, True, "x", [], {}, [1], ["x"], {"value": 1}, {"value": "first"}, {"values": ["first"]},
                         {"values": 3}, {"other": "x"}, [["x"]], {"x": {"y": 1}}, "2026-01-01", {"first": None}]  # fmt: skip
    entries = [{"answers": {field["id"]: shape}} for field in fields for shape in shapes]
    result = await _bring(form, json.dumps({"entries": entries}).encode(), skips_refused=True)
    assert result.new + result.refused == len(entries)
    found = await _asked(form)
    for row in await _rows(found.form.id):
        for name, answer in row.answers.items():
            field = found.definition.find(name)
            assert field is not None
            assert entry_import._as_kept(field, answer) == answer, (field.kind, answer)
            all_kinds()[field.kind].text(field, answer)


async def a_form_unchecked(fields: list[dict[str, Any]]) -> tuple[str, Any]:
    """A draft of these fields, however little sense they make together."""
    from app.formbuilder.definition import definitions, versions

    definition = definitions.read({"title": "All", "fields": fields, "last": 99})
    form = await versions.create(definition, by=None)
    return form.public_id, definition


async def _published(form_id: int, olga: Any, **settings: Any) -> None:
    def change(now: Definition) -> Definition:
        return definitions.read(definitions.write_definition(now) | {"settings": settings})

    await versions.edit(form_id, change, words="Settings", by=olga)
    await versions.publish(form_id)


@pytest.mark.usefixtures("app")
async def test_a_form_that_keeps_no_answers_by_the_time_they_are_read_is_brought_none(
    cast: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    form, _definition = await a_form(EVERY)
    olga, lock = await cast.olga(), queries.lock_version

    async def overtaken(form_id: int) -> int:
        monkeypatch.setattr(queries, "lock_version", lock)
        await asyncio.create_task(_published(form.id, olga, no_store=True), context=Context())
        return await lock(form_id)

    monkeypatch.setattr(queries, "lock_version", overtaken)
    with pytest.raises(Invalid, match="keeps no answers"):
        await _bring(form.public_id, b"Your name\nAnn\n")
    assert await _rows(form.id) == []


@pytest.mark.usefixtures("app")
async def test_what_is_asked_now_is_what_visitors_answer_also_after_undo(cast: Cast) -> None:
    form, _definition = await a_form(EVERY)
    await _published(form.id, await cast.olga(), no_store=True)
    assert (await _asked(form.public_id)).definition.settings["no_store"]
    await versions.undo(form.id)
    await versions.publish(form.id)
    assert not (await _asked(form.public_id)).definition.settings["no_store"]
    assert (await _bring(form.public_id, b"Your name\nAnn\n")).is_done


@pytest.mark.usefixtures("app")
async def test_a_form_that_keeps_nothing_takes_no_file() -> None:
    form, _definition = await a_form(EVERY, no_store=True)
    with pytest.raises(Invalid):
        await _bring(form.public_id, b"Your name\nAnn\n")


@pytest.mark.usefixtures("app")
async def test_the_page_tries_first_and_then_keeps(cast: Cast) -> None:
    from werkzeug.datastructures import FileStorage

    olga = await cast.olga()
    form, _definition = await a_form(EVERY)
    path = f"/admin/forms/{form.public_id}/entries/import"

    async def post(go: str) -> Any:
        file = FileStorage(io.BytesIO(b"Your name,Age\nAnn,1\n"), filename="old.csv")
        return await olga.browser.post(path, form={"go": go}, files={"file": file})

    assert (await olga.browser.get(path)).status_code == 200
    tried = await post("try")
    assert tried.status_code == 200, await tried.get_data(as_text=True)
    assert "1 new entry" in await tried.get_data(as_text=True)
    assert await db.value("SELECT count(*) FROM form_entries") == 0
    assert (await post("keep")).status_code == 303
    assert await db.value("SELECT count(*) FROM form_entries") == 1


@pytest.mark.usefixtures("app")
async def test_the_same_file_is_entries_of_each_form_that_it_is_brought_to() -> None:
    content = b"Your name,Age\nAnn,1\nBob,2\n"
    for _time in range(2):
        form, _definition = await a_form(EVERY)
        assert (await _bring(form.public_id, content)).new == 2
        assert len(await _rows(form.id)) == 2


@pytest.mark.usefixtures("app")
async def test_of_two_who_bring_the_same_file_at_once_one_is_told_that_it_is_there(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    form, _definition = await a_form(EVERY)
    known = queries.known

    async def slow(form_id: int, ids: Sequence[str]) -> set[str]:
        found = await known(form_id, ids)
        await asyncio.sleep(0.1)
        return found

    async def bring() -> entry_import.Result:
        async with db.hold():
            return await _bring(form.public_id, b"Your name,Age\nAnn,1\nBob,2\n")

    monkeypatch.setattr(queries, "known", slow)
    found = await asyncio.gather(bring(), bring())
    assert sorted((each.new, each.known) for each in found) == [(0, 2), (2, 0)]
    assert len(await _rows(form.id)) == 2


@pytest.mark.usefixtures("app")
async def test_what_is_brought_was_read_and_has_a_status_of_the_form_or_none() -> None:
    form, _definition = await a_form(EVERY, statuses=["new", "done"])
    assert (await _bring(form.public_id, b"Your name,Status\nAnn,done\nBob,hacked\n")).new == 2
    assert sorted(row.status for row in await _rows(form.id)) == ["", "done"]
    assert await db.value("SELECT count(*) FROM form_entries WHERE read_at IS NULL") == 0


@pytest.mark.usefixtures("app")
@pytest.mark.parametrize(
    "came",
    ["2999-01-01 08:00", "1989-12-31 08:00", "2026-01-01T08:00:00+15:01", "2026-01-01T08:00:00+01:00:30", "soon"],
)
async def test_an_entry_came_at_a_moment_that_was(came: str) -> None:
    form, _definition = await a_form(EVERY)
    result = await _bring(form.public_id, f"Your name,Came\nAnn,{came}\n".encode(), skips_refused=True)
    assert (result.new, result.refused) == (0, 1)


@pytest.mark.usefixtures("app")
async def test_a_file_that_is_too_large_or_too_long_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    form, _definition = await a_form(EVERY)
    content = b"Your name,Age\nAnn,1\nBob,old\nCay,2\n"
    monkeypatch.setattr(entry_import, "LARGEST", len(content) - 1)
    with pytest.raises(TooLarge):
        await _bring(form.public_id, content, skips_refused=True)
    monkeypatch.setattr(entry_import, "LARGEST", len(content))
    monkeypatch.setattr(entry_import, "MOST_ROWS", 2)
    with pytest.raises(Invalid, match="rows"):
        await _bring(form.public_id, content, skips_refused=True)
    monkeypatch.setattr(entry_import, "MOST_ROWS", 3)
    assert (await _bring(form.public_id, content, skips_refused=True)).new == 2


@pytest.mark.usefixtures("app")
async def test_nobody_brings_files_money_passwords_or_somebody_elses_agreement() -> None:
    priced = {"options": [{"value": "full", "label": "Full", "price": 5000}]}
    fields = [
        {"id": "q1", "kind": "short_text", "label": "Your name"},
        {"id": "q2", "kind": "file", "label": "Paper"},
        {"id": "q3", "kind": "product", "label": "Ticket", "settings": priced},
        {"id": "q4", "kind": "password", "label": "Word", "settings": {"word": "sesame"}},
        {"id": "q5", "kind": "consent", "label": "News"},
        {"id": "q6", "kind": "terms", "label": "Terms"},
    ]
    form, _definition = await a_form_unchecked(fields)
    answers = {
        "q1": "Ann", "q2": [{"id": "x", "name": "a.pdf", "size": 1, "type": "application/pdf"}], "q3": {"value": "full"},
        "q4": "sesame", "q5": {"agreed": "Yes"}, "q6": {"agreed": "Yes"},
    }  # fmt: skip
    result = await _bring(form, json.dumps({"entries": [{"answers": answers}]}).encode())
    assert (result.taken, result.left_out) == (["Your name"], ["Paper", "Ticket", "Word", "News", "Terms"])
    found = await _asked(form)
    assert [row.answers for row in await _rows(found.form.id)] == [{"q1": "Ann"}]
