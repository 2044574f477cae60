"""What was begun and not sent: where people leave a page, what they had answered, and nothing of who they were."""

import json
from datetime import timedelta

import pytest
from quart.typing import TestClientProtocol

from app.core import clock, db
from app.formbuilder.answering import drafts
from app.formbuilder.answering.stamps import stamp_of
from app.formbuilder.inbox import reports, table
from tests.cast import Cast
from tests.formbuilder.entering import a_form
from tests.office import seen

STEPPED = [
    {"id": "q1", "kind": "short_text", "label": "Name"},
    {"id": "p1", "kind": "page_break", "label": "More"},
    {"id": "q2", "kind": "radio", "label": "Which", "settings": {"options": [{"value": "a", "label": "Apples"}]}},
    {"id": "q3", "kind": "number", "label": "How many"},
]  # fmt: skip


def _stamp(seconds: float = 10) -> str:
    return stamp_of(clock.now().timestamp() - seconds)


async def _left(client: TestClientProtocol, slug: str, stamp: str, field: str) -> int:
    return (await client.post(f"/forms/{slug}/left", form={"stamp": stamp, "field": field})).status_code


async def test_a_page_that_is_left_counts_once_at_its_last_question_and_not_when_it_is_sent(
    client: TestClientProtocol,
) -> None:
    form, _definition = await a_form()
    first, second = _stamp(), _stamp()
    for stamp, field in [(first, "q1"), (first, "q3"), (second, "q2")]:
        assert await _left(client, form.slug, stamp, field) == 204
    report = await reports.of_form(await table.asked(form.public_id), 30)
    assert (report.begun, report.unfinished) == (2, 2)
    assert {row.label: row.left for row in report.questions if row.left} == {"Email": 1, "How did you find us?": 1}
    answer = await client.post(
        f"/forms/{form.slug}",
        form={"version": "1", "stamp": second, "website": "", "q1": "Ann", "q2": "ann@example.org"},
    )
    assert answer.status_code == 303, await answer.get_data(as_text=True)
    report = await reports.of_form(await table.asked(form.public_id), 30)
    assert (report.begun, report.unfinished) == (2, 1)
    assert {row.label: (row.reached, row.left) for row in report.questions if row.left} == {
        "How did you find us?": (2, 1)
    }


@pytest.mark.parametrize(
    ("stamp", "field"), [("", "q1"), ("forged", "q1"), (None, ""), (None, "nothing"), (None, "q1\x00")]
)
async def test_what_is_no_stamp_or_no_question_leaves_nothing(
    client: TestClientProtocol, stamp: str | None, field: str
) -> None:
    form, _definition = await a_form()
    assert await _left(client, form.slug, _stamp() if stamp is None else stamp, field) == 204
    assert await db.value("SELECT count(*) FROM form_left") == 0


async def test_of_who_left_nothing_is_kept(client: TestClientProtocol) -> None:
    form, _definition = await a_form()
    stamp = _stamp()
    await _left(client, form.slug, stamp, "q1")
    row = await db.one(db.Row, "SELECT to_jsonb(l) AS all FROM form_left l")
    assert row is not None and set(row.all) == {"form_id", "stamp", "field_id", "left_at"}
    assert stamp not in json.dumps(row.all)


async def test_what_was_left_is_forgotten_after_a_year(client: TestClientProtocol) -> None:
    form, _definition = await a_form()
    for stamp in (_stamp(), _stamp(20)):
        await _left(client, form.slug, stamp, "q1")
    old = clock.now() - timedelta(days=400)
    await db.run("UPDATE form_left SET left_at = :old WHERE stamp = (SELECT stamp FROM form_left LIMIT 1)", old=old)
    await drafts.sweep()
    assert await db.value("SELECT count(*) FROM form_left") == 1


async def _begin(client: TestClientProtocol, slug: str, name: str) -> str:
    answer = await client.post(
        f"/forms/{slug}",
        form={"version": "1", "stamp": _stamp(), "website": "", "screen": "start", "q1": name, "go": "next"},
    )
    assert answer.status_code == 303, await answer.get_data(as_text=True)
    return str(answer.headers["Location"])


async def test_what_was_answered_so_far_stands_in_a_list_and_in_a_file(client: TestClientProtocol, cast: Cast) -> None:
    olga = await cast.olga()
    form, _definition = await a_form(STEPPED)
    other, _other_definition = await a_form(STEPPED)
    await _begin(client, other.slug, "Elsewhere")
    stamp = _stamp()
    await _left(client, form.slug, stamp, "q1")
    first = await _begin(client, form.slug, "Half Way")
    done = await _begin(client, form.slug, "All Done")
    await client.post(first, form={"screen": "p1", "q2": "a", "go": "back"})
    await client.post(done, form={"screen": "p1", "q2": "a", "q3": "2", "go": "next"})
    page = await seen(olga, f"/admin/forms/{form.public_id}/unfinished")
    assert "Half Way · Apples" in page and "All Done" not in page
    told = json.loads(await seen(olga, f"/admin/forms/{form.public_id}/unfinished/file?format=json"))
    assert [each["answers"] for each in told["entries"]] == [{"q1": "Half Way", "q2": {"value": "a"}}]
    listed = await seen(olga, f"/admin/forms/{form.public_id}/unfinished?format=csv")
    assert "Half Way · Apples" in listed
    assert len(listed.strip().splitlines()) == 2, "neither what was sent nor what another form asks"
    report = await reports.of_form(await table.asked(form.public_id), 30)
    assert (report.begun, report.unfinished) == (3, 2)


async def test_of_a_form_that_keeps_nothing_only_the_place_is_shown(client: TestClientProtocol, cast: Cast) -> None:
    olga = await cast.olga()
    form, _definition = await a_form(STEPPED, no_store=True)
    await _begin(client, form.slug, "Half Way")
    page = await seen(olga, f"/admin/forms/{form.public_id}/unfinished")
    assert "Half Way" not in page and "More" in page


async def test_a_draft_takes_the_place_of_the_page_that_was_left(client: TestClientProtocol) -> None:
    form, _definition = await a_form(STEPPED)
    stamp = _stamp()
    await _left(client, form.slug, stamp, "q1")
    await client.post(
        f"/forms/{form.slug}",
        form={"version": "1", "stamp": stamp, "website": "", "screen": "start", "q1": "A", "go": "next"},
    )
    assert await db.value("SELECT count(*) FROM form_left") == 0
    report = await reports.of_form(await table.asked(form.public_id), 30)
    assert (report.begun, report.unfinished) == (1, 1)
