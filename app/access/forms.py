"""Forms of the access panel."""

from datetime import date

from wtforms import DateField, HiddenField, SelectField, StringField
from wtforms.validators import DataRequired, InputRequired, Length, Optional, Regexp, ValidationError

from app.core import clock
from app.core.i18n import _
from app.core.i18n import lazy as _l
from app.web.forms import BaseForm


class GrantForm(BaseForm):
    """Let a person use something, for a reason, until a day or for good."""

    ref = HiddenField(validators=[InputRequired(), Regexp(r"^[0-9a-z]{12}$")])
    product = SelectField(_l("What"))
    reason = StringField(_l("Why"), validators=[DataRequired(_l("Write down why.")), Length(max=200)])
    until = DateField(_l("Until"), validators=[Optional()])

    def validate_until(self, field: DateField) -> None:
        """Access that has ended already would help nobody."""
        day: date | None = field.data
        if day is not None and day < clock.now().date():
            raise ValidationError(_("Choose a day that is still to come, or none for good."))


class ClosureForm(BaseForm):
    """Take something away, for a reason that the person will read."""

    reason = StringField(_l("Why"), validators=[DataRequired(_l("Write down why.")), Length(max=200)])
