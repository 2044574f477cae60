"""Where the next page of a form begins."""

from app.core.i18n import lazy
from app.formbuilder.fields.kinds import Kind
from app.formbuilder.settings import Text


class PageBreak(Kind):
    name = "page_break"
    label = lazy("Next page")
    group = "layout"
    icon = "layers"
    value_class = "none"
    has_answer = False
    can_be_required = False
    settings = (
        Text(name="next", label=lazy("Words on the button that leads here"), longest=60),
        Text(name="back", label=lazy("Words on the button that leads back"), longest=60),
    )


KIND = PageBreak()
