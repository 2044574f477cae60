"""Random forms, rules, calculations and answers: as odd as owners and visitors can make them."""

from dataclasses import dataclass
from typing import Any

from hypothesis import strategies as st

from app.formbuilder.logic.evaluation import ACTIONS, END, FIRST_STEP, OPERATORS, Node

WORTH = {
    "points": {"yes": 3, "Ann": 0.1, "constructor": 7, "10": -2},
    "price": {"yes": 12.5, "no": 1e15, "__proto__": 4},
}
# Names that JavaScript's objects have, among ours.
FIELDS = (
    Node("q1", "text"),
    Node("q2", "number"),
    Node("q3", "choice", worth=WORTH),
    Node("q4", "choices", worth=WORTH),
    Node("q5", "date"),
    Node("constructor", "none", parts=(("first", "text"), ("last", "number"))),
    Node("tostring", "choices"),
)
TEXTS = (
    *(
        "",
        " ",
        "yes",
        "1.249,50",
        "1,249.50",
        "-1,5",
        "1 249",
        "1,2,34",
        "12.",
        "1.2,x",
        "1.249,",
        "1,2 3",
        "YES",
        "no",
        "Ann",
        "ann",
        "Änn",
        "änn",
        "İ",
        "ß",
        "SS",
        "ſ",
        "\u212a",
        "é",
        "e\u0301",
        "😀",
        "a😀b",
        "👩‍👧",
    ),
    *(
        "0",
        "-0",
        "10",
        "10.0",
        "1e3",
        "0x10",
        "٣",
        "1_0",
        "-5",
        "0.1",
        "0.30000000000000004",
        "999999999999999",
        "5.",
        ".5",
        "+5",
    ),
    *("-999999999999999.999999999999999", "0.000000000000001", "1234567890123456", "0.1 ", "\ufeff7", "\u00857", "1\n"),
    *(
        "2026-11-21",
        "2026-02-29",
        "2024-02-29",
        "0099-01-01",
        "1000-01-01",
        "9999-12-31",
        "2026-13-01",
        "2026-00-10",
        "today",
    ),
    *(
        "__proto__",
        "constructor",
        "tostring",
        "hasOwnProperty",
        "a\r\nb",
        "a\rb",
        "a\nb",
        "\x1c",
        "\x00",
        "a,b",
        "ab@example.com",
    ),
    "x" * 4000,
    "😀" * 6000,
    "<script>alert(1)</script>",
)
PATTERNS = (
    *(
        "^a",
        "b$",
        "^[a-z]+$",
        r"^\d{2,4}$",
        r"\w+@\w+",
        ".",
        "^.$",
        "^..?$",
        "[^a]",
        "^(ja|yes)$",
        r"\s",
        r"^\S*$",
        "(",
        "a**",
        "(a+)+",
    ),
    *(
        r"\.",
        "[é-ü]",
        "😀",
        "^[😀-😂]$",
        "$",
        "^",
        "|",
        "^(?:ab)+$",
        r"[\]\-]",
        "&&",
        "[&|~]",
        r"\/",
        "k",
        "[j-l]",
        "ſ",
        "[X-c]",
        r"^\d+(\.\d+)?$",
    ),
)

texts = (
    st.sampled_from(TEXTS)
    | st.text(max_size=8)
    | st.integers(-20, 20).map(str)
    | st.decimals(-99, 99, places=2).map(str)
)
names = st.sampled_from(["q1", "q2", "q3", "q4", "q5", "constructor.first", "constructor.last", "tostring"])


@dataclass(frozen=True)
class Form:
    fields: list[Node]
    rules: list[dict[str, Any]]


def _quoted(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def expressions(named: st.SearchStrategy[str] = names) -> st.SearchStrategy[str]:
    """Calculations that can be read, mostly."""
    numbers = st.integers(0, 1000).map(str) | st.decimals(0, 10**9, places=3).map(str) | st.just("999999999999999")
    leaves = numbers | texts.filter(lambda text: len(text) < 50).map(_quoted) | named.map(lambda name: f"{{{name}}}")
    special = (
        named.map(lambda name: f"points({name})") | named.map(lambda name: f"price({{{name}}})") | st.just("today()")
    )

    def larger(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
        signs = st.sampled_from(["+", "-", "*", "/", "%", "=", "!=", "<", "<=", ">", ">=", "and", "or"])
        many = st.sampled_from(["sum", "min", "max", "count", "concat"])
        one = st.sampled_from(["round", "floor", "ceil", "abs", "length", "-", "not"])
        return st.one_of(
            st.tuples(inner, signs, inner).map(lambda given: f"({given[0]} {given[1]} {given[2]})"),
            st.tuples(many, st.lists(inner, min_size=1, max_size=4)).map(
                lambda given: f"{given[0]}({', '.join(given[1])})"
            ),
            st.tuples(one, inner).map(lambda given: f"({given[0]} ({given[1]}))"),
            st.tuples(inner, inner).map(lambda given: f"round({given[0]}, {given[1]})"),
            st.tuples(inner, inner).map(lambda given: f"days_between({given[0]}, {given[1]})"),
            st.tuples(inner, inner, inner).map(lambda given: f"if({', '.join(given)})"),
        )

    return st.recursive(leaves | special, larger, max_leaves=12)


def conditions(named: st.SearchStrategy[str] = names) -> st.SearchStrategy[Any]:
    """Conditions, in groups, with operators that fit and operators that do not."""
    values = texts | st.sampled_from(PATTERNS) | st.lists(texts, max_size=4) | st.none() | st.integers(-5, 5)
    one = st.fixed_dictionaries({"field": named, "is": st.sampled_from([*OPERATORS, "nonsense"]), "value": values})
    pattern = st.fixed_dictionaries({"field": named, "is": st.just("matches"), "value": st.sampled_from(PATTERNS)})

    def larger(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
        return st.builds(
            lambda word, parts: {word: parts}, st.sampled_from(["all", "any"]), st.lists(inner, max_size=4)
        )

    return st.recursive(one | pattern, larger, max_leaves=8)


@st.composite
def forms(draw: st.DrawFn) -> Form:
    """A form of some steps with sections, calculations and rules; loops and looking ahead included."""
    count = draw(st.integers(1, 9))
    fields: list[Node] = []
    step, group = FIRST_STEP, ""
    odd = ["constructor", "tostring", "valueof", "length", "name"]
    ids = [odd[at] if at < len(odd) and draw(st.booleans()) else f"q{at}" for at in range(count)]
    named = st.sampled_from([*ids, f"{ids[0]}.first", "missing"])
    for name in ids:
        what = draw(st.sampled_from(["page", "section", "calculation", *["field"] * 6]))
        if what == "page":
            step, group = name, ""
            fields.append(Node(name, "none", step))
        elif what == "section":
            group = name
            fields.append(Node(name, "none", step))
        elif what == "calculation":
            fields.append(
                Node(
                    name,
                    "number",
                    step,
                    group,
                    expression=draw(expressions(named)),
                    decimals=draw(st.none() | st.integers(0, 4)),
                )
            )
        else:
            kind = draw(st.sampled_from(["text", "number", "choice", "choices", "date", "none"]))
            parts = (("first", "text"), ("count", "number")) if draw(st.booleans()) else ()
            fields.append(Node(name, kind, step, group, draw(st.booleans()), worth=WORTH, parts=parts))
    places = st.sampled_from([*ids, FIRST_STEP, END])
    rule = st.fixed_dictionaries(
        {
            "when": conditions(named),
            "do": st.sampled_from(ACTIONS),
            "targets": st.lists(places, min_size=1, max_size=3),
            "from": places,
        }
    )
    return Form(fields, draw(st.lists(rule, max_size=6)))


def answers(fields: Any) -> st.SearchStrategy[dict[str, list[str]]]:
    """What a browser might post for these fields, and what it should not."""
    sent = st.lists(texts, max_size=4)
    every = [name for node in fields for name in (node.id, *node.names)]
    return st.fixed_dictionaries({}, optional=dict.fromkeys([*every, "__proto__", "missing", "hasOwnProperty"], sent))


def posted(form: Form) -> st.SearchStrategy[dict[str, list[str]]]:
    """Answers to this form."""
    return answers(form.fields)
