"""How somebody can be reached: name, mail address, telephone, company."""

from app.core.i18n import _, lazy
from app.formbuilder.fields.kinds import Wrong
from app.formbuilder.fields.parts import Compound, Part, settings_of
from app.formbuilder.fields.phone import number_of
from app.formbuilder.models import Answer, Field
from app.web.forms import is_email

PARTS = (
    Part("first", lazy("First name"), "given-name", longest=100, width=3),
    Part("last", lazy("Last name"), "family-name", longest=100, width=3),
    Part("email", lazy("Email"), "email", "email", longest=254, width=3),
    Part("phone", lazy("Telephone"), "tel", "tel", longest=40, width=3),
    Part("company", lazy("Company"), "organization", longest=150, width=3),
    Part("site", lazy("Web site"), "url", "url", width=3),
)


class ContactInfo(Compound):
    name = "contact_info"
    label = lazy("Contact details")
    icon = "users"
    all_parts = PARTS
    settings = settings_of(PARTS, ("first", "last", "email", "phone"), ("first", "email"))

    def check_part(self, field: Field, part: str, text: str) -> None:
        if part == "email" and not is_email(text):
            raise Wrong(_("This does not look like an email address. Is it whole, as in ann@example.org?"), part)
        # Without a country it cannot be told what "030 …" is: only what is written with + is looked at.
        if part == "phone" and text.startswith("+") and number_of(text, "") is None:
            raise Wrong(_("This does not look like a telephone number."), part)

    def address(self, field: Field, answer: Answer) -> str:
        return str((answer or {}).get("email", ""))


KIND = ContactInfo()
