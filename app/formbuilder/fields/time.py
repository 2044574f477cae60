"""A time of day."""

import re

from app.core.i18n import _, lazy
from app.formbuilder.fields.kinds import Kind, Wrong
from app.formbuilder.models import Answer, Field, Posted
from app.formbuilder.settings import Text, Unfit

_TIME = re.compile(r"([01][0-9]|2[0-3]):[0-5][0-9]")


class Hour(Text):
    """A time as HH:MM, or none."""

    input_type = "time"

    def read(self, value: object) -> str:
        text = Text.read(self, value)
        if text and not _TIME.fullmatch(text):
            raise Unfit(_("Write a time as 14:30."))
        return text


class TimeField(Kind):
    name = "time"
    label = lazy("Time")
    group = "date"
    icon = "clock"
    settings = (Hour(name="first", label=lazy("Not before")), Hour(name="last", label=lazy("Not after")))

    def read(self, field: Field, posted: Posted) -> Answer:
        text = posted.one(field.id)
        # Some browsers send seconds, always nought.
        text = text[:5] if len(text) == 8 and text.endswith(":00") else text
        if text and not _TIME.fullmatch(text):
            raise Wrong(_("Please give a time, such as 14:30."))
        return text or None

    def check(self, field: Field, answer: Answer) -> None:
        if field["first"] and answer < field["first"]:
            raise Wrong(_("Please choose %(time)s or later.", time=field["first"]))
        if field["last"] and answer > field["last"]:
            raise Wrong(_("Please choose %(time)s or earlier.", time=field["last"]))


KIND = TimeField()
