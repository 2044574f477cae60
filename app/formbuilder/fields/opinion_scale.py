"""A number of a scale that the owner chooses."""

from app.core.i18n import lazy
from app.formbuilder.fields.scales import HIGH_WORDS, LOW_WORDS, Scale
from app.formbuilder.models import Field
from app.formbuilder.settings import Number


class OpinionScale(Scale):
    name = "opinion_scale"
    label = lazy("Opinion scale")
    settings = (
        Number(name="low", label=lazy("From"), default=1, low=0, high=1),
        Number(name="high", label=lazy("To"), default=5, low=2, high=10),
        LOW_WORDS,
        HIGH_WORDS,
    )

    def span(self, field: Field) -> tuple[int, int]:
        return field["low"], field["high"]


KIND = OpinionScale()
