"""What the kinds have in common that are answered in rows and columns: a repeater, an input table."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from app.core.i18n import _, lazy
from app.formbuilder.fields.date import day_of
from app.formbuilder.fields.grids import keys
from app.formbuilder.fields.kinds import Kind, Wrong
from app.formbuilder.fields.number import PLAIN
from app.formbuilder.models import Answer, Field, Posted
from app.formbuilder.settings import Lines, Option
from app.web.forms import is_email

LONGEST = 500
COLUMNS = Lines(
    name="columns",
    label=lazy("Columns"),
    hint=lazy("A line each: Name, or Age | number, also email and date, or Size | small; medium; large"),
    most=10,
    default=("Name", "Age | number"),
)


@dataclass(frozen=True, slots=True)
class Column:
    """A column: what its cells hold is a text, a number, an email, a date or one of `options`."""

    key: str
    label: str
    type: str
    options: tuple[str, ...] = ()

    def wrong(self, text: str) -> str:
        """What is wrong with a cell; empty when nothing is."""
        if len(text) > LONGEST:
            return _("At most %(n)s characters.", n=LONGEST)
        if self.type == "number" and not PLAIN.fullmatch(text):
            return _("Please write a number, such as 12 or 12.5.")
        if self.type == "email" and not is_email(text):
            return _("This does not look like an email address.")
        if self.type == "date" and day_of(text) is None:
            return _("Please give a day, such as 2026-12-31.")
        return _("Choose one of the list.") if self.options and text not in self.options else ""


class Tabular(Kind):
    """Rows of texts. An answer is a list of rows, each {key of column: text}."""

    group: ClassVar[str] = "compound"
    icon: ClassVar[str] = "rows-3"
    value_class: ClassVar[str] = "none"
    is_group: ClassVar[bool] = True
    has_sheet: ClassVar[bool] = True

    def table(self, field: Field) -> list[Column]:
        """Its columns; one at least."""
        found = []
        for line in field["columns"] or (_("Answer"),):
            label, _bar, said = (part.strip() for part in line.partition("|"))
            options = tuple(dict.fromkeys(each.strip() for each in said.split(";") if each.strip()))
            is_named = said.lower() in ("number", "email", "date")
            found.append((label or said, said.lower() if is_named else "text", () if is_named else options))
        names = keys([Option(label, label) for label, _type, _options in found])
        return [Column(key, *each) for key, each in zip(names, found, strict=True)]

    def check_row(self, field: Field, row: dict[str, str], number: int) -> None:
        """Raise Wrong for the first cell of a row that cannot be what it holds."""
        for column in self.table(field):
            text = row.get(column.key, "")
            if text and (wrong := column.wrong(text)):
                raise Wrong(_("Row %(n)s, %(column)s: %(why)s", n=number, column=column.label, why=wrong), column.key)

    def row_text(self, field: Field, row: dict[str, str]) -> str:
        """A row in one line."""
        return ", ".join(
            f"{column.label}: {row[column.key]}" for column in self.table(field) if row.get(column.key)
        )  # fmt: skip

    def number_or_text(self, column: Column, text: str) -> str | int | float | None:
        """A cell as it stands in a file."""
        if column.type != "number" or not PLAIN.fullmatch(text):
            return text
        return float(text) if "." in text else int(text)

    def numbered(self, field: Field, posted: Posted, names: Sequence[str]) -> list[list[str]]:
        """What was posted under each of these names, row by row, blanks included."""
        return [[text.strip() for text in posted.texts.get(f"{field.id}.{name}", ())] for name in names]

    def missing(self, field: Field) -> str:
        return _("Please fill in a row.")

    def is_empty(self, answer: Answer) -> bool:
        """Whether nothing was written in any row."""
        return not any(any(row.values()) for row in answer)
