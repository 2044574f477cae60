"""A mail address."""

from app.core.i18n import _, lazy
from app.formbuilder.fields.kinds import Kind, Wrong
from app.formbuilder.models import Answer, Field
from app.formbuilder.settings import Switch
from app.web.forms import is_email


class Email(Kind):
    name = "email"
    label = lazy("Email")
    group = "input"
    icon = "mail"
    settings = (Switch(name="unique", label=lazy("No two entries with the same answer")),)

    def check(self, field: Field, answer: Answer) -> None:
        if not is_email(answer):
            raise Wrong(_("This does not look like an email address. Is it whole, as in ann@example.org?"))

    def address(self, field: Field, answer: Answer) -> str:
        return str(answer or "")


KIND = Email()
