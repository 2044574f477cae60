"""What the office does from a page that was drawn a while ago, when somebody else has been at the same thing since."""

import asyncio
import html
import re
from collections.abc import Awaitable, Callable
from contextvars import Context
from functools import partial
from typing import Any

import pytest

from app.formbuilder import entries
from app.formbuilder.answering import contests
from app.formbuilder.definition import editing, versions
from app.formbuilder.models import Form
from app.formbuilder.queries import forms as queries
from tests.cast import Cast, Person
from tests.formbuilder.building import a_definition, now
from tests.formbuilder.entering import a_form, sent, state_of

pytestmark = pytest.mark.usefixtures("app")


async def page_of(person: Person, path: str) -> str:
    return html.unescape(await (await person.browser.get(path)).get_data(as_text=True))


async def press(person: Person, page: str, action: str, **more: str) -> Any:
    """Send the form of this page that leads to an address with this end, as it was drawn."""
    [(path, rest)] = re.findall(
        rf'<form[^>]*? method="post" action="([^"]*{action}[^"]*)"[^>]*>(.*?)</form>', page, re.DOTALL
    )
    fields = dict(re.findall(r'<input type="hidden"[^>]*? name="([^"]*)" value="([^"]*)"', rest))
    return await person.browser.post(path, form={**fields, **more})


async def add(form: Form, person: Any, kind: str = "email") -> Form:
    return await versions.edit(form.id, partial(editing.added, kind=kind), words="Added a field", by=person)


async def live(form: Form) -> int:
    found = await queries.live_form(form.slug)
    return found.number if found is not None else 0


async def test_what_somebody_else_built_since_is_not_published_unseen(cast: Cast) -> None:
    olga, rob = await cast.olga(), await cast.person("Rob R", "r@meridian.example", role="owner")
    form = await versions.create(a_definition(), by=olga)
    base = f"/admin/forms/{form.public_id}"
    for path in (base, f"{base}/settings"):
        page = await page_of(olga, path)
        made = await add(form, rob)
        answer = await press(olga, page, "/publication")
        assert "Somebody else changed this form since you opened it" in await page_of(olga, answer.headers["Location"])
        assert await live(form) == 0
    await press(olga, await page_of(olga, base), "/publication")
    assert await live(form) == made.number


async def test_what_somebody_else_took_back_since_is_not_published_unseen(cast: Cast) -> None:
    olga, rob = await cast.olga(), await cast.person("Rob R", "r@meridian.example", role="owner")
    form = await versions.create(a_definition(), by=olga)
    await add(form, olga)
    base = f"/admin/forms/{form.public_id}"
    page = await page_of(olga, base)
    assert (await press(rob, await page_of(rob, base), "/undoing")).status_code == 303
    await press(olga, page, "/publication")
    assert await live(form) == 0


async def test_ones_own_edits_that_are_under_way_are_published(cast: Cast) -> None:
    olga = await cast.olga()
    form = await versions.create(a_definition(), by=olga)
    page = await page_of(olga, f"/admin/forms/{form.public_id}")
    made = await add(form, olga)
    await press(olga, page, "/publication")
    assert await live(form) == made.number


async def a_trial(cast: Cast) -> tuple[Form, Person, Person]:
    olga, rob = await cast.olga(), await cast.person("Rob R", "r@meridian.example", role="owner")
    form = await versions.publish((await versions.create(a_definition(), by=olga)).id)
    await add(form, olga)
    return form, olga, rob


async def test_no_trial_begins_with_what_somebody_else_built_since(cast: Cast) -> None:
    form, olga, rob = await a_trial(cast)
    path = f"/admin/forms/{form.public_id}/trial"
    page = await page_of(olga, path)
    await add(form, rob)
    answer = await press(olga, page, "/trial", planned="777")
    shown = await answer.get_data(as_text=True)
    assert answer.status_code == 409 and "Somebody else changed this form since you opened it" in shown
    assert 'value="777"' in shown, "what was typed stays"
    assert await contests.of_form(form.id) == (None, [])


async def test_a_number_of_visitors_that_cannot_be_is_refused_beside_its_field(cast: Cast) -> None:
    form, olga, _rob = await a_trial(cast)
    page = await page_of(olga, f"/admin/forms/{form.public_id}/trial")
    for typed in ("", "49", "10000000", "many", "9" * 5000):
        answer = await press(olga, page, "/trial", planned=typed)
        shown = await answer.get_data(as_text=True)
        assert answer.status_code == 422, typed
        assert re.search(r'id="planned-error">.*From 50 to 1,000,000 visitors of each', shown), typed
        assert f'value="{typed}"' in shown


async def test_another_trial_than_the_page_showed_is_not_ended(cast: Cast) -> None:
    form, olga, _rob = await a_trial(cast)
    path = f"/admin/forms/{form.public_id}/trial"
    await contests.begin(form.id, 500)
    page = await page_of(olga, path)
    await contests.end(form.id, "")
    await add(form, olga, "number")
    second = await contests.begin(form.id, 500)
    await press(olga, page, "/trial/end", winner="b")
    assert (await contests.of_form(form.id))[0] == second
    assert await live(form) == form.number
    await press(olga, await page_of(olga, path), "/trial/end", winner="b")
    assert (await contests.of_form(form.id))[0] is None


async def test_two_who_undo_the_same_edit_at_once_undo_it_alone(cast: Cast, monkeypatch: pytest.MonkeyPatch) -> None:
    olga = await cast.olga()
    form = await versions.create(a_definition(), by=olga)
    await add(form, olga)
    await add(form, olga)
    page = await page_of(olga, f"/admin/forms/{form.public_id}")
    find = versions.find

    async def overtaken(public_id: str) -> Form:
        monkeypatch.setattr(versions, "find", find)
        seen = await find(public_id)
        # In a context of its own, as another click's request is.
        await asyncio.create_task(press(olga, page, "/undoing"), context=Context())
        return seen

    monkeypatch.setattr(versions, "find", overtaken)
    assert (await press(olga, page, "/undoing")).status_code == 303
    assert len((await now(form)).fields) == 4


async def undo_of(person: Person, path: str) -> Callable[[], Awaitable[Any]]:
    """The button of the message that stands on this page."""
    page = await page_of(person, path)
    [(address, rest)] = re.findall(r'<undo-toast.*?action="([^"]*)".*?>(.*?)</undo-toast>', page, re.DOTALL)
    assert "Undo" in rest
    return lambda: person.browser.post(address)


async def test_undo_of_a_message_takes_back_what_it_tells_and_nothing_that_came_after(cast: Cast) -> None:
    olga, rob = await cast.olga(), await cast.person("Rob R", "r@meridian.example", role="owner")
    form = await versions.create(a_definition(), by=olga)
    base = f"/admin/forms/{form.public_id}"
    answer = await olga.browser.post(f"{base}/fields/q2/removal")
    undo = await undo_of(olga, answer.headers["Location"])
    await add(form, rob)
    assert (await undo()).status_code == 409
    assert [field.id for field in (await now(form)).fields] == ["q1", "q3", "q4"]
    answer = await olga.browser.post(f"{base}/fields/q1/removal")
    undo = await undo_of(olga, answer.headers["Location"])
    assert (await undo()).status_code == 303
    assert [field.id for field in (await now(form)).fields] == ["q1", "q3", "q4"]


async def test_undo_of_a_deleted_entry_is_not_about_somebody_elses_deletion(cast: Cast) -> None:
    olga, rob = await cast.olga(), await cast.rob()
    form, definition = await a_form()
    entry = await sent(form, definition)
    path = f"/admin/forms/{form.public_id}/entries/{entry.public_id}"
    answer = await olga.browser.post(f"{path}/state", form={"act": "bin"})
    undo = await undo_of(olga, answer.headers["Location"])
    for act in ("restore", "bin"):
        await entries.move(entry, act, definition, by=rob.id)
    assert (await undo()).status_code == 409
    assert await state_of(entry.id) == "binned"
    await entries.move(entry, "restore", definition, by=rob.id)
    answer = await olga.browser.post(f"{path}/state", form={"act": "bin"})
    undo = await undo_of(olga, answer.headers["Location"])
    assert (await undo()).status_code == 303
    assert await state_of(entry.id) == "received"


async def test_undo_of_closing_does_not_open_what_somebody_else_put_away(cast: Cast) -> None:
    olga = await cast.olga()
    form, _definition = await a_form()
    path = f"/admin/forms/{form.public_id}/state"
    answer = await olga.browser.post(path, form={"state": "closed"})
    undo = await undo_of(olga, answer.headers["Location"])
    await versions.archive(form.id)
    assert (await undo()).status_code == 409
    assert (await versions.find(form.public_id)).state == "archived"
    await versions.unarchive(form.id)
    assert (await undo()).status_code == 303
    assert (await versions.find(form.public_id)).state == "open"


async def test_undo_of_a_message_that_is_pressed_twice_goes_back_once_and_complains_of_nobody(cast: Cast) -> None:
    olga = await cast.olga()
    form = await versions.create(a_definition(), by=olga)
    await add(form, olga)
    answer = await olga.browser.post(f"/admin/forms/{form.public_id}/fields/q2/removal")
    undo = await undo_of(olga, answer.headers["Location"])
    assert [(await undo()).status_code for _ in "12"] == [303, 303]
    assert len((await now(form)).fields) == 4
