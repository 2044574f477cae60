import re
from html.parser import HTMLParser

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.courses import prose

# What attackers write, after OWASP's list of ways around filters.
ATTACKS = [
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "<svg/onload=alert(1)>",
    "<iframe src=javascript:alert(1)></iframe>",
    "<a href='javascript:alert(1)'>x</a>",
    "[x](javascript:alert(1))",
    "[x](JaVaScRiPt:alert(1))",
    "[x](java\tscript:alert(1))",
    "[x](&#106;avascript:alert(1))",
    "[x](data:text/html;base64,PHNjcmlwdD4=)",
    "[x](vbscript:msgbox(1))",
    "[x](file:///etc/passwd)",
    "<javascript:alert(1)>",
    "![x](javascript:alert(1))",
    "![x](https://spy.example/pixel.gif)",
    "![x](//spy.example/pixel.gif)",
    "![x](/\\spy.example/pixel.gif)",
    "![x](/mediaspy.example)",
    "![x](data:image/svg+xml;base64,PHN2Zz4=)",
    '![" onerror="alert(1)](/media/a/b.png)',
    '![x](/media/a/b.png "\\" onerror=\\"alert(1)")',
    '[x](/a "\\" onclick=\\"alert(1)")',
    "`<script>alert(1)</script>`",
    "```<script>\n<script>alert(1)</script>\n```",
    '```x" onclick="alert(1)\ncode\n```',
    "<style>body{display:none}</style>",
    "<form action=/logout method=post><button>",
    "<div hx-get=/logout hx-trigger=load>",
    "<p style='position:fixed'>x</p>",
    "<math><mtext><table><mglyph><style><img src=x onerror=alert(1)>",
    "| <script>alert(1)</script> |\n|---|\n| <img src=x onerror=alert(1)> |",
    "<!-- --!><script>alert(1)</script>-->",
    "\x00<script>alert(1)</script>",
]


class Tags(HTMLParser):
    """Every element and attribute of a page, as a browser finds them."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))


def is_harmless(html: str) -> None:
    for tag, attributes in Tags(html).found:
        assert tag in prose._TAGS | {"div"}
        assert not {name for name in attributes if name.startswith(("on", "hx-", "style", "form"))}
        if tag == "a":
            assert not re.match(r"[\s\x00-\x20]*(javascript|vbscript|data|file):", attributes.get("href") or "", re.I)
            assert "noopener" in (attributes.get("rel") or "")
        if tag == "img":
            assert (attributes["src"] or "").startswith(("/media/", "/static/"))


@pytest.mark.parametrize("attack", ATTACKS)
def test_nothing_that_an_author_writes_can_act(attack: str) -> None:
    for text in (attack, f"Words *{attack}* words", f"> {attack}", f"# {attack}", f"- {attack}\n- b"):
        is_harmless(prose.render(text))


@given(st.text())
def test_any_text_becomes_harmless_html(text: str) -> None:
    is_harmless(prose.render(text))
    assert prose.reading_seconds(text) >= 0


def test_raw_html_is_shown_as_text() -> None:
    assert prose.render("a <b>c</b>") == "<p>a &lt;b&gt;c&lt;/b&gt;</p>\n"


def test_headings_begin_below_the_title_of_the_page_and_leave_no_level_out() -> None:
    drawn = prose.render("# A\n\n### B\n\n## C\n\n# D\n")
    assert re.findall(r"<(h\d)>(\w)</h\d>", drawn) == [("h2", "A"), ("h3", "B"), ("h3", "C"), ("h2", "D")]
    assert re.findall(r"<(h\d)>", prose.render("### A\n\n## B\n")) == ["h2", "h2"]


def test_tables_scroll_and_set_figures_to_the_right() -> None:
    drawn = prose.render("| What | Here |\n|---|--:|\n| Range | 3.90 |")
    assert drawn.startswith(
        '<div class="table-scroll" role="region" aria-label="Table" tabindex="0"><table class="table">'
    )
    assert '<td class="table__num">3.90</td>' in drawn
    assert drawn.count("</table></div>") == 1
    assert "style" not in drawn


def test_several_tables_have_names_of_their_own() -> None:
    one = "| A | B |\n|---|---|\n| 1 | 2 |\n\nWords.\n\n"
    assert re.findall(r'aria-label="([^"]+)"', prose.render(one * 3)) == ["Table 1", "Table 2", "Table 3"]


def test_an_own_picture_stays_and_another_becomes_its_words() -> None:
    drawn = prose.render("![A low](/media/abc/low.png) and ![spy](https://spy.example/x.gif)")
    assert re.search(r'<img [^>]*src="/media/abc/low.png"', drawn)
    assert 'loading="lazy"' in drawn
    assert "spy.example" not in drawn
    assert "and spy" in drawn


def test_reading_time_counts_words_and_not_addresses() -> None:
    assert prose.words("One [two](https://three.example/four) `five` don't\n\n| a | b |\n|---|---|\n| c | d |") == 8
    assert prose.reading_seconds("") == 0
    assert prose.reading_seconds("word " * 10) == 60
    assert prose.reading_seconds("word " * 1000) == 300
