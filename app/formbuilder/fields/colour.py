"""A colour, as #rrggbb."""

import re

from app.core.i18n import _, lazy
from app.formbuilder.fields.kinds import Kind, Wrong
from app.formbuilder.models import Answer, Field, Posted
from app.formbuilder.settings import Text, Unfit

_COLOUR = re.compile(r"#[0-9a-f]{6}")


class Shade(Text):
    """A colour as #rrggbb."""

    def read(self, value: object) -> str:
        text = Text.read(self, value).lower() or str(self.default)
        if not _COLOUR.fullmatch(text):
            raise Unfit(_("Write a colour as #2f6f5e."))
        return text


class Colour(Kind):
    name = "colour"
    label = lazy("Colour")
    group = "input"
    icon = "circle"
    has_sheet = True
    settings = (Shade(name="start", label=lazy("Colour at first"), default="#2f6f5e", longest=7),)

    def read(self, field: Field, posted: Posted) -> Answer:
        text = posted.one(field.id).lower()
        # A picker always shows some colour. Only the one it began with can mean that none was picked.
        if not text or (posted.one(f"{field.id}.none") and text == field["start"]):
            return None
        if not _COLOUR.fullmatch(text):
            raise Wrong(_("Please choose a colour."))
        return text


KIND = Colour()
