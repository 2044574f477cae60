"""What the kinds have in common that ask for several texts under one heading: a name, an address."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from app.core.i18n import _, lazy
from app.formbuilder.fields.kinds import Kind, Wrong
from app.formbuilder.models import Answer, Field, Posted
from app.formbuilder.settings import Option, Setting, Several, Words


@dataclass(frozen=True, slots=True)
class Part:
    """One control of several. `width` in sixths of the line."""

    name: str
    label: Words
    autocomplete: str = ""
    type: str = "text"
    longest: int = 200
    width: int = 6


class Compound(Kind):
    """Several texts. An answer is {part: text}, without those left empty."""

    group: ClassVar[str] = "compound"
    value_class: ClassVar[str] = "none"
    is_group: ClassVar[bool] = True
    has_sheet: ClassVar[bool] = True
    all_parts: ClassVar[tuple[Part, ...]] = ()

    def shown(self, field: Field) -> Sequence[Part]:
        """The parts that this field asks for; never none."""
        found = [part for part in self.all_parts if part.name in field["shown"]]
        return found or self.all_parts[:1]

    def needed(self, field: Field) -> set[str]:
        """The parts that may not be left out once something is answered."""
        return {part.name for part in self.shown(field)} & set(field["needed"])

    def options_of(self, field: Field, part: str) -> Sequence[Option]:
        """What can be chosen for a part; nothing for one that is written."""
        return ()

    def parts(self, field: Field) -> Sequence[tuple[str, str]]:
        return [(part.name, "text") for part in self.shown(field)]

    def read(self, field: Field, posted: Posted) -> Answer:
        written = {part.name: posted.one(f"{field.id}.{part.name}") for part in self.shown(field)}
        found = {name: " ".join(text.split()) for name, text in written.items() if text}
        return found or None

    def check(self, field: Field, answer: Answer) -> None:
        for part in self.shown(field):
            text = answer.get(part.name, "")
            if not text and part.name in self.needed(field):
                raise Wrong(_("Please fill in “%(part)s”.", part=str(part.label)), part.name)
            if len(text) > part.longest:
                raise Wrong(_("At most %(n)s characters.", n=part.longest), part.name)
            options = self.options_of(field, part.name)
            if text and options and text not in {option.value for option in options}:
                raise Wrong(_("Choose one of the list."), part.name)
            if text:
                self.check_part(field, part.name, text)

    def check_part(self, field: Field, part: str, text: str) -> None:
        """Raise Wrong for a text that this part cannot be."""

    def said(self, field: Field, answer: Answer, part: str) -> str:
        """A part as people read it; of what is chosen its label."""
        text = str((answer or {}).get(part, ""))
        return next((option.label for option in self.options_of(field, part) if option.value == text), text)

    def text(self, field: Field, answer: Answer) -> str:
        return ", ".join(filter(None, (self.said(field, answer, part.name) for part in self.shown(field))))

    def columns(self, field: Field) -> Sequence[str]:
        return [f"{field.label or field.id}: {part.label}" for part in self.shown(field)]

    def cells(self, field: Field, answer: Answer) -> Sequence[str | int | float | None]:
        return [self.said(field, answer, part.name) for part in self.shown(field)]

    def posted(self, field: Field, answer: Answer) -> dict[str, list[str]]:
        return {f"{field.id}.{name}": [text] for name, text in (answer or {}).items()}


def settings_of(parts: Sequence[Part], shown: Sequence[str], needed: Sequence[str]) -> tuple[Setting, ...]:
    """Which parts are asked for, and which of them must be filled in."""
    choices = tuple((part.name, part.label) for part in parts)
    return (
        Several(name="shown", label=lazy("Parts"), default=tuple(shown), choices=choices),
        Several(name="needed", label=lazy("Parts that may not be left out"), default=tuple(needed), choices=choices),
    )
