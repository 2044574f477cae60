"""A day and a time of it, without a zone: as the clock shows it where the form is filled in."""

from datetime import datetime

from app.core.i18n import _, format_day, lazy
from app.formbuilder.fields.date import Day
from app.formbuilder.fields.kinds import Kind, Wrong
from app.formbuilder.models import Answer, Field, Posted


class DateTime(Kind):
    name = "date_time"
    label = lazy("Date and time")
    group = "date"
    icon = "calendar-days"
    settings = (Day(name="first", label=lazy("Not before")), Day(name="last", label=lazy("Not after")))

    def read(self, field: Field, posted: Posted) -> Answer:
        text = posted.one(field.id)
        if not text:
            return None
        try:
            moment = datetime.fromisoformat(text) if len(text) in (16, 19) else None
        except ValueError:
            moment = None
        if moment is None or moment.tzinfo is not None:
            raise Wrong(_("Please give a day and a time, such as 2026-12-31 14:30."))
        return moment.strftime("%Y-%m-%dT%H:%M").rjust(16, "0")

    def check(self, field: Field, answer: Answer) -> None:
        if field["first"] and answer[:10] < field["first"]:
            raise Wrong(_("Please choose a later day."))
        if field["last"] and answer[:10] > field["last"]:
            raise Wrong(_("Please choose an earlier day."))

    def text(self, field: Field, answer: Answer) -> str:
        return f"{format_day(datetime.fromisoformat(answer).date())}, {answer[11:]}" if answer else ""

    def cells(self, field: Field, answer: Answer) -> list[str | int | float | None]:
        return [answer.replace("T", " ") if answer else None]


KIND = DateTime()
