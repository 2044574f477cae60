"""The forms of accounts: shape only; what is true or allowed is decided by the verbs."""

from collections.abc import Sequence
from datetime import date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from babel import Locale
from wtforms import (
    BooleanField,
    EmailField,
    HiddenField,
    PasswordField,
    SelectChoice,
    SelectField,
    SelectMultipleField,
    StringField,
    TextAreaField,
)
from wtforms.validators import DataRequired, InputRequired, Length, Regexp, ValidationError
from wtforms.widgets import CheckboxInput, ListWidget

from app.accounts import names, strength
from app.accounts.hashing import LONGEST
from app.core import clock
from app.core.errors import Invalid
from app.core.i18n import _, locale
from app.core.i18n import lazy as _l
from app.core.numbers import whole_number
from app.web.forms import BaseForm, email_address, options, time_zones
from app.web.traps import TrappedForm

NEXT = 2000
# Days that an access token may be good for.
LIFETIMES = (7, 30, 90, 365)


def _email() -> EmailField:
    return EmailField(
        _l("Email address"),
        [DataRequired(_l("Type your email address.")), Length(max=254), email_address],
    )


def _new_password() -> PasswordField:
    return PasswordField(
        _l("Password"),
        [InputRequired(_l("Choose a password.")), Length(max=LONGEST, message=_l("Use at most %(max)d characters."))],
    )


def person_name(form: BaseForm, field: Any) -> None:
    """Validator: one line, and no address of a page, since a name stands in mails to whoever's address was typed."""
    if not names.is_name(field.data or ""):
        raise ValidationError(_("A name is one line of words, without the address of a page."))


class SignInForm(BaseForm):
    """Address and password. `keep`: stay signed in after the browser closes."""

    email = EmailField(_l("Email address"), [DataRequired(_l("Type your email address.")), Length(max=254)])
    password = PasswordField(_l("Password"), [InputRequired(_l("Type your password.")), Length(max=1000)])
    keep = BooleanField(_l("Keep me signed in on this device"))
    next = HiddenField(validators=[Length(max=NEXT)])


class ConfirmForm(BaseForm):
    """The password again, before a sensitive act."""

    password = PasswordField(_l("Password"), [InputRequired(_l("Type your password.")), Length(max=1000)])
    next = HiddenField(validators=[Length(max=NEXT)])


class SecondStepForm(BaseForm):
    """Six digits of the app, or a recovery code."""

    code = StringField(_l("Code"), [DataRequired(_l("Type the code.")), Length(max=40)])


class PasskeyForm(BaseForm):
    """What a device answered, as JSON; scripts fill it in. `keep` and `next` as at any sign-in."""

    credential = HiddenField(
        validators=[InputRequired(_l("The device gave no answer. Please try again.")), Length(max=50_000)]
    )
    keep = BooleanField()
    next = HiddenField(validators=[Length(max=NEXT)])


class NewPasskeyForm(BaseForm):
    """A new passkey; without a name it is called after what keeps it."""

    name = StringField(_l("Name"), [Length(max=60), person_name])
    credential = HiddenField(validators=[Length(max=50_000)])


class PasskeyNameForm(BaseForm):
    """What a passkey is called."""

    name = StringField(_l("Name"), [DataRequired(_l("Say what it is called.")), Length(max=60), person_name])


class TotpForm(SecondStepForm):
    """The first code of a new key, which travels along sealed."""

    offer = HiddenField(validators=[Length(max=500)])


class RegisterForm(TrappedForm):
    """A new account."""

    name = StringField(_l("Name"), [DataRequired(_l("Tell us what to call you.")), Length(max=100), person_name])
    email = _email()
    password = _new_password()
    marketing = BooleanField(_l("Write to me now and then about new courses and offers. I can stop this at any time."))
    next = HiddenField(validators=[Length(max=NEXT)])

    def validate(self, extra_validators: Any = None) -> bool:
        valid = super().validate(extra_validators)
        if not valid and not self.password.errors:
            # The verb would say it next time, and a password has to be typed again each time.
            why = strength.weakness(self.password.data, known=[self.email.data or "", self.name.data or ""])
            self.password.errors = [why] if why else []
        return valid


class ForgotForm(TrappedForm):
    """Where to mail the link."""

    email = _email()


class LinkForm(BaseForm):
    """Where to mail the link that signs in."""

    email = _email()
    next = HiddenField(validators=[Length(max=NEXT)])


class LinkRequestForm(LinkForm, TrappedForm):
    """The same from somebody whom nobody knows yet."""


class ResetForm(BaseForm):
    """The new password."""

    new_password = _new_password()


class PasswordForm(BaseForm):
    """The old password and the new one."""

    current_password = PasswordField(
        _l("Password now"), [InputRequired(_l("Type the password you have now.")), Length(max=1000)]
    )
    new_password = _new_password()


class EmailForm(BaseForm):
    """The address that a person wants."""

    email = _email()


class ProfileForm(BaseForm):
    """What a person says about themselves; `seen` is the mark of what the page showed."""

    name = StringField(_l("Name"), [DataRequired(_l("Tell us what to call you.")), Length(max=100), person_name])
    headline = StringField(_l("Headline"), [Length(max=120)])
    biography = TextAreaField(_l("About you"), [Length(max=4000)])
    time_zone = SelectField(_l("Time zone"))
    seen = HiddenField(validators=[Length(max=64)])

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.time_zone.choices = [SelectChoice("", _("As the school")), *time_zones()]


class PersonForm(BaseForm):
    """Somebody whom the office adds."""

    name = StringField(_l("Name"), [DataRequired(_l("Tell us what to call them.")), Length(max=100), person_name])
    email = _email()


class RoleForm(BaseForm):
    """What a person may do in the back office."""

    # What may be given depends on who gives.
    role = SelectField(_l("Role"), choices=[])


class CustomRoleForm(BaseForm):
    """A role of the school. What may be ticked depends on who ticks; `revision` is that of the page."""

    name = StringField(_l("Name"), [DataRequired(_l("Say what the role is called.")), Length(max=60), person_name])
    description = StringField(_l("What it is for"), [Length(max=200)])
    capabilities = SelectMultipleField(_l("What it may do"), choices=[])
    revision = HiddenField()

    def revision_number(self) -> int:
        """The revision that the page was drawn from; 0 when it makes no sense."""
        return whole_number(self.revision.data) or 0


class RoleRemovalForm(BaseForm):
    """Which role the holders of a role get when it goes."""

    move_to = SelectField(_l("Its people get the role"), choices=[], validate_choice=False)
    confirmation = StringField(_l("Name of the role"))


class AccessTokenForm(BaseForm):
    """A new access token. What may be ticked depends on the person; `ref` makes the same form make one token."""

    ref = HiddenField(validators=[InputRequired(), Regexp(r"^[0-9a-z]{12}$")])
    name = StringField(_l("Name"), [DataRequired(_l("Say what it is for.")), Length(max=60), person_name])
    scopes = SelectMultipleField(
        _l("What it may do"),
        [DataRequired(_l("Choose at least one thing that it may do."))],
        choices=[],
        widget=ListWidget(prefix_label=False),
        option_widget=CheckboxInput(),
    )
    lifetime = SelectField(_l("Good for"), choices=[])
    until = StringField(_l("Last day"), [Length(max=10)])

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        days = [(str(days), _("%(days)s days", days=days)) for days in LIFETIMES]
        self.lifetime.choices = options([*days, ("day", _("Until a day that I choose"))])

    def validate_until(self, field: StringField) -> None:
        """A day that is none is told with everything else; whether it is near enough, the verb knows."""
        if self.lifetime.data == "day":
            try:
                date.fromisoformat(field.data or "")
            except ValueError:
                raise ValidationError(_("Choose a day within a year from now.")) from None

    def moment(self, zone: ZoneInfo) -> datetime:
        """When it ends. Raises Invalid when the day is none."""
        if self.lifetime.data != "day":
            return clock.now() + timedelta(days=int(self.lifetime.data))
        try:
            day = date.fromisoformat(self.until.data or "")
            return clock.day_start(day + timedelta(days=1), zone) - timedelta(seconds=1)
        except (ValueError, OverflowError):
            raise Invalid(_("Choose a day within a year from now."), field="until") from None


class MergeForm(BaseForm):
    """Which other account, which of the two stays (`this` or `other`), and the address that is closed."""

    other = HiddenField(validators=[Length(max=40)])
    keep = HiddenField(validators=[Length(max=10)])
    confirmation = StringField(_l("Address that is closed"))


class LookForm(BaseForm):
    """Why somebody looks as another person."""

    reason = TextAreaField(_l("Reason"), [DataRequired(_l("Say in a few words why. It is kept.")), Length(max=500)])


class ErasureForm(BaseForm):
    """Typed before an account is to be erased: its address."""

    confirmation = StringField(_l("Your email address"), [Length(max=254)])


class ConsentForm(BaseForm):
    """What somebody agrees to, each by itself."""

    marketing = BooleanField(_l("Write to me now and then about new courses and offers. I can stop this at any time."))


class PersonEditForm(BaseForm):
    """What the office may change about a person; `seen` is the mark of what the page showed."""

    name = StringField(_l("Name"), [DataRequired(_l("Tell us what to call them.")), Length(max=100), person_name])
    email = _email()
    headline = StringField(_l("Headline"), [Length(max=120)])
    country = SelectField(_l("Country"))
    time_zone = SelectField(_l("Time zone"))
    seen = HiddenField(validators=[Length(max=64)])

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.country.choices = options([("", _("Not known")), *countries()])
        self.time_zone.choices = [SelectChoice("", _("As the school")), *time_zones()]


def countries() -> list[tuple[str, str]]:
    """The countries of ISO 3166 by their names."""
    names = Locale.parse(locale()).territories
    return sorted(
        ((code, name) for code, name in names.items() if len(code) == 2 and code not in _NO_COUNTRIES),
        key=lambda one: one[1],
    )


# Codes of CLDR that are groups, or kept for private use.
_NO_COUNTRIES = {"EU", "EZ", "QO", "UN", "XA", "XB", "ZZ"}


class ReasonForm(BaseForm):
    """Why something is done to a person; it stands in the audit log."""

    reason = StringField(_l("Why"), [DataRequired(_l("Say why, in a few words.")), Length(max=200)])


class SuspensionForm(BaseForm):
    """The same for a suspension, whose field stands beside others of that name."""

    reason = StringField(
        _l("Why"), [DataRequired(_l("Say why, in a few words.")), Length(max=200)], id="suspension-reason"
    )


class BulkReasonForm(ReasonForm):
    """The same for many."""


class NoteForm(BaseForm):
    """What somebody of the team has to say about a person."""

    body = TextAreaField(_l("Note"), [DataRequired(_l("Write something.")), Length(max=4000)])


class TagForm(BaseForm):
    """A word to mark people with."""

    tag = StringField(_l("Tag"), [DataRequired(_l("Type a word or two.")), Length(max=40)])

    def validate_tag(self, field: Any) -> None:
        """No comma, which parts tags in files."""
        if "," in (field.data or ""):
            raise ValidationError(_("A tag has no comma."))


class BulkTagForm(TagForm):
    """A tag for many people; `known` are those there are."""

    known: Sequence[str] = ()
    must_exist = False

    def validate_tag(self, field: Any) -> None:
        """Only a tag that is there can be taken away."""
        super().validate_tag(field)
        field.data = " ".join((field.data or "").split())
        if self.must_exist and field.data.lower() not in {name.lower() for name in self.known}:
            raise ValidationError(
                _("There is no such tag. There are: %(tags)s.", tags=", ".join(self.known[:20]) or _("none"))
            )


class BulkRoleForm(BaseForm):
    """A role for many people."""

    role = SelectField(_l("Role"), choices=[])
