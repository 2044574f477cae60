"""A day."""

import re
from datetime import date

from app.core.i18n import _, format_day, lazy
from app.formbuilder.fields.kinds import Kind, Wrong
from app.formbuilder.models import Answer, Field, Posted
from app.formbuilder.settings import Text, Unfit

_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")


class Day(Text):
    """A day as YYYY-MM-DD, or none."""

    input_type = "date"

    def read(self, value: object) -> str:
        text = Text.read(self, value)
        if text and day_of(text) is None:
            raise Unfit(_("Write a day as 2026-12-31."))
        return text


def day_of(text: str) -> date | None:
    """YYYY-MM-DD as a day; None for anything else (Python reads weeks such as 2026-W01-1 too)."""
    try:
        return date.fromisoformat(text) if _DAY.fullmatch(text) else None
    except ValueError:
        return None


class DateField(Kind):
    name = "date"
    label = lazy("Date")
    group = "date"
    icon = "calendar"
    value_class = "date"
    settings = (Day(name="first", label=lazy("Not before")), Day(name="last", label=lazy("Not after")))

    def read(self, field: Field, posted: Posted) -> Answer:
        text = posted.one(field.id)
        if text and day_of(text) is None:
            raise Wrong(_("Please give a day, such as 2026-12-31."))
        return text or None

    def check(self, field: Field, answer: Answer) -> None:
        if field["first"] and answer < field["first"]:
            raise Wrong(_("Please choose %(day)s or later.", day=format_day(date.fromisoformat(field["first"]))))
        if field["last"] and answer > field["last"]:
            raise Wrong(_("Please choose %(day)s or earlier.", day=format_day(date.fromisoformat(field["last"]))))

    def text(self, field: Field, answer: Answer) -> str:
        return format_day(date.fromisoformat(answer)) if answer else ""

    def cells(self, field: Field, answer: Answer) -> list[str | int | float | None]:
        return [answer]


KIND = DateField()
