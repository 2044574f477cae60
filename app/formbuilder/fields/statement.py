"""A paragraph between the fields, in Markdown."""

from app.core.i18n import lazy
from app.formbuilder.fields.kinds import Kind
from app.formbuilder.settings import Text


class Statement(Kind):
    name = "statement"
    label = lazy("Text between fields")
    group = "layout"
    icon = "file-text"
    value_class = "none"
    has_answer = False
    can_be_required = False
    settings = (Text(name="text", label=lazy("Text"), hint=lazy("Markdown"), longest=5000, rows=6),)


KIND = Statement()
