"""What a visitor loads for a form: HTML, styles and scripts together, compressed."""

import re
from collections.abc import Callable

import pytest
from quart.typing import TestClientProtocol

from app.web.page_cache import PageCache
from tests.formbuilder.entering import a_form

MOST_BYTES = 15 * 1024
OPTIONS = [{"value": f"o{n}", "label": f"Option number {n}"} for n in range(6)]
FIELDS = [
    *({"id": f"q{n}", "kind": "short_text", "label": f"Question {n}", "help": f"A hint for {n}"} for n in range(1, 6)),
    {"id": "q6", "kind": "email", "label": "Email", "required": True},
    {"id": "q7", "kind": "radio", "label": "Which one?", "settings": {"options": OPTIONS, "other": True}},
    {"id": "q8", "kind": "checkbox", "label": "Which ones?", "settings": {"options": OPTIONS}},
    {"id": "q9", "kind": "dropdown", "label": "And where?", "settings": {"options": OPTIONS}},
    {"id": "q10", "kind": "date", "label": "When?"},
    {"id": "q11", "kind": "long_text", "label": "Anything else?"},
    {"id": "q12", "kind": "calculation", "label": "Sum", "settings": {"expression": "length({q1}) + 1"}},
]  # fmt: skip


DATES = [
    {"id": "q13", "kind": "date", "label": "From which day?"},
    {"id": "q14", "kind": "date_range", "label": "When are you away?"},
]
FILES = [{"id": "q15", "kind": "file", "label": "Your CV"}]
# What a common form weighs, with a range of days, and with a file: those two need the sheet of the larger controls.
FORMS = {"twelve common fields": FIELDS, "and dates": FIELDS[:11] + DATES[:1], "and a range": FIELDS[:10] + DATES, "and a file": FIELDS[:11] + FILES}  # fmt: skip


@pytest.mark.parametrize("name", FORMS)
async def test_a_form_of_twelve_fields_with_logic_weighs_at_most_15_kb(
    client: TestClientProtocol, kept: PageCache, name: str, record_property: Callable[[str, object], None]
) -> None:  # fmt: skip
    """As it comes over the wire: HTML, styles and scripts, each packed as the application packs it."""
    fields = [*FORMS[name], FIELDS[11]] if FORMS[name] is not FIELDS else FIELDS
    form, _definition = await a_form(fields)
    page = await (await client.get(f"/forms/{form.slug}")).get_data()
    links = set(re.findall(r'(?:href|src|data-logic)="(/[^"]+\.(?:css|js)[^"]*)"', page.decode()))
    assert any("form-page" in link for link in links) and any("form-logic" in link for link in links)
    weights = {}
    for link in (f"/forms/{form.slug}", *links):
        answer = await client.get(link, headers={"Accept-Encoding": "br"})
        assert answer.status_code == 200, link
        body = await answer.get_data()
        assert answer.headers.get("Content-Encoding") == "br" or len(body) < 1024, link
        weights[link] = len(body)
    record_property("bytes", sum(weights.values()))
    assert sum(weights.values()) <= MOST_BYTES, weights
    assert len(weights) >= 5, weights
