"""A text on several lines."""

from app.core.i18n import lazy
from app.formbuilder.fields.kinds import Kind
from app.formbuilder.fields.short_text import check_length
from app.formbuilder.models import Answer, Field
from app.formbuilder.settings import Number, Text


class LongText(Kind):
    name = "long_text"
    label = lazy("Long text")
    group = "input"
    icon = "file-text"
    settings = (
        Text(name="placeholder", label=lazy("Example in the empty field"), longest=200),
        Number(name="rows", label=lazy("Lines shown"), default=4, low=2, high=20),
        Number(name="min_length", label=lazy("At least this many characters"), default=None, high=20_000),
        Number(name="max_length", label=lazy("At most this many characters"), default=5000, low=1, high=20_000),
    )

    def check(self, field: Field, answer: Answer) -> None:
        check_length(field, answer)


KIND = LongText()
