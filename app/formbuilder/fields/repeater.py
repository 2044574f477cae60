"""Rows that are added as they are needed: the children of a family, the stations of a life."""

from collections.abc import Sequence

from app.core.i18n import _, lazy
from app.formbuilder.fields.kinds import Wrong
from app.formbuilder.fields.tabular import COLUMNS, Tabular
from app.formbuilder.models import Answer, Field, Posted
from app.formbuilder.settings import Number, Text


class Repeater(Tabular):
    name = "repeater"
    label = lazy("Repeated rows")
    icon = "repeat"
    scripts = ("js/field-repeater.js",)
    settings = (
        COLUMNS,
        Number(name="least", label=lazy("Rows at least"), default=None, low=1, high=20),
        Number(name="most", label=lazy("Rows at most"), default=5, low=1, high=20),
        Text(name="add", label=lazy("Words on the button that adds a row"), longest=60),
    )

    def read(self, field: Field, posted: Posted) -> Answer:
        # Each column is posted as often as there are rows: the first of each are the first row.
        table = self.table(field)
        columns = self.numbered(field, posted, [column.key for column in table])
        rows = []
        for number in range(min(200, max((len(texts) for texts in columns), default=0))):
            row = {
                column.key: texts[number]
                for column, texts in zip(table, columns, strict=True)
                if number < len(texts) and texts[number]
            }
            if row:
                rows.append(row)
        return rows or None

    def check(self, field: Field, answer: Answer) -> None:
        if len(answer) > field["most"]:
            raise Wrong(_("At most %(n)s rows.", n=field["most"]))
        if field["least"] and len(answer) < field["least"]:
            raise Wrong(_("Please fill in at least %(n)s rows.", n=field["least"]))
        for number, row in enumerate(answer, start=1):
            self.check_row(field, row, number)

    def drawn(self, field: Field, posted: Posted) -> list[dict[str, str]]:
        """The rows as they are drawn: what was typed, and blank ones up to the most."""
        rows = self.read(field, posted) or []
        return [*rows, *({} for _number in range(field["most"] - len(rows)))]

    def text(self, field: Field, answer: Answer) -> str:
        return "\n".join(self.row_text(field, row) for row in answer or ())

    def columns(self, field: Field) -> Sequence[str]:
        name, table = field.label or field.id, self.table(field)
        return [f"{name} {number}: {column.label}" for number in range(1, field["most"] + 1) for column in table]

    def cells(self, field: Field, answer: Answer) -> Sequence[str | int | float | None]:
        rows = [*(answer or ()), *({} for _number in range(field["most"]))][: field["most"]]
        table = self.table(field)
        return [self.number_or_text(column, row.get(column.key, "")) for row in rows for column in table]

    def posted(self, field: Field, answer: Answer) -> dict[str, list[str]]:
        if not answer:
            return {}
        return {f"{field.id}.{column.key}": [row.get(column.key, "") for row in answer] for column in self.table(field)}


KIND = Repeater()
