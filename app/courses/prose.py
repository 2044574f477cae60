"""What authors write: Markdown to clean HTML, and how long it takes to read."""

import re
from functools import cache
from typing import Any

import nh3
from markdown_it import MarkdownIt
from markdown_it.token import Token

from app.core.i18n import _

WORDS_A_MINUTE = 200
# Our own files only: a picture of another host would tell it who reads, and the policy of our pages refuses it.
_PICTURES = ("/media/", "/static/")

_ATTRIBUTES = {
    "a": {"href", "title"},
    "img": {"src", "alt", "title", "width", "height", "loading"},
    "ol": {"start"},
    "th": {"scope"},
}
_CLASSES = {"table": {"class": {"table"}}, "td": {"class": {"table__num"}}, "th": {"class": {"table__num"}}}
_TAGS = {
    "a", "blockquote", "br", "code", "em", "h2", "h3", "h4", "h5", "h6", "hr", "img", "li", "ol", "p", "pre", "s",
    "strong", "table", "tbody", "td", "th", "thead", "tr", "ul",
}  # fmt: skip


_OWN_TABLE = '<table class="table">'


def render(markdown: str) -> str:
    """Clean HTML of a CommonMark text with tables. Its topmost headings are h2: the page has the h1."""
    tokens = _parser().parse(markdown)
    _settle_headings(tokens)
    for token in tokens:
        _settle_table(token)
        if token.children:
            token.children = _own_pictures(token.children)
    drawn = _parser().renderer.render(tokens, _parser().options, {})
    clean = nh3.clean(
        drawn,
        tags=_TAGS,
        clean_content_tags={"script", "style"},
        attributes=_ATTRIBUTES,
        tag_attribute_values=_CLASSES,
        url_schemes={"http", "https", "mailto"},
        link_rel="noopener noreferrer",
    )
    # A wide table scrolls by itself, by keyboard too. Text cannot hold a bare "<", so only our own tables match.
    parts = clean.split(_OWN_TABLE)
    scrolls = (_scroll(number, len(parts) - 1) + _OWN_TABLE for number in range(1, len(parts)))
    drawn = parts[0] + "".join(scroll + part for scroll, part in zip(scrolls, parts[1:], strict=True))
    return drawn.replace("</table>", "</table></div>")


def _scroll(number: int, count: int) -> str:
    """The frame of a table. Where there are several, each has a name of its own: readers list them."""
    label = _("Table") if count == 1 else _("Table %(number)s", number=number)
    return f'<div class="table-scroll" role="region" aria-label="{label}" tabindex="0">'


@cache
def _parser() -> MarkdownIt:
    # Raw HTML is shown as text; nh3 behind it is the second lock.
    return MarkdownIt("commonmark", {"html": False, "typographer": False}).enable(["table", "strikethrough"])


def _settle_headings(tokens: list[Token]) -> None:
    """Let the topmost heading be h2 and leave no level out on the way down."""
    stack: list[int] = []
    level = 0
    for token in tokens:
        if token.type == "heading_open":
            written = int(token.tag[1])
            while stack and stack[-1] >= written:
                stack.pop()
            stack.append(written)
            level = min(6, len(stack) + 1)
        if token.type in ("heading_open", "heading_close"):
            token.tag = f"h{level}"


def _settle_table(token: Token) -> None:
    """Tables look like ours; figures are set flush right by a class, since our pages allow no style attribute."""
    if token.type == "table_open":
        token.attrs["class"] = "table"
    if token.type in ("th_open", "td_open"):
        style = str(token.attrs.pop("style", ""))
        if "right" in style:
            token.attrs["class"] = "table__num"
        if token.type == "th_open":
            token.attrs["scope"] = "col"


def _own_pictures(children: list[Token]) -> list[Token]:
    kept = []
    for child in children:
        if child.type == "image":
            child.attrs["loading"] = "lazy"
            if not str(child.attrs.get("src", "")).startswith(_PICTURES):
                child = Token("text", "", 0, content=child.content)
        kept.append(child)
    return kept


_WORD = re.compile(r"[^\W_]+(?:['’.,-][^\W_]+)*")


def words(markdown: str) -> int:
    """How many words a reader reads: the text, not the addresses and signs around it."""
    return sum(len(_WORD.findall(_text(token))) for token in _parser().parse(markdown))


def _text(token: Any) -> str:
    if token.children:
        return " ".join(_text(child) for child in token.children)
    return token.content if token.type in ("text", "code_inline", "code_block", "fence", "image") else ""


def reading_seconds(markdown: str) -> int:
    """Time to read a text, in whole minutes but at least one; 0 for no text."""
    count = words(markdown)
    return max(1, round(count / WORDS_A_MINUTE)) * 60 if count else 0
