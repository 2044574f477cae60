"""Edits of a definition: each names fields by id, and gives the next definition."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.core.errors import Conflict, Invalid
from app.formbuilder.definition import definitions, differences, editing, rules
from app.formbuilder.models import Definition, Posted
from tests.formbuilder.building import a_definition, field


def ids(definition: Definition) -> list[str]:
    return [each.id for each in definition.fields]


def test_a_new_field_comes_behind_the_chosen_one_first_or_last() -> None:
    form = a_definition()
    assert ids(editing.added(form, "email", "q1")) == ["q1", "q4", "q2", "q3"]
    assert ids(editing.added(form, "email", "-")) == ["q4", "q1", "q2", "q3"]
    assert ids(editing.added(form, "email")) == ["q1", "q2", "q3", "q4"]


def test_an_id_is_never_used_again() -> None:
    form = editing.removed(editing.added(a_definition(), "email"), "q4")
    assert ids(editing.added(form, "email"))[-1] == "q5"


def test_an_unknown_kind_is_refused() -> None:
    with pytest.raises(Invalid):
        editing.added(a_definition(), "nonsense")


def test_a_copy_comes_behind_its_field_with_everything_but_its_id() -> None:
    form = editing.duplicated(a_definition(field(1, label="Name", required=True, width=3), field(2)), "q1")
    assert ids(form) == ["q1", "q3", "q2"]
    assert form.fields[1].label == "Name" and form.fields[1].required and form.fields[1].width == 3


def test_a_field_that_is_gone_cannot_be_changed() -> None:
    with pytest.raises(Conflict):
        editing.changed(a_definition(), "q9", {"label": "Other"})


def test_an_order_that_does_not_know_a_field_leaves_it_behind_its_neighbour() -> None:
    form = editing.added(a_definition(), "email", "q1")  # somebody else did, while q3 was dragged to the top
    assert ids(editing.ordered(form, ["q3", "q1", "q2"])) == ["q3", "q1", "q4", "q2"]


@given(st.permutations(["q1", "q2", "q3", "q4", "q5"]))
def test_any_order_is_taken_on(order: list[str]) -> None:
    form = a_definition(*(field(number) for number in range(1, 6)))
    assert ids(editing.ordered(form, order)) == order


def test_a_field_has_another_fingerprint_when_anything_of_it_changes() -> None:
    form = a_definition(field(1, "radio", settings={"options": [{"label": "One"}]}))
    before = editing.fingerprint(form.fields[0])
    sent: dict[str, Any] = {"label": "Question 1", "options": [{"label": "One", "points": "2"}]}
    after, _refused = editing.changed(form, "q1", sent)
    assert editing.fingerprint(after.fields[0]) != before
    assert (
        editing.fingerprint(a_definition(field(1, "radio", settings={"options": [{"label": "One"}]})).fields[0])
        == before
    )


# --- rules ------------------------------------------------------------------------------------------------------------


def posted(**texts: Any) -> Posted:
    """Names with `__` for a dot."""
    told = {name.replace("__", "."): value if isinstance(value, list) else [value] for name, value in texts.items()}
    return Posted(told)


CHOICE = field(
    1, "radio", "Hiring?", settings={"options": [{"value": "yes", "label": "Yes"}, {"value": "no", "label": "No"}]}
)


def test_a_rule_is_read_from_its_pickers_with_groups_in_groups() -> None:
    form = a_definition(CHOICE, field(2, "number", "Age"), field(3))
    sent = posted(
        do="show", targets=["q3", "gone"], c__join="all",
        c__0__field="q1", c__0__is="equals", c__0__value="yes",
        c__1__join="any", c__1__0__field="q2", c__1__0__is="greater", c__1__0__value="30",
        c__1__1__field="q1", c__1__1__is="one_of", c__1__1__value=["yes", "no"],
    )  # fmt: skip
    assert rules.read(form, sent) == {
        "do": "show",
        "targets": ["q3"],
        "when": {"all": [
            {"field": "q1", "is": "equals", "value": "yes"},
            {"any": [
                {"field": "q2", "is": "greater", "value": "30"},
                {"field": "q1", "is": "one_of", "value": ["yes", "no"]},
            ]},
        ]},
    }  # fmt: skip


def test_an_operator_that_does_not_fit_the_field_becomes_one_that_does() -> None:
    form = a_definition(field(1, "date", "Day"), field(2))
    made = rules.read(
        form, posted(do="hide", targets="q2", c__join="all", c__0__field="q1", c__0__is="starts_with", c__0__value="x")
    )
    assert made["when"]["all"][0]["is"] == "equals"


def test_what_is_drawn_of_a_rule_reads_back_as_the_same_rule() -> None:
    form = a_definition(CHOICE, field(2, "number", "Age"), field(3))
    condition = {
        "any": [{"field": "q1", "is": "equals", "value": "no"}, {"all": [{"field": "q2", "is": "empty", "value": ""}]}]
    }
    drawn = rules.drawn(form, condition)
    texts: dict[str, list[str]] = {"do": ["hide"], "targets": ["q3"]}

    def put(group: rules.Group) -> None:
        texts[f"{group.path}.join"] = [group.join]
        for part in group.parts:
            if isinstance(part, rules.Group):
                put(part)
            else:
                texts.update(
                    {
                        f"{part.path}.field": [part.field],
                        f"{part.path}.is": [part.operator],
                        f"{part.path}.value": list(part.values),
                    }
                )

    put(drawn)
    assert rules.read(form, Posted(texts))["when"] == condition
    assert [part.control for part in drawn.parts if isinstance(part, rules.Row)] == ["options"]


def test_buttons_add_a_condition_a_group_and_take_one_away() -> None:
    one = {"all": [{"field": "q1", "is": "empty", "value": ""}]}
    grouped = rules.acted(rules.acted(one, "add", "c"), "group", "c")
    assert len(grouped["all"]) == 3 and "any" in grouped["all"][2]
    assert len(rules.acted(grouped, "add", "c.2")["all"][2]["any"]) == 3
    assert rules.acted(grouped, "remove", "c.0")["all"][0]["field"] == ""
    assert rules.acted(one, "remove", "c.7") == one


def test_a_jump_goes_to_one_page_and_a_skip_is_about_pages_only() -> None:
    form = a_definition(field(1), field(2, "page_break", "More"), field(3))
    jump = rules.read(form, posted(do="jump", **{"from": "start"}, targets=["q2", "end"], c__join="all"))
    assert jump["targets"] == ["q2"] and jump["from"] == "start"
    assert rules.read(form, posted(do="skip", targets=["q1", "q2"], c__join="all"))["targets"] == ["q2"]


def test_problems_of_rules_are_problems_of_the_form() -> None:
    looking_ahead = {"id": "r1", "do": "show", "targets": ["q1"], "when": {"all": [{"field": "q3", "is": "empty"}]}}
    loop = [
        {"id": "r2", "do": "show", "targets": ["q1"], "when": {"all": [{"field": "q4", "is": "not_empty"}]}},
        {"id": "r3", "do": "show", "targets": ["q4"], "when": {"all": [{"field": "q1", "is": "not_empty"}]}},
    ]
    gone = {"id": "r5", "do": "hide", "targets": ["q9"], "when": {"all": []}}
    fields = (field(1), field(4), field(2, "page_break"), field(3))
    assert any(
        "looks ahead" in each.sentence and each.rule == "r1"
        for each in definitions.problems(a_definition(*fields, rules=[looking_ahead]))
    )
    assert any(
        "wait for each other" in each.sentence for each in definitions.problems(a_definition(*fields, rules=loop))
    )
    assert any(
        "q9" in each.sentence and each.level == "error"
        for each in definitions.problems(a_definition(*fields, rules=[gone]))
    )


# --- differences ------------------------------------------------------------------------------------------------------


def test_a_difference_tells_what_was_added_removed_moved_and_changed() -> None:
    before = a_definition(field(1, label="Name"), field(2), field(3), field(4))
    after = a_definition(field(3), field(1, label="Your name", required=True), field(2), field(5, "email", "Mail"))
    told = {(each.how, each.what): each for each in differences.between(before, after)}
    assert set(told) == {
        ("moved", "“Question 3”"),
        ("changed", "“Your name”"),
        ("added", "“Mail”"),
        ("removed", "“Question 4”"),
    }
    changes = [(each.what, each.before, each.after) for each in told["changed", "“Your name”"].changes]
    assert changes == [("Label", "Name", "Your name"), ("Must be answered", "No", "Yes")]


def test_a_difference_tells_rules_as_sentences_and_settings_by_their_label() -> None:
    rule = {"id": "r1", "do": "hide", "targets": ["q2"], "when": {"all": [{"field": "q1", "is": "empty"}]}}
    before = a_definition()
    after = a_definition(rules=[rule], settings={"thanks_title": "Bye"})
    told = [
        (each.how, each.what, [(one.what, one.before, one.after) for one in each.changes])
        for each in differences.between(before, after)
    ]
    assert told == [
        ("added", "Rule", [("", "", "Hide “Question 2” when “Question 1” is empty.")]),
        ("changed", "Settings", [("Heading after sending", "", "Bye")]),
    ]


@given(st.permutations(["q1", "q2", "q3", "q4"]))
def test_only_fields_that_changed_places_are_told_as_moved(order: list[str]) -> None:
    before = a_definition(*(field(number) for number in range(1, 5)))
    moved = [each for each in differences.between(before, editing.ordered(before, order)) if each.how == "moved"]
    assert (len(moved) == 0) == (order == ["q1", "q2", "q3", "q4"])
    assert len(moved) < 4
