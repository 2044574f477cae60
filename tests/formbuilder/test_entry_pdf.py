"""An entry as a PDF: whatever was written in it."""

from datetime import UTC, datetime

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from app.formbuilder.inbox import entry_pdf
from app.formbuilder.inbox.entry_pdf import Paper
from tests.cast import Cast
from tests.formbuilder.entering import a_form, sent

NOW = datetime(2026, 9, 1, tzinfo=UTC)
needs_fonts = pytest.mark.skipif(
    not (entry_pdf._FONTS / entry_pdf._MAIN).exists(), reason="no DejaVu Sans here (on Debian: fonts-dejavu-core)"
)


async def test_the_page_of_an_entry_leads_to_its_file(cast: Cast) -> None:
    olga = await cast.olga()
    form, definition = await a_form()
    entry = await sent(form, definition, q1="Zoë Ångström 日本 مرحبا")
    answer = await olga.browser.get(f"/admin/forms/{form.public_id}/entries/{entry.public_id}/pdf")
    content = await answer.get_data()
    assert (answer.status_code, answer.content_type) == (200, "application/pdf")
    assert content.startswith(b"%PDF-") and content.rstrip().endswith(b"%%EOF")
    assert answer.headers["Cache-Control"] == "private, no-store"


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(st.tuples(st.text(max_size=30), st.text(max_size=200)), max_size=4))
def test_no_text_breaks_it(pairs: list[tuple[str, str]]) -> None:
    content = entry_pdf._drawn(Paper("T", "about", pairs, NOW), "no answer", "Page {n}")
    assert content.startswith(b"%PDF-")


@pytest.mark.parametrize("text", ["x" * 5000, "\ud800\x00\x1b", "\u202eevil", "\n" * 300, "**bold** <b>", "", " "])
def test_nor_what_is_no_text(text: str) -> None:
    assert entry_pdf._drawn(Paper(text, text, [(text, text)], NOW), "none", "{n}").startswith(b"%PDF-")


def test_what_no_font_has_stands_there_as_its_number() -> None:
    known = frozenset(map(ord, "abc "))
    assert entry_pdf._shown("a日b\x00c", known) == "a[U+65E5]bc"


def test_without_any_font_latin_letters_are_written_and_others_told(monkeypatch: pytest.MonkeyPatch) -> None:
    from pathlib import Path

    monkeypatch.setattr(entry_pdf, "_FONTS", Path("/nowhere"))
    assert entry_pdf._shown("Zoë 日", None) == "Zoë [U+65E5]"
    assert entry_pdf._drawn(Paper("Zoë", "日", [("ü", "日本"), ("–", "“”")], NOW), "none", "{n}").startswith(b"%PDF-")


@needs_fonts
def test_long_answers_are_cut_together_and_say_so(monkeypatch: pytest.MonkeyPatch) -> None:
    written = list[str]()
    monkeypatch.setattr(entry_pdf, "_write", lambda _pdf, text, *_more: written.append(text))
    entry_pdf._drawn(Paper("T", "", [(f"Q{n}", "a" * 25_000) for n in range(5)], NOW), "none", "{n}")
    answers = [text for text in written if text.startswith("a") or "[…]" in text]
    assert [len(text) for text in answers] == [25_000, 25_000, 10_004, 4, 4]
    assert all(text.endswith(" […]") for text in answers[2:])


@needs_fonts
@pytest.mark.parametrize(
    ("text", "is_shaped"), [("Zoë, 日本 – “x”\n", False), ("مرحبا", True), ("e\u0301", True), ("हिन्दी", True)]
)
def test_only_what_needs_it_is_shaped(monkeypatch: pytest.MonkeyPatch, text: str, is_shaped: bool) -> None:
    asked = list[bool]()
    monkeypatch.setattr(entry_pdf._Sheet, "set_text_shaping", lambda _pdf, use: asked.append(use))
    entry_pdf._drawn(Paper("T", "", [("Q", text)], NOW), "none", "{n}")
    assert asked == [is_shaped]
