"""Forms of the access panel."""

from wtforms import DateField, HiddenField, SelectField, StringField
from wtforms.validators import DataRequired, InputRequired, Length, Optional, Regexp

from app.core.i18n import lazy as _l
from app.web.forms import BaseForm


class GrantForm(BaseForm):
    """Let a person use something, for a reason, until a day or for good."""

    ref = HiddenField(validators=[InputRequired(), Regexp(r"^[0-9a-z]{12}$")])
    product = SelectField(_l("What"))
    reason = StringField(_l("Why"), validators=[DataRequired(_l("Write down why.")), Length(max=200)])
    until = DateField(_l("Until"), validators=[Optional()])


class ClosureForm(BaseForm):
    """Take something away, for a reason that the person will read."""

    reason = StringField(_l("Why"), validators=[DataRequired(_l("Write down why.")), Length(max=200)])
