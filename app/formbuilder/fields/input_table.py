"""A table that is filled in: its rows and columns are given."""

from collections.abc import Sequence

from app.core.i18n import _, lazy
from app.formbuilder.fields.grids import keys
from app.formbuilder.fields.kinds import Wrong
from app.formbuilder.fields.tabular import COLUMNS, Tabular
from app.formbuilder.models import Answer, Field, Posted
from app.formbuilder.settings import Option, Options, Switch


class InputTable(Tabular):
    """An answer is {value of row: {key of column: text}}."""

    name = "input_table"
    label = lazy("Table to fill in")
    settings = (
        Options(
            name="rows", label=lazy("Rows"), hint=lazy("A line each"), extras=(), most=20,
            default=({"value": "monday", "label": "Monday"}, {"value": "tuesday", "label": "Tuesday"}),
        ),
        COLUMNS,
        Switch(name="every", label=lazy("Every cell must be filled in")),
    )  # fmt: skip

    def rows(self, field: Field) -> list[tuple[str, Option]]:
        """Each row with the first part of the names of its controls."""
        return list(zip(keys(field["rows"]), field["rows"], strict=True))

    def cell(self, row_key: str, column_key: str) -> str:
        """The name of a control, after the point."""
        return f"{row_key[:19]}_{column_key[:19]}"

    def names(self, field: Field) -> list[tuple[str, Option, list[str]]]:
        """Each row with the names of its controls, no two the same."""
        used: set[str] = set()
        found = []
        for number, (row_key, row) in enumerate(self.rows(field), start=1):
            names = []
            for place, column in enumerate(self.table(field), start=1):
                name = self.cell(row_key, column.key)
                names.append(name if name not in used else f"_{number}_{place}")
                used.add(names[-1])
            found.append((row_key, row, names))
        return found

    def parts(self, field: Field) -> Sequence[tuple[str, str]]:
        types = ["number" if column.type == "number" else "text" for column in self.table(field)]
        return [pair for _key, _row, names in self.names(field) for pair in zip(names, types, strict=True)]

    def read(self, field: Field, posted: Posted) -> Answer:
        found: dict[str, dict[str, str]] = {}
        for _key, row, names in self.names(field):
            pairs = zip(self.table(field), names, strict=True)
            written = {column.key: posted.one(f"{field.id}.{name}") for column, name in pairs}
            if any(written.values()):
                found[row.value] = {key: text for key, text in written.items() if text}
        return found or None

    def check(self, field: Field, answer: Answer) -> None:
        for number, (_key, row, names) in enumerate(self.names(field), start=1):
            given = answer.get(row.value, {})
            self.check_row(field, given, number)
            for column, name in zip(self.table(field), names, strict=True):
                if field["every"] and not given.get(column.key):
                    raise Wrong(
                        _("Please fill in “%(column)s” of “%(row)s”.", column=column.label, row=row.label), name
                    )

    def missing(self, field: Field) -> str:
        return _("Please fill in the table.")

    def text(self, field: Field, answer: Answer) -> str:
        rows = ((row.label, self.row_text(field, (answer or {}).get(row.value, {}))) for row in field["rows"])
        return "\n".join(f"{label} – {said}" for label, said in rows if said)

    def columns(self, field: Field) -> Sequence[str]:
        name, table = field.label or field.id, self.table(field)
        found = [f"{name}: {row.label}, {column.label}" for row in field["rows"] for column in table]
        return found or super().columns(field)

    def cells(self, field: Field, answer: Answer) -> Sequence[str | int | float | None]:
        given, table = answer or {}, self.table(field)
        found = [
            self.number_or_text(column, given.get(row.value, {}).get(column.key, ""))
            for row in field["rows"]
            for column in table
        ]
        return found or [""]

    def posted(self, field: Field, answer: Answer) -> dict[str, list[str]]:
        found = {}
        for _key, row, names in self.names(field):
            for column, name in zip(self.table(field), names, strict=True):
                if text := (answer or {}).get(row.value, {}).get(column.key):
                    found[f"{field.id}.{name}"] = [text]
        return found


KIND = InputTable()
