"""What is sold out is told beside the option when the page is drawn, and the page that is kept follows."""

import asyncio
import re
from typing import Any

import pytest
from quart import Response
from quart.typing import TestClientProtocol

from app.core import db
from app.formbuilder import entries as entry_moves
from app.formbuilder.definition import readings
from app.formbuilder.models import Definition, Entry, Form
from app.formbuilder.payment import stock
from app.formbuilder.queries import entries as entry_queries
from app.web.page_cache import PageCache
from tests.cast import Cast, Person
from tests.formbuilder.entering import a_form, sent
from tests.formbuilder.test_kept_forms import body, settled
from tests.office import an_order
from tests.web.kept import how, text

OPTIONS = [{"value": "a", "label": "Morning", "stock": 1}, {"value": "b", "label": "Evening"}]


def fields(kind: str, **settings: Any) -> list[dict[str, Any]]:
    asked = {"id": "q1", "kind": kind, "label": "When?", "settings": {"options": OPTIONS, **settings}}
    return [asked, {"id": "q2", "kind": "email", "label": "Email"}]


async def eventually(client: TestClientProtocol, path: str, words: str, *, there: bool) -> str:
    """The page once it says these words, or does not any more: the cache hears of what it did not do itself."""
    async with asyncio.timeout(3):
        while (words in (page := await text(client, path))) is not there:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
    return page


@pytest.mark.parametrize(
    "kind", ["radio", "checkbox", "dropdown", "button_group", "picture_choice", "multi_select", "product"]
)
async def test_it_is_told_beside_the_option_without_scripts(client: TestClientProtocol, kind: str) -> None:
    form, definition = await a_form(fields(kind))
    path = f"/forms/{form.slug}"
    assert "sold out" not in await text(client, path)
    await sent(form, definition, q1="a", q2="", q3="")
    page = await text(client, path)
    assert "Morning – sold out" in page and "Evening – sold out" not in page
    [control] = re.findall(r'<(?:input|option)[^>]*value="a"[^>]*>', page)
    [other] = re.findall(r'<(?:input|option)[^>]*value="b"[^>]*>', page)
    assert " disabled" in control and " disabled" not in other


async def test_a_kept_page_says_it_as_soon_as_the_last_one_is_gone_and_no_longer_than_that(
    client: TestClientProtocol, kept: PageCache
) -> None:  # fmt: skip
    form, definition = await a_form(fields("radio"))
    path = f"/forms/{form.slug}"
    await settled(client, path)  # a page with a stock is kept like any other
    assert (await client.post(path, form=body(q1="b"))).status_code == 303
    assert await how(client, path) == "hit"  # what takes nothing drops nothing
    assert (await client.post(path, form=body(q1="a"))).status_code == 303
    # Who sent the last one has waited until every process knows.
    assert "Morning – sold out" in await text(client, path)
    await settled(client, path)
    entry = await entry_queries.entry_by_id(await db.value("SELECT max(id) FROM form_entries"))
    assert entry is not None
    await entry_moves.move(entry, "bin", definition)
    await eventually(client, path, "sold out", there=False)
    await entry_moves.move(entry, "restore", readings.of(form))
    await eventually(client, path, "sold out", there=True)


async def test_an_older_page_is_told_when_it_is_sent(client: TestClientProtocol) -> None:
    form, definition = await a_form(fields("radio"))
    await sent(form, definition, q1="a", q2="", q3="")
    answer = await client.post(f"/forms/{form.slug}", form=body(q1="a"))
    page = await answer.get_data(as_text=True)
    assert answer.status_code == 422
    assert "“Morning” is sold out." in page
    # What was chosen stays chosen, and can be changed.
    [control] = re.findall(r'<input[^>]*value="a"[^>]*>', page)
    assert " checked" in control and " disabled" not in control


async def edited(olga: Person, form: Form, entry: Entry, **texts: str) -> Response:
    """The office changes the answers of an entry."""
    answer: Response = await olga.browser.post(
        f"/admin/forms/{form.public_id}/entries/{entry.public_id}/answers", form={"q2": "", **texts}
    )
    return answer


async def left(form: Form, definition: Definition) -> int:
    return (await stock.left_of(form.id, definition))["q1", "a"]


async def test_an_edit_of_the_office_frees_one_option_and_takes_another(cast: Cast) -> None:
    olga, (form, definition) = await cast.olga(), await a_form(fields("radio"))
    first = await sent(form, definition, q1="a", q2="", q3="")
    second = await sent(form, definition, q1="b", q2="", q3="")
    refused = await edited(olga, form, second, q1="a")
    assert refused.status_code == 422 and "“Morning” is sold out." in await refused.get_data(as_text=True)
    assert (await edited(olga, form, first, q1="a", q2="ann@x.example")).status_code == 303  # it has what it takes
    assert await left(form, definition) == 0
    assert (await edited(olga, form, first, q1="b")).status_code == 303
    assert await left(form, definition) == 1
    assert (await edited(olga, form, second, q1="a")).status_code == 303
    assert await left(form, definition) == 0


async def test_two_edits_at_once_do_not_take_the_last_one_twice(cast: Cast) -> None:
    olga, (form, definition) = await cast.olga(), await a_form(fields("radio"))
    both = [await sent(form, definition, q1="b", q2="", q3="") for _each in range(2)]
    paths = [f"/admin/forms/{form.public_id}/entries/{entry.public_id}/answers" for entry in both]
    answers = await asyncio.gather(*(olga.browser.post(path, form={"q1": "a", "q2": ""}) for path in paths))
    assert sorted(answer.status_code for answer in answers) == [303, 422]


async def test_what_was_paid_back_takes_nothing_by_an_edit(cast: Cast) -> None:
    olga, (form, definition) = await cast.olga(), await a_form(fields("radio"))
    entry = await sent(form, definition, q1="b", q2="", q3="")
    order = await an_order("ann@x.example", state="refunded")
    await db.run(
        "UPDATE form_entries SET order_id = (SELECT id FROM orders WHERE public_id = :order) WHERE id = :id",
        order=order,
        id=entry.id,
    )
    assert (await edited(olga, form, entry, q1="a")).status_code == 303
    assert await left(form, definition) == 1


async def test_what_was_given_up_takes_nothing_by_an_edit(cast: Cast) -> None:
    olga, (form, definition) = await cast.olga(), await a_form(fields("radio"))
    entry = await sent(form, definition, q1="b", q2="", q3="")
    await db.run("UPDATE form_entries SET given_up_at = now() WHERE id = :id", id=entry.id)
    assert (await edited(olga, form, entry, q1="a")).status_code == 303
    assert await left(form, definition) == 1


async def test_an_edit_counts_from_what_the_entry_has_by_then(cast: Cast) -> None:
    """Whoever edits it read it a moment before somebody else did."""
    olga, (form, definition) = await cast.olga(), await a_form(fields("radio"))
    entry = await sent(form, definition, q1="a", q2="", q3="")
    evening = {**entry.answers, "q1": {"value": "b"}}
    assert await entry_moves.edit(entry, definition, evening, "", "", by=olga.id)
    assert await left(form, definition) == 1
    assert await entry_moves.edit(entry, definition, entry.answers, "", "", by=olga.id)
    assert await left(form, definition) == 0


async def test_answers_can_be_edited_while_what_visitors_answer_now_cannot_be_read(cast: Cast) -> None:
    olga, (form, definition) = await cast.olga(), await a_form(fields("radio"))
    entry = await sent(form, definition, q1="b", q2="", q3="")
    await db.run(
        """
        WITH broken AS (INSERT INTO form_versions (form_id, number, definition, words, subject, made_at, published_at)
                        VALUES (:form, 2, '{"fields": 1}', '', '', now(), now()) RETURNING id)
        UPDATE forms SET live_id = broken.id FROM broken WHERE forms.id = :form
        """,
        form=form.id,
    )
    assert (await edited(olga, form, entry, q1="a")).status_code == 303
