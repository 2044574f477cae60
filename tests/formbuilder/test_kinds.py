"""Every kind of field: its settings, its control, what it takes and refuses, what it says, and what stands in a file."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from app.core import tokens
from app.formbuilder.answering import pages, submissions
from app.formbuilder.answering.submissions import Mistake
from app.formbuilder.definition import definitions
from app.formbuilder.fields.attached import token_of
from app.formbuilder.fields.kinds import GROUPS, Kind, Wrong, all_kinds
from app.formbuilder.models import Answer, Definition, Field, Posted
from app.formbuilder.payment import bills
from app.formbuilder.settings import Choice, Lines, Number, Options, Setting, Several, Switch, Text, read_all, write
from app.web import render
from app.web.assets import Assets
from tests.markup import alive

TODAY = "2026-11-21"
FILE = {"id": "f" * 26, "name": "cv.pdf", "size": 120, "type": "application/pdf"}
PICTURE = {"id": "p" * 26, "name": "me.png", "size": 120, "type": "image/png"}
ASSETS = Assets()
# Begins like a small number, and is none.
LONG = ("0000019", "000001" + "9" * 5000)
tokens.configure("a key that only the tests know, long enough")


def file_token(file: dict[str, Any] = FILE) -> str:
    return token_of("q1", file)


# Kind: settings, good answers as they are posted, bad ones. A name is the part after the point.
CASES: dict[str, tuple[dict[str, Any], list[dict[str, list[str]]], list[dict[str, list[str]]]]] = {
    "short_text": ({"min_length": 2}, [{"": ["Ann"]}], [{"": ["A"]}, {"": ["x" * 300]}]),
    "long_text": ({}, [{"": ["One\nTwo"]}], [{"": ["x" * 5001]}]),
    "rich_text": ({}, [{"": ["# One\n\n**two**"]}], [{"": ["x" * 10_001]}]),
    "email": ({}, [{"": ["ann@example.org"]}], [{"": ["ann"]}, {"": ["a@b"]}]),
    "confirm_email": (
        {}, [{"": ["ann@example.org"], "again": ["Ann@example.org"]}],
        [{"": ["ann@example.org"], "again": ["an@example.org"]}, {"": ["ann@example.org"]}, {"": ["a"], "again": ["a"]}],
    ),
    "phone": ({"country": "DE"}, [{"": ["030 1234567"]}, {"": ["+44 20 7946 0958 ext 5"]}], [{"": ["12"]}, {"": ["call me"]}]),
    "url": ({}, [{"": ["example.org/a?b=c"]}, {"": ["http://example.org"]}],
            [{"": ["javascript:alert(1)"]}, {"": ["ftp://example.org"]}, {"": ["https://nohost"]}, {"": ["https://[x"]}]),
    "number": ({"low": 1, "high": 10}, [{"": ["2"]}, {"": ["2.5"]}, {"": ["1.0000001"]}], [{"": ["11"]}, {"": ["1e3"]}, {"": ["٣"]}]),
    "currency": ({"low": 1, "high": 5000}, [{"": ["12"]}, {"": ["1,249.50"]}], [{"": ["0.50"]}, {"": ["6000"]}, {"": ["NaN"]}, {"": ["1.001"]}]),
    "password": ({"word": "sesame"}, [{"": ["sesame"]}], [{"": ["open"]}]),
    "masked": ({"mask": "aa-9999"}, [{"": ["ab-1234"]}, {"": ["ab1234"]}], [{"": ["a1-1234"]}, {"": ["ab-12345"]}]),
    "hidden": ({}, [{"": ["mail"]}], [{"": ["x" * 251]}]),
    "colour": ({}, [{"": ["#AABBCC"]}], [{"": ["red"]}]),
    "slider": ({"low": 0, "high": 10}, [{"": ["4"]}, {"": ["4.5"]}], [{"": ["11"]}, {"": ["x"]}]),
    "toggle": ({}, [{"": ["yes", "no"]}, {"": ["no"]}], [{"": ["maybe"]}]),
    "dropdown": ({"other": True}, [{"": ["first"]}, {"": ["__other__"], "other": ["Mine"]}], [{"": ["third"]}, {"": ["__other__"]}]),
    "multi_select": ({"most": 1}, [{"": ["first"]}], [{"": ["first", "second"]}, {"": ["third"]}]),
    "radio": ({}, [{"": ["first"]}], [{"": ["third"]}, {"": ["__other__"], "other": ["Mine"]}]),
    "checkbox": ({"least": 2}, [{"": ["first", "second"]}], [{"": ["first"]}]),
    "yes_no": ({}, [{"": ["yes"]}], [{"": ["perhaps"]}]),
    "other_choice": ({}, [{"": ["__other__"], "other": ["Mine"]}, {"": ["second"]}], [{"": ["__other__"]}]),
    "picture_choice": ({}, [{"": ["first"]}], [{"": ["first", "second"]}]),
    "chained_select": (
        {}, [{"l1": ["Languages"], "l2": ["Spanish"]}],
        [{"l1": ["Languages"]}, {"l1": ["Music"], "l2": ["Spanish"]}, {"l2": ["Spanish"]}],
    ),
    "button_group": ({}, [{"": ["first"]}], [{"": ["third"]}]),
    "country": ({"first": ["DE"]}, [{"": ["DE"]}], [{"": ["XX"]}]),
    "ranking": ({}, [{"first": ["2"], "second": ["1"]}],
                [{"first": ["1"]}, {"first": ["1"], "second": ["1"]}, {"first": ["9"], "second": ["1"]}, {"first": ["²"]},
                 *({"first": [text], "second": ["2"]} for text in LONG)]),
    "stars": ({}, [{"": ["5"]}], [{"": ["6"]}, {"": ["0"]}]),
    "nps": ({}, [{"": ["0"]}, {"": ["10"]}], [{"": ["11"]}, {"": ["05"]}]),
    "csat": ({}, [{"": ["4"]}], [{"": ["0"]}]),
    "ces": ({}, [{"": ["7"]}], [{"": ["8"]}]),
    "opinion_scale": ({"low": 0, "high": 3}, [{"": ["0"]}], [{"": ["4"]}]),
    "likert": ({"every": True}, [{"contents": ["1"], "pace": ["5"]}], [{"contents": ["1"]}, {"contents": ["9"]}]),
    "checkable_grid": ({}, [{"contents": ["1", "3"]}], [{"contents": ["9"]}]),
    "date": ({"first": "2026-01-01"}, [{"": ["2026-02-28"]}], [{"": ["2026-02-30"]}, {"": ["2025-12-31"]}, {"": ["2026-W01-1"]}]),
    "time": ({"last": "18:00"}, [{"": ["09:30"]}, {"": ["09:30:00"]}], [{"": ["9:30"]}, {"": ["24:00"]}, {"": ["19:00"]}]),
    "date_time": ({}, [{"": ["2026-12-31T14:30"]}], [{"": ["2026-12-31"]}, {"": ["2026-12-31T14:30Z"]}]),
    "date_range": (
        {"longest": 7}, [{"from": ["2026-01-01"], "to": ["2026-01-07"]}],
        [{"from": ["2026-01-01"]}, {"from": ["2026-01-02"], "to": ["2026-01-01"]}, {"from": ["2026-01-01"], "to": ["2026-01-08"]}],
    ),
    "name": ({}, [{"first": ["Ann"], "last": ["Hart"]}], [{"first": ["Ann"]}, {"first": ["x" * 101], "last": ["y"]}]),
    "address": ({}, [{"line1": ["High Street 1"], "city": ["Bath"], "country": ["GB"]}], [{"city": ["Bath"]}, {"line1": ["a"], "city": ["b"], "country": ["XX"]}]),
    "contact_info": ({}, [{"first": ["Ann"], "email": ["ann@example.org"]}], [{"first": ["Ann"], "email": ["ann"]}, {"first": ["A"], "email": ["a@b.org"], "phone": ["+1"]}]),
    "repeater": ({"least": 1, "most": 2}, [{"name": ["Ann", "", "Bo"], "age": ["3", "", ""]}],
                 [{"name": ["a", "b", "c"]}, {"name": ["a"], "age": ["old"]}]),
    "input_table": ({}, [{"monday_name": ["Ann"], "tuesday_age": ["4"]}], [{"tuesday_age": ["four"]}]),
    "file": ({}, [{"kept": [file_token()]}], [{"kept": [file_token(), file_token(PICTURE)]}]),
    "image": ({}, [{"kept": [file_token(PICTURE)]}], [{"kept": [file_token(), file_token(PICTURE)]}]),
    "signature": ({}, [{"typed": ["Ann Hart"]}, {"kept": [file_token(PICTURE)]}], [{"typed": ["x" * 201]}]),
    "barcode": ({"code": "ean13", "shows": "https://example.org"}, [{"": ["4006381333931"]}], [{"": ["4006381333932"]}, {"": ["400638"]}]),
    "consent": ({}, [{"": ["yes"]}], []),
    "terms": ({"text": "Be kind."}, [{"": ["yes"]}], []),
    "product": ({"most": 3}, [{"": ["first"], "quantity": ["2"]}, {"": ["first"]}], [{"": ["first"], "quantity": ["4"]}, {"": ["second"]}, *({"": ["first"], "quantity": [text]} for text in LONG)]),
    "quantity": ({"of": "q9"}, [{"": ["2"]}], [{"": ["0"]}, {"": ["1.5"]}, {"": ["²"]}, *({"": [text]} for text in LONG)]),
    "custom_amount": ({"suggested": ["10", "25", "no"]}, [{"": ["12.50"]}], [{"": ["-1"]}]),
    "subscription": ({}, [{"": ["first"]}], [{"": ["third"]}]),
    "coupon": ({}, [{"": ["spring-26"]}], [{"": ["50 %"]}]),
    "payment_method": ({"methods": ["card", "invoice"]}, [{"": ["invoice"]}], [{"": ["cash"]}]),
}  # fmt: skip
# What stands on the page only, or is computed.
SILENT = {
    "accordion", "calculation", "captcha", "divider", "html", "page_break", "quiz_score", "save_resume", "section", "statement",
    "thank_you", "total",
}  # fmt: skip
COMPUTED: dict[str, Answer] = {"calculation": 2.5, "quiz_score": 7, "total": {"minor": 1250, "currency": "EUR"}}
NASTY = (
    "\x00", "\ud800", "x" * 50_000, '"><img src=x onerror=alert(1)>', "<script>alert(1)</script>", "=1+1", "{{ 7*7 }}", "%(n)s",
    "..", "__other__", "9" * 400, "²", "-", "0", " ", "\n\n", "１", "data:image/png;base64,AAAA", "f" * 26 + ".x",
)  # fmt: skip


@pytest.fixture(scope="module", autouse=True)
def environment() -> Iterator[None]:
    """Templates without an application; what was there is put back."""
    before, kept_key = render._environment, tokens._secret_key
    render.configure(ASSETS, app_url="http://localhost", debug=False)
    tokens.configure("a key that only the tests know, long enough")
    yield
    render._environment = before
    tokens.configure(kept_key or "a key that only the tests know, long enough")


def made(kind: str, stored: dict[str, Any] | None = None, **more: Any) -> Field:
    found = all_kinds()[kind]
    return Field("q1", kind, "A question", settings=read_all(found.settings, stored or {}), **more)


def case_posted(values: dict[str, list[str]]) -> Posted:
    return Posted({f"q1.{name}" if name else "q1": sent for name, sent in values.items()})


def drawn(definition: Definition, posted: Posted, mistakes: dict[str, Mistake] | None = None) -> str:
    """Every question as a page draws it."""
    template = render._get("formbuilder/question.html")
    steps = pages.steps_of(definition, posted, mistakes)
    return "".join(template.render(question=question) for step in steps for question in step.questions)


def given_answer(kind: Kind, field: Field, posted: Posted) -> Answer:
    answer = kind.read(field, posted)
    if answer is not None:
        kind.check(field, answer)
    return answer


def test_every_kind_is_in_the_table() -> None:
    assert set(CASES) | SILENT == set(all_kinds())
    assert len(all_kinds()) >= 64


@pytest.mark.parametrize("name", sorted(all_kinds()))
def test_a_kind_tells_what_it_is_and_has_a_template_and_an_icon_of_the_set(name: str) -> None:
    kind = all_kinds()[name]
    icons = (ASSETS._folder / "img" / "icons.svg").read_text("utf-8")
    assert str(kind.label)
    assert kind.group in [group for group, _label in GROUPS]
    assert f'id="{kind.icon}"' in icons
    assert (render.TEMPLATES / kind.template).exists()
    assert all((ASSETS._folder / script).exists() for script in kind.scripts)


def test_no_two_kinds_are_called_the_same() -> None:
    labels = [str(kind.label) for kind in all_kinds().values()]
    assert len(labels) == len(set(labels))


@pytest.mark.parametrize("name", sorted(all_kinds()))
def test_default_settings_are_read_back_as_they_were_written(name: str) -> None:
    kind = all_kinds()[name]
    values = read_all(kind.settings, {})
    stored = json.loads(json.dumps({key: write(value) for key, value in values.items()}))
    assert read_all(kind.settings, stored) == values


def extremes(setting: Setting) -> list[Any]:
    """What is hardest of what a setting takes."""
    odd = "\"><b>&'{{ 1 }} %(n)s 𝄞"
    found: list[Any] = [None]
    if isinstance(setting, Number):
        found = [setting.low, setting.high, None]
    elif isinstance(setting, Switch):
        found = [True, False]
    elif isinstance(setting, Choice):
        found = [key for key, _label in setting.choices]
    elif isinstance(setting, Several):
        found = [[], [key for key, _label in setting.choices]]
    elif isinstance(setting, Options):
        found = [
            [],
            [odd],
            [{"value": str(n), "label": odd, "picture": odd, "price": 1} for n in range(min(setting.most, 60))],
        ]
    elif isinstance(setting, Lines):
        found = [[], [f"{odd} {n} > b | a; b" for n in range(min(setting.most, 60))], [">", "|", "; ;"]]
    elif isinstance(setting, Text):
        found = ["", odd[: setting.longest], ("<i>x " * setting.longest)[: setting.longest]]
    return found


@pytest.mark.parametrize("name", sorted(all_kinds()))
def test_it_is_drawn_with_every_extreme_of_every_setting(name: str) -> None:
    kind = all_kinds()[name]
    for setting in kind.settings:
        for value in extremes(setting):
            field = made(name, {setting.name: value}, required=kind.can_be_required, help="<b>")
            page = drawn(Definition("Form", fields=(field,)), Posted({}), {"q1": Mistake("<wrong>", "first")})
            assert alive(page) == []
            assert len(kind.columns(field)) == len(kind.cells(field, None))


@pytest.mark.parametrize("name", sorted(CASES))
def test_a_good_answer_is_taken_told_and_posted_back_as_it_was(name: str) -> None:
    stored, good, _bad = CASES[name]
    kind, field = all_kinds()[name], made(name, stored)
    for values in good:
        answer = given_answer(kind, field, case_posted(values))
        assert answer is not None, values
        assert json.loads(json.dumps(answer)) == answer
        assert kind.text(field, answer).strip()
        assert len(kind.cells(field, answer)) == len(kind.columns(field))
        assert given_answer(kind, field, Posted(kind.posted(field, answer))) == answer
        assert drawn(Definition("Form", fields=(field,)), Posted(kind.posted(field, answer)))


@pytest.mark.parametrize("name", sorted(CASES))
def test_a_bad_answer_is_refused_with_a_sentence(name: str) -> None:
    stored, _good, bad = CASES[name]
    kind, field = all_kinds()[name], made(name, stored)
    for values in bad:
        with pytest.raises(Wrong) as refused:
            given_answer(kind, field, case_posted(values))
        assert str(refused.value).endswith((".", "?")), values
        mistake = {"q1": Mistake(str(refused.value), refused.value.part)}
        page = drawn(Definition("Form", fields=(field,)), case_posted(values), mistake)
        assert "q1-error" in page or name == "hidden"


@pytest.mark.parametrize("name", sorted(all_kinds()))
def test_no_answer_is_none_and_every_cell_of_it_is_empty(name: str) -> None:
    kind, field = all_kinds()[name], made(name)
    answer = kind.read(field, Posted({"q1": ["", " "]}))
    assert answer is None or (name == "total" and answer == {})
    assert kind.text(field, None) == ""
    assert all(cell in (None, "") for cell in kind.cells(field, None))
    assert kind.posted(field, None) == {}
    assert kind.missing(field).endswith(".")


@pytest.mark.parametrize("name", sorted(COMPUTED))
def test_what_is_computed_is_told_and_stands_in_a_file(name: str) -> None:
    kind, field = all_kinds()[name], made(name)
    assert kind.text(field, COMPUTED[name])
    assert len(kind.cells(field, COMPUTED[name])) == len(kind.columns(field))
    assert kind.read(field, Posted({"q1": ["99"]})) in (None, {})


def names_of(kind: Kind, field: Field) -> list[str]:
    parts = [f"q1.{part}" for part, _class in kind.parts(field)]
    return ["q1", "q1.other", "q1.kept", "q1.drawn", "q1.again", "q1.none", "q1.name", *parts]


@pytest.mark.parametrize("name", sorted(all_kinds()))
def test_hostile_answers_never_crash_a_kind_and_never_come_to_life(name: str) -> None:
    kind = all_kinds()[name]
    field = made(name, {**CASES.get(name, ({}, [], []))[0], "other": True})
    for text in NASTY:
        posted = Posted({each: [text, text] for each in names_of(kind, field)})
        assert alive(drawn(Definition("Form", fields=(field,)), posted)) == []
        try:
            answer = given_answer(kind, field, posted)
        except Wrong:
            continue
        said = json.dumps([answer, kind.text(field, answer), list(kind.cells(field, answer))])
        # PostgreSQL keeps neither of these.
        assert "\\u0000" not in said
        assert "\\ud800" not in said
        assert len(said) < 200_000


def test_a_password_is_never_shown_and_no_rule_sees_it() -> None:
    field = made("password", {"word": "sesame"})
    assert "sesame" not in drawn(Definition("Form", fields=(field,)), Posted({"q1": ["sesame"]}))
    assert all_kinds()["password"].value_class == "none"
    assert all_kinds()["password"].is_secret


def test_a_token_of_another_field_or_of_nobody_is_no_file() -> None:
    kind, field = all_kinds()["file"], made("file")
    for token in (token_of("q2", FILE), file_token().replace("f", "g", 1), "f" * 26, file_token() + "x"):
        assert kind.read(field, Posted({"q1.kept": [token]})) is None


def test_the_html_of_the_owner_is_cleaned() -> None:
    field = made(
        "html", {"html": '<p onclick="x">a<script>x</script><img src="https://evil.example/x.png"><style>*{}</style>'}
    )
    page = drawn(Definition("Form", fields=(field,)), Posted({}))
    assert "<p>a" in page
    assert not any(word in page for word in ("onclick", "<script", "evil", "<style"))


def test_a_quiz_adds_up_the_points_of_what_was_chosen() -> None:
    options = [{"value": "a", "label": "A", "points": 2}, {"value": "b", "label": "B", "points": 5}]
    stored = {
        "fields": [
            {"id": "q1", "kind": "radio", "label": "One", "settings": {"options": options}},
            {"id": "q2", "kind": "checkbox", "label": "Two", "settings": {"options": options}},
            {"id": "q3", "kind": "quiz_score", "label": "Score"},
        ]
    }
    definition = definitions.read(stored)
    found = submissions.read_answers(definition, Posted({"q1": ["b"], "q2": ["a", "b"], "q3": ["1000"]}), TODAY)
    assert found.answers["q3"] == 12


def test_a_bill_adds_products_quantities_and_amounts_and_takes_no_price_from_a_browser() -> None:
    stored = {
        "fields": [
            {"id": "q1", "kind": "product", "label": "Seat", "settings": {"most": 5}},
            {"id": "q2", "kind": "quantity", "label": "How many", "settings": {"of": "q1"}},
            {"id": "q3", "kind": "custom_amount", "label": "Gift"},
            {"id": "q4", "kind": "total", "label": "Total"},
        ]
    }
    definition = definitions.read(stored)
    sent = Posted({"q1": ["first"], "q1.quantity": ["2"], "q1.price": ["1"], "q2": ["3"], "q3": ["4.50"], "q4": ["0"]})
    answers = submissions.read_answers(definition, sent, TODAY).answers
    assert bills.totals(definition, answers, {}) == {"q4": {"minor": 6 * 1000 + 450, "currency": "EUR"}}


def test_what_is_folded_stands_inside_and_is_open_when_it_must_be_answered() -> None:
    stored = {
        "fields": [
            {"id": "q1", "kind": "accordion", "label": "More"},
            {"id": "q2", "kind": "short_text", "label": "Inside", "required": True},
            {"id": "q3", "kind": "section", "label": "After"},
            {"id": "q4", "kind": "short_text", "label": "Outside"},
        ]
    }
    page = drawn(definitions.read(stored), Posted({}))
    assert page.index("<details") < page.index('id="q2"') < page.index("</details>") < page.index('id="q4"')
    assert " open>" in page


texts = st.one_of(
    st.sampled_from([*NASTY, "1", "yes", "first", "a@b.org", "2026-01-01", "contents"]), st.text(max_size=40)
)
json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 10**7) | st.floats(allow_nan=True) | texts,
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(["value", "label", "points", "price"]), inner)
    ),
    max_leaves=8,
)


@st.composite
def definitions_of_all_kinds(draw: st.DrawFn) -> dict[str, Any]:
    fields = []
    for number, name in enumerate(
        draw(st.lists(st.sampled_from(sorted(all_kinds())), min_size=1, max_size=8)), start=1
    ):
        known = [setting.name for setting in all_kinds()[name].settings]
        stored = {key: draw(json_values) for key in known if draw(st.booleans())}
        fields.append(
            {
                "id": f"q{number}", "kind": name, "label": draw(texts), "help": draw(texts), "required": draw(st.booleans()),
                "width": draw(st.sampled_from([6, 3, "x", None])), "settings": stored,
            }
        )  # fmt: skip
    return {"schema": 1, "title": draw(texts), "fields": fields}


@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
@given(definitions_of_all_kinds(), st.data())
def test_no_definition_and_nothing_posted_can_crash_reading_drawing_or_answering(
    stored: dict[str, Any], data: Any
) -> None:
    definition = definitions.read(stored)
    assert definitions.read(json.loads(json.dumps(definitions.write_definition(definition)))) == definition
    names = [
        name
        for field in definition.fields
        for name in [field.id, *(f"{field.id}.{part}" for part, _class in all_kinds()[field.kind].parts(field))]
    ]
    sent = data.draw(st.dictionaries(st.sampled_from(names), st.lists(texts, max_size=3), max_size=12))
    posted = Posted(sent)
    found = submissions.read_answers(definition, posted, TODAY)
    assert alive(drawn(definition, posted, found.mistakes)) == []
    submissions.said(definition, found.answers)
    bills.bill(definition, found.answers, {})
    for field in definition.fields:
        kind, answer = all_kinds()[field.kind], found.answers.get(field.id)
        assert len(kind.columns(field)) == len(kind.cells(field, answer))
        if answer is not None and field.kind not in COMPUTED:
            again = Posted(kind.posted(field, answer))
            assert kind.read(field, again) == answer, field.kind
