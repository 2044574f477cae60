"""The points of a quiz: what the options that were chosen are worth, added up."""

from collections.abc import Sequence

from app.core.i18n import _, lazy
from app.formbuilder.fields.choosing import has_points, most_points
from app.formbuilder.fields.kinds import Kind, kind_of
from app.formbuilder.fields.number import plain
from app.formbuilder.models import Answer, Field, Posted
from app.formbuilder.settings import SomeFields, Switch

MOST = 99


class QuizScore(Kind):
    name = "quiz_score"
    label = lazy("Quiz score")
    group = "layout"
    icon = "award"
    value_class = "calculation"
    can_be_required = False
    settings = (
        SomeFields(
            name="of", label=lazy("Questions that count"), most=99, having="points",
            hint=lazy("Without any, every question before this that has points"),
        ),
        Switch(name="hidden", label=lazy("Not shown to visitors")),
    )  # fmt: skip

    def draws_itself(self, field: Field) -> bool:
        return bool(field["hidden"])

    def counted(self, field: Field, fields: Sequence[Field]) -> list[Field]:
        """The questions that count: those named, else every one before this with points."""
        named = field["of"]
        before = fields[: fields.index(field)] if field in fields else fields
        return [each for each in before if (not named or each.id in named) and has_points(kind_of(each), each)]

    def most(self, field: Field, fields: Sequence[Field]) -> float:
        """The most points there are: of several options all good ones, of one the best."""
        return sum(most_points(kind_of(each), each) for each in self.counted(field, fields))

    def expression(self, field: Field, fields: Sequence[Field]) -> str:
        parts: list[str] = []
        for each in self.counted(field, fields):
            # What one expression holds: docs/forms.md.
            if len(parts) < MOST and sum(map(len, parts)) < 1800:
                parts.append(f"points({each.id})")
        return f"sum({', '.join(parts)})" if parts else "0"

    def read(self, field: Field, posted: Posted) -> Answer:
        return None

    def text(self, field: Field, answer: Answer) -> str:
        return "" if answer is None else _("%(n)s points", n=plain(answer) if not isinstance(answer, str) else answer)

    def cells(self, field: Field, answer: Answer) -> list[str | int | float | None]:
        return [answer]


KIND = QuizScore()
