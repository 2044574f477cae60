"""How satisfied somebody is, in five words (customer satisfaction)."""

from app.core.i18n import _, lazy
from app.formbuilder.fields.scales import Scale
from app.formbuilder.models import Field


class Csat(Scale):
    name = "csat"
    label = lazy("Satisfaction (CSAT)")
    settings = ()

    def span(self, field: Field) -> tuple[int, int]:
        return 1, 5

    def ends(self, field: Field) -> tuple[str, str]:
        return "", ""

    def words(self, field: Field, number: int) -> str:
        said = (_("Very dissatisfied"), _("Dissatisfied"), _("Neither"), _("Satisfied"), _("Very satisfied"))
        return said[number - 1] if 1 <= number <= 5 else ""


KIND = Csat()
