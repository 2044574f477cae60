"""The total that a browser adds up while a form is filled in is the one that the server adds up, wherever its parts stand."""

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from app.formbuilder.answering import screens
from app.formbuilder.answering.screens import Screen
from app.formbuilder.answering.submissions import read_answers
from app.formbuilder.definition import definitions
from app.formbuilder.logic import plans
from app.formbuilder.models import Definition, Posted
from app.formbuilder.payment import bills
from tests.formbuilder.in_node import SCRIPTS, Module, needs_node

MODULE = SCRIPTS / "field-total.js"
TODAY = "2026-11-21"
# Reads a line of JSON, answers a line of JSON: what a page tells and what is chosen on it, and what that comes to.
RUNNER = """
import readline from "node:readline";
const { linesOf, amountOf } = await import(`data:text/javascript;base64,${process.argv[1]}`);
for await (const line of readline.createInterface({ input: process.stdin, crlfDelay: Infinity })) {
  const { told, chosen, asked, amounts } = JSON.parse(line);
  const written = amounts.map((text) => ({ label: "", minor: amountOf(text, 2), currency: "EUR" }));
  const lines = linesOf(told, chosen, asked, written.filter((each) => each.minor !== null));
  process.stdout.write(JSON.stringify({ minor: lines.reduce((sum, each) => sum + each.minor, 0), lines: lines.length }) + "\\n");
}
"""
pytestmark = needs_node
PHASES = [Phase.explicit, Phase.reuse, Phase.generate]
SLOW = [HealthCheck.too_slow, HealthCheck.function_scoped_fixture]
AMOUNTS = [
    "",
    "0",
    "12",
    "12.5",
    "12,50",
    "1,249.50",
    "1.249,50",
    "1.234,5",
    "1.234,",
    "1,.5",
    "1,2 3",
    "1,2,34",
    "1 000",
    "4.500",
    "12.",
    "0.005",
    "1.2.3",
    "x",
]


@pytest.fixture(scope="module")
def browser() -> Iterator[Module]:
    made = Module(MODULE.read_text("utf-8"), RUNNER)
    yield made
    made.close()


@st.composite
def forms(draw: st.DrawFn) -> Definition:
    """Products, numbers of them, amounts and page breaks in any order; a total stands anywhere."""
    kinds = draw(
        st.lists(st.sampled_from(["product", "quantity", "custom_amount", "page_break"]), min_size=2, max_size=9)
    )
    kinds.insert(0, "product")
    kinds.insert(draw(st.integers(1, len(kinds))), "total")
    products = [f"q{number}" for number, kind in enumerate(kinds) if kind == "product"]
    fields = []
    for number, kind in enumerate(kinds):
        options = [{"value": "a", "label": "A", "price": 1500}, {"value": "b", "label": "B", "price": 0}]
        told = {
            "product": {"options": options, "most": draw(st.sampled_from([1, 5]))},
            "quantity": {"of": draw(st.sampled_from(products)), "low": 0},
        }
        fields.append({"id": f"q{number}", "kind": kind, "label": kind, "settings": told.get(kind, {})})
    presentation = draw(st.sampled_from(["classic", "one"]))
    return definitions.read({"title": "Sums", "fields": fields, "settings": {"presentation": presentation}})


def typed(data: st.DataObject, definition: Definition) -> dict[str, list[str]]:
    found = {}
    for field in definition.fields:
        if field.kind == "product":
            found[field.id] = [data.draw(st.sampled_from(["", "a", "b"]))]
            if field["most"] > 1:
                found[f"{field.id}.quantity"] = [data.draw(st.sampled_from(["", "1", "3"]))]
        elif field.kind == "quantity":
            found[field.id] = [data.draw(st.sampled_from(["", "0", "1", "2"]))]
        elif field.kind == "custom_amount":
            found[field.id] = [data.draw(st.sampled_from(AMOUNTS))]
    return found


def seen_in_browser(
    definition: Definition, screen: Screen, posted: Mapping[str, Sequence[str]], told: Any
) -> dict[str, Any]:
    """What static/js/field-total.js finds on a page: templates/formbuilder/fields/{_items,quantity,custom_amount}.html."""
    chosen, asked, amounts = [], {}, []
    for field in screen.fields:
        text = posted.get(field.id, [""])[0]
        if field.kind == "product" and text:
            price = {"a": 1500, "b": 0}[text]
            own = posted.get(f"{field.id}.quantity", [None])[0]
            chosen.append({"field": field.id, "label": text, "own": own, "minor": price, "currency": "EUR"})
        elif field.kind == "quantity" and text:
            asked.setdefault(field["of"], text)
        elif field.kind == "custom_amount":
            amounts.append(text)
    return {"told": told, "chosen": chosen, "asked": asked, "amounts": amounts}


@settings(max_examples=300, deadline=None, phases=PHASES, suppress_health_check=SLOW)
@given(definition=forms(), data=st.data())
def test_wherever_its_parts_stand_both_come_to_the_same(
    browser: Module, definition: Definition, data: st.DataObject
) -> None:
    posted = typed(data, definition)
    answers = read_answers(definition, Posted(posted), TODAY).answers
    bill = bills.bill(definition, answers, {})
    [screen] = [each for each in screens.screens_of(definition) if any(field.kind == "total" for field in each.fields)]
    so_far = bills.so_far(definition, answers, {}, screen.ids)
    found = browser.ask(seen_in_browser(definition, screen, posted, json.loads(json.dumps(so_far.told))))
    assert found == {"minor": bill.minor, "lines": len(bill.lines)}


FAR_QUANTITY = {
    "title": "Far",
    "settings": {"presentation": "one"},
    "fields": [
        {"id": "q1", "kind": "product", "label": "Seat", "settings": {"options": [{"value": "a", "label": "A", "price": 1500}]}},
        {"id": "q2", "kind": "quantity", "label": "How many", "settings": {"of": "q1"}},
        {"id": "q3", "kind": "total", "label": "Total"},
    ],
}  # fmt: skip


def test_a_number_on_the_page_multiplies_what_was_chosen_on_the_page_before(browser: Module) -> None:
    definition = definitions.read(FAR_QUANTITY)
    posted = {"q1": ["a"]}
    answers = read_answers(definition, Posted(posted), TODAY).answers
    outcome = plans.evaluate(definition, posted, TODAY)
    screen = screens.at(definition, outcome, "q2")
    told = bills.so_far(definition, answers, {}, screen.ids).told
    page = seen_in_browser(definition, screen, {"q2": ["4"]}, told)
    assert browser.ask(page) == {"minor": 6000, "lines": 1}


def test_the_comparison_fails_when_the_module_looks_at_its_own_page_only() -> None:
    source = MODULE.read_text("utf-8")
    right = "before ?? whole(asked[field]) ?? behind ?? 1"
    assert right in source
    other = Module(source.replace(right, "whole(asked[field]) ?? 1"), RUNNER)
    try:
        with pytest.raises(AssertionError):
            test_wherever_its_parts_stand_both_come_to_the_same(other)
    finally:
        other.close()
