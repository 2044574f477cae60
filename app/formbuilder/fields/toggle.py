"""A switch: on or off, and off is an answer too."""

from collections.abc import Sequence

from app.core.i18n import _, lazy
from app.formbuilder.fields.kinds import Kind, Wrong
from app.formbuilder.models import Answer, Field, Posted
from app.formbuilder.settings import Option, Switch, Text


class Toggle(Kind):
    name = "toggle"
    label = lazy("Switch")
    group = "input"
    icon = "toggle-left"
    value_class = "choice"
    can_be_required = False
    has_sheet = True
    settings = (
        Switch(name="start", label=lazy("On at first")),
        Text(name="on", label=lazy("Word for on"), longest=40),
        Text(name="off", label=lazy("Word for off"), longest=40),
    )

    def options(self, field: Field) -> Sequence[Option]:
        return Option("yes", field["on"] or _("Yes")), Option("no", field["off"] or _("No"))

    def read(self, field: Field, posted: Posted) -> Answer:
        # Its box comes before a hidden "no": what is posted first counts, for the logic too.
        text = posted.one(field.id)
        if text not in ("", "yes", "no"):
            raise Wrong(_("Choose one of the list."))
        return text or None

    def text(self, field: Field, answer: Answer) -> str:
        return next((option.label for option in self.options(field) if option.value == answer), "")


KIND = Toggle()
