"""What a visitor loads for a form: HTML, styles and scripts together, compressed."""

import re

import brotli
from quart.typing import TestClientProtocol

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


async def test_a_form_of_twelve_fields_with_logic_weighs_at_most_15_kb(client: TestClientProtocol) -> None:
    form, _definition = await a_form(FIELDS)
    page = await (await client.get(f"/forms/{form.slug}")).get_data()
    links = set(re.findall(r'(?:href|src|data-logic)="(/[^"]+\.(?:css|js)[^"]*)"', page.decode()))
    assert any("form-page" in link for link in links) and any("form-logic" in link for link in links)
    weights = {"html": len(brotli.compress(page, quality=5))}
    for link in links:
        answer = await client.get(link, headers={"Accept-Encoding": "br"})
        assert answer.status_code == 200, link
        body = await answer.get_data()
        weights[link] = (
            len(body) if answer.headers.get("Content-Encoding") == "br" else len(brotli.compress(body, quality=5))
        )
    assert sum(weights.values()) <= MOST_BYTES, weights
    assert len(weights) >= 5, weights
