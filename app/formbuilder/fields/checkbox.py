"""Options of which several may be chosen."""

from app.core.i18n import lazy
from app.formbuilder.fields.choosing import SeveralOf


class Checkbox(SeveralOf):
    name = "checkbox"
    label = lazy("Multiple choice")
    icon = "square-check"


KIND = Checkbox()
