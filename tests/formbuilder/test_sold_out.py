"""What is sold out is told beside the option when the page is drawn, and the page that is kept follows."""

import asyncio
import re
from typing import Any

import pytest
from quart.typing import TestClientProtocol

from app.core import db
from app.formbuilder import entries as entry_moves
from app.formbuilder.definition import readings
from app.formbuilder.queries import entries as entry_queries
from app.web.page_cache import PageCache
from tests.formbuilder.entering import a_form, sent
from tests.formbuilder.test_kept_forms import body, settled
from tests.web.conftest import kept  # noqa: F401 (a fixture)
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
    client: TestClientProtocol, kept: PageCache  # noqa: F811
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
