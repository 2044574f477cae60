"""The browser's module and the server agree, whatever the form and the answers: values, what is seen, required and walked."""

import gzip
import json
import re
from collections.abc import Iterator
from dataclasses import replace
from itertools import product
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from app.formbuilder.definition import definitions
from app.formbuilder.fields.kinds import kind_of
from app.formbuilder.logic import evaluation
from app.formbuilder.logic import plans as form_plans
from app.formbuilder.logic.conditions import MAX_DEPTH
from app.formbuilder.logic.evaluation import CLASSES, OPERATORS, Node
from app.formbuilder.models import Definition, Field
from tests.formbuilder import plans
from tests.formbuilder.every_kind import FILLED, IN_FOLD, name_of
from tests.formbuilder.every_kind import definition as every_kind_definition
from tests.formbuilder.in_node import SCRIPTS, Module, needs_node

MODULE = SCRIPTS / "form-logic.js"
TODAY = "2026-11-21"
RUNNER = """
import readline from "node:readline";
const { evaluate } = await import(`data:text/javascript;base64,${process.argv[1]}`);
for await (const line of readline.createInterface({ input: process.stdin, crlfDelay: Infinity })) {
  const { plan, posted, today } = JSON.parse(line);
  let said;
  try {
    const { visible, required, values, steps } = evaluate(plan, posted, today);
    said = { visible: [...visible], required: [...required], values, steps };
  } catch (error) {
    said = { error: String(error) };
  }
  process.stdout.write(JSON.stringify(said) + "\\n");
}
"""
pytestmark = needs_node


@pytest.fixture(scope="module")
def browser() -> Iterator[Module]:
    made = Module(MODULE.read_text("utf-8"), RUNNER)
    yield made
    made.close()


def on_server(plan: evaluation.Plan, posted: dict[str, list[str]], today: str = TODAY) -> dict[str, Any]:
    """What the server finds, with the order of sets taken out, through JSON as the browser's is."""
    found = evaluation.evaluate(json.loads(json.dumps(plan)), posted, today)
    said = {
        "visible": sorted(found.visible),
        "required": sorted(found.required),
        "values": dict(found.values),
        "steps": list(found.steps),
    }
    return json.loads(json.dumps(said))


def in_browser(
    browser: Module, plan: evaluation.Plan, posted: dict[str, list[str]], today: str = TODAY
) -> dict[str, Any]:
    said = browser.ask({"plan": plan, "posted": posted, "today": today})
    assert "error" not in said, said
    return {**said, "visible": sorted(said["visible"]), "required": sorted(said["required"])}


# Without shrinking: it takes minutes here, and the example that is found is small enough.
PHASES = [Phase.explicit, Phase.reuse, Phase.generate]
SLOW = [
    HealthCheck.too_slow,
    HealthCheck.function_scoped_fixture,
    HealthCheck.data_too_large,
    HealthCheck.large_base_example,
]


@settings(max_examples=200, deadline=None, phases=PHASES, suppress_health_check=SLOW)
@given(form=plans.forms(), data=st.data())
def test_whatever_the_form_and_the_answers_both_find_the_same(
    browser: Module, form: plans.Form, data: st.DataObject
) -> None:
    plan = evaluation.compile(form.fields, form.rules)
    posted = data.draw(plans.posted(form))
    assert in_browser(browser, plan, posted) == on_server(plan, posted)


@settings(max_examples=200, deadline=None, phases=PHASES, suppress_health_check=SLOW)
@given(text=plans.expressions(), data=st.data())
def test_whatever_the_calculation_both_find_the_same(browser: Module, text: str, data: st.DataObject) -> None:
    fields = [
        *plans.FIELDS,
        evaluation.Node("total", "number", expression=text, decimals=data.draw(st.none() | st.integers(0, 6))),
    ]
    plan = evaluation.compile(fields, [])
    posted = data.draw(plans.answers(plans.FIELDS))
    assert in_browser(browser, plan, posted) == on_server(plan, posted)


def test_of_numbers_beyond_whole_ones_both_find_the_same(browser: Module) -> None:
    """JSON of the two differs there: 63093999999999940 and 6.309399999999994e+16."""
    plan = evaluation.compile([evaluation.Node("total", "number", expression="63.094 * 999999999999999")], [])
    found = on_server(plan, {})
    assert found["values"]["total"] > 2**53
    assert in_browser(browser, plan, {}) == found


# Answers and forms that random ones come to rarely, each with what it is about.
ODD_TEXTS = [text for text in plans.TEXTS if len(text) < 100] + ["😀" * 10_001, "x" * 10_001 + "y", "a" * 5000 + "b"]

ASKED = ("", "a", "ANN", "Änn", "ſ", "😀", "10", "-0", "2026-11-21", "today")


def test_every_operator_reads_every_odd_text_alike(browser: Module) -> None:
    """One form asks everything of one answer: each operator, each class, against each text."""
    fields = [Node(kind, kind) for kind in CLASSES if kind != "none"]
    rules = []
    for kind in [node.id for node in fields]:
        asked = [*product(OPERATORS, ASKED), *(("matches", pattern) for pattern in plans.PATTERNS)]
        for at, (operator, text) in enumerate(asked):
            name = f"{kind}_{at}"
            fields.append(Node(name, "none"))
            rules.append({"do": "show", "targets": [name], "when": {"field": kind, "is": operator, "value": text}})
    plan = evaluation.compile(fields, rules)
    for text in ODD_TEXTS:
        posted = {kind: [text, "a"] if kind == "choices" else [text] for kind in CLASSES}
        assert in_browser(browser, plan, posted) == on_server(plan, posted), text[:50]


def test_hostile_names_are_names_like_any_other(browser: Module) -> None:
    fields = [
        *(
            Node(name, "choice", worth=plans.WORTH)
            for name in ("constructor", "tostring", "valueof", "length", "prototype")
        ),
        Node("total", "number", expression="points(constructor) + price(valueof) + points(missing)"),
        Node("shown", "text", group="constructor"),
    ]
    rules = [{"do": "show", "targets": ["tostring"], "when": {"field": "hasownproperty", "is": "not_empty"}}]
    plan = evaluation.compile(fields, rules)
    for text in ("__proto__", "constructor", "toString", "yes"):
        posted = {
            "constructor": [text],
            "valueof": [text],
            "__proto__": ["x"],
            "hasOwnProperty": ["x"],
            "prototype": [text],
        }
        assert in_browser(browser, plan, posted) == on_server(plan, posted)
    assert on_server(plan, {})["values"] == {"total": 0} == in_browser(browser, plan, {})["values"]
    # A name that was never posted is not found on the prototype of what was.
    assert "constructor" not in in_browser(browser, plan, {})["values"]


@pytest.mark.parametrize("today", ["2026-11-21", "2024-02-29", ""])
def test_nesting_and_length_at_their_ends_are_read_alike(browser: Module, today: str) -> None:
    deep: Any = {"field": "q1", "is": "equals", "value": "a"}
    for at in range(MAX_DEPTH):
        deep = {"all" if at % 2 else "any": [deep, {"field": "q2", "is": "empty"}]}
    fields = [Node("q1"), Node("q2", "number"), Node("seen")]
    fields.append(Node("deep", "number", expression="(" * 28 + "{q2} + 1" + ")" * 28))
    fields.append(Node("wide", "number", expression="+".join(["{q2}"] * 390)))
    fields.append(Node("day", "text", expression='concat(today(), days_between(today(), "2000-01-01"))'))
    plan = evaluation.compile(fields, [{"do": "show", "targets": ["seen"], "when": deep}])
    for q1, q2 in product(["a", "b", ""], ["1", "0.1", ""]):
        posted = {"q1": [q1], "q2": [q2]}
        found = on_server(plan, posted, today)
        assert in_browser(browser, plan, posted, today) == found
        assert "wide" in found["values"]


BROKEN = {
    "equals is strict about letters": ("fold(a) === fold(b)", "plain(a) === plain(b)"),
    "less lets equals in": ("order(a, b) < 0", "order(a, b) <= 0"),
    "lengths count UTF-16": ("(list(a) ? a : [...plain(a)]).length", "(list(a) ? a : plain(a)).length"),
    "rounding as Math.round of a text": ("Math.floor(x * power + 0.5) / power", "+x.toFixed(Math.log10(power))"),
    "hidden groups are shown": ("(g && !visible.has(g))", "false"),
    "jumps are not taken": ("step.id !== wanted", "false"),
    "days roll over": ("new Date(at).getUTCMonth() == m - 1", "true || d"),
    "numbers as JavaScript reads them": (
        "/^-?\\d{1,15}(\\.\\d{1,15})?$/.test(plain(v)) ? +plain(v) + 0",
        "plain(v).trim() !== '' ? +plain(v)",
    ),
}


@pytest.mark.parametrize("broken", BROKEN)
def test_the_comparison_fails_when_the_module_is_broken(broken: str) -> None:
    """The control: each of these small mistakes is found by the same random forms or by the odd texts."""
    right, wrong = BROKEN[broken]
    source = MODULE.read_text("utf-8")
    assert right in source
    other = Module(source.replace(right, wrong), RUNNER)
    try:
        with pytest.raises(AssertionError):
            test_the_module_agrees_on_a_form_of_everything(other)
    finally:
        other.close()


def test_the_module_agrees_on_a_form_of_everything(browser: Module) -> None:
    """A small form that asks a little of each part, over some answers."""
    fields = [
        *(Node("t", "text"), Node("n", "number"), Node("c", "choices"), Node("d", "date"), Node("s", "none")),
        *(Node("in_s", "text", group="s"), Node("low", "none"), Node("three", "none"), Node("same", "none")),
        *(Node("before", "none"), Node("sum", "number", expression="round({n} / 8, 2)"), Node("p1", "none", "p1")),
        *(Node("mid", "text", "p1"), Node("p2", "none", "p2")),
    ]
    wanted = {
        "s": ("t", "not_empty", ""),
        "low": ("n", "less", "5"),
        "three": ("t", "length_at_most", "3"),
        "same": ("t", "equals", "ANN"),
        "before": ("d", "before", "2026-03-05"),
    }
    rules: list[dict[str, Any]] = [
        {"do": "show", "targets": [name], "when": {"field": field, "is": operator, "value": value}}
        for name, (field, operator, value) in wanted.items()
    ]
    rules.append(
        {"do": "jump", "from": "start", "targets": ["p2"], "when": {"field": "n", "is": "greater", "value": "4"}}
    )
    plan = evaluation.compile(fields, rules)
    for t, n, d in product(
        ["", "Ann", "a😀b"], ["", "5", "1e1", "-5", "0.6", "8.2", "-0.6", "1.24"], ["2026-02-28", "2026-02-30", ""]
    ):
        posted = {"t": [t], "n": [n], "d": [d], "in_s": ["x"], "mid": ["y"], "c": [t, "b"]}
        assert in_browser(browser, plan, posted) == on_server(plan, posted)


def test_the_module_makes_no_code_and_is_small() -> None:
    """Node runs it above with the making of code from text refused, as a strict policy refuses it in browsers."""
    source = MODULE.read_text("utf-8")
    assert not re.search(r"\beval\b|\bFunction\b|import\(|setTimeout|innerHTML|document|window", source)
    assert len(gzip.compress(source.encode(), 9, mtime=0)) <= 2200
    assert len(source.splitlines()) <= 115


def _condition_values(field: Field) -> list[str]:
    """What a rule about this field is likely to ask for, and what none would."""
    typed = FILLED[field.kind].typed.values() if field.kind in FILLED else ()
    known = [
        value for each in typed for value in (each if isinstance(each, list) else [each]) if isinstance(value, str)
    ]
    return [*known, "", "yes", "no", "3", "2026-03-01", "Ann", "tea"]


@st.composite
def rules_over_every_kind(draw: st.DrawFn, definition: Definition) -> list[dict[str, Any]]:
    """Rules that look at controls of every kind, parts of them included."""
    nodes = form_plans.nodes_of(definition)
    named = [(name, field) for node, field in zip(nodes, definition.fields, strict=True) for name in node.names]
    rules = []
    for _rule in range(draw(st.integers(3, 8))):
        name, field = draw(st.sampled_from(named))
        value = draw(st.sampled_from(_condition_values(field)))
        when = {"field": name, "is": draw(st.sampled_from(list(OPERATORS))), "value": value}
        targets = [draw(st.sampled_from(definition.fields)).id]
        rules.append({"do": draw(st.sampled_from(["show", "hide", "require"])), "targets": targets, "when": when})
    return rules


@st.composite
def posted_to_every_kind(draw: st.DrawFn, definition: Definition) -> dict[str, list[str]]:
    """Answers of each kind: good ones, odd ones and none, as a browser posts them."""
    found: dict[str, list[str]] = {}
    for field in definition.fields:
        how = draw(st.sampled_from(["good", "good", "odd", "none"]))
        if how == "good" and field.kind in FILLED:
            for part, typed in FILLED[field.kind].typed.items():
                if not isinstance(typed, tuple):
                    found[name_of(field.kind, part)] = typed if isinstance(typed, list) else [typed]
        elif how == "odd":
            parts = ["", *(part for part, _class in kind_of(field).parts(field))]
            name = name_of(field.kind, draw(st.sampled_from(parts)))
            found[name] = draw(st.lists(st.sampled_from([text for text in plans.TEXTS if len(text) < 50]), max_size=3))
    return found


@settings(max_examples=150, deadline=None, phases=PHASES, suppress_health_check=SLOW)
@given(data=st.data(), presentation=st.sampled_from(["classic", "steps"]))
def test_with_controls_of_every_kind_both_find_the_same(
    browser: Module, data: st.DataObject, presentation: str
) -> None:
    """Over a form with a field of each kind: what a kind says of its class and parts holds in the browser too."""
    stored = every_kind_definition(presentation)
    stored["fields"] = [each for each in stored["fields"] if each["id"] != IN_FOLD]
    plain = definitions.read(stored)
    definition = replace(plain, rules=tuple(data.draw(rules_over_every_kind(plain))))
    plan = form_plans.plan_of(definition)
    posted = data.draw(posted_to_every_kind(definition))
    found = on_server(plan, posted)
    assert in_browser(browser, plan, posted) == found
