"""What the kinds have in common in which a number of a short scale is chosen."""

from collections.abc import Sequence
from typing import ClassVar

from app.core.i18n import _, lazy
from app.formbuilder.fields.kinds import Kind, Wrong
from app.formbuilder.models import Answer, Field, Posted
from app.formbuilder.settings import Setting, Text

LOW_WORDS = Text(name="low_words", label=lazy("Words at the low end"), longest=60)
HIGH_WORDS = Text(name="high_words", label=lazy("Words at the high end"), longest=60)


class Scale(Kind):
    """A whole number from `span`."""

    group: ClassVar[str] = "rating"
    icon: ClassVar[str] = "gauge"
    value_class: ClassVar[str] = "number"
    is_group: ClassVar[bool] = True
    has_sheet: ClassVar[bool] = True
    settings: ClassVar[Sequence[Setting]] = (LOW_WORDS, HIGH_WORDS)

    def span(self, field: Field) -> tuple[int, int]:
        """The lowest and the highest number."""
        return 0, 10

    def numbers(self, field: Field) -> range:
        """Every number that can be chosen."""
        low, high = self.span(field)
        return range(low, high + 1)

    def ends(self, field: Field) -> tuple[str, str]:
        """Words at the two ends."""
        return field["low_words"], field["high_words"]

    def words(self, field: Field, number: int) -> str:
        """What a number means; empty when it speaks for itself."""
        return ""

    def read(self, field: Field, posted: Posted) -> Answer:
        text = posted.one(field.id)
        if not text:
            return None
        if text not in {str(number) for number in self.numbers(field)}:
            raise Wrong(_("Choose one of the list."))
        return int(text)

    def missing(self, field: Field) -> str:
        return _("Please choose one.")

    def text(self, field: Field, answer: Answer) -> str:
        if answer is None:
            return ""
        words = self.words(field, answer)
        said = _("%(n)s of %(most)s", n=answer, most=self.span(field)[1])
        return f"{said} ({words})" if words else said

    def cells(self, field: Field, answer: Answer) -> list[str | int | float | None]:
        return [answer]
