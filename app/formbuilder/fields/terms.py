"""Terms that can be read where they are agreed to. The answer names what was agreed to; its words stand in the form's version."""

import hashlib

from app.core.i18n import _, lazy
from app.formbuilder.fields.kinds import Kind
from app.formbuilder.models import Answer, Field, Posted
from app.formbuilder.settings import Text


class Terms(Kind):
    name = "terms"
    label = lazy("Terms")
    group = "legal"
    icon = "file-text"
    value_class = "choice"
    is_group = True
    has_sheet = True
    settings = (
        Text(name="text", label=lazy("The terms"), hint=lazy("Markdown"), longest=20_000, rows=10),
        Text(name="agree", label=lazy("Words beside the box"), longest=200),
    )

    def words(self, field: Field) -> str:
        """What stands beside the box."""
        return field["agree"] or _("I have read these terms and agree to them.")

    def read(self, field: Field, posted: Posted) -> Answer:
        if posted.one(field.id) != "yes":
            return None
        digest = hashlib.sha256(field["text"].encode()).hexdigest()
        return {"agreed": self.words(field), "sha256": digest}

    def missing(self, field: Field) -> str:
        return _("Please tick this to go on.")

    def text(self, field: Field, answer: Answer) -> str:
        return _("Agreed: %(text)s", text=answer["agreed"]) if answer else ""

    def posted(self, field: Field, answer: Answer) -> dict[str, list[str]]:
        return {field.id: ["yes"]} if answer else {}


KIND = Terms()
