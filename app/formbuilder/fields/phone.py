"""A telephone number, kept in its international form."""

import phonenumbers
from phonenumbers import NumberParseException, PhoneNumber, PhoneNumberFormat

from app.core.i18n import _, lazy
from app.formbuilder.fields.kinds import Kind, Wrong
from app.formbuilder.models import Answer, Field, Posted
from app.formbuilder.settings import Text, Unfit

SHORTEST = 5


class Region(Text):
    """A country as two letters, or none."""

    def read(self, value: object) -> str:
        text = Text.read(self, value).upper()
        if text and text not in phonenumbers.SUPPORTED_REGIONS:
            raise Unfit(_("Write the code of a country, such as DE."))
        return text


class Phone(Kind):
    name = "phone"
    label = lazy("Telephone")
    group = "input"
    icon = "smartphone"
    settings = (
        Region(
            name="country",
            label=lazy("Country of numbers without +"),
            hint=lazy("Two letters, such as DE. Without one a number begins with + and its country."),
            longest=2,
        ),
    )

    def read(self, field: Field, posted: Posted) -> Answer:
        text = posted.one(field.id)
        if not text:
            return None
        number = number_of(text, field["country"])
        if number is None and not field["country"] and not text.startswith("+"):
            raise Wrong(_("Please begin with + and the code of the country, as in +49 30 1234567."))
        if number is None:
            raise Wrong(_("This does not look like a telephone number. Is it whole?"))
        return _international(number, PhoneNumberFormat.E164)

    def text(self, field: Field, answer: Answer) -> str:
        number = number_of(answer, "") if answer else None
        return _international(number, PhoneNumberFormat.INTERNATIONAL) if number else str(answer or "")


def number_of(text: str, region: str) -> PhoneNumber | None:
    """The telephone number that somebody wrote; None when it cannot be one."""
    try:
        number = phonenumbers.parse(text[:60], region or None)
    except NumberParseException:
        return None
    # Some plans would take two digits; nobody is reached by them.
    is_long = len(str(number.national_number)) >= SHORTEST
    return number if is_long and phonenumbers.is_possible_number(number) else None


def _international(number: PhoneNumber, form: int) -> str:
    # The bare form of the standard has no room for an extension.
    bare = PhoneNumber(number.country_code, number.national_number, italian_leading_zero=number.italian_leading_zero,
                       number_of_leading_zeros=number.number_of_leading_zeros)  # fmt: skip
    written = str(phonenumbers.format_number(bare, form))
    return f"{written} ext. {number.extension}" if number.extension else written


KIND = Phone()
