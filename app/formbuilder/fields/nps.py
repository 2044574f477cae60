"""How likely somebody is to recommend us, from 0 to 10 (net promoter score)."""

from app.core.i18n import _, lazy
from app.formbuilder.fields.scales import Scale
from app.formbuilder.models import Field


class Nps(Scale):
    name = "nps"
    label = lazy("Recommendation (NPS)")

    def ends(self, field: Field) -> tuple[str, str]:
        return field["low_words"] or _("Not at all likely"), field["high_words"] or _("Very likely")


KIND = Nps()
