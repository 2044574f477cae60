"""Forms of the access panel."""

from datetime import date

from wtforms import DateField, HiddenField, SelectField, StringField
from wtforms.validators import InputRequired, Length, Optional, Regexp, ValidationError

from app.core import clock
from app.core.i18n import _
from app.web.forms import BaseForm


class GrantForm(BaseForm):
    """Let a person use something, for a reason, until a day or for good."""

    ref = HiddenField(validators=[InputRequired(), Regexp(r"^[0-9a-z]{12}$")])
    product = SelectField("Product", validate_choice=True)
    until = DateField("Until", validators=[Optional()])
    reason = StringField("Reason", validators=[InputRequired(), Length(max=200)])

    def __init__(self, *args: object, **kwargs: object) -> None:
        super().__init__(*args, **kwargs)
        self.product.label.text = _("What")
        self.until.label.text = _("Until")
        self.reason.label.text = _("Why")

    def validate_until(self, field: DateField) -> None:
        """Access that has ended already would help nobody."""
        day: date | None = field.data
        if day is not None and day < clock.now().date():
            raise ValidationError(_("Choose a day that is still to come, or none for good."))


class ClosureForm(BaseForm):
    """Take something away, for a reason that the person will read."""

    reason = StringField("Reason", validators=[InputRequired(), Length(max=200)])

    def __init__(self, *args: object, **kwargs: object) -> None:
        super().__init__(*args, **kwargs)
        self.reason.label.text = _("Why")
