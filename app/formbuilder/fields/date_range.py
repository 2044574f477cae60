"""Two days, and all between."""

from collections.abc import Sequence
from datetime import date

from app.core.i18n import _, format_day, lazy
from app.formbuilder.fields.date import Day, day_of
from app.formbuilder.fields.kinds import Kind, Wrong
from app.formbuilder.models import Answer, Field, Posted
from app.formbuilder.settings import Number


class DateRange(Kind):
    name = "date_range"
    label = lazy("From day to day")
    group = "date"
    icon = "calendar"
    value_class = "none"
    is_group = True
    has_sheet = True
    settings = (
        Day(name="first", label=lazy("Not before")),
        Day(name="last", label=lazy("Not after")),
        Number(name="longest", label=lazy("At most so many days"), default=None, low=1, high=10_000),
    )

    def parts(self, field: Field) -> Sequence[tuple[str, str]]:
        return ("from", "date"), ("to", "date")

    def read(self, field: Field, posted: Posted) -> Answer:
        found = {part: posted.one(f"{field.id}.{part}") for part in ("from", "to")}
        if not any(found.values()):
            return None
        for part, text in found.items():
            if day_of(text) is None:
                raise Wrong(_("Please give both days, such as 2026-12-31."), part)
        return found

    def check(self, field: Field, answer: Answer) -> None:
        first, last = date.fromisoformat(answer["from"]), date.fromisoformat(answer["to"])
        if last < first:
            raise Wrong(_("The last day is before the first."), "to")
        if field["first"] and answer["from"] < field["first"]:
            raise Wrong(
                _("Please choose %(day)s or later.", day=format_day(date.fromisoformat(field["first"]))), "from"
            )
        if field["last"] and answer["to"] > field["last"]:
            raise Wrong(_("Please choose %(day)s or earlier.", day=format_day(date.fromisoformat(field["last"]))), "to")
        if field["longest"] and (last - first).days + 1 > field["longest"]:
            raise Wrong(_("At most %(n)s days.", n=field["longest"]), "to")

    def text(self, field: Field, answer: Answer) -> str:
        if not answer:
            return ""
        return " – ".join(format_day(date.fromisoformat(answer[part])) for part in ("from", "to"))

    def columns(self, field: Field) -> Sequence[str]:
        name = field.label or field.id
        return [_("%(name)s: first day", name=name), _("%(name)s: last day", name=name)]

    def cells(self, field: Field, answer: Answer) -> list[str | int | float | None]:
        return [answer["from"], answer["to"]] if answer else [None, None]

    def posted(self, field: Field, answer: Answer) -> dict[str, list[str]]:
        return {f"{field.id}.{part}": [day] for part, day in (answer or {}).items()}


KIND = DateRange()
