"""A value that the address brings and nobody sees: ?source=newsletter."""

from app.core.i18n import lazy
from app.formbuilder.fields.kinds import Kind
from app.formbuilder.fields.short_text import check_length
from app.formbuilder.models import Answer, Field
from app.formbuilder.settings import Number, Text


class Hidden(Kind):
    name = "hidden"
    label = lazy("Hidden value")
    group = "input"
    icon = "lock"
    can_be_required = False
    settings = (
        Text(name="value", label=lazy("Value, unless the address brings one"), longest=250),
        Number(name="max_length", label=lazy("At most this many characters"), default=250, low=1, high=1000),
    )

    def draws_itself(self, field: Field) -> bool:
        return True

    def check(self, field: Field, answer: Answer) -> None:
        check_length(field, answer)


KIND = Hidden()
