"""Forms of the catalogue's back office."""

from wtforms import SelectChoice, SelectField, StringField
from wtforms.validators import DataRequired, Length

from app.core.i18n import _
from app.core.money import CURRENCIES
from app.web.forms import BaseForm


class PriceForm(BaseForm):
    """A price as a person types it; 0 makes the course free."""

    price = StringField("Price", validators=[DataRequired(), Length(max=16)])
    currency = SelectField("Currency", choices=[SelectChoice(code) for code in CURRENCIES])

    def __init__(self, *args: object, **kwargs: object) -> None:
        super().__init__(*args, **kwargs)
        self.price.label.text = _("Price, tax included")
        self.currency.label.text = _("Currency")
