"""Options side by side, of which one is pressed."""

from app.core.i18n import lazy
from app.formbuilder.fields.choosing import OneOf


class ButtonGroup(OneOf):
    name = "button_group"
    label = lazy("Buttons")
    icon = "rows-3"
    is_group = True
    has_sheet = True


KIND = ButtonGroup()
