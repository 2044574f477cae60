"""A heading that opens: the fields up to the next heading or page lie folded behind it."""

from app.core.i18n import lazy
from app.formbuilder.fields.kinds import Kind
from app.formbuilder.settings import Switch


class Accordion(Kind):
    name = "accordion"
    label = lazy("Folded section")
    group = "layout"
    icon = "chevron-down"
    value_class = "none"
    has_answer = False
    can_be_required = False
    has_sheet = True
    settings = (Switch(name="open", label=lazy("Open at first")),)


KIND = Accordion()
