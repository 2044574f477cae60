"""Options of which one is chosen."""

from app.core.i18n import lazy
from app.formbuilder.fields.choosing import OneOf


class Radio(OneOf):
    name = "radio"
    label = lazy("Single choice")
    icon = "circle-dot"
    is_group = True


KIND = Radio()
