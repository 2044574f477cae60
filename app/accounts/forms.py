"""The forms of accounts: shape only; what is true or allowed is decided by the verbs."""

import re
from typing import Any
from zoneinfo import available_timezones

from wtforms import (
    BooleanField,
    EmailField,
    HiddenField,
    PasswordField,
    SelectField,
    SelectMultipleField,
    StringField,
    TextAreaField,
)
from wtforms.validators import DataRequired, InputRequired, Length, ValidationError

from app.accounts.strength import LONGEST
from app.core import clock, tokens
from app.core.i18n import _
from app.core.i18n import lazy as _l
from app.web.forms import BaseForm, email_address

NEXT = 2000
# Nobody fills a form in less; a program does. The page is good for a day.
TOO_FAST_SECONDS = 1
TOO_OLD_SECONDS = 24 * 3600


_ADDRESS = re.compile(r"//|www\.|\w\.[a-z]{2,}/|https?:", re.IGNORECASE)


def _email() -> EmailField:
    return EmailField(
        _l("Email address"),
        [InputRequired(_l("Type your email address.")), Length(max=254), email_address],
    )


def _new_password() -> PasswordField:
    return PasswordField(
        _l("Password"),
        [InputRequired(_l("Choose a password.")), Length(max=LONGEST, message=_l("Use at most %(max)d characters."))],
    )


def is_plain_name(text: str) -> bool:
    """Whether a text is one line, and holds no address of a page."""
    return not any(0 < ord(character) < 32 for character in text) and not _ADDRESS.search(text)


def person_name(form: BaseForm, field: Any) -> None:
    """Validator: one line, and no address of a page, since a name stands in mails to whoever's address was typed."""
    if not is_plain_name(field.data or ""):
        raise ValidationError(_("A name is one line of words, without the address of a page."))


class SignInForm(BaseForm):
    """Address and password. `keep`: stay signed in after the browser closes."""

    email = EmailField(_l("Email address"), [InputRequired(_l("Type your email address.")), Length(max=254)])
    password = PasswordField(_l("Password"), [InputRequired(_l("Type your password.")), Length(max=1000)])
    keep = BooleanField(_l("Keep me signed in on this device"))
    next = HiddenField(validators=[Length(max=NEXT)])


class ConfirmForm(BaseForm):
    """The password again, before a sensitive act."""

    password = PasswordField(_l("Password"), [InputRequired(_l("Type your password.")), Length(max=1000)])
    next = HiddenField(validators=[Length(max=NEXT)])


class SecondStepForm(BaseForm):
    """Six digits of the app, or a recovery code."""

    code = StringField(_l("Code"), [InputRequired(_l("Type the code.")), Length(max=40)])


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


class RegisterForm(BaseForm):
    """A new account, with two traps: a field that people do not see, and the time that the form was open."""

    name = StringField(_l("Name"), [InputRequired(_l("Tell us what to call you.")), Length(max=100), person_name])
    email = _email()
    password = _new_password()
    website = StringField(_l("Leave this empty"))
    opened = HiddenField()
    next = HiddenField(validators=[Length(max=NEXT)])

    def is_trapped(self) -> bool:
        """Whether the invisible field was filled in."""
        return bool(self.website.data)

    def validate(self, extra_validators: Any = None) -> bool:
        """Also refuses a form that was sent at once, or whose stamp is not ours; a person's second press passes."""
        valid = super().validate(extra_validators)
        opened = tokens.unsign(self.opened.data or "", "register-form")
        seconds = clock.now().timestamp() - opened if isinstance(opened, int | float) else None
        known = seconds is not None and seconds <= TOO_OLD_SECONDS
        if known and seconds is not None and seconds >= TOO_FAST_SECONDS:
            return valid
        if not known:
            self.opened.data = opened_stamp()
        self.form_errors.append(_("That went very fast. Please press the button once more."))
        return False


def opened_stamp() -> str:
    """The moment a form was shown, signed."""
    return tokens.sign(clock.now().timestamp(), "register-form")


class ForgotForm(BaseForm):
    """Where to mail the link."""

    email = _email()


class LinkForm(BaseForm):
    """Where to mail the link that signs in."""

    email = _email()
    next = HiddenField(validators=[Length(max=NEXT)])


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
    """What a person says about themselves."""

    name = StringField(_l("Name"), [InputRequired(_l("Tell us what to call you.")), Length(max=100), person_name])
    headline = StringField(_l("Headline"), [Length(max=120)])
    biography = TextAreaField(_l("About you"), [Length(max=4000)])
    time_zone = SelectField(_l("Time zone"))

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.time_zone.choices = [("", _("As the school")), *((zone, zone.replace("_", " ")) for zone in time_zones())]


def time_zones() -> list[str]:
    """The zones worth offering: places, and UTC."""
    continents = ("Africa/", "America/", "Antarctica/", "Asia/", "Atlantic/", "Australia/", "Europe/", "Indian/")
    names = (*continents, "Pacific/")
    return sorted(zone for zone in available_timezones() if zone.startswith(names) or zone == "UTC")


class PersonForm(BaseForm):
    """Somebody whom the office adds."""

    name = StringField(_l("Name"), [InputRequired(_l("Tell us what to call them.")), Length(max=100), person_name])
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
        text = self.revision.data or ""
        return int(text) if text.isascii() and text.isdigit() and len(text) < 9 else 0


class RoleRemovalForm(BaseForm):
    """Which role the holders of a role get when it goes."""

    move_to = SelectField(_l("Its people get the role"), choices=[], validate_choice=False)
    confirmation = StringField(_l("Name of the role"))
