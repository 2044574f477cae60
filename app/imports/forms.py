"""Forms of imports: a file; what its columns are and what is to be done with its rows."""

from collections.abc import Sequence
from typing import Any

from wtforms import BooleanField, FileField, HiddenField, RadioField, SelectChoice, SelectField, StringField

from app.core.i18n import lazy as _l
from app.core.numbers import whole_number
from app.imports.models import Column
from app.imports.people import KEEP, SKIP, UPDATE
from app.web.forms import BaseForm, options


class BringForm(BaseForm):
    """The file."""

    file = FileField(_l("File"))


class StartForm(BaseForm):
    """Which trial is to be carried out."""

    attempt = HiddenField()

    def number(self) -> int:
        """The trial's number; 0 when it makes no sense."""
        return whole_number(self.attempt.data) or 0


class PlanForm(BaseForm):
    """What is done with the rows. `plan_form` adds a field for each column."""

    existing = RadioField(
        _l("Who has an account already"),
        choices=[
            SelectChoice(SKIP, _l("Leave them as they are")),
            SelectChoice(KEEP, _l("Give them what is chosen below, keep their names")),
            SelectChoice(UPDATE, _l("Give them what is chosen below, and the name of the file")),
        ],
        default=SKIP,
    )
    product = SelectField(_l("Let everybody use"), choices=[], default="")
    tag = StringField(_l("Tag everybody"))
    invite = BooleanField(_l("Send mails: the link to set a password to new people, and what was opened to everybody"))

    @property
    def mapping(self) -> list[str]:
        """What the columns are, in their order."""
        return [field.data or "" for field in self.column_fields]

    @property
    def column_fields(self) -> list[Any]:
        """The selects of the columns, in their order."""
        return [field for field in self if field.name.startswith("column-")]


def plan_form(header: Sequence[str], columns: Sequence[Column]) -> type[PlanForm]:
    """The form for a file with these columns."""
    choices = options([("", _l("leave out")), *((column.key, column.label) for column in columns)])
    fields = {
        f"column_{place:03}": SelectField(title, choices=choices, name=f"column-{place:03}")
        for place, title in enumerate(header)
    }
    return type("FilePlanForm", (PlanForm,), fields)
