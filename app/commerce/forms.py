"""Forms of commerce: shape only; what is allowed is decided by the verbs."""

from wtforms import BooleanField, EmailField, HiddenField, StringField
from wtforms.validators import DataRequired, InputRequired, Length, Regexp

from app.core.i18n import lazy as _l
from app.web.forms import BaseForm, email_address
from app.web.traps import HoneypotForm


class QuoteForm(BaseForm):
    """A member's checkout: the signed prices."""

    quote = HiddenField(validators=[Length(max=8000)])


class GuestForm(QuoteForm, HoneypotForm):
    """A guest's checkout: who buys, and the signed prices."""

    email = EmailField(
        _l("Email address"), [DataRequired(_l("Type your email address.")), Length(max=254), email_address]
    )
    name = StringField(_l("Name"), [DataRequired(_l("Tell us what to call you.")), Length(max=100)])
    marketing = BooleanField(_l("Write to me now and then about new courses and offers. I can stop this at any time."))


class RefundForm(BaseForm):
    """Money to give back: how much, why, and the order's number typed as a confirmation."""

    ref = HiddenField(validators=[InputRequired(), Regexp(r"^[0-9a-z]{12}$")])
    amount = StringField(_l("Amount"), [DataRequired(_l("How much goes back?")), Length(max=16)])
    reason = StringField(_l("Reason"), [Length(max=200)])
    confirmation = StringField(_l("Number"), [Length(max=20)])
