"""Pictures."""

from collections.abc import Sequence

from app.core.i18n import lazy
from app.formbuilder.fields.attached import Attached
from app.formbuilder.models import Field


class Image(Attached):
    name = "image"
    label = lazy("Pictures")
    icon = "image"
    settings = Attached.settings[:2]

    def types(self, field: Field) -> Sequence[str]:
        return ["image"]


KIND = Image()
