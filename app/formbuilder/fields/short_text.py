"""A text on one line."""

from app.core.i18n import _, lazy
from app.formbuilder.fields.kinds import Kind, Wrong
from app.formbuilder.models import Answer, Field
from app.formbuilder.settings import Number, Switch, Text


class ShortText(Kind):
    name = "short_text"
    label = lazy("Short text")
    group = "input"
    icon = "type"
    settings = (
        Text(name="placeholder", label=lazy("Example in the empty field"), longest=120),
        Number(name="min_length", label=lazy("At least this many characters"), default=None, high=1000),
        Number(name="max_length", label=lazy("At most this many characters"), default=250, low=1, high=1000),
        Text(
            name="autocomplete", label=lazy("What browsers may fill in"), hint="given-name, organization …", longest=40
        ),
        Switch(name="unique", label=lazy("No two entries with the same answer")),
    )

    def check(self, field: Field, answer: Answer) -> None:
        check_length(field, answer)


def check_length(field: Field, answer: str) -> None:
    """Raise Wrong for a text that is shorter or longer than the field allows."""
    least, most = field.settings.get("min_length"), field.settings.get("max_length")
    if least and len(answer) < least:
        raise Wrong(_("Please write at least %(n)s characters.", n=least))
    if most and len(answer) > most:
        raise Wrong(_("Please write at most %(n)s characters; this is %(m)s.", n=most, m=len(answer)))


KIND = ShortText()
