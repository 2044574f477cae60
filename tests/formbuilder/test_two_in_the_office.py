"""Two people at the pages after the builder: who keeps last is shown both texts, and nothing of the other is lost."""

import asyncio
from contextvars import Context
from typing import Any

import pytest

from app.formbuilder.definition import definitions, versions
from app.formbuilder.models import Form
from app.formbuilder.queries import history
from tests.cast import Cast, Person
from tests.formbuilder.building import as_body
from tests.formbuilder.panels import Panel

FIELDS: list[dict[str, Any]] = [
    {"id": "q1", "kind": "short_text", "label": "Name"},
    {"id": "q2", "kind": "email", "label": "Email"},
    {"id": "q3", "kind": "number", "label": "Seats"},
]
WHOLE = {
    "title": "Feedback",
    "fields": FIELDS,
    "integrations": [{"id": "i1", "connection": "gone", "list": "", "map": {"email": "q2"}, "tags": ["one"]}],
    "notifications": [{"id": "n1", "name": "To me", "to": "owner", "subject": "New", "body": "{all}"}],
}


async def a_form() -> Form:
    return await versions.create(definitions.read(WHOLE), by=None)


async def page_of(person: Person, path: str) -> str:
    return str(await (await person.browser.get(path)).get_data(as_text=True))


async def kept(form: Form) -> definitions.Definition:
    return definitions.read((await versions.find(form.public_id)).definition)


def typed(page: str, form: str, **more: Any) -> dict[str, Any]:
    """What a browser sends of this form, with some of it typed anew."""
    return {**Panel(page, form).texts, **more}


async def test_an_integration_that_somebody_else_changed_is_shown_with_both_texts(cast: Cast) -> None:
    form = await a_form()
    olga, pat = await cast.olga(), await cast.person("Pat", "pat@meridian.example", role="owner")
    path = f"/admin/forms/{form.public_id}/integrations"
    page = await page_of(pat, f"{path}?integration=i1")
    hers = typed(page, "part-form", tags="two")
    assert (await olga.browser.post(f"{path}/i1", **as_body(hers))).status_code == 303
    # What is kept by itself: the second of one's own edits clashes with nothing.
    assert (await olga.browser.post(f"{path}/i1", **as_body({**hers, "tags": "two, three"}))).status_code == 303
    late = await pat.browser.post(f"{path}/i1", **as_body(typed(page, "part-form", tags="four")))
    shown = await late.get_data(as_text=True)
    assert late.status_code == 409
    assert "Olga Oster changed this since you opened it" in shown
    assert "<td>two, three</td><td>four</td>" in shown and 'name="tags" value="four"' in shown
    assert (await kept(form)).integrations[0]["tags"] == ["two", "three"]
    # A page with both is not sent by itself; kept again, it takes the place of theirs.
    assert 'hx-trigger="submit"' in shown
    assert (await pat.browser.post(f"{path}/i1", **as_body(typed(shown, "part-form")))).status_code == 303
    assert (await kept(form)).integrations[0]["tags"] == ["four"]


async def test_a_payment_that_somebody_else_changed_is_shown_with_both_texts(cast: Cast) -> None:
    form = await a_form()
    olga, pat = await cast.olga(), await cast.person("Pat", "pat@meridian.example", role="owner")
    base = f"/admin/forms/{form.public_id}"
    page = await page_of(pat, f"{base}/after")
    sent = typed(page, "payment-form", on="yes", amount="q3", title="Seats")
    assert (await olga.browser.post(f"{base}/payment", **as_body(sent))).status_code == 303
    late = await pat.browser.post(f"{base}/payment", **as_body(typed(page, "payment-form", on="no")))
    shown = await late.get_data(as_text=True)
    assert late.status_code == 409
    assert "<td>Yes</td><td>No</td>" in shown and "<td>Seats</td><td>–</td>" in shown
    assert (await kept(form)).payment == {"on": True, "amount": "q3", "title": "Seats"}
    assert (await pat.browser.post(f"{base}/payment", **as_body(typed(shown, "payment-form")))).status_code == 303
    assert (await kept(form)).payment == {"on": False}


@pytest.mark.parametrize("who", ["the same person", "another"])
async def test_a_mail_that_was_changed_since_it_was_opened(cast: Cast, who: str) -> None:
    form = await a_form()
    olga, pat = await cast.olga(), await cast.person("Pat", "pat@meridian.example", role="owner")
    path = f"/admin/forms/{form.public_id}/after/n1"
    second = olga if who == "the same person" else pat
    page = await page_of(second, path)
    sent = typed(page, "row-form", subject="One")
    assert (await olga.browser.post(path, **as_body(sent))).status_code == 303
    late = await second.browser.post(path, **as_body({**sent, "subject": "Two"}))
    if who == "the same person":
        assert late.status_code == 303
        return
    shown = await late.get_data(as_text=True)
    assert late.status_code == 409
    assert "<td>One</td><td>Two</td>" in shown and 'value="Two"' in shown
    assert (await kept(form)).notifications[0]["subject"] == "One"


async def test_a_setting_that_somebody_else_changes_while_this_is_on_the_way_is_asked_about(
    cast: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    form = await a_form()
    olga, pat = await cast.olga(), await cast.person("Pat", "pat@meridian.example", role="owner")
    path = f"/admin/forms/{form.public_id}/settings"
    sent = typed(await page_of(olga, path), "whole-form")
    look = history.last_change

    async def overtaken(form_id: int, subject: str) -> history.LastChange | None:
        monkeypatch.setattr(history, "last_change", look)
        last = await look(form_id, subject)
        other = pat.browser.post(path, **as_body({**sent, "s.closed_words": "Theirs"}))
        # In a context of its own, as another browser's request is.
        assert (await asyncio.create_task(other, context=Context())).status_code == 303
        return last

    monkeypatch.setattr(history, "last_change", overtaken)
    late = await olga.browser.post(path, **as_body({**sent, "s.closed_words": "Hers", "s.thanks": "More"}))
    shown = await late.get_data(as_text=True)
    assert late.status_code == 409
    assert "Pat changed this since you opened it" in shown
    assert ((await kept(form)).settings["closed_words"], (await kept(form)).settings["thanks"]) == ("Theirs", "More")


async def test_a_page_of_a_rule_that_was_removed_is_no_page_of_the_next_one(cast: Cast) -> None:
    form = await a_form()
    olga, pat = await cast.olga(), await cast.person("Pat", "pat@meridian.example", role="owner")
    path = f"/admin/forms/{form.public_id}"
    await olga.browser.post(f"{path}/rules", form={"about": "q2"})
    page = await page_of(olga, f"{path}/logic?rule=r1")
    hers = typed(page, "part-form", **{"c.0.value": "Ann"})
    assert (await olga.browser.post(f"{path}/rules/r1", **as_body(hers))).status_code == 303
    assert (await pat.browser.post(f"{path}/rules/r1/removal")).status_code == 303
    answer = await pat.browser.post(f"{path}/rules", form={"about": "q3"})
    before = (await kept(form)).rules
    late = await olga.browser.post(f"{path}/rules/r1", **as_body({**hers, "c.0.value": "Anna"}))
    assert late.status_code == 409
    assert (await kept(form)).rules == before
    assert answer.headers["Location"].endswith(f"rule={before[0]['id']}")
