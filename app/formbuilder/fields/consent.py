"""Agreement to a text, which is kept with the answer word for word."""

from app.core.i18n import _, lazy
from app.formbuilder.fields.kinds import Kind
from app.formbuilder.models import Answer, Field, Posted
from app.formbuilder.settings import Text


class Consent(Kind):
    name = "consent"
    label = lazy("Consent")
    group = "legal"
    icon = "check"
    value_class = "choice"
    settings = (
        Text(
            name="text",
            label=lazy("What is agreed to"),
            hint=lazy("Markdown; links are fine"),
            longest=2000,
            rows=3,
            default=lazy("I agree that my answers are kept to reply to me."),
        ),
    )

    def read(self, field: Field, posted: Posted) -> Answer:
        return {"agreed": field["text"]} if posted.one(field.id) == "yes" else None

    def missing(self, field: Field) -> str:
        return _("Please tick this to go on.")

    def text(self, field: Field, answer: Answer) -> str:
        return _("Agreed: %(text)s", text=answer["agreed"]) if answer else ""

    def posted(self, field: Field, answer: Answer) -> dict[str, list[str]]:
        return {field.id: ["yes"]} if answer else {}


KIND = Consent()
