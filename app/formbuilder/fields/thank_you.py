"""What is shown after sending, made where the form is made. The last one that is not hidden counts."""

from app.core.i18n import lazy
from app.formbuilder.fields.kinds import Kind
from app.formbuilder.settings import Text


class ThankYou(Kind):
    name = "thank_you"
    label = lazy("Thank-you screen")
    group = "layout"
    icon = "circle-check"
    value_class = "none"
    has_answer = False
    can_be_required = False
    settings = (Text(name="text", label=lazy("Words"), hint=lazy("Markdown"), longest=5000, rows=6),)


KIND = ThankYou()
