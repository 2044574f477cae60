"""What the kinds have in common that have rows: the names of their controls, and grids of choices."""

import re
import unicodedata
from collections.abc import Sequence
from typing import ClassVar

from app.core.i18n import _, lazy
from app.formbuilder.fields.kinds import Kind, Wrong
from app.formbuilder.models import Answer, Field, Posted
from app.formbuilder.settings import Option, Options, Setting, Switch

_ODD = re.compile(r"[^a-z0-9_]+")


def keys(options: Sequence[Option]) -> list[str]:
    """A name for the control of each, as conditions can write it: made of its value, so that it outlives a new order."""
    found: list[str] = []
    for number, option in enumerate(options, start=1):
        plain = unicodedata.normalize("NFKD", option.value.lower()).encode("ascii", "ignore").decode()
        key = _ODD.sub("_", plain).strip("_")[:38].rstrip("_")
        # None of the others begins with a line.
        found.append(key if key and key not in found else f"_{number}")
    return found


class Grid(Kind):
    """Rows, each of which is answered from the same columns. An answer is {value of row: value of column, or a list}."""

    group: ClassVar[str] = "rating"
    icon: ClassVar[str] = "rows-3"
    value_class: ClassVar[str] = "none"
    is_group: ClassVar[bool] = True
    has_sheet: ClassVar[bool] = True
    takes_several: ClassVar[bool] = False
    settings: ClassVar[Sequence[Setting]] = (
        Options(
            name="rows", label=lazy("Rows"), hint=lazy("A line each"), extras=(), most=40,
            default=({"value": "contents", "label": "Contents"}, {"value": "pace", "label": "Pace"}),
        ),
        Options(
            name="columns", label=lazy("Columns"), hint=lazy("A line each"), most=11,
            default=({"value": "1", "label": "Poor"}, {"value": "2", "label": "Fair"}, {"value": "3", "label": "Good"}),
        ),
        Switch(name="every", label=lazy("Every row must be answered")),
    )  # fmt: skip

    def rows(self, field: Field) -> list[tuple[str, Option]]:
        """Each row with the name of its controls."""
        return list(zip(keys(field["rows"]), field["rows"], strict=True))

    def parts(self, field: Field) -> Sequence[tuple[str, str]]:
        return [(key, "choices" if self.takes_several else "choice") for key, _row in self.rows(field)]

    def read(self, field: Field, posted: Posted) -> Answer:
        known = {column.value for column in field["columns"]}
        found: dict[str, str | list[str]] = {}
        for key, row in self.rows(field):
            sent = list(dict.fromkeys(posted.all(f"{field.id}.{key}")))
            if any(value not in known for value in sent) or (len(sent) > 1 and not self.takes_several):
                raise Wrong(_("Choose of the list."), key)
            if sent:
                found[row.value] = sent if self.takes_several else sent[0]
        return found or None

    def check(self, field: Field, answer: Answer) -> None:
        if field["every"]:
            for key, row in self.rows(field):
                if row.value not in answer:
                    raise Wrong(_("Please answer “%(row)s” too.", row=row.label), key)

    def said(self, field: Field, answer: Answer, row: Option) -> str:
        """What was answered for a row, in words."""
        given = (answer or {}).get(row.value, ())
        chosen = [given] if isinstance(given, str) else given
        labels = {column.value: column.label for column in field["columns"]}
        return ", ".join(labels.get(value, value) for value in chosen)

    def text(self, field: Field, answer: Answer) -> str:
        rows = ((row.label, self.said(field, answer, row)) for row in field["rows"])
        return "\n".join(f"{label}: {said}" for label, said in rows if said)

    def columns(self, field: Field) -> Sequence[str]:
        return [f"{field.label or field.id}: {row.label}" for row in field["rows"]] or super().columns(field)

    def cells(self, field: Field, answer: Answer) -> Sequence[str | int | float | None]:
        return [self.said(field, answer, row) for row in field["rows"]] or [""]

    def posted(self, field: Field, answer: Answer) -> dict[str, list[str]]:
        given = answer or {}
        return {
            f"{field.id}.{key}": [given[row.value]] if isinstance(given[row.value], str) else list(given[row.value])
            for key, row in self.rows(field)
            if row.value in given
        }
