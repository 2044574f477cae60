"""Options of which one is chosen, or another answer written."""

from collections.abc import Sequence

from app.core.i18n import lazy
from app.formbuilder.fields.choosing import OPTIONS, OneOf
from app.formbuilder.models import Field
from app.formbuilder.settings import Switch


class OtherChoice(OneOf):
    name = "other_choice"
    label = lazy("Single choice or own words")
    icon = "message-square"
    is_group = True
    settings = (OPTIONS, Switch(name="other", label=lazy("Let people write another answer"), default=True))

    def parts(self, field: Field) -> Sequence[tuple[str, str]]:
        return (("other", "text"),)


KIND = OtherChoice()
