"""Options with a picture each, of which one or several are chosen."""

from collections.abc import Sequence

from app.core.i18n import _, lazy
from app.formbuilder.fields.choosing import SeveralOf
from app.formbuilder.fields.kinds import Wrong
from app.formbuilder.models import Answer, Field
from app.formbuilder.settings import Number, Option, Options, Switch

# Our own files only: a picture of another host would tell it who reads, and the policy of our pages refuses it.
_OURS = ("/media/", "/static/")


class PictureChoice(SeveralOf):
    name = "picture_choice"
    label = lazy("Picture choice")
    icon = "image"
    has_sheet = True
    settings = (
        Options(
            name="options",
            label=lazy("Options"),
            hint=lazy("A line each: value | Label | /media/… address of its picture | points"),
            default=({"value": "first", "label": "First"}, {"value": "second", "label": "Second"}),
            extras=("picture", "points"),
        ),
        Switch(name="several", label=lazy("Several may be chosen")),
        Number(name="least", label=lazy("At least"), default=None, high=500),
        Number(name="most", label=lazy("At most"), default=None, low=1, high=500),
    )

    def parts(self, field: Field) -> Sequence[tuple[str, str]]:
        return ()

    def picture(self, option: Option) -> str:
        """The address of an option's picture; empty when it has none that may be shown."""
        return option.picture if option.picture.startswith(_OURS) else ""

    def check(self, field: Field, answer: Answer) -> None:
        if not field["several"]:
            if len(answer["values"]) > 1:
                raise Wrong(_("Choose one only."))
            return
        SeveralOf.check(self, field, answer)


KIND = PictureChoice()
