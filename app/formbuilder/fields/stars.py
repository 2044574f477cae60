"""Stars, from one up."""

from app.core.i18n import lazy, ngettext
from app.formbuilder.fields.scales import Scale
from app.formbuilder.models import Field
from app.formbuilder.settings import Number


class Stars(Scale):
    name = "stars"
    label = lazy("Stars")
    icon = "star"
    settings = (Number(name="high", label=lazy("How many"), default=5, low=3, high=10),)

    def span(self, field: Field) -> tuple[int, int]:
        return 1, field["high"]

    def ends(self, field: Field) -> tuple[str, str]:
        return "", ""

    def said(self, number: int) -> str:
        """A number of stars, for readers of the page."""
        return ngettext("%(num)s star", "%(num)s stars", number)


KIND = Stars()
