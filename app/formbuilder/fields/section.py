"""A heading over the fields that follow it."""

from app.core.i18n import lazy
from app.formbuilder.fields.kinds import Kind


class Section(Kind):
    name = "section"
    label = lazy("Section")
    group = "layout"
    icon = "heading"
    value_class = "none"
    has_answer = False
    can_be_required = False


KIND = Section()
