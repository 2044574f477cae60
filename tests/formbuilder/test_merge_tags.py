"""Tags in texts: filled in, and escaped for where they stand, whatever a visitor wrote."""

from datetime import UTC, datetime
from email.message import EmailMessage

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.formbuilder.after_sending import merge_tags
from app.formbuilder.after_sending.merge_tags import Facts
from app.formbuilder.definition import definitions

FORM = definitions.read(
    {
        "title": "Ask us",
        "fields": [
            {"id": "q1", "kind": "short_text", "label": "Name"},
            {
                "id": "q2",
                "kind": "radio",
                "label": "Colour",
                "settings": {"options": [{"label": "Red"}], "other": True},
            },
            {"id": "s1", "kind": "section", "label": "More"},
        ],
    }
)


def facts(answer: str = "Ann", **answers: object) -> Facts:
    return merge_tags.facts_of(
        FORM,
        {"q1": answer, **answers},
        school="Meridian",
        site="https://school.example",
        slug="ask-us",
        form_id="f1",
        entry_id="e1",
        at=datetime(2026, 11, 9, tzinfo=UTC),
        email="ann@example.org",
        results={"score": "3 / 4"},
    )


def test_each_tag_says_what_the_entry_says() -> None:
    text = "{q1}/{q2}/{q2.other}/{form}/{entry.id}/{date}/{score}/{school}/{email}/{form.url}"
    found = merge_tags.plain(text, facts(q2={"other": "Pink"}))
    assert found == (
        "Ann/Pink/Pink/Ask us/e1/9 November 2026/3 / 4/Meridian/ann@example.org/https://school.example/forms/ask-us"
    )
    assert merge_tags.plain("{all}", facts(q2={"value": "red"})) == "Name\nAnn\n\nColour\nRed"


def test_an_unknown_tag_stays_empty_and_is_told_and_what_is_missing_has_its_substitute() -> None:
    assert merge_tags.plain("Dear {q2|friend}{nothing}{", facts()) == "Dear friend{"
    assert merge_tags.unknown(FORM, "{q1} {q9} {q2.other} {q2.last} {grade}") == ["q9", "q2.last"]
    assert "s1" not in merge_tags.names_of(FORM)


@pytest.mark.parametrize(
    "bad",
    ["<script>alert(1)</script>", '"><img src=x onerror=1>', "[a](javascript:1)", "**b**", "![](//x)", "{entry.id}"],
)
def test_an_answer_is_only_text_in_a_mail(bad: str) -> None:
    found = str(merge_tags.html("**Hello** {q1}\n\n{all}\n\n[see]({q1})", facts(bad)))
    assert "<strong>Hello</strong>" in found
    for risky in ("<script", "<img", "<b>", 'href="javascript', "e1"):
        assert risky not in found
    assert found.count("<strong>") == 2  # ours, and the question


def test_addresses_of_ours_are_whole_links_and_answers_never_choose_one() -> None:
    found = str(
        merge_tags.html("[office]({entry.url}) [x]({q1}) [y](https://a.example/?n={q1})", facts("javascript:1"))
    )
    assert 'href="https://school.example/admin/forms/f1/entries/e1"' in found
    assert 'href="javascript%3A1"' in found
    assert 'href="https://a.example/?n=javascript%3A1"' in found


def test_a_list_of_everything_stands_outside_a_paragraph() -> None:
    found = str(merge_tags.html("{all}", facts("one\ntwo")))
    assert found == "<p><strong>Name</strong><br>one<br>two</p>\n"


@given(st.text(max_size=300))
def test_a_subject_is_one_line_whatever_was_answered(answer: str) -> None:
    subject = merge_tags.line("New: {q1} {all}", facts(answer))
    message = EmailMessage()
    message["Subject"] = subject
    assert len(subject) <= merge_tags.LONGEST_LINE
    assert subject.splitlines() in ([], [subject])


@given(st.text(max_size=200))
def test_an_answer_never_leaves_its_place_in_a_link_or_a_page(answer: str) -> None:
    link = merge_tags.address("https://a.example/{q1}?x={q1}&y=1#{q1}", facts(answer))
    assert link.startswith("https://a.example/?x=")
    assert link.endswith("&y=1#")
    assert link.count("&") == 1
    page = str(merge_tags.html("a {q1} b", facts(answer)))
    assert set(page.replace("<p>", "").replace("</p>", "").replace("<br>", "")) & set("<>") == set()


def test_what_an_author_writes_that_looks_like_a_mark_stays() -> None:
    assert "qtag0z" in str(merge_tags.html("qtag0z {q1}", facts()))
