"""The form of the school's settings."""

from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from email.utils import parseaddr
from types import MappingProxyType
from typing import Any

from wtforms import (
    BooleanField,
    FileField,
    Form,
    HiddenField,
    IntegerField,
    SelectField,
    SelectMultipleField,
    StringField,
    TextAreaField,
)
from wtforms.validators import DataRequired, Length, NumberRange, ValidationError
from wtforms.widgets import CheckboxInput, ListWidget

from app.core import tokens
from app.core.i18n import _, lazy
from app.core.money import CURRENCIES
from app.core.settings import School
from app.web.forms import BaseForm, is_email, options, time_zones


def _percent(form: Form, field: Any) -> None:
    try:
        rate = Decimal((field.data or "0").replace(",", ".").removesuffix("%").strip())
    except InvalidOperation:
        rate = Decimal("NaN")
    if not rate.is_finite() or not 0 <= rate < 100 or rate != rate.quantize(Decimal("0.001")):
        raise ValidationError(_("Write a percentage such as 19 or 7.7."))
    field.data = f"{rate.normalize():f}"


def _sender(form: Form, field: Any) -> None:
    name, address = parseaddr(field.data or "")
    whole = field.data == address or (field.data or "").endswith(f"<{address}>")
    if field.data and (
        not is_email(address) or not whole or any(mark in field.data for mark in ",;") or "\ufffd" in name
    ):
        raise ValidationError(_("Write an address, or a name and an address: Meridian <hello@meridian.example>."))


class SettingsForm(BaseForm):
    """Every setting that the owner types; the logo has a form of its own. `seen` is the mark of what the page showed."""

    name = StringField(lazy("Name of the school"), [DataRequired(), Length(max=60)])
    strapline = StringField(lazy("Strapline"), [Length(max=120)])
    description = StringField(lazy("One sentence about it"), [Length(max=300)])
    hue = IntegerField(lazy("Hue"), [NumberRange(0, 360)])
    home_title = StringField(lazy("Headline"), [Length(max=120)])
    home_lead = TextAreaField(lazy("What the school is for"), [Length(max=600)])
    currency = SelectField(lazy("Currency"), choices=list(CURRENCIES))
    tax_percent = StringField(lazy("Tax in every price, in percent"), [_percent])
    tax_label = StringField(lazy("What the tax is called"), [DataRequired(), Length(max=20)])
    time_zone = SelectField(lazy("Time zone"))
    mail_sender = StringField(lazy("Sender of mails"), [Length(max=200), _sender])
    legal_line = StringField(lazy("Legal line"), [Length(max=300)])
    disclaimer = TextAreaField(lazy("Disclaimer"), [Length(max=1000)])
    second_factor_roles = SelectMultipleField(
        lazy("Who must use a second step at sign-in"), widget=ListWidget(), option_widget=CheckboxInput()
    )
    show_impersonations = BooleanField(lazy("People see when somebody of the school looked as them"))
    erasure_days = SelectField(
        lazy("Days to think an erasure over"),
        choices=options((days, str(days)) for days in (7, 14, 30)),
        coerce=int,
        default=14,
    )
    kept_years = SelectField(
        lazy("Years that paid orders keep name and address"),
        choices=options((years, str(years)) for years in range(1, 16)),
        coerce=int,
        default=10,
    )
    seen = HiddenField(validators=[Length(max=64)])

    def __init__(self, *args: Any, roles: Mapping[str, Any] = MappingProxyType({}), **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.time_zone.choices = time_zones()
        held = ((key, str(label)) for key, label in roles.items() if key != "member")
        self.second_factor_roles.choices = options(held)

    def changes(self) -> dict[str, Any]:
        """The settings as they are kept."""
        return {name: "" if value is None else value for name, value in self.data.items() if name != "seen"}

    def mark_of(self, school: School) -> str:
        """The settings of this form as they stand, as a mark: another one says that a page is stale."""
        return tokens.keyed(repr([getattr(school, name) for name in self.changes()])).hex()


class LogoForm(BaseForm):
    """A picture to stand for the school."""

    logo = FileField(lazy("Logo"))
