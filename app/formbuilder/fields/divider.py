"""A line across, between fields."""

from app.core.i18n import lazy
from app.formbuilder.fields.kinds import Kind


class Divider(Kind):
    name = "divider"
    label = lazy("Line")
    group = "layout"
    icon = "ellipsis"
    value_class = "none"
    has_answer = False
    can_be_required = False


KIND = Divider()
