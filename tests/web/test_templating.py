"""What is drawn once and kept must not be mistaken for something that looks alike."""

from typing import Any

import pytest
from markupsafe import Markup

from app.web.templating import Environment, KeptMacro

SCHOOLS: list[object] = [object()]


@pytest.fixture
def drawn() -> list[Any]:
    return []


@pytest.fixture
def kept(drawn: list[Any]) -> KeptMacro:
    environment = Environment(autoescape=True)
    environment.globals["note"] = drawn.append
    source = '{% macro show(a, b="") %}{{ note(a) or "" }}<i>{{ a }}{{ b }}</i>{% endmacro %}'
    return KeptMacro(environment.from_string(source).module.show, lambda: SCHOOLS[-1])  # type: ignore[attr-defined]


def test_the_same_arguments_are_drawn_once(kept: KeptMacro, drawn: list[Any]) -> None:
    assert kept("a", b="x") == kept("a", b="x") == "<i>ax</i>"
    assert drawn == ["a"]


def test_markup_is_not_taken_for_the_text_that_equals_it(kept: KeptMacro) -> None:
    assert kept(Markup("<b>")) == "<i><b></i>"
    assert kept("<b>") == "<i>&lt;b&gt;</i>"
    assert kept("", b=Markup("<b>")) == "<i><b></i>"
    assert kept("", b="<b>") == "<i>&lt;b&gt;</i>"


def test_one_is_not_taken_for_true(kept: KeptMacro) -> None:
    assert (kept(1), kept(True), kept(1.0)) == ("<i>1</i>", "<i>True</i>", "<i>1.0</i>")


def test_an_argument_by_name_is_not_taken_for_one_by_place(kept: KeptMacro) -> None:
    assert kept("a", "b") == "<i>ab</i>"
    assert kept(a="a", b="b") == kept(b="b", a="a") == "<i>ab</i>"
    assert kept(a="b", b="a") == "<i>ba</i>"


def test_another_school_is_drawn_anew(kept: KeptMacro, drawn: list[Any]) -> None:
    kept("a")
    SCHOOLS.append(object())
    kept("a")
    assert drawn == ["a", "a"]


def test_a_list_is_drawn_each_time(kept: KeptMacro, drawn: list[Any]) -> None:
    assert kept(["a"]) == kept(["a"])
    assert len(drawn) == 2
    assert all(isinstance(kept(value), Markup) for value in ("a", ["a"]))


def test_what_is_kept_is_bounded(kept: KeptMacro) -> None:
    for number in range(kept._MOST * 2):
        kept(number)
    assert len(kept._drawn) <= kept._MOST


def test_markup_inside_a_list_of_texts_is_not_taken_for_text() -> None:
    environment = Environment(autoescape=True)
    source = "{% macro show(facts) %}{% for fact in facts %}<i>{{ fact }}</i>{% endfor %}{% endmacro %}"
    kept = KeptMacro(environment.from_string(source).module.show, lambda: SCHOOLS[-1])  # type: ignore[attr-defined]
    assert kept((Markup("<b>"),)) == "<i><b></i>"
    assert kept(("<b>",)) == "<i>&lt;b&gt;</i>"
