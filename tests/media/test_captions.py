from contextlib import suppress
from time import perf_counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.media import captions
from app.media.captions import BrokenCaptions, Cue
from tests.media import files


def test_cues_are_read_as_plain_text() -> None:
    assert captions.read("\ufeff" + files.CAPTIONS.replace("\n", "\r\n")) == [
        Cue(1.0, 4.2, "Everybody puts the stop where everybody puts it."),
        Cue(4.5, 9.0, "Below the low & above the high."),
        Cue(20.0, 24.0, "After a pause."),
    ]


def test_a_bracket_that_nothing_closes_stays() -> None:
    [cue] = captions.read("WEBVTT\n\n00:01.000 --> 00:02.000\n1 < 2, <i>so</i> 2 > 1")
    assert cue.text == "1 < 2, so 2 > 1"


def test_a_character_of_a_senseless_number_stays_as_it_is_written() -> None:
    [cue] = captions.read(f"WEBVTT\n\n00:01.000 --> 00:02.000\n&#{'9' * 5000};")
    assert cue.text == f"&#{'9' * 5000};"


def test_very_many_open_brackets_take_no_longer_than_other_letters() -> None:
    began = perf_counter()
    captions.read("WEBVTT\n\n00:01.000 --> 00:02.000\n" + "<" * 150_000)
    assert perf_counter() - began < 3


def test_a_transcript_breaks_where_the_speaker_pauses() -> None:
    assert captions.paragraphs(captions.read(files.CAPTIONS)) == [
        {"start": 1.0, "text": "Everybody puts the stop where everybody puts it. Below the low & above the high."},
        {"start": 20.0, "text": "After a pause."},
    ]


def test_a_long_paragraph_breaks_at_the_end_of_a_sentence() -> None:
    cues = [Cue(n * 5.0, n * 5.0 + 4.9, "Yes." if n % 2 else "and") for n in range(12)]
    starts = [paragraph["start"] for paragraph in captions.paragraphs(cues)]
    assert starts == [0.0, 20.0, 40.0]


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("WEBVTT\n\n00:01.000 -> 00:02.000\nx", "Line 4"),
        ("WEBVTT\n\nname only", "Line 4"),
        ("WEBVTT\n\n00:01,000 --> 00:02,000\nx", "Line 3"),
        ("WEBVTT\n\n00:61.000 --> 00:62.000\nx", "Line 3"),
        (f"WEBVTT\n\n{'9' * 5000}:00:00.000 --> {'9' * 5000}:00:01.000\nx", "Line 3"),
        ("WEBVTT\n\n00:02.000 --> 00:02.000\nx", "Line 3"),
        ("WEBVTT\n\n00:02.000 --> 00:03.000\nx\n\n00:01.000 --> 00:02.000\ny", "Line 6"),
        ("WEBVTTX\n\n00:02.000 --> 00:03.000\nx", "first line"),
    ],
)
def test_what_is_wrong_is_named_by_its_line(text: str, line: str) -> None:
    with pytest.raises(BrokenCaptions, match=line):
        captions.read(text)


@given(st.text())
def test_any_text_is_read_or_refused(text: str) -> None:
    for tried in (text, "WEBVTT\n\n" + text, "WEBVTT\n\n00:01.000 --> 00:02.000\n" + text):
        with suppress(BrokenCaptions):
            assert all(cue.start < cue.end for cue in captions.read(tried))
