"""How easy something was, from 1 to 7 (customer effort score)."""

from app.core.i18n import _, lazy
from app.formbuilder.fields.scales import Scale
from app.formbuilder.models import Field


class Ces(Scale):
    name = "ces"
    label = lazy("Effort (CES)")

    def span(self, field: Field) -> tuple[int, int]:
        return 1, 7

    def ends(self, field: Field) -> tuple[str, str]:
        return field["low_words"] or _("Very hard"), field["high_words"] or _("Very easy")


KIND = Ces()
