"""What is wrong with the settings of fields, as their owner is told while building; and calculations tried with samples."""

from typing import Any

import pytest

from app.formbuilder.definition import definitions
from app.formbuilder.logic import trials
from tests.formbuilder.building import a_definition, field

TWO = [{"value": "a", "label": "A", "points": 2}, {"value": "b", "label": "B", "points": 5}]


@pytest.mark.parametrize(
    ("kind", "settings", "level", "words"),
    [
        ("number", {"low": 5, "high": 2}, "error", "nothing fits"),
        ("short_text", {"min_length": 9, "max_length": 3}, "error", "nothing fits"),
        ("date", {"first": "2027-02-01", "last": "2027-01-01"}, "error", "nothing fits"),
        ("checkbox", {"options": TWO, "least": 3}, "error", "has 2 options"),
        ("checkbox", {"options": TWO, "least": 2, "most": 1}, "error", "nothing fits"),
        ("radio", {"options": []}, "warning", "nothing in “Options”"),
        ("likert", {"rows": []}, "warning", "nothing in “Rows”"),
        ("calculation", {"expression": " "}, "warning", "nothing to calculate"),
        ("quantity", {"of": "q9"}, "error", "not there"),
    ],
)
def test_a_setting_that_cannot_work_is_told(kind: str, settings: dict[str, Any], level: str, words: str) -> None:
    found = definitions.problems(a_definition(field(1, kind, settings=settings), field(2)))
    assert any(each.level == level and words in each.sentence and each.field == "q1" for each in found), found


@pytest.mark.parametrize("kind", ["number", "short_text", "date", "checkbox", "radio", "likert", "quantity", "slider"])
def test_a_new_field_has_nothing_wrong_with_it(kind: str) -> None:
    assert definitions.problems(a_definition(field(1, kind), field(2))) == []


def test_a_required_choice_without_options_keeps_a_form_from_being_published() -> None:
    found = definitions.problems(a_definition(field(1, "radio", required=True, settings={"options": []})))
    assert [each.level for each in found] == ["error"]


def test_a_calculation_is_tried_with_samples_also_of_what_it_rests_on() -> None:
    form = a_definition(
        field(1, "number", "Seats"),
        field(2, "radio", "Size", settings={"options": TWO}),
        field(3, "calculation", "Net", settings={"expression": "{q1} * 10"}),
        field(4, "calculation", "Gross", settings={"expression": "{q3} * 1.19 + points(q2)", "unit": "EUR"}),
    )
    made = trials.tried(form, form.fields[3], {}, "2027-01-01")
    assert {each.name: each.text for each in made.samples} == {"q1": "3", "q2": "a"}
    assert made.result == "37.7 EUR"
    assert trials.tried(form, form.fields[3], {"q1": "10", "q2": "b"}, "2027-01-01").result == "124 EUR"
    assert trials.tried(form, form.fields[3], {"q1": "nonsense"}, "2027-01-01").result == "2 EUR"


def test_a_calculation_that_waits_for_itself_is_tried_all_the_same() -> None:
    form = a_definition(
        field(1, "calculation", "A", settings={"expression": "{q2} + 1"}),
        field(2, "calculation", "B", settings={"expression": "{q1} + 1"}),
    )
    made = trials.tried(form, form.fields[0], {}, "2027-01-01")
    assert made.samples == [] and made.result in ("1", "2")


@pytest.mark.parametrize(("currency", "minor", "result"), [("EUR", 1999, "19.99"), ("JPY", 1999, "1999")])
def test_a_price_counts_in_whole_units_of_its_currency(currency: str, minor: int, result: str) -> None:
    goods = {"currency": currency, "options": [{"value": "a", "label": "A", "price": minor}]}
    form = a_definition(
        field(1, "product", "Goods", settings=goods),
        field(2, "calculation", "Sum", settings={"expression": "price(q1)"}),
    )
    assert trials.tried(form, form.fields[1], {}, "2027-01-01").result == result


def test_only_what_is_asked_needs_a_label() -> None:
    form = a_definition(
        field(1), *({**field(n, kind), "label": ""} for n, kind in ((2, "divider"), (3, "html"), (4, "hidden")))
    )
    assert not any("no label" in each.sentence for each in definitions.problems(form))
    form = a_definition({**field(1), "label": ""})
    assert any("no label" in each.sentence for each in definitions.problems(form))
