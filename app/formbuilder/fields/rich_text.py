"""A text with headings, lists and links, written in Markdown. It is kept as it was written, and cleaned when it is drawn."""

from app.core.i18n import lazy
from app.courses import prose
from app.formbuilder.fields.kinds import Kind
from app.formbuilder.fields.short_text import check_length
from app.formbuilder.models import Answer, Field
from app.formbuilder.settings import Number


class RichText(Kind):
    name = "rich_text"
    label = lazy("Text with formatting")
    group = "input"
    icon = "file-text"
    scripts = ("js/field-markdown.js",)
    has_sheet = True
    settings = (
        Number(name="rows", label=lazy("Lines shown"), default=8, low=3, high=30),
        Number(name="max_length", label=lazy("At most this many characters"), default=10_000, low=1, high=20_000),
    )

    def check(self, field: Field, answer: Answer) -> None:
        check_length(field, answer)

    def html(self, answer: Answer) -> str:
        """Clean HTML of it."""
        return prose.render(answer or "")


KIND = RichText()
