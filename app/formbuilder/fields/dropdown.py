"""A list that opens."""

from app.core.i18n import lazy
from app.formbuilder.fields.choosing import OneOf


class Dropdown(OneOf):
    name = "dropdown"
    label = lazy("Dropdown")
    icon = "chevron-down"
    is_group = False


KIND = Dropdown()
