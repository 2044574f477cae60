"""Yes or no."""

from collections.abc import Sequence

from app.core.i18n import _, lazy
from app.formbuilder.fields.choosing import OneOf
from app.formbuilder.models import Field
from app.formbuilder.settings import Option, Text


class YesNo(OneOf):
    name = "yes_no"
    label = lazy("Yes or no")
    icon = "circle-check"
    is_group = True
    settings = (
        Text(name="yes", label=lazy("Word for yes"), longest=40),
        Text(name="no", label=lazy("Word for no"), longest=40),
    )

    def options(self, field: Field) -> Sequence[Option]:
        return Option("yes", field["yes"] or _("Yes")), Option("no", field["no"] or _("No"))


KIND = YesNo()
