"""An entry as a PDF: its questions and answers, as they are read.

Fonts are those of the system: DejaVu Sans for most of the world's alphabets, GNU Unifont for every other script. Only what is written
of them goes into the file. A character that no font has stands there as its number, so that nothing is lost in silence.
"""

import asyncio
import logging
import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from pathlib import Path

from fontTools.ttLib import TTFont
from fpdf import FPDF
from fpdf.enums import WrapMode

from app.core.i18n import _

_FONTS = Path("/usr/share/fonts")
_MAIN, _BOLD = "truetype/dejavu/DejaVuSans.ttf", "truetype/dejavu/DejaVuSans-Bold.ttf"
_OTHERS = ("opentype/unifont/unifont.otf", "opentype/unifont/unifont_upper.otf")
_MARGIN_MM, _LINE_MM = 18, 5.6
# Of all answers together; what is longer is cut, and says so. It takes some seconds, and who answers decides how long it is.
_LONGEST = 60_000
# Written from left to right, a letter at a time: such a text needs no shaping, which takes three times as long.
_SIMPLE = re.compile(
    r"[\n\u0020-\u02ff\u0370-\u052f\u1e00-\u1fff\u2010-\u2027\u2030-\u205e\u20a0-\u20cf\u2190-\u22ff\u3000-\u3029"
    r"\u3030-\u3096\u30a0-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7a3\uff00-\uff60]*"
)
# It is work for a processor: the pages need the others.
_drawing = asyncio.Semaphore(2)
# What it says about dates inside of fonts helps nobody.
logging.getLogger("fontTools").setLevel(logging.ERROR)


@dataclass(frozen=True, slots=True)
class Paper:
    """What stands on it: a title, a line about the entry, and pairs of question and answer."""

    title: str
    about: str
    pairs: Sequence[tuple[str, str]]
    made_at: datetime


async def drawn(paper: Paper) -> bytes:
    """The file; drawn beside the event loop."""
    words = _("no answer"), _("Page %(n)s", n="{n}")
    async with _drawing:
        return await asyncio.to_thread(_drawn, paper, *words)


def _drawn(paper: Paper, nothing: str, page: str) -> bytes:
    every = "".join([paper.title, paper.about, nothing, page, *(text for pair in paper.pairs for text in pair)])
    pdf = _Sheet()
    chars = _use_fonts(pdf, every)
    pdf.page_words = _shown(page, chars)
    pdf.set_title(_shown(paper.title, chars))
    pdf.set_creation_date(paper.made_at)
    pdf.set_margin(_MARGIN_MM)
    pdf.set_auto_page_break(True, margin=_MARGIN_MM)
    pdf.add_page()
    _write(pdf, _shown(paper.title, chars), "B", 16, 8)
    _write(pdf, _shown(paper.about, chars), "", 9, _LINE_MM)
    pdf.ln(4)
    left = _LONGEST
    for question, answer in paper.pairs:
        _write(pdf, _shown(question, chars), "B", 9, _LINE_MM)
        _write(pdf, _shown(_cut(answer, left) or nothing, chars), "", 11, _LINE_MM)
        left = max(0, left - len(answer))
        pdf.ln(3)
    return bytes(pdf.output())


class _Sheet(FPDF):  # A4, as it comes
    page_words = ""

    def footer(self) -> None:
        """The number of the page."""
        self.set_y(-12)
        self.set_font(self.font_family, "", 8)
        self.cell(0, 6, self.page_words.replace("{n}", str(self.page_no())), align="C")


def _write(pdf: FPDF, text: str, style: str, size: int, height: float) -> None:
    pdf.set_font(pdf.font_family or "body", style, size)
    pdf.multi_cell(
        0,
        height,
        text,
        align="L",
        new_x="LMARGIN",
        new_y="NEXT",
        wrapmode=WrapMode.CHAR if _is_long(text) else WrapMode.WORD,
    )


def _cut(text: str, longest: int) -> str:
    return text if len(text) <= longest else text[:longest] + " […]"


def _is_long(text: str) -> bool:
    """Whether a word of it is wider than a page: an address, or a script without spaces."""
    return any(len(word) > 60 for word in text.split())


def _use_fonts(pdf: FPDF, text: str) -> frozenset[int] | None:
    """Load what is needed to write this; the characters that can be written, or None for those of Latin-1 alone."""
    main = _FONTS / _MAIN
    if not main.exists():
        pdf.set_font("Helvetica")
        return None
    pdf.add_font("body", "", main)
    pdf.add_font("body", "B", _FONTS / _BOLD)
    known, others = _characters(main), []
    for number, name in enumerate(_OTHERS):
        path = _FONTS / name
        missing = {ord(char) for char in text} - known
        if path.exists() and missing & _characters(path):
            pdf.add_font(f"other{number}", "", path)
            others.append(f"other{number}")
            known |= _characters(path)
    pdf.set_fallback_fonts(others, exact_match=False)
    pdf.set_text_shaping(_SIMPLE.fullmatch(text) is None)
    pdf.set_font("body")
    return known


@cache
def _characters(path: Path) -> frozenset[int]:
    """What a font can write."""
    with TTFont(path, lazy=True) as font:
        return frozenset(font.getBestCmap())


def _shown(text: str, known: frozenset[int] | None) -> str:
    """The text with numbers for what cannot be written, and without what is no writing."""
    found = []
    for char in text.replace("\r\n", "\n").replace("\t", "    "):
        can = ord(char) in known if known is not None else ord(char) < 256
        if char == "\n" or (can and unicodedata.category(char) not in ("Cc", "Cs")):
            found.append(char)
        elif unicodedata.category(char) not in ("Cc", "Cf", "Mn"):
            found.append(f"[U+{ord(char):04X}]")
    return "".join(found)
