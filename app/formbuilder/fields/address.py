"""A postal address, in parts."""

from collections.abc import Sequence

from app.core.i18n import lazy
from app.formbuilder.fields.country import countries
from app.formbuilder.fields.parts import Compound, Part, settings_of
from app.formbuilder.models import Field
from app.formbuilder.settings import Option

PARTS = (
    Part("line1", lazy("Street and number"), "address-line1"),
    Part("line2", lazy("Address, second line"), "address-line2"),
    Part("postcode", lazy("Postcode"), "postal-code", longest=20, width=2),
    Part("city", lazy("Town"), "address-level2", longest=100, width=4),
    Part("region", lazy("State or region"), "address-level1", longest=100, width=3),
    Part("country", lazy("Country"), "country", longest=2, width=3),
)


class Address(Compound):
    name = "address"
    label = lazy("Address")
    icon = "map-pin"
    all_parts = PARTS
    settings = settings_of(PARTS, ("line1", "postcode", "city", "country"), ("line1", "city"))

    def options_of(self, field: Field, part: str) -> Sequence[Option]:
        return countries() if part == "country" else ()


KIND = Address()
