"""Rules: what is seen, required and walked; what is wrong with them; how they are told."""

import json
import time
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from app.formbuilder.logic import conditions, evaluation
from app.formbuilder.logic.conflicts import problems
from app.formbuilder.logic.evaluation import Node
from app.formbuilder.logic.patterns import PatternError, rewrite
from app.formbuilder.logic.sentences import sentence
from tests.formbuilder import plans

TODAY = "2026-11-21"
# Three pages; the second has a section.
FIELDS = [
    Node("q1", "text", label="Your name"),
    Node("q2", "choice", label="Hiring?", options={"yes": "Yes", "no": "No"}, worth={"points": {"yes": 2}}),
    Node("q3", "number", required=True, label="Budget"),
    Node("p1", "none", "p1", label="About you"),
    Node("q4", "choices", "p1", options={"a": "A", "b": "B"}, label="Topics"),
    Node("s1", "none", "p1", label="More"),
    Node("q5", "date", "p1", group="s1", label="Begin"),
    Node("q6", "none", "p1", group="s1", parts=(("first", "text"), ("last", "text")), label="Address"),
    Node("p2", "none", "p2", label="Payment"),
    Node("total", "number", "p2", expression="{q3} * 1.19 + points(q2)", decimals=2, label="Total"),
]


def rule(do: str, *targets: str, when: Any = None, leaving: str = "", name: str = "r1") -> dict[str, Any]:
    return {"id": name, "do": do, "targets": list(targets), "when": when or {"all": []}, "from": leaving}


def when(field: str, operator: str, value: Any = "") -> dict[str, Any]:
    return {"all": [{"field": field, "is": operator, "value": value}]}


def outcome(rules: list[dict[str, Any]], fields: list[Node] = FIELDS, **posted: Any) -> evaluation.Outcome:
    sent = {name: [each] if isinstance(each, str) else each for name, each in posted.items()}
    plan = json.loads(json.dumps(evaluation.compile(fields, rules)))
    return evaluation.evaluate(plan, sent, TODAY)


@pytest.mark.parametrize(
    ("field", "sent", "operator", "value", "expected"),
    [
        ("q1", "Ann", "equals", "ANN", True),
        ("q1", "Änn", "equals", "änn", False),
        ("q1", " Ann\r\n", "equals", "Ann", True),
        ("q1", "007", "equals", "7", False),
        ("q1", "Ann", "not_equals", "Bo", True),
        ("q1", "", "not_equals", "Bo", True),
        ("q1", "say hello", "contains", "HELLO", True),
        ("q1", "say hello", "not_contains", "x", True),
        ("q1", "say hello", "starts_with", "Say", True),
        ("q1", "say hello", "ends_with", "LLO", True),
        ("q1", "AB-12", "matches", r"^[a-z]{2}-\d+$", True),
        ("q1", "AB-١٢", "matches", r"^[a-z]{2}-\d+$", False),
        ("q1", "😀", "matches", "^.$", True),
        ("q1", "ſ", "matches", "^s$", False),
        ("q1", "", "empty", "", True),
        ("q1", " \u3000\ufeff", "empty", "", True),
        ("q1", "0", "not_empty", "", True),
        ("q1", "a😀b", "length_at_most", "3", True),
        ("q1", "a😀b", "length_at_least", "4", False),
        ("q1", "", "length_at_least", "0", True),
        ("q1", "bo", "one_of", ["Ann", "Bo"], True),
        ("q1", "bo", "one_of", "Ann\nBo", True),
        ("q1", "bo", "not_one_of", "Ann\r\nBo", False),
        ("q3", "10", "equals", "10.0", True),
        ("q3", "9", "less", "10", True),
        ("q3", "10", "at_least", "10", True),
        ("q3", "10", "greater", "10", False),
        ("q3", "-0", "equals", "0", True),
        ("q3", "1e3", "empty", "", True),
        ("q3", "١", "empty", "", True),
        ("q3", "", "less", "5", False),
        ("q3", "5", "less", "many", False),
        ("q4", ["a"], "equals", "A", True),
        ("q4", ["a", "b"], "equals", "a", False),
        ("q4", ["a", "b"], "contains", "B", True),
        ("q4", ["ab"], "contains", "a", False),
        ("q4", ["a", "", "b"], "length_at_most", "2", True),
        ("q4", [""], "empty", "", True),
        ("q4", ["a", "c"], "one_of", ["c", "d"], True),
        ("q4", ["a"], "not_one_of", ["c", "d"], True),
        ("q5", "2026-11-20", "before", "today", True),
        ("q5", "2026-11-21", "at_least", "TODAY", True),
        ("q5", "2026-11-21", "after", "2026-11-20", True),
        ("q5", "2026-02-29", "empty", "", True),
        ("q5", "0999-01-01", "empty", "", True),
        ("q6.first", "Bo", "equals", "bo", True),
        ("missing", "", "empty", "", False),
        ("q1", "a", "nonsense", "a", False),
    ],
)
def test_every_operator_means_what_the_page_of_docs_says(
    field: str, sent: Any, operator: str, value: Any, expected: bool
) -> None:
    seen = outcome([rule("show", "total", when=when(field, operator, value))], **{field: sent}).visible
    assert ("total" in seen) is expected


@pytest.mark.parametrize(
    ("made", "expected"),
    [
        ({"all": []}, True),
        ({"any": []}, False),
        ({"all": [when("q1", "empty"), {"any": [when("q1", "not_empty"), {"all": []}]}]}, True),
        ({"any": [{"any": []}, {"all": [{"any": []}]}]}, False),
        (None, False),
        ("yes", False),
        ({}, False),
        ({"all": [5]}, False),
        ({"field": "q1", "is": ["equals"]}, False),
        ({"field": ["q1"], "is": "equals"}, False),
    ],
)
def test_groups_hold_as_the_page_of_docs_says_and_what_cannot_be_read_does_not(made: Any, expected: bool) -> None:
    made_rule = {**rule("show", "total"), "when": made}
    assert ("total" in outcome([made_rule]).visible) is expected


def test_hide_wins_over_show_and_one_show_rule_is_enough() -> None:
    shows = [rule("show", "q3", when=when("q1", "equals", "a")), rule("show", "q3", when=when("q1", "equals", "b"))]
    assert "q3" in outcome(shows, q1="b").visible
    assert "q3" not in outcome(shows, q1="c").visible
    assert "q3" not in outcome([*shows, rule("hide", "q3", when=when("q2", "equals", "yes"))], q1="b", q2="yes").visible


def test_a_hidden_field_is_empty_for_rules_and_calculations_whatever_was_posted() -> None:
    hidden = outcome([rule("hide", "q3"), rule("show", "q4", when=when("q3", "not_empty"))], q3="100")
    assert "q3" not in hidden.values
    assert "q4" not in hidden.visible
    assert hidden.values["total"] == 0
    assert "q3" not in hidden.required


def test_a_hidden_section_hides_its_group() -> None:
    assert {"s1", "q5", "q6"}.isdisjoint(outcome([rule("hide", "s1")]).visible)
    assert {"s1", "q5", "q6"} <= outcome([]).visible


def test_fields_can_be_required_either_or() -> None:
    rules = [rule("require", "q1", when=when("q2", "empty")), rule("require", "q2", when=when("q1", "empty"))]
    assert {"q1", "q2"} <= outcome(rules).required
    assert outcome(rules, q1="x").required == {"q1", "q3"}
    assert problems(FIELDS, rules) == []


def test_a_later_field_of_a_step_may_decide_about_an_earlier_one() -> None:
    rules = [rule("show", "q1", when=when("q3", "greater", "5"))]
    assert "q1" in outcome(rules, q3="6").visible
    assert problems(FIELDS, rules) == []


def test_a_skipped_step_hides_its_fields_and_the_next_is_walked() -> None:
    found = outcome([rule("skip", "p1", when=when("q2", "equals", "no"))], q2="no", q4=["a"])
    assert found.steps == ("start", "p2")
    assert not {"p1", "q4", "q5"} & found.visible
    assert "q4" not in found.values


def test_a_jump_goes_onwards_and_the_first_that_holds_is_taken() -> None:
    rules = [
        rule("jump", "end", when=when("q2", "equals", "no"), leaving="start"),
        rule("jump", "p2", when=when("q2", "not_empty"), leaving="start"),
        rule("jump", "start", leaving="p1"),
    ]
    assert outcome(rules, q2="no").steps == ("start",)
    assert outcome(rules, q2="yes").steps == ("start", "p2")
    assert outcome(rules).steps == ("start", "p1", "p2")


def test_a_jump_to_a_skipped_step_comes_to_the_one_after_it() -> None:
    last = Node("p3", "none", "p3")
    rules = [rule("jump", "p2", leaving="start"), rule("skip", "p2")]
    assert outcome(rules, [*FIELDS, last]).steps == ("start", "p3")


def test_a_calculation_is_rounded_and_what_is_posted_for_it_is_nothing() -> None:
    assert outcome([], q3="10.55", q2="yes", total="999").values["total"] == 14.55


def test_calculations_may_use_one_another_in_any_order() -> None:
    fields = [Node("a", "number", expression="{b} + 1"), Node("b", "number", expression="{c} * 2"), Node("c", "number")]
    assert outcome([], fields, c="4").values == {"a": 9, "b": 8, "c": 4}
    assert problems(fields, []) == []


def test_points_are_in_the_plan_only_where_a_calculation_asks_for_them() -> None:
    fields = [Node("q1", "choice", worth={"points": {"right": 1}, "price": {"right": 5}})]
    assert evaluation.compile(fields, [])["worth"] == {"points": {}, "price": {}}
    asking = [*fields, Node("score", "number", expression="points(q1)")]
    assert evaluation.compile(asking, [])["worth"] == {"points": {"q1": {"right": 1}}, "price": {}}


# --- what is wrong ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("rules", "expected"),
    [
        ([rule("show", "q1", when=when("q1", "not_empty"))], "“Your name” → “Your name”"),
        (
            [rule("show", "q1", when=when("q2", "empty")), rule("hide", "q2", when=when("q1", "empty"))],
            "“Your name” → “Hiring?” → “Your name”",
        ),
        ([rule("show", "s1", when=when("q5", "not_empty"))], "“More” → “Begin” → “More”"),
        ([rule("show", "q1", when=when("q4", "contains", "a"))], "looks ahead at “Topics”"),
        ([rule("require", "q1", when=when("total", "greater", "1"))], "looks ahead at “Total”"),
        ([rule("skip", "p1", when=when("q4", "empty"))], "looks ahead at “Topics”"),
        ([rule("jump", "p2", when=when("q4", "empty"), leaving="start")], "looks ahead at “Topics”"),
        ([rule("jump", "p2", leaving="start")], "Nobody comes to “About you”"),
        ([rule("jump", "end", leaving="start")], "Nobody comes to “Payment”"),
        ([rule("skip", "p1")], "Nobody comes to “About you”"),
        ([rule("jump", "p1", when=when("q4", "empty"), leaving="p2")], "cannot go back to “About you”"),
        ([rule("jump", "p1", "p2", when=when("q1", "empty"), leaving="start")], "one page only"),
        ([rule("jump", "p1", leaving="p9")], "leaves a page that is not there"),
        ([rule("jump", "q1", leaving="start")], "There is no page “q1”"),
        ([rule("skip", "start")], "first page cannot be skipped"),
        ([rule("show", "nobody")], "There is no field “nobody”"),
        ([rule("show")], "about nothing"),
        ([rule("explode", "q1")], "does nothing"),
        ([rule("require", "total")], "cannot be required"),
        ([rule("show", "q3", when={"any": []})], "“Budget” is never shown"),
        ([rule("show", "q3", when=when("gone", "empty"))], "“gone”, which is not there"),
        ([rule("show", "q3", when=when("q1", "greater", "5"))], "cannot be compared in this way"),
        ([rule("show", "q3", when=when("s1", "empty"))], "“s1”, which is not there"),
        ([rule("show", "q3", when=when("q1", "equals", " "))], "compared with is missing"),
        ([rule("show", "q1", when=when("q3", "less", "many"))], "with a number"),
        ([rule("show", "q1", when=when("q1", "length_at_least", "1.5"))], "whole number"),
        ([rule("show", "total", when=when("q5", "before", "31.1.2027"))], "with a day"),
        ([rule("show", "q3", when=when("q2", "equals", "perhaps"))], "has no option “perhaps”"),
        ([rule("show", "q3", when=when("q1", "matches", "(a+)+"))], "The pattern for “Your name”"),
        ([{**rule("show", "q3"), "when": {"all": ["x"]}}], "cannot be read"),
        ([{**rule("show", "q3"), "when": json.loads('{"all":[' * 40 + "]}" * 40)}], "nested too deep"),
        ([{**rule("show", "q3"), "when": {"all": [when("q1", "empty")] * 300}}], "too many"),
    ],
)
def test_what_is_wrong_with_a_rule_is_told(rules: list[dict[str, Any]], expected: str) -> None:
    assert [each for each in problems(FIELDS, rules) if expected in each.sentence]


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("{q3} +", "Something is missing at the end, at character 7"),
        ("{gone} + 1", "“gone”, which is not there"),
        ("{total} + 1", "These wait for each other: “Total” → “Total”."),
    ],
)
def test_what_is_wrong_with_a_calculation_is_told(expression: str, expected: str) -> None:
    fields = [*FIELDS[:-1], replace(FIELDS[-1], expression=expression)]
    assert [each for each in problems(fields, []) if expected in each.sentence and each.level == "error"]


def test_a_calculation_cannot_look_ahead() -> None:
    fields = [Node("sum", "number", expression="{q4} + 1"), *FIELDS]
    assert "looks ahead at “Topics”" in problems(fields, [])[0].sentence


def test_a_sound_form_has_no_problem() -> None:
    rules = [
        rule("show", "q3", when=when("q2", "equals", "yes")),
        rule("skip", "p1", when=when("q2", "equals", "no")),
        rule("jump", "end", when=when("q4", "length_at_least", "1"), leaving="p1"),
        rule("show", "q6", when=when("q5", "before", "today")),
        rule("hide", "total", when=when("q6.first", "one_of", ["Ann", "Bo"])),
    ]
    assert problems(FIELDS, rules) == []


# --- patterns ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "pattern",
    [
        *(
            r"(a)\1",
            "a(?=b)",
            "a(?!b)",
            "(?<=a)b",
            "(?P<x>a)",
            "(?i)a",
            "a*?",
            "a++",
            "a{2}{3}",
            "(a+)+",
            "(a|a)*",
            "(a*)*",
            "((ab)?c)+",
        ),
        *(
            ".*.*.*",
            "a*a*a*",
            "a{0,500}b{0,500}c{0,500}",
            "a?" * 40,
            "(",
            ")",
            "[",
            "[]",
            "[^]",
            "[b-a]",
            "*a",
            "a{",
            "}",
            "\\",
            r"\b",
        ),
        *(
            r"\p{L}",
            r"\x41",
            r"\0",
            "[[a]]",
            r"[\D]",
            "^*",
            "$+",
            "x" * 300,
            "(" * 50 + ")" * 50,
            "\ud800",
            r"\u0041",
            "a{9999}",
            "a{501}",
        ),
    ],
)
def test_a_pattern_that_engines_read_differently_or_slowly_is_refused(pattern: str) -> None:
    with pytest.raises(PatternError):
        rewrite(pattern)


@pytest.mark.parametrize(
    "pattern",
    [
        r"^\d+(\.\d+)?$",
        r"^[^@\s]+@[^@\s]+\.[a-z]{2,}$",
        "(jpg|png)$",
        r"^(?:\d{4}-){3}\d{4}$",
        "a.*b",
        r"^[\w.+-]+$",
        "^$",
        "",
        "a|b|c",
    ],
)
def test_patterns_of_every_day_are_taken(pattern: str) -> None:
    assert rewrite(pattern).longest >= 200


@pytest.mark.parametrize("pattern", ["a*a*b", "^a*a*a*b", "^.*.*x$", "(a?b?)?a*b", "a{0,99}a*b"])
def test_the_worst_text_for_a_pattern_takes_no_time(pattern: str) -> None:
    source, longest = rewrite(pattern)
    plan = {"steps": [{"id": "start", "nodes": [{"id": "q1", "names": {"q1": "text"}}], "if": 1}], "worth": {}}
    plan["steps"].append({"id": "p1", "nodes": [], "if": ["re", ["v", "q1"], source, longest]})
    begun = time.process_time()
    assert evaluation.evaluate(plan, {"q1": ["a" * longest]}, TODAY).steps == ("start",)
    assert time.process_time() - begun < 2


# --- sentences --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("made", "expected"),
    [
        (rule("show", "q3", when=when("q2", "equals", "yes")), "Show “Budget” when “Hiring?” is Yes."),
        (rule("hide", "q1", "q2", "q3"), "Hide “Your name”, “Hiring?” and “Budget”, always."),
        (rule("require", "q1", when={"any": []}), "Require “Your name”, never."),
        (
            rule("jump", "end", when=when("q1", "empty"), leaving="start"),
            "After the first page go to the end when “Your name” is empty.",
        ),
        (
            rule(
                "skip",
                "p1",
                when={
                    "all": [when("q1", "not_empty"), {"any": [when("q3", "less", "5"), when("q4", "one_of", "a\nb")]}]
                },
            ),
            "Skip “About you” when “Your name” is filled in and (“Budget” is less than 5 or “Topics” is one of A and B).",
        ),
        (
            {},
            "… when ….",
        ),
    ],
)
def test_a_rule_is_told_as_a_sentence(made: dict[str, Any], expected: str) -> None:
    labels = {node.id: node.label for node in FIELDS}
    options = {node.id: node.options for node in FIELDS if node.options}
    assert sentence(made, labels, options) == expected


ODD = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.text(max_size=5)
    | st.sampled_from(["q1", "equals", "matches", "show"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["all", "any", "field", "is", "value"]), inner, max_size=4)
    ),
    max_leaves=10,
)


@settings(max_examples=200, deadline=None, phases=[Phase.explicit, Phase.generate])
@given(
    rules=st.lists(st.dictionaries(st.sampled_from(["when", "do", "targets", "from", "id"]), ODD), max_size=4), made=ODD
)
def test_no_rule_however_odd_breaks_anything(rules: list[dict[str, Any]], made: Any) -> None:
    rules = [*rules, {**rule("show", "q3"), "when": made}]
    for each in problems(FIELDS, rules):
        assert each.sentence and each.level in ("error", "warning")
    assert outcome(rules, q1="x").steps[0] == "start"
    assert all(sentence(each, {}) for each in rules)


@settings(max_examples=200, deadline=None, phases=[Phase.explicit, Phase.generate])
@given(form=plans.forms(), data=st.data())
def test_what_is_hidden_has_no_value_and_is_not_required(form: plans.Form, data: st.DataObject) -> None:
    found = evaluation.evaluate(evaluation.compile(form.fields, form.rules), data.draw(plans.posted(form)), TODAY)
    assert found.required <= found.visible
    assert {name.partition(".")[0] for name in found.values} <= found.visible
    assert {node.step for node in form.fields if node.id in found.visible} <= set(found.steps)
    assert list(found.steps) == [step for step in conditions.steps(form.fields) if step in found.steps]
    problems(form.fields, form.rules)
