"""What of an answer a service is told: every kind of field, its parts, tags, and who agreed."""

from collections.abc import Iterator
from typing import Any

import pytest

from app.core import tokens
from app.formbuilder.definition import definitions, mapping
from app.formbuilder.delivery import integrating
from app.formbuilder.fields.kinds import all_kinds
from app.formbuilder.models import Answer, Definition, Field, Posted
from tests.formbuilder.test_kinds import CASES, COMPUTED, FILE, PICTURE, case_posted, made

tokens.configure("a key that only the tests know, long enough")

# Kind: what its first good answer is for a program, and what of it are parts.
TOLD: dict[str, tuple[Any, dict[str, Any]]] = {
    "short_text": ("Ann", {}),
    "long_text": ("One\nTwo", {}),
    "rich_text": ("# One\n\n**two**", {}),
    "email": ("ann@example.org", {}),
    "confirm_email": ("ann@example.org", {}),
    "phone": ("+49301234567", {}),
    "url": ("https://example.org/a?b=c", {}),
    "number": (2, {}),
    "currency": (12, {}),
    "password": (None, {}),
    "masked": ("ab-1234", {}),
    "hidden": ("mail", {}),
    "colour": ("#aabbcc", {}),
    "slider": (4, {}),
    "toggle": ("Yes", {}),
    "dropdown": ("First", {"other": ""}),
    "multi_select": (["First"], {}),
    "radio": ("First", {}),
    "checkbox": (["First", "Second"], {}),
    "yes_no": ("Yes", {}),
    "other_choice": ("Mine", {"other": "Mine"}),
    "picture_choice": (["First"], {}),
    "chained_select": ("Languages › Spanish", {"l1": "Languages", "l2": "Spanish"}),
    "button_group": ("First", {}),
    "country": ("Germany", {}),
    "ranking": ("1. Second, 2. First", {"first": 2, "second": 1}),
    "stars": (5, {}),
    "nps": (0, {}),
    "csat": (4, {}),
    "ces": (7, {}),
    "opinion_scale": (0, {}),
    "date": ("2026-02-28", {}),
    "time": ("09:30", {}),
    "date_time": ("2026-12-31T14:30", {}),
    "name": ("Ann Hart", {"first": "Ann", "last": "Hart"}),
    "address": ("High Street 1, Bath, United Kingdom", {"line1": "High Street 1", "city": "Bath", "country": "GB"}),
    "contact_info": ("Ann, ann@example.org", {"first": "Ann", "email": "ann@example.org", "phone": ""}),
    "file": ("cv.pdf", {}),
    "image": ("me.png", {}),
    "barcode": ("4006381333931", {}),
    "quantity": (2, {}),
    "custom_amount": (12.5, {}),
    "coupon": ("SPRING-26", {}),
}
# Told as people read them: what matters is that they are told, and that each part is a text or a number.
IN_WORDS = {
    "likert", "checkable_grid", "date_range", "repeater", "input_table", "signature", "consent", "terms", "product",
    "subscription", "payment_method",
}  # fmt: skip


@pytest.fixture(autouse=True)
def key() -> Iterator[None]:
    """Files are told by tokens, which the cases signed with this key."""
    kept = tokens._secret_key
    tokens.configure("a key that only the tests know, long enough")
    yield
    tokens.configure(kept)


def answered(name: str) -> tuple[Definition, dict[str, Answer]]:
    stored, good, _bad = CASES[name]
    field = made(name, stored)
    answer = all_kinds()[name].read(field, case_posted(good[0]))
    assert answer is not None
    return Definition("Form", fields=(field,)), {"q1": answer}


def test_every_kind_is_known_here() -> None:
    assert set(TOLD) | IN_WORDS == set(CASES)


@pytest.mark.parametrize("name", sorted(TOLD))
def test_a_program_is_told_the_answer(name: str) -> None:
    definition, answers = answered(name)
    whole, parts = TOLD[name]
    found = mapping.answer_at(definition, answers, "q1")
    assert (found, type(found)) == (whole, type(whole))
    for part, value in parts.items():
        assert mapping.answer_at(definition, answers, f"q1.{part}") == value, part


@pytest.mark.parametrize("name", sorted(set(CASES) - {"password"}))
def test_everything_that_can_be_picked_is_a_text_a_number_or_a_list_of_texts(name: str) -> None:
    definition, answers = answered(name)
    picked = [source for source, _words in integrating.sources(definition)]
    assert picked[0] == "q1"
    for source in picked:
        value = mapping.answer_at(definition, answers, source)
        texts = value if isinstance(value, list) else [value]
        assert all(each is None or isinstance(each, str | int | float) for each in texts), source
        assert not any("{" in str(each) or "0x" in str(each) for each in texts), source
    assert mapping.answer_at(definition, answers, "q1") not in (None, "", [])
    assert mapping.answer_at(definition, answers, "q1.nothing") is None
    assert mapping.answer_at(definition, {}, "q1") is None
    assert mapping.answer_at(Definition(""), answers, "q1") is None


def test_what_is_computed_is_told_and_a_password_never() -> None:
    for name, answer in COMPUTED.items():
        definition = Definition("", fields=(made(name),))
        assert mapping.answer_at(definition, {"q1": answer}, "q1") in (2.5, 7, "€12.50")
    definition, answers = answered("password")
    assert integrating.sources(definition) == []
    assert mapping.contact_of(definition, "F", {"map": {"x": "q1"}}, answers, "").fields == {}
    assert mapping.contact_of(definition, "F", {}, answers, "").answers == ()


def test_a_file_is_told_by_its_name_and_never_by_an_address_of_its_own() -> None:
    field = made("file", {"most": 3})
    definition = Definition("", fields=(field,))
    assert mapping.answer_at(definition, {"q1": [FILE, PICTURE]}, "q1") == "cv.pdf, me.png"
    assert "http" not in repr(mapping.contact_of(definition, "F", {"map": {"x": "q1"}}, {"q1": [FILE]}, ""))


def test_what_is_known_of_the_entry_can_be_handed_on() -> None:
    about = {"@link": "https://school.example/admin/forms/f/entries/e", "@id": "e", "@at": "2026-11-21T12:00:00+00:00"}
    wanted = {"map": {"where": "@link", "number": "@id", "when": "@at", "form": "@form"}}
    found = mapping.contact_of(Definition("F"), "Feedback", wanted, {}, "", about)
    assert found.fields == {"where": about["@link"], "number": "e", "when": about["@at"], "form": "Feedback"}
    assert not mapping.problems(Definition("F", integrations=({"id": "i1", "connection": "k", **wanted},)))
    assert {name for name, _words in integrating.known_of_entries()} == set(mapping.ABOUT)


def test_chosen_answers_become_tags_beside_those_of_the_integration() -> None:
    definition, answers = answered("checkbox")
    found = mapping.contact_of(definition, "F", {"tags": ["course", "First"], "tag_fields": ["q1", "q9"]}, answers, "")
    assert found.tags == ("course", "First", "Second")
    definition, answers = answered("other_choice")
    assert mapping.contact_of(definition, "F", {"tag_fields": ["q1"]}, answers, "").tags == ("Mine",)
    assert [name for name, _words in integrating.tag_fields(definition)] == ["q1"]
    many = {"tags": [f"tag {number}" for number in range(50)]}
    assert len(mapping.contact_of(definition, "F", many, {}, "").tags) == mapping.MOST_TAGS


@pytest.mark.parametrize(
    ("kind", "sent", "agrees"),
    [
        ("consent", ["yes"], True),
        ("consent", [], False),
        ("terms", ["yes"], True),
        ("yes_no", ["yes"], True),
        ("yes_no", ["no"], False),
        ("toggle", ["yes", "no"], True),
        ("toggle", ["no"], False),
        ("checkbox", ["first"], True),
        ("checkbox", [], False),
    ],
)
def test_who_says_no_or_nothing_has_not_agreed(kind: str, sent: list[str], agrees: bool) -> None:
    field = made(kind)
    answer = all_kinds()[kind].read(field, Posted({"q1": sent}))
    definition = Definition("", fields=(field,))
    answers = {} if answer is None else {"q1": answer}
    assert mapping.contact_of(definition, "F", {"consent": "q1"}, answers, "a@b.example").consent is agrees


def test_without_a_word_about_it_nobody_has_agreed() -> None:
    definition, answers = answered("consent")
    for consent, agrees in ((None, False), ("", False), ("q9", False), (["q1"], False), ("*", True), ("q1", True)):
        found = mapping.contact_of(definition, "F", {"consent": consent}, answers, "a@b.example")
        assert found.consent is agrees, consent


def test_a_new_integration_takes_the_agreement_that_the_form_asks_for() -> None:
    fields = (Field("q1", "email", "Email"), Field("q2", "terms", "Terms"))
    [bare] = integrating.added(Definition("F", fields=fields), "k").integrations
    assert (bare["consent"], bare["map"]) == ("", {"email": "q1"})
    asks = definitions.read({"title": "F", "fields": [
        {"id": "q1", "kind": "contact_info", "settings": {"shown": ["first", "last", "email", "phone"]}},
        {"id": "q2", "kind": "consent", "label": "News"}]})  # fmt: skip
    [made_of] = integrating.added(asks, "k").integrations
    assert made_of["consent"] == "q2"
    assert made_of["map"] == {
        "email": "q1.email",
        "phone": "q1.phone",
        "first_name": "q1.first",
        "last_name": "q1.last",
    }
