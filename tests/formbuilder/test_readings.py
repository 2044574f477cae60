"""A stored definition that cannot be read: visitors are told kindly, the owner sees why and puts a version in its place."""

from collections.abc import Mapping
from typing import Any

import pytest
from quart.typing import TestClientProtocol
from structlog.testing import capture_logs

from app.core import db
from app.core.personal import Subject
from app.formbuilder import personal
from app.formbuilder.definition import definitions, readings, versions
from app.formbuilder.inbox import table
from app.formbuilder.logic import plans
from app.formbuilder.models import Form
from tests.cast import Cast
from tests.formbuilder.building import a_definition, field
from tests.formbuilder.entering import a_form, sent
from tests.formbuilder.test_kept_forms import body

BROKEN: Mapping[str, Any] = {"title": "Apply", "fields": [{"id": "q1", "kind": "hologram", "label": "Wave"}]}


async def broken(form: Form, number: int) -> None:
    """As another Lectern, or another hand, may have left it."""
    await db.run(
        "UPDATE form_versions SET definition = :definition WHERE form_id = :id AND number = :number",
        definition=dict(BROKEN), id=form.id, number=number,
    )  # fmt: skip


@pytest.mark.parametrize("path", ["", "/embed", "?q1=Ann"])
async def test_visitors_are_told_and_it_is_logged(client: TestClientProtocol, path: str) -> None:
    form, _definition = await a_form()
    assert (await client.get(f"/forms/{form.slug}{path}")).status_code == 200
    await broken(form, 1)
    with capture_logs() as logs:
        answer = await client.get(f"/forms/{form.slug}{path}")
    page = await answer.get_data(as_text=True)
    assert answer.status_code == 410
    assert "cannot be shown just now" in page and "hologram" not in page
    [line] = [each for each in logs if each["event"] == "a form cannot be read"]
    assert (line["log_level"], line["form"], line["version"]) == ("error", form.public_id, 1)
    assert (await client.post(f"/forms/{form.slug}", form=body())).status_code == 410


async def test_the_owner_sees_why_and_puts_a_version_in_its_place(client: TestClientProtocol, cast: Cast) -> None:
    olga = await cast.olga()
    form, _definition = await a_form()
    await versions.edit(form.id, lambda _now: a_definition(field(1, label="New")), words="Better", by=olga)  # type: ignore[arg-type]
    await broken(form, 2)
    base = f"/admin/forms/{form.public_id}"
    for path in ("", "/logic", "/settings", "/after", "/integrations", "/versions", "/preview", "/definition.json"):
        answer = await olga.browser.get(f"{base}{path}")
        page = await answer.get_data(as_text=True)
        assert answer.status_code == 409, path
        assert "Version 2 of this form cannot be read" in page and "hologram" in page, path
        assert f"{base}/versions/1/restoration" in page and f"{base}/versions/2/restoration" not in page
    # Visitors still get the version that is live.
    assert (await client.get(f"/forms/{form.slug}")).status_code == 200
    assert (await olga.browser.post(f"{base}/versions/1/restoration", form={"at": "2"})).status_code == 303
    assert (await olga.browser.get(base)).status_code == 200
    assert (await versions.find(form.public_id)).number == 3


async def test_entries_of_it_can_be_read_and_handed_out_all_the_same(cast: Cast) -> None:
    ann, olga = await cast.ann(), await cast.olga()
    form, definition = await a_form()
    await sent(form, definition, q2="ann@example.org")
    await broken(form, 1)
    assert (await table.asked(form.public_id)).questions == []
    answer = await olga.browser.get(f"/admin/forms/{form.public_id}/entries")
    assert answer.status_code == 200
    assert "ann@example.org" in await answer.get_data(as_text=True)
    subject = Subject(ann.id, ann.public_id, "ann@example.org", "Ann Archer")
    [told] = [each async for each in personal.answers_of(subject)]
    assert {"question": "q1", "answer": "Ann Hart"} in told["answers"]


async def test_a_reading_holds_for_what_it_was_made_of(cast: Cast) -> None:
    form, definition = await a_form()
    assert readings.of(form) == definition
    assert readings.of(form) is readings.of(form)
    # The same version, written into within a minute of its making, is another.
    await db.run(
        "UPDATE form_versions SET definition = :definition WHERE form_id = :id",
        definition=definitions.write_definition(a_definition(field(1, label="Other"))), id=form.id,
    )  # fmt: skip
    assert readings.of(await versions.find(form.public_id)).fields[0].label == "Other"


async def test_so_many_readings_are_kept_and_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(readings, "MOST_KEPT", 2)
    forms = [(await a_form())[0] for _form in range(3)]
    before = [readings.of(form) for form in forms]
    assert len(readings._kept) == 2
    assert readings.of(forms[2]) is before[2]
    assert readings.of(forms[0]) is not before[0]
    assert readings.of(forms[0]) == before[0]


async def test_a_plan_is_that_of_its_own_definition_and_few_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plans, "_MOST_KEPT", 2)
    made = [a_definition(field(1, label="A"), field(number, label="B")) for number in range(2, 7)]
    for each in (*made, *reversed(made)):
        assert [node["id"] for node in plans.plan_of(each)["steps"][0]["nodes"]] == [one.id for one in each.fields]
        assert plans.plan_of(each) is plans.plan_of(each)
    assert len(plans._kept) == 2
