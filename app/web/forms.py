"""Forms: WTForms for shape and messages; rules live in the verbs.

form = await submitted(LoginForm)
if not form.validate():
    return await page("accounts/login.html", status=422, form=form)
"""

import re
from collections.abc import Iterable
from functools import cache
from typing import Any, TypeVar
from zoneinfo import available_timezones

from markupsafe import escape
from quart import request
from werkzeug.datastructures import MultiDict
from wtforms import FileField, Form, SelectChoice, SelectField, StringField, TextAreaField
from wtforms.validators import ValidationError
from wtforms.widgets import Select

from app.core.errors import Refused
from app.core.i18n import _, ngettext_unfilled

F = TypeVar("F", bound="BaseForm")


class _QuickSelect(Select):
    """A select whose options are drawn without WTForms' general way to write attributes, which took 20 µs for each."""

    @classmethod
    def render_option(cls, choice: Any, **kwargs: Any) -> str:
        if choice.render_kw or kwargs:
            return str(super().render_option(choice, **kwargs))
        selected = "selected " if choice.selected else ""
        return f'<option {selected}value="{escape(choice.value)}">{escape(choice.label or choice.value)}</option>'


class _Translations:
    def gettext(self, message: str) -> str:
        return _(message)

    def ngettext(self, singular: str, plural: str, n: int) -> str:
        return ngettext_unfilled(singular, plural, n)


class BaseForm(Form):
    """The parent of all forms: strips text, refuses characters that PostgreSQL and people cannot read."""

    class Meta:
        def get_translations(self, form: Form) -> _Translations:
            return _Translations()

        def bind_field(self, form: Form, unbound_field: Any, options: dict[str, Any]) -> Any:
            if unbound_field.field_class is SelectField:
                unbound_field.kwargs.setdefault("widget", _QuickSelect())
            filters = list(unbound_field.kwargs.pop("filters", []))
            is_text = issubclass(unbound_field.field_class, StringField)
            if is_text and stripped not in filters and "password" not in options["name"]:
                filters.append(stripped)
                if not issubclass(unbound_field.field_class, TextAreaField):
                    filters.append(on_one_line)
            return unbound_field.bind(form=form, filters=filters, **options)

    def validate(self, extra_validators: Any = None) -> bool:
        valid: bool = super().validate(extra_validators)
        for field in self:
            if isinstance(field.data, str) and unreadable(field.data):
                field.errors = [*field.errors, _("This contains characters that cannot be stored.")]
                field.data = field.data.replace("\x00", "").encode("utf-8", "replace").decode()
                valid = False
        return valid

    def refuse(self, error: Refused) -> None:
        """Show a verb's refusal beside its field, or above the form when it names none."""
        field = self._fields.get(error.field or "")
        if field is None:
            self.form_errors.append(error.message)
        else:
            field.errors = [*field.errors, error.message]


def stripped(text: Any) -> Any:
    """Filter: without surrounding space."""
    return text.strip() if isinstance(text, str) else text


def on_one_line(text: Any) -> Any:
    """Filter: line breaks become spaces. A name ends up in the subject of a mail, where a break would begin its text."""
    return " ".join(text.splitlines()) if isinstance(text, str) else text


def unreadable(text: str) -> bool:
    """True for text with NUL or lone surrogates, which PostgreSQL refuses."""
    return "\x00" in text or any("\ud800" <= character <= "\udfff" for character in text)


# One @, no space or control character, a domain of at least two labels. What really counts is whether mail arrives.
_EMAIL = re.compile(
    r"[^\s@\x00-\x20\x7f\"(),:;<>\[\]\\]{1,64}@(?:[^\W_](?:[^\W_]|-){0,62}\.)+[^\W_](?:[^\W_]|-){0,61}[^\W_]"
)


def is_email(text: str) -> bool:
    """Whether mail can be addressed to this."""
    return len(text) <= 254 and _EMAIL.fullmatch(text) is not None and ".." not in text and not text.startswith(".")


def email_address(form: Form, field: Any) -> None:
    """Validator: an address that mail can be sent to."""
    if field.data and not is_email(field.data):
        raise ValidationError(_("This does not look like an email address. Is it whole, as in ann@example.org?"))


def options(pairs: Iterable[tuple[Any, Any]]) -> list[SelectChoice]:
    """What a select offers, from values and labels."""
    return [SelectChoice(value, label) for value, label in pairs]


@cache
def time_zones() -> list[SelectChoice]:
    """UTC and the time zones that mean a place, to choose from. To find them is to walk over a folder of hundreds of files."""
    places = (name for name in available_timezones() if "/" in name and not name.startswith(_NO_PLACE))
    return options((name, name.replace("_", " ")) for name in ["UTC", *sorted(places)])


_NO_PLACE = ("Etc/", "SystemV/", "posix/", "right/")


def one_of_known(known: set[str]) -> Any:
    """Validator: the value is one of a set that is known only at run time."""

    def check(form: Form, field: Any) -> None:
        if field.data not in known:
            raise ValidationError(_("Choose one of the list."))

    return check


async def submitted(form_class: type[F], **kwargs: Any) -> F:
    """The form with what was posted: files for its file fields, text for all others, whatever came under their names."""
    form = form_class(**kwargs)
    takers = {field.name for field in form if isinstance(field, FileField)}
    sent: MultiDict[str, Any] = MultiDict()
    for posted, for_files in ((await request.form, False), (await request.files, True)):
        for name, values in posted.lists():
            # A part of a multipart body may have no name at all.
            if isinstance(name, str) and (name in takers) is for_files:
                sent.setlist(name, values)
    return form_class(sent, **kwargs)
