"""A list that opens, of which several may be chosen."""

from app.core.i18n import lazy
from app.formbuilder.fields.choosing import SeveralOf


class MultiSelect(SeveralOf):
    name = "multi_select"
    label = lazy("Dropdown, several")
    icon = "list"
    scripts = ("js/field-chosen.js",)
    has_sheet = True


KIND = MultiSelect()
