"""The name of a person, in parts."""

from app.core.i18n import lazy
from app.formbuilder.fields.parts import Compound, Part, settings_of
from app.formbuilder.models import Answer, Field

PARTS = (
    Part("title", lazy("Title"), "honorific-prefix", longest=40, width=2),
    Part("first", lazy("First name"), "given-name", longest=100, width=3),
    Part("middle", lazy("Middle name"), "additional-name", longest=100, width=3),
    Part("last", lazy("Last name"), "family-name", longest=100, width=3),
    Part("suffix", lazy("Suffix"), "honorific-suffix", longest=40, width=2),
)


class Name(Compound):
    name = "name"
    label = lazy("Name")
    icon = "user-round"
    all_parts = PARTS
    settings = settings_of(PARTS, ("first", "last"), ("first", "last"))

    def text(self, field: Field, answer: Answer) -> str:
        return " ".join(filter(None, (self.said(field, answer, part.name) for part in self.shown(field))))


KIND = Name()
